//! Wakers that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts how often it was woken.
#[derive(Default)]
pub(super) struct Bell(AtomicUsize);

impl Bell {
    pub(super) fn rings(&self) -> usize {
        // Ordering: Relaxed, everything happens on one thread.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Relaxed, as above.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The wakers that one waiter was polled with.
pub(super) struct Bells {
    newest: Arc<Bell>,
    /// How often the newest had rung at the last poll.
    heard: usize,
    /// Those before it, and how often each had rung when it was replaced.
    older: Vec<(Arc<Bell>, usize)>,
}

impl Bells {
    pub(super) fn new() -> Self {
        Bells {
            newest: Arc::default(),
            heard: 0,
            older: Vec::new(),
        }
    }

    /// Those of another waiter of the same task.
    pub(super) fn shared(&self) -> Self {
        Bells {
            newest: Arc::clone(&self.newest),
            heard: 0,
            older: Vec::new(),
        }
    }

    /// The waker for the next poll, after which it has to ring again.
    pub(super) fn waker(&mut self) -> Waker {
        self.heard = self.newest.rings();
        Waker::from(Arc::clone(&self.newest))
    }

    pub(super) fn replace(&mut self) {
        let newest = std::mem::take(&mut self.newest);
        let rings = newest.rings();
        self.older.push((newest, rings));
    }

    /// True if it rang since the last poll began.
    pub(super) fn is_rung(&self) -> bool {
        self.newest.rings() > self.heard
    }

    /// True if one that was replaced rang after that.
    pub(super) fn older_rang(&self) -> bool {
        self.older.iter().any(|(bell, rings)| bell.rings() > *rings)
    }
}
