//! What ends a wait at a fraction of a millisecond: a timer of the system's among its sources.
//!
//! The wait then needs no limit of its own. Both together cost a quarter more processor time for each
//! sleep; the timer alone costs what the limit alone does.
//!
//! A timer that is set to a time no later than the one that is wanted stays: it ends one wait too
//! early and is then set anew. So a server whose earliest time limit moves on with each request
//! sets it once per limit and not once per request, and a wait that an event ends costs nothing
//! more.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How much later than wanted a timer may ring that stays. The reactor's clock and the system's are
/// read one after the other, so that the same time is never wanted twice.
const NEAR: Duration = Duration::from_micros(10);

/// Ends the reactor's wait at a time.
pub(crate) struct Alarm {
    timer: OwnedFd,
    /// It rings then or soon after, not before. In real time, whatever the reactor's clock is.
    rings: Option<Instant>,
}

impl Alarm {
    /// An alarm among the sources of `registry`, which reports it under `token`.
    ///
    /// In edge mode each ring is an edge of its own, so nobody need read the timer.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let fd = timer.as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        Ok(Alarm { timer, rings: None })
    }

    /// Makes it ring after `left`, or before. One system call, unless it will anyhow.
    ///
    /// False if it cannot: the wait must then have a limit.
    pub(crate) fn set(&mut self, left: Duration) -> bool {
        let now = Instant::now();
        let (Some(at), Ok(value)) = (now.checked_add(left), Timespec::try_from(left)) else {
            return false;
        };
        if self
            .rings
            .is_some_and(|rings| now < rings && rings <= at + NEAR)
        {
            return true;
        }
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).is_ok();
        self.rings = set.then_some(at);
        set
    }
}
