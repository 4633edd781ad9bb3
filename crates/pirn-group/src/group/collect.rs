//! Children whose results are kept for whoever asks.

use super::child::Sink;
use super::{Ambient, TaskGroup};
use crate::catch::drop_nameless;
use crate::error::ChildError;
use crate::untaken::{Untaken, Value};
use pirn_core::large::hand_on;
use pirn_core::shim::ListLock;
use pirn_core::wake::{discard, wake};
use pirn_core::{Refused, Spawn, TaskMeta, budget};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Spawns children of one type into a group and keeps their results: to be taken [as they
/// come](Self::next), each with the number of its child, or [all at once](Self::all) in the order
/// in which they were spawned. No handle needs to be kept.
///
/// It is made by [`TaskGroup::collect`]; a group may have several, and other children. Dropping it
/// does nothing to its children: they belong to the group. A child that fails gives
/// [`ChildError::Cancelled`] here, since its error goes to the group's end.
///
/// # Examples
///
/// ```
/// use pirn_compat::AsyncExecutor;
/// use pirn_group::GroupBuilder;
/// use std::sync::Arc;
///
/// type Error = Box<dyn std::error::Error + Send + Sync>;
/// let executor = Arc::new(async_executor::Executor::new());
/// let group = GroupBuilder::on(AsyncExecutor::new(executor.clone())).run(async |g| {
///     let squares = g.collect();
///     for i in 1..=3 {
///         squares.spawn(async move { Ok(i * i) });
///     }
///     Ok::<Vec<i32>, Error>(squares.all().await?)
/// });
/// let squares = futures::executor::block_on(executor.run(group));
/// assert_eq!(squares.unwrap(), [1, 4, 9]);
/// ```
pub struct Collector<T, E, S = Ambient> {
    pub(super) group: TaskGroup<E, S>,
    results: Arc<Results<T>>,
}

/// Under a lock whose unlocking is a store: each child takes it twice, and so does who takes the result.
struct Results<T>(ListLock<State<T>>);

struct State<T> {
    /// How many children there were, refused ones included.
    spawned: usize,
    /// How many results were taken.
    taken: usize,
    /// The results that were not, in the order in which the children ended.
    ended: VecDeque<(usize, Result<T, ChildError>)>,
    waker: Option<Waker>,
}

/// From one child to the collector.
pub(super) struct ToCollector<T, E> {
    number: usize,
    results: Arc<Results<T>>,
    error: PhantomData<fn(E)>,
}

impl<E, S: Clone> TaskGroup<E, S> {
    /// A [`Collector`] of children of this group.
    pub fn collect<T>(&self) -> Collector<T, E, S> {
        let state = State {
            spawned: 0,
            taken: 0,
            ended: VecDeque::new(),
            waker: None,
        };
        Collector {
            group: self.clone(),
            results: Arc::new(Results(ListLock::new(state))),
        }
    }
}

impl<T, E, S> Collector<T, E, S>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
    S: Spawn,
{
    /// Spawns a child, as [`TaskGroup::spawn`], and gives its number: the first is 0.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.spawn_as(TaskMeta::here(), future)
    }

    /// As [`spawn`](Self::spawn), with a name, for errors.
    #[track_caller]
    pub fn spawn_named<F>(&self, name: impl Into<Arc<str>>, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.spawn_as(TaskMeta::here().named(name), future)
    }

    fn spawn_as<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        hand_on(
            meta,
            future,
            |meta, future| self.put(meta, future),
            |meta, future| self.put(meta, future),
        )
    }

    fn put<F>(&self, meta: TaskMeta, future: F) -> usize
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawn = |sink| self.group.spawn_to(meta.clone(), future, sink);
        self.numbered(&meta, spawn)
    }
}

impl<T, E: fmt::Display + 'static, S> Collector<T, E, S> {
    /// Gives a number to the child that `spawn` spawns, with its result going to the sink.
    pub(super) fn numbered<F>(
        &self,
        meta: &TaskMeta,
        spawn: impl FnOnce(ToCollector<T, E>) -> Result<(), Refused<F>>,
    ) -> usize {
        let number = self.results.next_number();
        let sink = ToCollector {
            number,
            results: Arc::clone(&self.results),
            error: PhantomData,
        };
        if let Err(refused) = spawn(sink) {
            let refusal = self.group.refused(meta, refused);
            let reason = refusal.reason();
            self.results.add(number, Err(ChildError::Refused(reason)));
        }
        number
    }
}

