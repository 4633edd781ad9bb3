//! No alarm: here the wait has no finer end than its own.

use mio::{Registry, Token};
use pirn_core::Instant;
use std::io;

/// Does nothing.
pub(crate) struct Alarm;

impl Alarm {
    /// The one there is.
    pub(crate) fn new(_registry: &Registry, _token: Token) -> io::Result<Alarm> {
        Ok(Alarm)
    }

    /// Leaves the end of the wait to its limit.
    pub(crate) fn set(&mut self, _now: Instant, _at: Instant) {}
}
