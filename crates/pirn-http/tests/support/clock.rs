//! A clock that stands still until it is moved.

use pirn_core::context::{Entered, Handles};
use pirn_core::{BoxSleep, Clock, Instant};
use std::any::Any;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

#[derive(Clone, Default)]
pub(crate) struct StillClock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Instant,
    sleepers: Vec<Waker>,
}

impl StillClock {
    /// Makes it the ambient clock of this thread until the guard is dropped.
    pub(crate) fn enter() -> (StillClock, Entered) {
        let clock = StillClock::default();
        let mut handles = Handles::default();
        handles.clock = Some(Arc::new(clock.clone()));
        (clock, Rc::new(handles).enter())
    }

    /// How many wait for it.
    pub(crate) fn sleepers(&self) -> usize {
        self.0.lock().unwrap().sleepers.len()
    }

    /// Moves it, and wakes whoever sleeps.
    pub(crate) fn advance(&self, by: Duration) {
        let sleepers = {
            let mut state = self.0.lock().unwrap();
            state.now = state.now + by;
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let clock = self.clone();
        Box::pin(poll_fn(move |cx| {
            let mut state = clock.0.lock().unwrap();
            if state.now >= at {
                return Poll::Ready(());
            }
            state.sleepers.push(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
