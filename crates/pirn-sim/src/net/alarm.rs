//! Waits for a point in time that may change.

use pirn_core::Instant;
use pirn_timer::{Sleep, sleep_until};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Default)]
pub(super) struct Alarm(Option<Sleep>);

impl Alarm {
    pub(super) const fn new() -> Self {
        Alarm(None)
    }

    /// Ready at that time; with `NEVER`, never.
    pub(super) fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at == Instant::NEVER {
            self.0 = None;
            return Poll::Pending;
        }
        let sleep = self.0.get_or_insert_with(|| sleep_until(at));
        if sleep.deadline() != at {
            sleep.reset(at);
        }
        Pin::new(sleep).poll(cx)
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }
}
