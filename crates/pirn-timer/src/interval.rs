//! Ticks at regular times.

use crate::ambient::AnyClock;
use crate::driver::nanos;
use crate::sleep::Sleep;
use pirn_core::Instant;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Ticks now, and then every `period`.
///
/// # Panics
///
/// If `period` is zero. If there is no clock and the system refuses the
/// [fallback](crate::install_fallback) its thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let mut interval = pirn_timer::interval(Duration::from_millis(2));
/// let first = interval.tick().await;
/// let second = interval.tick().await;
/// assert_eq!(second, first + Duration::from_millis(2));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let clock = AnyClock::ambient();
    let start = clock.now();
    Interval::new(Sleep::until(clock, start), period)
}

/// Ticks at `start`, a time of the ambient clock, and then every `period`.
///
/// # Panics
///
/// As [`interval`].
///
/// # Examples
///
/// ```
/// use pirn_timer::{interval_at, now};
/// use std::time::Duration;
///
/// # pirn_core::shim::block_on(async {
/// let start = now() + Duration::from_millis(1);
/// let mut interval = interval_at(start, Duration::from_secs(1));
/// assert_eq!(interval.tick().await, start);
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(Sleep::until(AnyClock::ambient(), start), period)
}

/// Regular ticks. Made by [`interval`] and [`interval_at`].
///
/// Ticks are counted from the first, not from when they were taken, so they do not drift.
/// [`MissedTick`] says what happens when one is taken late.
///
/// # Examples
///
/// ```
/// use pirn_timer::{Interval, MissedTick, interval};
/// use std::time::Duration;
///
/// let interval: Interval = interval(Duration::from_secs(1)).with_missed_tick(MissedTick::Skip);
/// assert_eq!(interval.period(), Duration::from_secs(1));
/// ```
pub struct Interval {
    /// Until the next tick.
    sleep: Sleep,
    period: Duration,
    missed: MissedTick,
}

/// When the next tick is, after one that was taken late.
///
/// ```text
/// period 10:     0    10    20    30    40    50
/// taken at       0    10          34    then at
/// Burst          0    10          20    30 at 34, 40, 50: as many as there should have been
/// Delay          0    10          20    44, 54: a period after the one taken late
/// Skip           0    10          20    40, 50: in step, without those that were missed
/// ```
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_timer::MissedTick::default(), pirn_timer::MissedTick::Burst);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTick {
    /// A period after the last one, so that missed ticks are made up for at once.
    #[default]
    Burst,
    /// A period from the present.
    Delay,
    /// The next regular one that is still to come.
    Skip,
}

impl Interval {
    #[track_caller]
    fn new(sleep: Sleep, period: Duration) -> Interval {
        assert!(
            !period.is_zero(),
            "the period of an interval must not be zero"
        );
        Interval {
            sleep,
            period,
            missed: MissedTick::default(),
        }
    }

    /// The same with another way to treat missed ticks.
    #[must_use]
    pub fn with_missed_tick(self, missed: MissedTick) -> Self {
        Interval { missed, ..self }
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Makes the next tick come at `at`, and the others regularly after it.
    pub fn reset(&mut self, at: Instant) {
        self.sleep.reset(at);
    }

    /// Waits for the next tick, and says when it was to be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick: the next call waits for the same one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # pirn_core::shim::block_on(async {
    /// let mut interval = pirn_timer::interval(Duration::from_millis(1));
    /// let mut ticks = 0;
    /// while ticks < 3 {
    ///     interval.tick().await;
    ///     ticks += 1;
    /// }
    /// assert_eq!(ticks, 3);
    /// # });
    /// ```
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick. At `Pending` the task is woken when it has come.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let tick = self.sleep.deadline();
        let next = self.missed.next(tick, || self.sleep.now(), self.period);
        self.sleep.go_on_until(next);
        Poll::Ready(tick)
    }
}

impl MissedTick {
    /// The tick after `tick`, which was taken at `now`.
    fn next(self, tick: Instant, now: impl FnOnce() -> Instant, period: Duration) -> Instant {
        match self {
            MissedTick::Burst => tick + period,
            MissedTick::Delay => now() + period,
            MissedTick::Skip => {
                let period = nanos(period);
                let late = nanos(now().saturating_since(tick));
                let ahead = (late / period).saturating_add(1).saturating_mul(period);
                tick + Duration::from_nanos(ahead)
            }
        }
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("next", &self.sleep.deadline())
            .field("period", &self.period)
            .field("missed", &self.missed)
            .finish()
    }
}
