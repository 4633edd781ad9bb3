//! Groups whose children run in the group's own future, and may borrow.
//!
//! ```text
//! the group's future ──▶ shield ──▶ Driven ─┬▶ the run of the group's scope ──▶ body
//!                                           └▶ Tenants ──▶ House ──▶ Member ──▶ the user's future
//! ```
//!
//! To a child this is an executor as any other, which polls what was woken and, if the group's future
//! is dropped, drops it: how children begin, fail and end, their scopes, results and limit are those of
//! all groups. What is different is here alone: where a child is put, and who polls it.

mod house;
mod results;
mod room;

pub(super) use room::{Children, Tenants};

use super::child::{Child, Member, Sink, ToHandle};
use super::inside::Inside;
use super::shared::{CLOSED, Shared};
use super::{GroupBuilder, TaskGroup, run};
use crate::error::GroupError;
use house::{House, Houses, Takes};
use pirn_core::large::{hand_on, unboxed};
use pirn_core::{Refused, TaskMeta};
use room::Room;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// Runs `body` as a group whose children run in this very future, as parts of the caller's task: they
/// may borrow what was there before the group. It ends after every child: short for
/// [`GroupBuilder::in_task`] and [`GroupBuilder::run_in_task`].
///
/// No executor and no runtime is needed. All children share one thread, one after the other: for
/// work that waits, not for work that computes; that belongs into tasks of a [`group`](crate::group()).
/// Where all that is to run is known beforehand, [`gather`](crate::gather) and its kin do without a box
/// for each.
///
/// With [`spawn`](TaskGroup::spawn) children are [`Send`], and so is the group's future; with
/// [`spawn_local`](TaskGroup::spawn_local) neither is. A body uses the one or the other.
///
/// # Cancel safety
///
/// As [`GroupBuilder::run_in_task`].
///
/// # Examples
///
/// ```
/// use pirn_group::group_in_task;
/// use std::cell::RefCell;
///
/// type Error = Box<dyn std::error::Error + Send + Sync>;
/// let words = ["warp".to_owned(), "weft".to_owned()];
/// let seen = RefCell::new(Vec::new());
/// let group = group_in_task(async |g| {
///     for word in &words {
///         g.spawn_local(async {
///             seen.borrow_mut().push(word.as_str()); // borrowed, and on this thread
///             Ok(())
///         });
///     }
///     Ok::<_, Error>(())
/// });
/// futures::executor::block_on(group)?;
/// assert_eq!(seen.into_inner(), ["warp", "weft"]);
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
#[doc(alias = "scope")]
pub fn group_in_task<C, T, E, F, Fut>(body: F) -> impl Future<Output = Result<T, GroupError<E>>>
where
    C: Future<Output = ()> + ?Sized,
    E: fmt::Display + 'static,
    F: FnOnce(TaskGroup<E, Within<C>>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    GroupBuilder::in_task().run_in_task(body)
}

/// The place of the children of a group that runs in one task: what a [`TaskGroup`] has instead of a
/// spawner, made by [`group_in_task`]. Programs name it as [`InTask`] or [`InTaskLocal`].
///
/// # Examples
///
/// ```
/// use pirn_group::{InTask, InTaskLocal, TaskGroup, Within};
///
/// fn is_idle<C: ?Sized>(g: &TaskGroup<std::io::Error, Within<C>>) -> bool {
///     g.live() == 0
/// }
/// let group = pirn_group::group_in_task(async |g: TaskGroup<_, InTask<'_>>| Ok(is_idle(&g)));
/// assert!(futures::executor::block_on(group).unwrap());
/// let group = pirn_group::group_in_task(async |g: TaskGroup<_, InTaskLocal<'_>>| Ok(is_idle(&g)));
/// assert!(futures::executor::block_on(group).unwrap());
/// ```
pub struct Within<C: ?Sized>(Arc<Room<C>>);

