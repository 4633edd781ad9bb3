//! What an executor still lets in.

/// Who gets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// New tasks and wakes.
    Open,
    /// Wakes: it shuts down.
    NoTasks,
    /// Nothing: it is gone.
    Closed,
}

impl Gate {
    /// Why a new task is refused, if it is.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Gate::Open => None,
            Gate::NoTasks => Some("the executor is shutting down"),
            Gate::Closed => Some("the executor is gone"),
        }
    }
}

/// Why a new task is refused by a set of owned tasks without a vacant slot.
pub(crate) const FULL: &str = "the executor has as many tasks as it can count";