impl<T, E, S> Collector<T, E, S> {
    /// Waits for the next child to end, and gives its number and its value. `None` if there is none
    /// left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a result stays until a poll takes it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pirn_compat::Futures;
    /// # use pirn_group::{ChildError, GroupBuilder};
    /// # let mut pool = futures::executor::LocalPool::new();
    /// # let group = GroupBuilder::on(Futures::new(pool.spawner()));
    /// # let sum = pool.run_until(group.run(async |g| {
    /// let mut sizes = g.collect();
    /// for name in ["a", "bc"] {
    ///     sizes.spawn(async move { Ok(name.len()) });
    /// }
    /// let mut sum = 0;
    /// while let Some((number, size)) = sizes.next().await {
    ///     assert_eq!(number + 1, *size.as_ref().unwrap());
    ///     sum += size?;
    /// }
    /// # Ok::<_, ChildError>(sum)
    /// # }));
    /// # assert_eq!(sum.unwrap(), 3);
    /// ```
    pub async fn next(&mut self) -> Option<(usize, Result<T, ChildError>)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for streams by hand.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(usize, Result<T, ChildError>)>> {
        if self.results.poll_ended(cx).is_pending() || budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.results.take())
    }

    /// Waits for all children whose results were not taken yet, and gives their values, in the order
    /// in which they were spawned.
    ///
    /// # Errors
    ///
    /// That of the first of them, in this order, that gave no value.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the results that have come. The children go on.
    pub async fn all(mut self) -> Result<Vec<T>, ChildError> {
        let mut ended = Untaken::new(Vec::new(), self.group.shared.meta.clone());
        while let Some((number, result)) = self.next().await {
            ended.all.push((number, Value(result)));
        }
        ended.all.sort_unstable_by_key(|(number, _)| *number);
        let failed = ended
            .all
            .iter()
            .position(|(_, Value(result))| result.is_err());
        let given = match failed {
            Some(at) => vec![ended.all.swap_remove(at)],
            None => ended.take(),
        };
        given.into_iter().map(|(_, Value(result))| result).collect()
    }

    /// How many results there are to come, or to be taken.
    pub fn len(&self) -> usize {
        let state = self.results.0.lock();
        state.spawned - state.taken
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T, E, S> fmt::Debug for Collector<T, E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("group", &self.group)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> State<T> {
    /// There is a result, or there is none to come.
    fn is_ready(&self) -> bool {
        !self.ended.is_empty() || self.taken == self.spawned
    }
}

impl<T> Results<T> {
    fn next_number(&self) -> usize {
        let mut state = self.0.lock();
        state.spawned += 1;
        state.spawned - 1
    }

    fn add(&self, number: usize, result: Result<T, ChildError>) {
        let mut state = self.0.lock();
        state.ended.push_back((number, result));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.lock().is_ready() {
            return Poll::Ready(());
        }
        let mut waker = Some(cx.waker().clone());
        let mut state = self.0.lock();
        let polled = match state.is_ready() {
            true => Poll::Ready(()),
            false => {
                std::mem::swap(&mut state.waker, &mut waker);
                budget::inspect::say("the results of its group's children");
                Poll::Pending
            }
        };
        drop(state);
        waker.into_iter().for_each(discard);
        polled
    }

    fn take(&self) -> Option<(usize, Result<T, ChildError>)> {
        let mut state = self.0.lock();
        let result = state.ended.pop_front()?;
        state.taken += 1;
        Some(result)
    }
}

impl<T> Drop for Results<T> {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut self.0.lock().ended);
        // One by one: in one drop, the second destructor that panics would end the program.
        for (_, result) in ended {
            drop_nameless(|| drop(result));
        }
    }
}

impl<T, E: fmt::Display> Sink for ToCollector<T, E> {
    type Value = T;
    type Error = E;

    fn fill(self, result: Result<T, ChildError>) -> Option<Result<T, ChildError>> {
        self.results.add(self.number, result);
        None
    }
}
