//! What an executor still lets in.

/// Who gets in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Gate {
    /// New tasks and wakes.
    Open,
    /// The same; new tasks are told of to hooks.
    Told,
    /// Wakes: it shuts down.
    NoTasks,
    /// Nothing: it is gone.
    Closed,
}

impl Gate {
    /// Out of its number.
    pub(crate) fn of(number: u8) -> Gate {
        match number {
            0 => Gate::Open,
            1 => Gate::Told,
            2 => Gate::NoTasks,
            _ => Gate::Closed,
        }
    }

    /// True if it lets less in than at first.
    #[inline]
    pub(crate) fn is_shut(self) -> bool {
        self.refusal().is_some()
    }

    /// Why a new task is refused, if it is.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Gate::Open | Gate::Told => None,
            Gate::NoTasks => Some("the executor is shutting down"),
            Gate::Closed => Some("the executor is gone"),
        }
    }
}
