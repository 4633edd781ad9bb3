//! No alarm: here the wait has no finer end than its own.

use mio::{Registry, Token};
use std::io;
use std::time::Duration;

/// Cannot be set.
pub(crate) struct Alarm;

impl Alarm {
    /// The one there is.
    pub(crate) fn new(_registry: &Registry, _token: Token) -> io::Result<Alarm> {
        Ok(Alarm)
    }

    /// False: the wait must have a limit.
    pub(crate) fn set(&mut self, _left: Duration) -> bool {
        false
    }
}
