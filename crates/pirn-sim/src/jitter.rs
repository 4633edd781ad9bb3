//! Timers that are late.

use crate::clock::World;
use crate::random::Random;
use pirn_core::shim::Arc;
use pirn_core::{BoxSleep, Clock, Instant, context};
use pirn_timer::{Sleep, Timer};
use std::any::Any;
use std::time::Duration;

/// By how much timers are late, at most, and by what chance.
pub(crate) struct Jitter {
    random: Random,
    nanos: u64,
}

impl Jitter {
    /// Of a bound that is not zero.
    pub(crate) fn new(seed: u64, bound: Duration) -> Self {
        Jitter {
            // Not the numbers of others once more.
            random: Random::new(seed ^ 0x6a09_e667_f3bc_c908),
            nanos: u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// When a timer for `at` fires: every other one is on time, so that some still fire together.
    pub(crate) fn late(&mut self, at: Instant) -> Instant {
        let late = match self.random.below(2) {
            0 => 0,
            _ => self.random.below(self.nanos).saturating_add(1),
        };
        match at + Duration::from_nanos(late) {
            // It has an end still.
            Instant::NEVER => Instant::from_nanos(u64::MAX - 1),
            at => at,
        }
    }
}

/// A clock whose timers are late.
pub(crate) struct LateClock {
    pub(crate) timer: Timer,
    pub(crate) world: Arc<World>,
}

impl Clock for LateClock {
    fn now(&self) -> Instant {
        self.timer.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let at = match at {
            Instant::NEVER => at,
            _ if at <= self.now() => at,
            _ => self.world.late(at),
        };
        Box::pin(self.timer.sleep_until(at))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Waits until `at`, and is not late.
pub(crate) fn sleep_until_exactly(at: Instant) -> Sleep {
    let clock = context::clock().ok();
    let late = clock.as_ref().map(|clock| clock.as_any());
    match late.and_then(|clock| clock.downcast_ref::<LateClock>()) {
        Some(late) => late.timer.sleep_until(at),
        None => pirn_timer::sleep_until(at),
    }
}

/// The units in which a duration is written, in nanoseconds.
const UNITS: [(&str, u64); 4] = [
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A duration as [`read`] reads it, without a loss.
pub(crate) fn written(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(_, unit)| nanos % unit == 0);
    let (name, unit) = whole.unwrap_or(&("ns", 1));
    format!("{}{name}", nanos / unit)
}

/// A whole number with its unit: `5ms`.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let named = |(name, _): &&(&str, u64)| *name == &text[digits.len()..];
    let (_, unit) = UNITS.iter().find(named)?;
    let nanos = digits.parse::<u64>().ok()?.checked_mul(*unit)?;
    Some(Duration::from_nanos(nanos))
}
