//! A waker out of what ends a sleep.

use pirn_core::{Park, Unpark};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Wakes whoever sleeps in a [`Park`].
pub(crate) struct Unparker<U>(U);

impl<U: Unpark> Unparker<U> {
    pub(crate) fn waker<P: Park<Unpark = U>>(park: &P) -> Waker {
        Waker::from(Arc::new(Unparker(park.unparker())))
    }
}

impl<U: Unpark> Wake for Unparker<U> {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