/// In a [`TaskGroup`]: its children are parts of one task, borrow for `'env`, and are [`Send`].
///
/// # Examples
///
/// A function that spawns into the group of its caller:
///
/// ```
/// use pirn_group::{InTask, TaskGroup, group_in_task};
/// use std::io::Error;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// fn count<'env>(g: &TaskGroup<Error, InTask<'env>>, words: &'env [String], all: &'env AtomicUsize) {
///     for word in words {
///         g.spawn(async {
///             all.fetch_add(word.len(), Relaxed);
///             Ok(())
///         });
///     }
/// }
///
/// let (words, all) = (["warp".to_owned(), "weft".to_owned()], AtomicUsize::new(0));
/// let group = group_in_task(async |g| Ok(count(&g, &words, &all)));
/// futures::executor::block_on(group).unwrap();
/// assert_eq!(all.into_inner(), 8);
/// ```
pub type InTask<'env> = Within<dyn Future<Output = ()> + Send + 'env>;

/// In a [`TaskGroup`]: its children are parts of one task, and borrow for `'env`.
///
/// # Examples
///
/// ```
/// use pirn_group::{InTaskLocal, TaskGroup, group_in_task};
/// use std::cell::Cell;
/// use std::io::Error;
///
/// fn later<'env>(g: &TaskGroup<Error, InTaskLocal<'env>>, sum: &'env Cell<i32>, by: i32) {
///     g.spawn_local(async move { Ok(sum.set(sum.get() + by)) });
/// }
///
/// let sum = Cell::new(0);
/// let group = group_in_task(async |g| {
///     (1..=3).for_each(|by| later(&g, &sum, by));
///     Ok(())
/// });
/// futures::executor::block_on(group).unwrap();
/// assert_eq!(sum.get(), 6);
/// ```
pub type InTaskLocal<'env> = Within<dyn Future<Output = ()> + 'env>;

impl<C: ?Sized> Clone for Within<C> {
    fn clone(&self) -> Self {
        Within(Arc::clone(&self.0))
    }
}

impl<C: ?Sized> fmt::Debug for Within<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within")
    }
}

impl GroupBuilder<()> {
    /// A group whose children run in the group's own future: for
    /// [`run_in_task`](GroupBuilder::run_in_task).
    #[track_caller]
    pub fn in_task() -> Self {
        GroupBuilder::on(())
    }

    /// Runs `body` with the group in its hands, and ends after the last child, clean-up included: as
    /// [`run`](GroupBuilder::run), with the same ends, but the children are polled by this future.
    ///
    /// They may borrow what was there before the group: not what the body declares, which ends before
    /// they do. To a child that spawns siblings, give a clone of the handle.
    ///
    /// They have a cancel scope and [task-locals](pirn_core::TaskLocal) of their own, as other
    /// children; of their task they share the thread and the [budget](pirn_core::budget), of which they
    /// get a second one if the body has spent the first. In each turn the body is polled first, and
    /// then the children that were woken, each once.
    ///
    /// # Errors
    ///
    /// [`GroupError`] as [`run`](GroupBuilder::run).
    ///
    /// # Panics
    ///
    /// With the first panic of the body or a child, when all have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the children and then the body, at once. Clean-up that is left goes to
    /// the scope around, then to the runtime's reaper; without either it is
    /// [reported](pirn_core::report::Report::CleanupLost), as are errors that nobody received.
    ///
    /// # Examples
    ///
    /// The first failure ends the siblings, three run at once, and all read what the caller has:
    ///
    /// ```
    /// use pirn_group::GroupBuilder;
    ///
    /// let known = vec!["warp", "weft"];
    /// let look_up = async |word| match known.contains(&word) {
    ///     true => Ok(word.len()),
    ///     false => Err("not known"),
    /// };
    /// let group = GroupBuilder::in_task().limit(3).run_in_task(async |g| {
    ///     for word in ["warp", "woof", "weft"] {
    ///         g.spawn(look_up(word));
    ///     }
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(group).unwrap_err();
    /// assert_eq!(error.into_errors(), ["not known"]);
    /// ```
    pub fn run_in_task<C, T, E, F, Fut>(
        self,
        body: F,
    ) -> impl Future<Output = Result<T, GroupError<E>>>
    where
        C: Future<Output = ()> + ?Sized,
        E: fmt::Display + 'static,
        F: FnOnce(TaskGroup<E, Within<C>>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let GroupBuilder {
            spawner: (),
            meta,
            limit,
            grace,
        } = self;
        let builder = GroupBuilder {
            spawner: Within(Room::new()),
            meta,
            limit,
            grace,
        };
        let tenants = |spawner: &Within<C>, shared: &Arc<Shared<E>>| {
            Tenants::new(Arc::clone(&spawner.0), Arc::clone(shared))
        };
        run(builder, tenants, body)
    }
}

