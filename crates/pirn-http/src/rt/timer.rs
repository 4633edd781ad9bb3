//! The ambient clock, for hyper.

use pirn_core::Instant;
use pirn_timer::Sleep;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{self, Duration};

/// Tells hyper the time of the ambient clock, or of the process-wide fallback where there is none.
///
/// hyper speaks of [`std::time::Instant`]; the clock's time is counted from the moment at which
/// this was made. So hyper's timeouts hold under a virtual clock too.
///
/// # Examples
///
/// ```
/// use hyper::rt::Timer as _;
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let timer = pirn_http::rt::Timer::new();
/// let start = timer.now();
/// timer.sleep(Duration::from_millis(2)).await;
/// assert!(timer.now() >= start + Duration::from_millis(2));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Timer {
    made: Instant,
    /// The same moment in hyper's terms.
    made_std: time::Instant,
}

impl Timer {
    /// A timer that starts at the present.
    ///
    /// # Panics
    ///
    /// If there is no clock and the system refuses the fallback its thread.
    pub fn new() -> Timer {
        Timer {
            made: pirn_timer::now(),
            made_std: time::Instant::now(),
        }
    }

    fn at(&self, deadline: time::Instant) -> Instant {
        self.made + deadline.saturating_duration_since(self.made_std)
    }
}

impl Default for Timer {
    fn default() -> Self {
        Timer::new()
    }
}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Waiting(pirn_timer::sleep_until(
            pirn_timer::now() + duration,
        )))
    }

    fn sleep_until(&self, deadline: time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Waiting(pirn_timer::sleep_until(self.at(deadline))))
    }

    fn now(&self) -> time::Instant {
        self.made_std + pirn_timer::now().saturating_since(self.made)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Waiting>() {
            Some(waiting) => waiting.get_mut().0.reset(self.at(deadline)),
            None => *sleep = hyper::rt::Timer::sleep_until(self, deadline),
        }
    }
}

struct Waiting(Sleep);

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl hyper::rt::Sleep for Waiting {}
