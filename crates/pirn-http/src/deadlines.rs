//! The time limits of one request.

use crate::error::{ErrorKind, Limit};
use pirn_core::Instant;
use pirn_timer::Sleep;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The limit of the whole, and that of what is being done now; one timer for both.
///
/// The timer is touched only when there is something to wait for, and not moved when its time is
/// put off: it then fires once in vain.
#[derive(Debug)]
pub(crate) struct Deadlines {
    total: Option<Due>,
    stage: Option<Due>,
    /// How far the peer had got when the stage was begun last.
    progress: u64,
    timer: Option<Sleep>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    limit: Limit,
    after: Duration,
    at: Instant,
}

impl Due {
    fn from_now(limit: Limit, after: Duration) -> Due {
        Due {
            limit,
            after,
            at: pirn_timer::now() + after,
        }
    }
}

impl Deadlines {
    /// Starts the limit of the whole.
    pub(crate) fn start(total: Option<Duration>) -> Deadlines {
        Deadlines {
            total: total.map(|after| Due::from_now(Limit::Total, after)),
            stage: None,
            progress: 0,
            timer: None,
        }
    }

    /// Starts a limit that takes the place of the one before.
    pub(crate) fn begin(&mut self, limit: Limit, after: Option<Duration>) {
        self.stage = after.map(|after| Due::from_now(limit, after));
    }

    /// Ends the limit that was begun.
    pub(crate) fn end(&mut self) {
        self.stage = None;
    }

    /// Ready with the limit that is over. When `progress` is not what it was, the present stage
    /// begins anew.
    pub(crate) fn poll(&mut self, progress: u64, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        if progress != self.progress {
            self.progress = progress;
            if let Some(due) = self.stage {
                self.begin(due.limit, Some(due.after));
            }
        }
        loop {
            let Some(next) = self.soonest() else {
                return Poll::Pending;
            };
            let timer = self
                .timer
                .get_or_insert_with(|| pirn_timer::sleep_until(next.at));
            if next.at < timer.deadline() {
                timer.reset(next.at);
            }
            ready!(Pin::new(&mut *timer).poll(cx));
            if timer.deadline() >= next.at {
                return Poll::Ready(ErrorKind::Timeout {
                    limit: next.limit,
                    after: next.after,
                });
            }
            timer.reset(next.at);
        }
    }

    fn soonest(&self) -> Option<Due> {
        match (self.total, self.stage) {
            (Some(total), Some(stage)) if stage.at < total.at => Some(stage),
            (Some(total), _) => Some(total),
            (None, stage) => stage,
        }
    }

    /// Waits for `future`, as long as there is time. What is ready wins.
    pub(crate) async fn within<F: Future>(&mut self, future: F) -> Result<F::Output, ErrorKind> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll(self.progress, cx).map(Err),
        })
        .await
    }
}
