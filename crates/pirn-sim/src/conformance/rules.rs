//! What is expected of an operation.

/// Who is served by what is given, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There are so many units, and who is served takes some. What somebody who left does not take is
    /// there for the next.
    Units,
    /// What is given lets so many go who wait at that moment; it is nobody else's.
    Pulse(usize),
    /// Once served, everybody goes on.
    Gate,
}

/// What an [`Exam`](super::Exam) expects of an operation.
///
/// | made by | for | what is given |
/// | --- | --- | --- |
/// | [`items`](Self::items) | getters and putters of a queue, notifications | is used up by who has it |
/// | [`permits`](Self::permits) | locks, semaphores, reservations | comes back as who has it lets go |
/// | [`one_each`](Self::one_each) | a hand-over to one who waits | is one waiter's, also if it leaves |
/// | [`all_each`](Self::all_each) | barriers, events that are cleared | lets all go who wait at that moment |
/// | [`gate`](Self::gate) | events, once-cells, channels' news and ends | lets all go, for good |
///
/// # Examples
///
/// A semaphore whose odd waiters ask for two permits, of two that are out at first:
///
/// ```
/// use pirn_sim::conformance::Rules;
///
/// let rules = Rules::permits(2).takes(|who| 1 + who % 2);
/// assert!(format!("{rules:?}").contains("Units"));
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) kind: Kind,
    /// Units that are free at first.
    pub(super) free: usize,
    /// Units that one serving gives.
    pub(super) gives: usize,
    /// How often it can be served.
    pub(super) serves: usize,
    pub(super) returned: bool,
    /// Whether who is served holds on to what it has, until a step drops it.
    pub(super) holds: bool,
    pub(super) in_order: bool,
    /// Whether a waiter may be polled with another waker than before.
    pub(super) rewakes: bool,
    /// Whether a step may end it.
    pub(super) closes: bool,
    /// Whether a step may take something back.
    pub(super) withdraws: bool,
    /// How many units stay where nobody waits.
    pub(super) unused: usize,
    /// How many may wait at a time.
    pub(super) together: usize,
    pub(super) takes: fn(usize) -> usize,
    /// Of what it took, what it has back to give.
    pub(super) keeps: Option<fn(usize) -> usize>,
}

impl Rules {
    fn new(kind: Kind) -> Self {
        Rules {
            kind,
            free: 0,
            gives: 1,
            serves: usize::MAX,
            returned: false,
            holds: false,
            in_order: true,
            rewakes: true,
            closes: false,
            withdraws: false,
            unused: usize::MAX,
            together: usize::MAX,
            takes: |_| 1,
            keeps: None,
        }
    }

    /// Each serving gives one unit, which whoever is served uses up.
    pub fn items() -> Self {
        Rules::new(Kind::Units)
    }

    /// All is taken at first. Each serving gives one unit, `out` times at most; whoever is served has
    /// it until it is dropped.
    pub fn permits(out: usize) -> Self {
        Rules {
            serves: out,
            returned: true,
            holds: true,
            ..Rules::items()
        }
    }

    /// Each serving lets the first go who waits. If that one leaves before it goes on, what it was
    /// given is gone.
    pub fn one_each() -> Self {
        Rules::new(Kind::Pulse(1))
    }

    /// Each serving lets all go who wait at that moment.
    pub fn all_each() -> Self {
        Rules::new(Kind::Pulse(usize::MAX))
    }

    /// The first serving lets all go, also those who come later.
    pub fn gate() -> Self {
        Rules::new(Kind::Gate)
    }

    /// A waiter may be overtaken: by others who wait, and by newcomers. So that what was found says why,
    /// see [`Exam::without`](super::Exam::without).
    #[must_use]
    pub fn any_order(self) -> Self {
        Rules {
            in_order: false,
            ..self
        }
    }

    /// So many units are free at first.
    #[must_use]
    pub fn free(self, units: usize) -> Self {
        Rules {
            free: units,
            ..self
        }
    }

    /// One serving gives so many units.
    #[must_use]
    pub fn gives(self, units: usize) -> Self {
        Rules {
            gives: units,
            ..self
        }
    }

    /// Each waiter, by its number, takes so many units.
    #[must_use]
    pub fn takes(self, units: fn(usize) -> usize) -> Self {
        Rules {
            takes: units,
            ..self
        }
    }

    /// Of the units that a waiter took, it goes on to keep so many, and the others come back at once:
    /// a writer that turns into a reader, for example.
    #[must_use]
    pub fn keeps(self, units: fn(usize) -> usize) -> Self {
        Rules {
            keeps: Some(units),
            ..self
        }
    }

    /// What is given while nobody waits for it is lost, all but so many units: 0 for a condition.
    #[must_use]
    pub fn at_most_unused(self, units: usize) -> Self {
        Rules {
            unused: units,
            ..self
        }
    }

    /// Whoever is served holds on to what it has for a while: a guard, for example, which keeps others
    /// from going on. Always so with [`permits`](Self::permits).
    #[must_use]
    pub fn holds(self) -> Self {
        Rules {
            holds: true,
            ..self
        }
    }

    /// A step may [end](super::Subject::close) it, after which whoever waits goes on.
    #[must_use]
    pub fn closes(self) -> Self {
        Rules {
            closes: true,
            ..self
        }
    }

    /// A step may [take back](super::Subject::withdraw) what was given and is not taken yet.
    #[must_use]
    pub fn withdraws(self) -> Self {
        Rules {
            withdraws: true,
            ..self
        }
    }

    /// Only one waits at a time, as for an operation on `&mut`.
    #[must_use]
    pub fn one_at_a_time(self) -> Self {
        Rules {
            together: 1,
            ..self
        }
    }

    pub(super) fn kept(&self, who: usize) -> usize {
        self.keeps.unwrap_or(self.takes)(who)
    }
}