impl<'env, E: fmt::Display + Send + 'static> TaskGroup<E, InTask<'env>> {
    /// Spawns a child that may borrow, as a part of the task: see [`group_in_task`].
    ///
    /// In a group that has ended, the refusal goes to the handle, and is [reported](pirn_core::report)
    /// if that is dropped unasked; see [`try_spawn`](Self::try_spawn). In a group that was cancelled the
    /// child never starts.
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        self.spawn_in(TaskMeta::here(), future)
    }

    /// As [`spawn`](Self::spawn), with a name, for errors.
    #[track_caller]
    pub fn spawn_named<F, T>(&self, name: impl Into<Arc<str>>, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        self.spawn_in(TaskMeta::here().named(name), future)
    }

    /// As [`spawn`](Self::spawn), with a name and place of the caller's choice, and the future back
    /// if it is refused, which is then all that happens.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the group [takes no more children](Self::is_closed).
    pub fn try_spawn<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_child(meta, future),
            unboxed(|meta, future| self.put_child(meta, future)),
        )
    }
}

impl<'env, E: fmt::Display + 'static> TaskGroup<E, InTaskLocal<'env>> {
    /// Spawns a child that may borrow and need not be [`Send`], as a part of the task: see
    /// [`group_in_task`]. Otherwise as `spawn`.
    #[track_caller]
    pub fn spawn_local<F, T>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
    {
        self.spawn_in(TaskMeta::here(), future)
    }

    /// As [`spawn_local`](Self::spawn_local), with a name, for errors.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = pirn_group::group_in_task(async |g| {
    ///     g.spawn_local_named("weaver", async { Err::<(), _>("the thread broke") });
    ///     Ok(())
    /// });
    /// let error = futures::executor::block_on(group).unwrap_err();
    /// assert_eq!(error.iter().next().unwrap().task().name(), Some("weaver"));
    /// ```
    #[track_caller]
    pub fn spawn_local_named<F, T>(&self, name: impl Into<Arc<str>>, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
    {
        self.spawn_in(TaskMeta::here().named(name), future)
    }

    /// As [`spawn_local`](Self::spawn_local), with a name and place of the caller's choice, and the
    /// future back if it is refused, which is then all that happens.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the group [takes no more children](Self::is_closed).
    pub fn try_spawn_local<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put_child(meta, future),
            unboxed(|meta, future| self.put_child(meta, future)),
        )
    }
}

impl<E: fmt::Display + 'static, C: ?Sized> TaskGroup<E, Within<C>> {
    fn spawn_in<F, T>(&self, meta: TaskMeta, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>>,
        C: Houses<F, ToHandle<T, E>>,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.or_refused(&meta, self.put_child(meta.clone(), future)),
            |meta, future| self.or_refused(&meta, self.put_child(meta.clone(), future)),
        )
    }

    fn put_child<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>>,
        C: Takes<F, ToHandle<T, E>>,
    {
        let Some(inside) = Inside::enter(&self.shared) else {
            return Err(Refused::new(CLOSED, future));
        };
        let (sink, child, vacant) = ToHandle::beside();
        let house = vacant.fill(Member::within(inside, meta, future, sink));
        self.spawner.0.put(C::house(house));
        Ok(child)
    }

    /// Puts a child whose result goes to `sink` into the room.
    fn put<F, K>(&self, meta: TaskMeta, future: F, sink: K) -> Result<(), Refused<F>>
    where
        F: Future<Output = Result<K::Value, E>>,
        K: Sink<Error = E>,
        C: Takes<F, K>,
    {
        let member = Member::new(&self.shared, meta, future, sink)?;
        let house = House::boxed(member);
        self.spawner.0.put(C::house(house));
        Ok(())
    }
}
