//! What ends a wait at a fraction of a millisecond: a timer of the system's among its sources.
//!
//! It only sharpens. The wait has its limit in whole milliseconds all the same, so a clock that
//! jumps, or a system that refuses the timer, makes it coarser and never too long.
//!
//! A timer that is set to a time no later than the one that is wanted stays: it ends one wait too
//! early and is then set anew. So a server whose earliest time limit moves on with each request
//! sets it once per limit and not once per request, and a wait that an event ends costs nothing
//! more.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use pirn_core::Instant;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Ends the reactor's wait at a time.
pub(crate) struct Alarm {
    timer: OwnedFd,
    /// When it will ring, or rang last.
    set_to: Instant,
}

impl Alarm {
    /// An alarm among the sources of `registry`, which reports it under `token`.
    ///
    /// In edge mode each ring is an edge of its own, so nobody need read the timer.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm {
            timer,
            set_to: Instant::EPOCH,
        })
    }

    /// Makes it ring at `at` or before. One system call, unless it will anyhow.
    pub(crate) fn set(&mut self, now: Instant, at: Instant) {
        if now < self.set_to && self.set_to <= at {
            return;
        }
        let Ok(value) = Timespec::try_from(at.saturating_since(now)) else {
            return;
        };
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once);
        self.set_to = if set.is_ok() { at } else { Instant::EPOCH };
    }
}
