//! What was found.

use std::collections::BTreeMap;
use std::fmt;

/// What an operation that waits should keep, however its waiters are cancelled.
///
/// # Examples
///
/// ```
/// use pirn_sim::conformance::Property;
///
/// assert_eq!(Property::OthersGoOn.to_string(), "whoever can be served is woken and goes on");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Property {
    /// At the end there is as much as was given and not used: no permit, item or lock is lost.
    NothingLost,
    /// Nobody has what was not given, or what another has.
    NothingTwice,
    /// Whoever can be served completes without being polled unasked: no wake is lost.
    OthersGoOn,
    /// After a poll with another waker it is the newest that is woken.
    NewestWaker,
    /// First come, first served: neither who came later nor a newcomer overtakes. Asked for unless
    /// the rules [say otherwise](super::Rules::any_order).
    InOrder,
    /// A task that was granted something through a future which it does not poll has it through the
    /// one that it polls. Without this, a task that stopped polling a future can wait for ever for
    /// what it was given already.
    GrantIsTheTasks,
    /// Whoever has to wait is left alone: those who wait do not wake each other over and over.
    WaitersRest,
    /// Nothing panics: what the [`Subject`](super::Subject) asserts of the primitive is so, and the primitive
    /// itself does not.
    ChecksHold,
}

impl Property {
    /// All of them.
    pub const ALL: [Property; 8] = [
        Property::NothingLost,
        Property::NothingTwice,
        Property::OthersGoOn,
        Property::NewestWaker,
        Property::InOrder,
        Property::GrantIsTheTasks,
        Property::WaitersRest,
        Property::ChecksHold,
    ];
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::NothingLost => "nothing is lost",
            Property::NothingTwice => "nothing is had twice",
            Property::OthersGoOn => "whoever can be served is woken and goes on",
            Property::NewestWaker => "the newest waker is woken",
            Property::InOrder => "first come, first served",
            Property::GrantIsTheTasks => "a grant is the task's, whichever future it polls",
            Property::WaitersRest => "whoever has to wait is left alone",
            Property::ChecksHold => "the subject's own checks hold, and nothing panics",
        })
    }
}

/// A [`Property`] that does not hold, and the steps that show it: a part of [`Findings`].
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub property: Property,
    /// What was found.
    pub what: String,
    /// The script, for [`Exam::replay`](super::Exam::replay).
    pub script: String,
    /// The same steps in words, with what came of each.
    pub steps: Vec<String>,
}

/// So many steps are written out.
const LONGEST: usize = 50;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "not so: {}", self.property)?;
        writeln!(f, "  {}", self.what)?;
        for (at, step) in self.steps.iter().take(LONGEST).enumerate() {
            writeln!(f, "  {:>3}. {step}", at + 1)?;
        }
        if self.steps.len() > LONGEST {
            writeln!(f, "  and so on, {} steps in all", self.steps.len())?;
        }
        write!(f, "  again: exam.replay({:?}, make)", self.script)
    }
}

/// What an [`Exam`](super::Exam) found: of each property that does not hold, the shortest script that
/// shows it; and what was [left out](super::Exam::without), with the reason.
///
/// # Examples
///
/// ```
/// use pirn_sim::conformance::{Exam, Property, Rules, Subject};
/// use std::cell::Cell;
///
/// /// A flag that forgets to wake.
/// struct Flag(Cell<bool>);
/// impl Subject for Flag {
///     type Held<'a> = ();
///     async fn wait(&self, _: usize) {
///         std::future::poll_fn(|_| match self.0.get() {
///             true => std::task::Poll::Ready(()),
///             false => std::task::Poll::Pending,
///         })
///         .await;
///     }
///     fn serve(&self, _: usize) {
///         self.0.set(true);
///     }
/// }
///
/// let findings = Exam::new("Flag", Rules::gate()).run(|| Flag(Cell::new(false)));
/// assert!(!findings.holds(Property::OthersGoOn));
/// assert!(findings.holds(Property::NothingTwice));
/// // Whoever comes waits for ever, whatever is given at the end of the script.
/// assert_eq!(findings.failure(Property::OthersGoOn).unwrap().script, "arrive");
/// ```
#[derive(Clone, Debug)]
pub struct Findings {
    pub(super) name: String,
    pub(super) scripts: usize,
    pub(super) failed: usize,
    pub(super) failures: BTreeMap<Property, Failure>,
    pub(super) left_out: BTreeMap<Property, LeftOut>,
}

/// A property that was not asked for.
#[derive(Clone, Debug)]
pub(super) struct LeftOut {
    why: String,
    /// How many scripts showed that it does not hold, and ended there.
    shown: usize,
}

impl LeftOut {
    pub(super) fn new(why: &str) -> Self {
        let why = why.to_owned();
        LeftOut { why, shown: 0 }
    }
}

impl Findings {
    /// True if no script showed that it does not hold; so it is of what was [left out](Self::left_out).
    pub fn holds(&self, property: Property) -> bool {
        !self.failures.contains_key(&property)
    }

    /// The shortest script found that shows that it does not hold.
    pub fn failure(&self, property: Property) -> Option<&Failure> {
        self.failures.get(&property)
    }

    /// All of these, one for each property that does not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.values()
    }

    /// What was [left out](super::Exam::without), and why.
    pub fn left_out(&self) -> impl Iterator<Item = (Property, &str)> {
        let all = self.left_out.iter();
        all.map(|(property, left_out)| (*property, &*left_out.why))
    }

    /// How many scripts were run.
    pub fn scripts(&self) -> usize {
        self.scripts
    }

    /// Ends the test if some property does not hold.
    ///
    /// # Panics
    ///
    /// If so, with all of the failures.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.failures.is_empty(), "{self}");
    }

    /// True of a breach that is not asked for.
    pub(super) fn passes_over(&mut self, property: Property) -> bool {
        let left_out = self.left_out.get_mut(&property);
        left_out.map(|left_out| left_out.shown += 1).is_some()
    }

    pub(super) fn note(&mut self, failure: Failure) {
        self.failed += 1;
        self.failures.entry(failure.property).or_insert(failure);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Findings {
            name,
            scripts,
            failed,
            ..
        } = self;
        write!(f, "{name}: {failed} of {scripts} scripts failed")?;
        for (property, LeftOut { why, shown }) in &self.left_out {
            write!(f, "\nleft out: {property} ({why})")?;
            if *shown > 0 {
                write!(
                    f,
                    "; {shown} scripts showed that it is not so, and ended there"
                )?;
            }
        }
        for failure in self.failures.values() {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}
