//! Waits until all others wait.

use crate::ambient;
use crate::clock::World;
use pirn_core::shim::Arc;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits until no task of the run is ready: all the others wait for a timer, or for each other.
///
/// Put it where a test would otherwise sleep "for long enough". The clock does not jump meanwhile,
/// unless a [cushion](AllBlocked::cushion) is asked for. Work outside the simulation counts as ready
/// while it has a [`Hold`](crate::Hold), and so does a closure that is on its way to run. trio's
/// `wait_all_tasks_blocked`.
///
/// # Panics
///
/// The future, outside a run.
///
/// # Cancel safety
///
/// Dropping the future ends the wait, and costs at most a wake-up too many.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, wait_all_blocked};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// Sim::new().seed(3).run(async {
///     let steps = Rc::new(Cell::new(0));
///     let stepping = steps.clone();
///     let task = pirn_executor::spawn_local(async move {
///         for _ in 0..10 {
///             pirn_core::yield_now().await;
///             stepping.set(stepping.get() + 1);
///         }
///         std::future::pending::<()>().await
///     });
///     wait_all_blocked().await;
///     assert_eq!(steps.get(), 10); // however the turns fell
///     drop(task);
/// });
/// ```
pub fn wait_all_blocked() -> AllBlocked {
    AllBlocked {
        cushion: Duration::ZERO,
        asked: None,
    }
}

/// The future of [`wait_all_blocked`].
///
/// # Examples
///
/// ```
/// use pirn_sim::{AllBlocked, Sim, wait_all_blocked};
/// use std::time::Duration;
///
/// Sim::new().run(async {
///     pirn_executor::spawn(async {
///         for _ in 0..5 {
///             pirn_timer::sleep(Duration::from_millis(10)).await;
///         }
///     })
///     .detach();
///     let settled: AllBlocked = wait_all_blocked().cushion(Duration::from_millis(11));
///     settled.await;
///     assert_eq!(pirn_timer::now().as_nanos(), 61_000_000); // 50 ms, and then 11 without a poll
/// });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct AllBlocked {
    cushion: Duration,
    asked: Option<(Arc<World>, u64)>,
}

impl AllBlocked {
    /// Waits until all others have been blocked for so long, in virtual time: the clock may jump to
    /// timers that come before that.
    pub fn cushion(mut self, cushion: Duration) -> Self {
        self.cushion = cushion;
        self
    }
}

impl Future for AllBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some((world, ticket)) = &self.asked else {
            let world = ambient::world();
            let ticket = world.wait_blocked(self.cushion, cx.waker().clone());
            self.asked = Some((world, ticket));
            return Poll::Pending;
        };
        match world.still_waits_blocked(*ticket, cx.waker().clone()) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        if let Some((world, ticket)) = self.asked.take() {
            world.forget_blocked(ticket);
        }
    }
}

impl fmt::Debug for AllBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllBlocked")
            .field("cushion", &self.cushion)
            .finish_non_exhaustive()
    }
}
