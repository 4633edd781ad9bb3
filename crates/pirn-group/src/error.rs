//! What a group ends with when it does not end with its value.

mod boxed;
mod tree;

pub use boxed::BoxedError;

use pirn_core::{Cause, JoinError, Missing, TaskMeta};
use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;
use tree::{Part, Stop, Taken, Tree};

/// The error of one child, or of the group's body.
///
/// Its `Display` is one line, its alternate `{:#}` all of it.
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
        if f.alternate() {
            return write!(f, "{}: {:#}", self.task, self.error);
        }
        write!(f, "{}: ", self.task)?;
        let mut first = FirstLine { f, is_over: false };
        match write!(first, "{:#}", self.error) {
            _ if first.is_over => f.write_str(" …"),
            written => written,
        }
    }
}

/// Passes the first line on; who writes more is stopped, since an error may be long.
struct FirstLine<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    is_over: bool,
}

impl fmt::Write for FirstLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_over {
            return Err(fmt::Error);
        }
        match text.split_once('\n') {
            None => self.f.write_str(text),
            Some((line, _)) => {
                self.f.write_str(line)?;
                self.is_over = true;
                Err(fmt::Error)
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for Failure<E> {}

/// Why a group gave no value: all the failures in it, in the order in which they occurred; or,
/// without a failure, the cause for which it was cancelled, what it missed, or that nobody was in it.
///
/// Handlers each take their part of it and let the rest go on, as asyncio's `except*`: by
/// [`split`](Self::split), [`split_by`](Self::split_by) and [`split_map`](Self::split_map).
///
/// # Nested groups
///
/// A child, or the body, that fails with the error of a group of its own is a branch, not a leaf:
/// the tree is kept when it is split, and branches without leaves are dropped. Where errors are
/// boxed by the standard library, as `Box<dyn Error + Send + Sync>`, that is seen at once. For other
/// types that can carry a group, such as `anyhow::Error` or an enum of your own, say how to
/// [take it out](Self::nest); where the error type *is* that of a group, [flatten](Self::flatten) it.
/// A group of other errors in a box, say of `std::io::Error`, is one failure, until
/// [`split`](Self::split) asks for that type; `group.map(Boxed::from)`, of a
/// `type Boxed = Box<dyn Error + Send + Sync>`, boxes its errors one by one and makes it a branch.
///
/// # As an error
///
/// Its `Display` shows everything as a tree, with each task's name and place. Its
/// [`source`](Error::source) is the first failure: the boxed error itself, or, of any other type,
/// its [`Failure`], where the chain ends, since a group takes errors of any type, and cannot ask them
/// for a source; after `error.map(Boxed::from)` it can. It is an `Error` for every error type that can
/// be shown, `anyhow::Error` included, so that it passes into boxes, `anyhow` and `eyre`, and can be
/// downcast again.
///
/// # Depth
///
/// Nothing here recurses, dropping it included, however deep the groups were. But a line of a tree
/// begins with a margin as wide as its branch is deep: so of groups that were nested *n* deep, `Display`
/// writes on the order of *n*² bytes, and takes as long as that. Groups inside errors from which they
/// were not [taken out](Self::nest) are shown, and dropped, by these errors, each inside the next.
///
/// # Examples
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
    tree: Tree<E>,
}

impl<E> GroupError<E> {
    /// With `failures`, of which there is at least one, as they were when they occurred.
    pub(crate) fn failed(failures: Vec<Failure<E>>) -> Self
    where
        E: 'static,
    {
        let mut tree = Tree::default();
        for Failure { task, error } in failures {
            match boxed::open(error) {
                Ok(group) => tree.graft(task, group.tree),
                Err(error) => tree.push(Part::Leaf(Failure { task, error })),
            }
        }
        GroupError { tree }
    }

    pub(crate) fn cancelled(cause: Arc<Cause>) -> Self {
        GroupError {
            tree: Tree::stopped(Stop::Cancelled(cause)),
        }
    }

    pub(crate) fn refused(reason: &'static str) -> Self {
        GroupError {
            tree: Tree::stopped(Stop::Refused(reason)),
        }
    }

    /// The failures, in the order in which they occurred, those of nested groups in their place.
    pub fn iter(&self) -> std::vec::IntoIter<&Failure<E>> {
        self.tree.leaves().collect::<Vec<_>>().into_iter()
    }

    /// How many failures there are, in nested groups too: none if the group was cancelled from
    /// outside.
    pub fn len(&self) -> usize {
        self.tree.leaves().count()
    }

    /// True if there is no failure: the group was cancelled, or there was no runtime, or nobody in a
    /// race.
    pub fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// The failure that cancelled the others.
    pub fn first(&self) -> Option<&Failure<E>> {
        self.tree.leaves().next()
    }

    /// Why the group was cancelled, if that is why it gave no value.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        match self.tree.stop() {
            Some(Stop::Cancelled(cause)) => Some(cause),
            _ => None,
        }
    }

    /// What was missing around the caller, if the group was not started for that.
    pub fn missing(&self) -> Option<Missing> {
        match self.tree.stop() {
            Some(Stop::Missing(missing)) => Some(*missing),
            _ => None,
        }
    }

    /// Why there was nothing to do: nobody was in the race of [`first_ok`](crate::first_ok) or
    /// [`staggered_race`](crate::staggered_race). As [`JoinError::Refused`] of [`race`](crate::race).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use std::future::Ready;
    ///
    /// let nobody: [Ready<Result<(), &str>>; 0] = [];
    /// let error = pirn_group::first_ok(nobody).await.unwrap_err();
    /// assert_eq!(error.refusal(), Some("nobody was in the race"));
    /// assert!(error.is_empty() && error.cause().is_none());
    /// # });
    /// ```
    pub fn refusal(&self) -> Option<&'static str> {
        match self.tree.stop() {
            Some(Stop::Refused(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The errors alone, in the order of [`iter`](Self::iter).
    pub fn into_errors(self) -> Vec<E> {
        self.into_iter().map(Failure::into_error).collect()
    }

    /// Splits into the failures whose error `matches`, and the rest; each `None` if it is empty.
    /// What is no failure is in the rest.
    pub fn split_by(self, mut matches: impl FnMut(&E) -> bool) -> (Option<Self>, Option<Self>) {
        self.split_map(|error| match matches(&error) {
            true => Ok(error),
            false => Err(error),
        })
    }

    /// Splits into the failures that `take` takes, as what it makes of them, and the rest; each
    /// `None` if it is empty. What is no failure is in the rest.
    ///
    /// # Examples
    ///
    /// Errors of `anyhow`, by type:
    ///
    /// ```
    /// # use pirn_compat::Futures;
    /// # use pirn_group::GroupBuilder;
    /// # let mut pool = futures::executor::LocalPool::new();
    /// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
    /// # let ended = pool.run_until(group.run(async |_| {
    /// #     "seven".parse::<u32>().map_err(anyhow::Error::from)
    /// # }));
    /// let error = ended.unwrap_err();
    /// let (parsing, rest) = error.split_map(|error| error.downcast::<std::num::ParseIntError>());
    /// let kinds: Vec<_> = parsing.unwrap().into_errors().iter().map(|e| e.kind().clone()).collect();
    /// assert_eq!(kinds, [std::num::IntErrorKind::InvalidDigit]);
    /// assert!(rest.is_none());
    /// ```
    pub fn split_map<F>(
        self,
        mut take: impl FnMut(E) -> Result<F, E>,
    ) -> (Option<GroupError<F>>, Option<Self>) {
        self.split_tree(|error| take(error).map(Taken::Error))
    }

    /// Splits into the failures of type `T`, unboxed, and the rest; each `None` if it is empty. What
    /// is no failure is in the rest. A nested group whose errors are of type `T`, not boxed, is a
    /// branch of the first.
    ///
    /// For the standard library's boxes. With `anyhow` and `eyre`, give their `downcast` to
    /// [`split_map`](Self::split_map).
    ///
    /// # Examples
    ///
    /// ```
    /// # use pirn_compat::Futures;
    /// # use pirn_group::{GroupBuilder, GroupError};
    /// # use std::{io, num::ParseIntError};
    /// # let mut pool = futures::executor::LocalPool::new();
    /// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
    /// # type Boxed = Box<dyn std::error::Error + Send + Sync>;
    /// # let ended: Result<(), GroupError<Boxed>> = pool.run_until(group.run(async |g| {
    /// #     let child = g.spawn(async { Ok("seven".parse::<u32>()?) });
    /// #     pirn_core::shield(async { child.await.unwrap_err() }).await;
    /// #     Err(io::Error::other("no disk").into())
    /// # }));
    /// let (parsing, rest) = ended.unwrap_err().split::<ParseIntError>();
    /// assert_eq!(parsing.unwrap().len(), 1);
    /// let (disk, rest) = rest.unwrap().split::<io::Error>();
    /// assert_eq!(disk.unwrap().first().unwrap().error().kind(), io::ErrorKind::Other);
    /// assert!(rest.is_none()); // or it goes on, by `Err(rest)`
    /// ```
    pub fn split<T: Error + 'static>(self) -> (Option<GroupError<T>>, Option<Self>)
    where
        E: BoxedError,
    {
        self.split_tree(|error: E| {
            let group = boxed::as_error(&error).and_then(|error| error.downcast_ref());
            if group.is_none_or(GroupError::<T>::is_empty) {
                return error.downcast_to().map(Taken::Error);
            }
            let group = error.downcast_to::<GroupError<T>>();
            group.map(|group| Taken::Group(group.tree))
        })
    }

    fn split_tree<F>(
        self,
        take: impl FnMut(E) -> Result<Taken<F>, E>,
    ) -> (Option<GroupError<F>>, Option<Self>) {
        let (taken, rest) = self.tree.split(take);
        (
            taken.non_empty().map(|tree| GroupError { tree }),
            rest.non_empty().map(|tree| GroupError { tree }),
        )
    }

    /// The same failures with each error made into another by `f`.
    pub fn map<F>(self, f: impl FnMut(E) -> F) -> GroupError<F> {
        GroupError {
            tree: self.tree.map(f),
        }
    }

    /// Makes a branch of each failure whose error carries a group, in nested groups too: `open`
    /// takes the group out, or gives the error back.
    ///
    /// A nested group that was cancelled without a failure becomes a branch without a leaf: it is
    /// shown, but not iterated.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pirn_compat::Futures;
    /// # use pirn_group::GroupBuilder;
    /// # let mut pool = futures::executor::LocalPool::new();
    /// # let spawners = [pool.spawner(), pool.spawner()].map(Futures::new);
    /// # let [group, inner] = spawners.map(GroupBuilder::on);
    /// # let ended: Result<(), _> = pool.run_until(group.run(async |g| {
    /// #     let nested = inner.run(async |_| Err::<(), _>(anyhow::anyhow!("no thread")));
    /// #     Ok(nested.await?)
    /// # }));
    /// let error = ended.unwrap_err().nest(|error: anyhow::Error| error.downcast());
    /// assert_eq!(error.first().unwrap().error().to_string(), "no thread");
    /// ```
    #[must_use]
    pub fn nest(self, mut open: impl FnMut(E) -> Result<Self, E>) -> Self {
        let open = |error| open(error).map(|group| group.tree);
        GroupError {
            tree: self.tree.nest(open),
        }
    }
}

/// So that [`GroupBuilder::ambient`](crate::GroupBuilder::ambient) is asked by `?` in what gives a
/// group's error.
impl<E> From<Missing> for GroupError<E> {
    fn from(missing: Missing) -> Self {
        GroupError {
            tree: Tree::stopped(Stop::Missing(missing)),
        }
    }
}

impl<E> GroupError<GroupError<E>> {
    /// One tree of a group whose children are groups.
    #[must_use]
    pub fn flatten(self) -> GroupError<E> {
        GroupError {
            tree: self.tree.flatten(|group| group.tree),
        }
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tree.into_leaves()
    }
}

impl<'a, E> IntoIterator for &'a GroupError<E> {
    type Item = &'a Failure<E>;
    type IntoIter = std::vec::IntoIter<&'a Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let first = self.first()?;
        Some(boxed::as_error(&first.error).unwrap_or(first))
    }
}

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

impl Error for ChildError {}
