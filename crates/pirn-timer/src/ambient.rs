//! Which clock a function goes by that is not told.

use crate::driver::Timer;
use crate::fallback;
use crate::own::Held;
use pirn_core::{Clock, Instant, context};
use std::fmt;
use std::sync::Arc;

/// The present, by the ambient clock; without a runtime, by the
/// [fallback](crate::install_fallback)'s.
///
/// # Panics
///
/// If there is no clock and the system refuses the fallback its thread.
///
/// # Examples
///
/// ```
/// let start = pirn_timer::now();
/// assert!(pirn_timer::now() >= start);
/// ```
#[inline]
pub fn now() -> Instant {
    match context::now() {
        Ok(now) => now,
        Err(_) => now_by_fallback(),
    }
}

#[cold]
fn now_by_fallback() -> Instant {
    AnyClock::ambient().now()
}

/// A clock: our own, whose sleeps need no box, or another.
#[derive(Clone)]
pub(crate) enum AnyClock {
    Own(Held),
    Foreign(Arc<dyn Clock>),
}

impl AnyClock {
    /// The ambient clock, or else the fallback.
    pub(crate) fn ambient() -> AnyClock {
        let handles = context::handles();
        match handles.as_ref().and_then(|handles| handles.clock.as_ref()) {
            Some(clock) => AnyClock::of(clock),
            None => match context::clock() {
                Ok(clock) => AnyClock::of(&clock),
                Err(_) => AnyClock::from(&fallback::timer()),
            },
        }
    }

    fn of(clock: &Arc<dyn Clock>) -> AnyClock {
        match clock.as_any().downcast_ref::<Timer>() {
            Some(timer) => AnyClock::from(timer),
            None => AnyClock::Foreign(Arc::clone(clock)),
        }
    }

    /// The timer, if it is our own.
    pub(crate) fn own(&self) -> Option<&Timer> {
        match self {
            AnyClock::Own(timer) => Some(timer),
            AnyClock::Foreign(_) => None,
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match self {
            AnyClock::Own(timer) => timer.now(),
            AnyClock::Foreign(clock) => clock.now(),
        }
    }
}

impl From<&Timer> for AnyClock {
    #[inline]
    fn from(timer: &Timer) -> Self {
        AnyClock::Own(Held::new(timer))
    }
}

impl fmt::Debug for AnyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyClock::Own(timer) => timer.fmt(f),
            AnyClock::Foreign(clock) => f.debug_tuple("Clock").field(&clock.now()).finish(),
        }
    }
}
