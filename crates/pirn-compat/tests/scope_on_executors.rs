//! Scopes on real executors, and on some that misbehave: a child is `spawn(child.run(future))` and
//! a guard, and nothing else is needed.

mod support;

use pirn_core::{Cause, Grace, Kind, Scope, finally, shield};
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{
    Hand, Manual, Stage, Tally, on_every_executor, poll, poll_once, spawn_child, was_reported,
    yield_now,
};

const CHILDREN: usize = 20;
const SECOND: Duration = Duration::from_secs(1);

fn stop() -> Cause {
    Cause::requested("stop")
}

/// Runs, with no grace limit, `body` in a scope of its own, with the scope in its hands.
fn run_scope<T, F>(stage: &Stage, body: impl FnOnce(Scope) -> F) -> Result<T, Arc<Cause>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let scope = Scope::detached();
    scope.set_grace(Grace::Unlimited);
    let body = body(scope.clone());
    stage.run(scope.run(body))
}

#[test]
fn a_run_ends_after_its_children() {
    on_every_executor(|stage| {
        let ended = Tally::default();
        let (spawner, counting) = (stage.spawner.clone(), ended.clone());
        let value = run_scope(stage, |scope| async move {
            for _ in 0..CHILDREN {
                let ended = counting.clone();
                spawn_child(&spawner, &scope, async move {
                    yield_now().await;
                    yield_now().await;
                    ended.add();
                });
            }
            7
        });
        assert_eq!(value.unwrap(), 7, "{}", stage.name);
        assert_eq!(ended.count(), CHILDREN, "{}", stage.name);
    });
}

#[test]
fn a_cancel_reaches_children_that_wait_and_the_run_ends_after_them() {
    on_every_executor(|stage| {
        let (started, dropped) = (Tally::default(), Tally::default());
        let (spawner, start, drops) = (stage.spawner.clone(), started.clone(), dropped.clone());
        let ended = run_scope(stage, |scope| async move {
            for _ in 0..CHILDREN {
                let (start, drops) = (start.clone(), drops.on_drop());
                spawn_child(&spawner, &scope, async move {
                    let _drops = drops;
                    start.add();
                    pending::<()>().await;
                });
            }
            start.reaches(CHILDREN).await;
            std::thread::spawn(move || scope.cancel(stop()));
            pending::<()>().await;
        });
        assert_eq!(ended.unwrap_err().text(), "stop", "{}", stage.name);
        assert_eq!(dropped.count(), CHILDREN, "{}", stage.name);
    });
}

#[test]
fn a_child_that_is_cancelled_alone_leaves_its_siblings() {
    on_every_executor(|stage| {
        let (spawner, go) = (stage.spawner.clone(), Tally::default());
        let value = run_scope(stage, |scope| async move {
            let alone = scope.child();
            let run = alone.run(pending::<()>());
            let (seen, went) = (go.clone(), go.clone());
            spawn_child(&spawner, &scope, async move {
                let cause = run.await.unwrap_err();
                assert_eq!(cause.text(), "stop");
                seen.add();
            });
            spawn_child(&spawner, &scope, async move { went.reaches(1).await });
            yield_now().await;
            alone.cancel(stop());
            go.reaches(1).await;
            scope.is_cancelled()
        });
        assert!(!value.unwrap(), "{}", stage.name);
    });
}

#[test]
fn a_shield_in_a_child_goes_on_after_the_cancel_and_the_run_waits_for_it() {
    on_every_executor(|stage| {
        let (inside, done) = (Tally::default(), Tally::default());
        let (spawner, enter, finish) = (stage.spawner.clone(), inside.clone(), done.clone());
        let ended = run_scope(stage, |scope| async move {
            let (cancel, entered) = (scope.clone(), enter.clone());
            spawn_child(&spawner, &scope, async move {
                shield(async {
                    enter.add();
                    cancel.cancelled().await;
                    yield_now().await;
                    finish.add();
                })
                .await;
                pending::<()>().await;
            });
            entered.reaches(1).await;
            scope.cancel(stop());
            pending::<()>().await;
        });
        assert!(ended.is_err(), "{}", stage.name);
        assert_eq!(done.count(), 1, "{}", stage.name);
    });
}

