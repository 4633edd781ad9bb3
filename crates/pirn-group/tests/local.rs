//! Children that need not be `Send`, on an executor of one thread that is driven by hand.

#[path = "forms/cases.rs"]
mod cases;
#[path = "forms/collect.rs"]
mod collect;
#[path = "forms/start.rs"]
mod start;
mod support;

use pirn_core::{Cause, JoinError, Kind, Refused, Scope, TaskMeta, finally, panic_message, shield};
use pirn_group::{
    Child, ChildError, Collector, GroupBuilder, GroupError, StartError, Started, TaskGroup,
};
use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Context;
use support::{Bomb, Flag, Gate, LocalHand as Hand, Log, poll, poll_inside, reports, yield_now};

type Never<T> = Result<T, GroupError<&'static str>>;

fn stop() -> Cause {
    Cause::requested("stop")
}

async fn forever() -> Result<(), &'static str> {
    pending().await
}

/// For the cases of all groups: what is called `spawn` there is `spawn_local` here.
struct Builder(GroupBuilder<Hand>);

struct Group<E>(TaskGroup<E, Hand>);

struct Results<T, E>(Collector<T, E, Hand>);

fn on(hand: &Hand) -> Builder {
    Builder(GroupBuilder::on(hand.clone()))
}

impl Builder {
    fn limit(self, children: usize) -> Self {
        Builder(self.0.limit(children))
    }

    fn run<T, E, F, Fut>(self, body: F) -> impl Future<Output = Result<T, GroupError<E>>>
    where
        E: fmt::Display + 'static,
        F: FnOnce(Group<E>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.0.run(|g| body(Group(g)))
    }
}

impl<E: fmt::Display + 'static> Group<E> {
    #[track_caller]
    fn spawn<F, T>(&self, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.0.spawn_local(future)
    }

    #[track_caller]
    fn spawn_named<F, T>(&self, name: &str, future: F) -> Child<T>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.0.spawn_local_named(name, future)
    }

    fn try_spawn<F, T>(&self, meta: TaskMeta, future: F) -> Result<Child<T>, Refused<F>>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
    {
        self.0.try_spawn_local(meta, future)
    }

    #[track_caller]
    fn start<V, T, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        V: 'static,
        T: 'static,
    {
        self.0.start_local(make)
    }

    #[track_caller]
    fn start_named<V, T, F, Fut>(
        &self,
        name: &str,
        make: F,
    ) -> impl Future<Output = Result<(V, Child<T>), StartError<E>>>
    where
        F: FnOnce(Started<V>) -> Fut,
        Fut: Future<Output = Result<T, E>> + 'static,
        V: 'static,
        T: 'static,
    {
        self.0.start_local_named(name, make)
    }

    fn collect<T>(&self) -> Results<T, E> {
        Results(self.0.collect())
    }
}

impl<T: 'static, E: fmt::Display + 'static> Results<T, E> {
    #[track_caller]
    fn spawn(&self, future: impl Future<Output = Result<T, E>> + 'static) -> usize {
        self.0.spawn_local(future)
    }

