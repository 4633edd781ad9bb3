//! What a group ends with when it does not end with its value.

use pirn_core::{Cause, JoinError, Missing, TaskMeta};
use std::fmt;
use std::sync::Arc;

/// The error of one child, or of the group's body.
///
/// # Examples
///
/// ```
/// # use pirn_compat::Futures;
/// # use pirn_group::GroupBuilder;
/// # let mut pool = futures::executor::LocalPool::new();
/// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
/// # let ended = pool.run_until(group.run(async |g| {
/// #     g.spawn_named("fetch", async { Err::<(), _>("not found") });
/// #     Ok(())
/// # }));
/// let error = ended.unwrap_err();
/// let failure = error.first().unwrap();
/// assert_eq!(failure.task().name(), Some("fetch"));
/// assert_eq!(failure.error(), &"not found");
/// ```
#[derive(Clone, Debug)]
pub struct Failure<E> {
    task: TaskMeta,
    error: E,
}

impl<E> Failure<E> {
    pub(crate) fn new(task: TaskMeta, error: E) -> Self {
        Failure { task, error }
    }

    /// The child's name and the place where it was spawned; of the body, the group's.
    pub fn task(&self) -> &TaskMeta {
        &self.task
    }

    /// The error.
    pub fn error(&self) -> &E {
        &self.error
    }

    /// The error, to keep.
    pub fn into_error(self) -> E {
        self.error
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:#}", self.task, self.error)
    }
}

/// Why a group gave no value: all the failures in it, in the order in which they occurred; or,
/// without a failure, the cause for which it was cancelled, or what it missed.
///
/// Its `Display` shows everything, a line for each failure and nested groups indented, so it has
/// no [`source`](std::error::Error::source) besides. It is an [`Error`](std::error::Error) for
/// every error type that can be shown, boxed ones such as `anyhow::Error` included.
///
/// # Examples
///
/// Each handler takes its part, the rest goes on, as asyncio's `except*`:
///
/// ```
/// # use pirn_compat::Futures;
/// # use pirn_group::GroupBuilder;
/// # let mut pool = futures::executor::LocalPool::new();
/// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
/// # let ended: Result<(), _> = pool.run_until(group.run(async |g| {
/// #     let child = g.spawn(async { Err::<(), _>("missing") });
/// #     pirn_core::shield(async { child.await.unwrap_err() }).await;
/// #     Err("slow")
/// # }));
/// let error = ended.unwrap_err();
/// assert_eq!(error.to_string().lines().next(), Some("2 tasks of a group failed"));
/// let (missing, rest) = error.split_by(|error| *error == "missing");
/// assert_eq!(missing.unwrap().into_errors(), ["missing"]);
/// assert_eq!(rest.unwrap().into_errors(), ["slow"]);
/// ```
#[derive(Clone, Debug)]
pub struct GroupError<E> {
    /// Empty only if there is a `stop`.
    failures: Vec<Failure<E>>,
    stop: Option<Stop>,
}

#[derive(Clone, Debug)]
enum Stop {
    Cancelled(Arc<Cause>),
    Missing(Missing),
}

impl<E> GroupError<E> {
    pub(crate) fn failed(failures: Vec<Failure<E>>) -> Self {
        GroupError {
            failures,
            stop: None,
        }
    }

    pub(crate) fn cancelled(cause: Arc<Cause>) -> Self {
        GroupError {
            failures: Vec::new(),
            stop: Some(Stop::Cancelled(cause)),
        }
    }

    pub(crate) fn missing_spawner(missing: Missing) -> Self {
        GroupError {
            failures: Vec::new(),
            stop: Some(Stop::Missing(missing)),
        }
    }

    /// The failures, in the order in which they occurred.
    pub fn iter(&self) -> std::slice::Iter<'_, Failure<E>> {
        self.failures.iter()
    }

    /// How many failures there are: none if the group was cancelled from outside.
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// True if nothing failed: the group was cancelled, or there was no runtime.
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// The failure that cancelled the others.
    pub fn first(&self) -> Option<&Failure<E>> {
        self.failures.first()
    }

    /// Why the group was cancelled, if that is why it gave no value.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        match &self.stop {
            Some(Stop::Cancelled(cause)) => Some(cause),
            _ => None,
        }
    }

    /// What was missing around the caller, if the group was not started for that.
    pub fn missing(&self) -> Option<Missing> {
        match &self.stop {
            Some(Stop::Missing(missing)) => Some(*missing),
            _ => None,
        }
    }

    /// The errors alone, in the order in which they occurred.
    pub fn into_errors(self) -> Vec<E> {
        self.into_iter().map(Failure::into_error).collect()
    }

    /// Splits into the failures whose error `matches`, and the rest; each `None` if there are none.
    /// What is no failure is in the rest.
    pub fn split_by(self, mut matches: impl FnMut(&E) -> bool) -> (Option<Self>, Option<Self>) {
        let (matched, rest): (Vec<_>, Vec<_>) = self
            .failures
            .into_iter()
            .partition(|failure| matches(&failure.error));
        let some = |failures: Vec<Failure<E>>, stop: Option<Stop>| {
            (!failures.is_empty() || stop.is_some()).then_some(GroupError { failures, stop })
        };
        (some(matched, None), some(rest, self.stop))
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a GroupError<E> {
    type Item = &'a Failure<E>;
    type IntoIter = std::slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.stop, self.len()) {
            (Some(Stop::Missing(missing)), _) => return missing.fmt(f),
            (Some(Stop::Cancelled(cause)), _) => return write!(f, "the group was {cause}"),
            (None, 1) => f.write_str("1 task of a group failed")?,
            (None, failed) => write!(f, "{failed} tasks of a group failed")?,
        }
        let last = self.len().saturating_sub(1);
        for (index, failure) in self.iter().enumerate() {
            let (branch, below) = match index == last {
                true => ("└─ ", "\n   "),
                false => ("├─ ", "\n│  "),
            };
            let shown = failure.to_string().replace('\n', below);
            write!(f, "\n{branch}{shown}")?;
        }
        Ok(())
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for GroupError<E> {}

/// Why a [`Child`](crate::Child) gave no value to its handle.
///
/// Its own error or panic is not here: that goes to the group's end.
///
/// # Examples
///
/// ```
/// use pirn_core::JoinError;
/// use pirn_group::ChildError;
///
/// let error = ChildError::Refused("the executor is gone");
/// assert_eq!(error.to_string(), "the task was not spawned: the executor is gone");
/// assert!(matches!(JoinError::from(error), JoinError::Refused(_)));
/// ```
#[derive(Clone, Debug)]
pub enum ChildError {
    /// It was cancelled, for this cause, alone or with its group; or it failed, and this is the
    /// cause of its group.
    Cancelled(Arc<Cause>),
    /// It was never spawned, for this reason.
    Refused(&'static str),
}

impl ChildError {
    /// True if the child was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, ChildError::Cancelled(_))
    }
}

impl From<ChildError> for JoinError {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Cancelled(cause) => JoinError::Cancelled(cause),
            ChildError::Refused(reason) => JoinError::Refused(reason),
        }
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildError::Cancelled(cause) => write!(f, "the task was {cause}"),
            ChildError::Refused(reason) => write!(f, "the task was not spawned: {reason}"),
        }
    }
}

impl std::error::Error for ChildError {}