#[test]
fn clean_up_in_place_is_awaited_in_each_child() {
    on_every_executor(|stage| {
        let (started, cleaned) = (Tally::default(), Tally::default());
        let (spawner, start, clean) = (stage.spawner.clone(), started.clone(), cleaned.clone());
        let ended = run_scope(stage, |scope| async move {
            for _ in 0..CHILDREN {
                let (start, clean) = (start.clone(), clean.clone());
                let work = async move {
                    start.add();
                    pending::<()>().await;
                };
                let cleanup = || async move {
                    yield_now().await;
                    yield_now().await;
                    clean.add();
                };
                spawn_child(&spawner, &scope, finally(work, cleanup));
            }
            start.reaches(CHILDREN).await;
            scope.cancel(stop());
            pending::<()>().await;
        });
        assert!(ended.is_err(), "{}", stage.name);
        assert_eq!(cleaned.count(), CHILDREN, "{}", stage.name);
    });
}

#[test]
fn clean_up_that_a_child_dropped_is_run_by_the_childs_scope() {
    on_every_executor(|stage| {
        let cleaned = Tally::default();
        let (spawner, clean) = (stage.spawner.clone(), cleaned.clone());
        let ended = run_scope(stage, |scope| async move {
            for _ in 0..CHILDREN {
                let clean = clean.clone();
                spawn_child(&spawner, &scope, async move {
                    let cleanup = || async move {
                        yield_now().await;
                        clean.add();
                    };
                    let mut work = Box::pin(finally(pending::<()>(), cleanup));
                    assert!(poll_once(work.as_mut()).await.is_pending());
                    drop(work); // as a foreign `select!` would
                });
            }
        });
        assert!(ended.is_ok(), "{}", stage.name);
        assert_eq!(cleaned.count(), CHILDREN, "{}", stage.name);
    });
}

#[test]
fn a_dropped_run_hands_its_children_to_the_scope_around() {
    on_every_executor(|stage| {
        let (cleaned, inner_cause) = (Tally::default(), Arc::new(Mutex::new(None)));
        let (spawner, clean, seen) = (
            stage.spawner.clone(),
            cleaned.clone(),
            Arc::clone(&inner_cause),
        );
        let ended = run_scope(stage, |scope| async move {
            let inner = scope.child();
            let started = Tally::default();
            for _ in 0..CHILDREN {
                let (start, clean) = (started.clone(), clean.clone());
                let work = async move {
                    start.add();
                    pending::<()>().await;
                };
                let cleanup = || async move {
                    yield_now().await;
                    clean.add();
                };
                spawn_child(&spawner, &inner, finally(work, cleanup));
            }
            let mut run = Box::pin(inner.run(pending::<()>()));
            assert!(poll_once(run.as_mut()).await.is_pending());
            started.reaches(CHILDREN).await;
            drop(run);
            *seen.lock().unwrap() = inner.cause();
        });
        assert!(ended.is_ok(), "{}: the scope around goes on", stage.name);
        assert_eq!(cleaned.count(), CHILDREN, "{}", stage.name);
        let cause = inner_cause.lock().unwrap().take().unwrap();
        assert_eq!(cause.kind(), Kind::Dropped, "{}", stage.name);
    });
}

#[test]
fn children_of_a_dropped_run_outside_every_scope_are_reported_and_end() {
    assert!(!was_reported("17 live children"));
    on_every_executor(|stage| {
        let (started, ended, go) = (Tally::default(), Tally::default(), Tally::default());
        let spawner = stage.spawner.clone();
        stage.run(async move {
            let scope = Scope::detached();
            scope.set_grace(Grace::Unlimited);
            for _ in 0..17 {
                let (start, go, end) = (started.clone(), go.clone(), ended.clone());
                let work = async move {
                    start.add();
                    pending::<()>().await;
                };
                let cleanup = || async move {
                    go.reaches(1).await;
                    end.add();
                };
                spawn_child(&spawner, &scope, finally(work, cleanup));
            }
            let mut run = Box::pin(scope.run(pending::<()>()));
            assert!(poll_once(run.as_mut()).await.is_pending());
            started.reaches(17).await;
            drop(run);
            go.add();
            ended.reaches(17).await;
        });
        assert!(was_reported("17 live children"), "{}", stage.name);
    });
}