    #[track_caller]
    fn spawn_named(
        &self,
        name: &str,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> usize {
        self.0.spawn_local_named(name, future)
    }

    async fn all(self) -> Result<Vec<T>, ChildError> {
        self.0.all().await
    }
}

impl<E> Clone for Group<E> {
    fn clone(&self) -> Self {
        Group(self.0.clone())
    }
}

impl<E> Deref for Group<E> {
    type Target = TaskGroup<E, Hand>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T, E> Deref for Results<T, E> {
    type Target = Collector<T, E, Hand>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T, E> DerefMut for Results<T, E> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[test]
fn neither_the_child_nor_its_value_its_word_or_its_error_need_be_send() {
    let (hand, seen) = (Hand::default(), Rc::new(Cell::new(0)));
    let add = |by| {
        let seen = Rc::clone(&seen);
        async move {
            yield_now().await;
            seen.set(seen.get() + by);
            Ok(seen)
        }
    };
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        let child = g.spawn_local_named("one", add(1));
        let values = g.collect();
        values.spawn_local(add(10));
        let serve = async |started: Started<Rc<&str>>| {
            started.send(Rc::new("ready")).unwrap();
            yield_now().await;
            Err::<(), _>(Rc::<str>::from("torn"))
        };
        let (word, _child) = g.start_local_named("bad", serve).await.unwrap();
        let all = shield(async { (child.await.is_ok(), values.all().await.is_ok()) });
        assert_eq!((all.await, *word), ((true, true), "ready"));
        Ok(())
    });
    let ended: Result<(), GroupError<Rc<str>>> = hand.finish(run);
    let ended = ended.unwrap_err();
    let task = ended.first().unwrap().task();
    assert_eq!(task.name(), Some("bad"));
    assert!(task.spawned_at().file().ends_with("local.rs"));
    assert_eq!((&*ended.into_errors()[0], seen.get()), ("torn", 11));
}

#[test]
fn one_that_its_executor_refuses_comes_back_or_says_why_and_counts_where_it_was_to_run() {
    let (hand, mut seen) = (Hand::default(), None);
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        hand.refuse();
        let refused = g.try_spawn_local(TaskMeta::here(), async { Ok(Rc::new(5)) });
        let back = refused.unwrap_err();
        assert_eq!(back.reason(), "the hand is full");
        assert_eq!(back.into_future().await.as_deref(), Ok(&5));
        let start = g.start_local(async |_: Started<Rc<()>>| Ok(())).await;
        assert!(matches!(
            start,
            Err(StartError::Refused("the hand is full"))
        ));
        assert!(!g.scope().is_cancelled());
        let mut values = g.collect();
        assert_eq!(values.spawn_local(async { Ok(Rc::new(1)) }), 0);
        seen = shield(values.next()).await;
        Ok(())
    });
    let ended: Never<()> = hand.finish(run);
    assert!(ended.unwrap_err().cause().is_some());
    assert!(matches!(
        seen,
        Some((0, Err(ChildError::Refused("the hand is full"))))
    ));
}

#[test]
fn one_that_its_executor_drops_before_it_is_ready_is_told_as_cancelled() {
    let hand = Hand::default();
    let group = GroupBuilder::on(hand.clone()).open::<&str>();
    let waits = async |_started: Started<Rc<()>>| pending::<Result<(), _>>().await;
    let mut start = Box::pin(group.start_local(waits));
    assert!(poll(start.as_mut()).is_pending());
    hand.lose(0);
    assert!(matches!(hand.finish(start), Err(StartError::Cancelled(_))));
    assert!(hand.finish(group.join()).unwrap_err().cause().is_some());
}

#[test]
fn gathered_futures_and_their_values_and_errors_need_not_be_send() {
    let hand = Hand::default();
    let group = || GroupBuilder::on(hand.clone());
    let words = hand.finish(group().gather_local((0..3).map(|i| async move {
        for _ in 0..3 - i {
            yield_now().await;
        }
        Ok::<_, Rc<str>>(Rc::new(i))
    })));
    assert_eq!(words.unwrap(), [0, 1, 2].map(Rc::new));

    let log = Log::default();
    let futures = (0..3).map(|i| {
        let dropped = log.on_drop("dropped");
        async move {
            dropped.is_there();
            yield_now().await;
            match i {
                1 => Err(Rc::<str>::from("one")),
                _ => pending::<Result<Rc<()>, _>>().await,
            }
        }
    });
    let error = hand.finish(group().gather_local(futures)).unwrap_err();
    assert_eq!((&*error.into_errors()[0], log.said().len()), ("one", 3));

    let ends = hand.finish(group().gather_results_local((0..3).map(|i| async move {
        match i {
            0 => panic!("zero"),
            1 => {
                Scope::current().unwrap().cancel(stop());
                pending().await
            }
            _ => Rc::new(i),
        }
    })));
    assert!(matches!(&ends[0], Err(JoinError::Panicked(panic)) if panic.message() == "zero"));
    assert!(matches!(&ends[1], Err(JoinError::Cancelled(cause)) if cause.text() == "stop"));
    assert_eq!(**ends[2].as_ref().unwrap(), 2);
}
