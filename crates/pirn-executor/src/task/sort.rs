//! What is compiled into the code of some tasks, so that a task pays for no sort but its own.

use crate::priority::Lane;

/// Of what sort a task is.
pub(super) trait Sort {
    /// The scheduler's hooks are told of it.
    const TOLD: bool = false;
    /// Where it waits, unless that is where tasks wait anyway.
    const LANE: Option<Lane> = None;
}

pub(super) struct Plain;
pub(super) struct High;
pub(super) struct Low;
pub(super) struct Told<S>(S);

impl Sort for Plain {}

impl Sort for High {
    const LANE: Option<Lane> = Some(Lane::High);
}

impl Sort for Low {
    const LANE: Option<Lane> = Some(Lane::Low);
}

impl<S: Sort> Sort for Told<S> {
    const TOLD: bool = true;
    const LANE: Option<Lane> = S::LANE;
}