#[test]
fn a_deadline_cancels_children_wherever_they_are() {
    let (clock, _turn) = Manual::alone();
    on_every_executor(|stage| {
        let (started, dropped) = (Tally::default(), Tally::default());
        let (spawner, start, drops) = (stage.spawner.clone(), started.clone(), dropped.clone());
        let inside = Arc::clone(&clock);
        let ended = run_scope(stage, |scope| async move {
            let at = inside.now() + SECOND;
            scope.set_deadline(at).unwrap();
            for _ in 0..CHILDREN {
                let (start, drops) = (start.clone(), drops.on_drop());
                spawn_child(&spawner, &scope, async move {
                    let _drops = drops;
                    start.add();
                    pending::<()>().await;
                });
            }
            start.reaches(CHILDREN).await;
            // The deadline is armed at the end of this poll.
            yield_now().await;
            inside.wait_for_a_sleeper(at).await;
            assert!(!scope.is_cancelled());
            inside.advance(SECOND);
            pending::<()>().await;
        });
        assert_eq!(ended.unwrap_err().kind(), Kind::Deadline, "{}", stage.name);
        assert_eq!(dropped.count(), CHILDREN, "{}", stage.name);
    });
}

#[test]
fn a_clean_up_that_outlasts_its_grace_is_dropped_with_its_child() {
    let (clock, _turn) = Manual::alone();
    on_every_executor(|stage| {
        let (started, cleaning) = (Tally::default(), Tally::default());
        let (spawner, dropped) = (stage.spawner.clone(), Tally::default());
        let (inside, drops) = (Arc::clone(&clock), dropped.on_drop());
        let ended = run_scope(stage, |scope| async move {
            scope.set_grace(Grace::After(SECOND));
            let (start, begin, at) = (started.clone(), cleaning.clone(), inside.now() + SECOND);
            let work = async move {
                start.add();
                pending::<()>().await;
            };
            let cleanup = || async move {
                let _drops = drops;
                begin.add();
                pending::<()>().await;
            };
            spawn_child(&spawner, &scope, finally(work, cleanup));
            started.reaches(1).await;
            let cancel = scope.clone();
            std::thread::spawn(move || {
                cancel.cancel(stop());
                futures::executor::block_on(async {
                    cleaning.reaches(1).await;
                    inside.wait_for_a_sleeper(at).await;
                });
                inside.advance(SECOND);
            });
            pending::<()>().await;
        });
        assert_eq!(ended.unwrap_err().text(), "stop", "{}", stage.name);
        assert_eq!(dropped.count(), 1, "{}", stage.name);
    });
}

#[test]
fn a_task_that_its_executor_drops_is_an_end() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let hand = Hand::default();
        let (scope, dropped) = (Scope::detached(), Tally::default());
        for _ in 0..5 {
            let drops = dropped.on_drop();
            spawn_child(&hand, &scope, async move {
                let _drops = drops;
                yield_now().await;
                yield_now().await;
            });
        }
        let mut run = pin!(scope.run(ready("value")));
        let mut turns = 0;
        let value = loop {
            if let std::task::Poll::Ready(value) = poll(run.as_mut()) {
                break value;
            }
            assert!(hand.held() > 0, "seed {seed}: nothing left to wait for");
            match random.bool() {
                true => hand.lose(random.usize(..hand.held())),
                false => hand.poll_all(),
            }
            turns += 1;
        };
        assert_eq!(value.unwrap(), "value", "seed {seed}, {turns} turns");
        assert_eq!((dropped.count(), hand.held()), (5, 0), "seed {seed}");
    }
}

#[test]
fn a_run_outlives_the_children_of_an_executor_that_never_polls_again() {
    let hand = Hand::default();
    let (scope, dropped) = (Scope::detached(), Tally::default());
    for _ in 0..3 {
        let drops = dropped.on_drop();
        spawn_child(&hand, &scope, async move {
            let _drops = drops;
            pending::<()>().await;
        });
    }
    let mut run = pin!(scope.run(ready(())));
    assert!(poll(run.as_mut()).is_pending());
    hand.poll_all();
    scope.cancel(stop());
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(dropped.count(), 0);
    drop(hand); // the executor goes, and its tasks with it
    assert_eq!(dropped.count(), 3);
    assert!(poll(run).is_ready());
}

#[test]
fn a_runtime_that_shuts_down_lets_the_run_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let spawner = pirn_compat::TokioHandle::new(runtime.handle().clone());
    let (scope, dropped) = (Scope::detached(), Tally::default());
    for _ in 0..CHILDREN {
        let drops = dropped.on_drop();
        spawn_child(&spawner, &scope, async move {
            let _drops = drops;
            pending::<()>().await;
        });
    }
    let mut run = pin!(scope.run(ready(())));
    assert!(poll(run.as_mut()).is_pending());
    drop(runtime);
    assert_eq!(dropped.count(), CHILDREN);
    assert!(poll(run).is_ready());
}
