//! Time without a runtime: a thread that fires timers.

use crate::driver::{Timer, TimerPark};
use pirn_core::Monotonic;
use pirn_core::ThreadPark;
use pirn_core::{Park, Until, context};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The fallback, once it was needed. std's on purpose: one for the process, outside every model.
static FALLBACK: Mutex<Option<Timer>> = Mutex::new(None);

/// Makes sure that there is a clock for threads without a runtime: starts a thread named
/// `pirn-timer`, once in the process, and makes it the
/// [fallback clock](pirn_core::context::set_fallback_clock) unless one was set before.
///
/// [`sleep`](crate::sleep) and its like do so at their first use where there is no ambient clock;
/// other crates do not. The thread sleeps without any wake-ups while no timer is set.
///
/// # Errors
///
/// If the system refuses the thread.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// assert!(context::clock().is_err());
/// pirn_timer::install_fallback()?;
/// assert!(context::clock().is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn install_fallback() -> io::Result<()> {
    installed().map(drop)
}

/// The fallback.
///
/// # Panics
///
/// If the system refuses the thread: nothing could ever end the sleep that asks.
pub(crate) fn timer() -> Timer {
    match installed() {
        Ok(timer) => timer,
        Err(error) => panic!("there is no runtime, and no thread for timers either: {error}"),
    }
}

fn installed() -> io::Result<Timer> {
    let mut slot = FALLBACK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(timer) = &*slot {
        return Ok(timer.clone());
    }
    let mut driver = TimerPark::new(ThreadPark::new(), Monotonic);
    let timer = driver.timer();
    std::thread::Builder::new()
        .name("pirn-timer".into())
        .spawn(move || while driver.park(Until::Woken).is_ok() {})?;
    context::set_fallback_clock(Arc::new(timer.clone()));
    *slot = Some(timer.clone());
    Ok(timer)
}
