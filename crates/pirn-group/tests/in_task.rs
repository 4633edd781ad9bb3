//! Groups whose children run in the group's own future.

#[path = "forms/cases.rs"]
mod cases;
#[path = "forms/collect.rs"]
mod collect;
#[path = "forms/send.rs"]
mod send;
#[path = "forms/start.rs"]
mod start;
mod support;
#[path = "forms/turns.rs"]
mod turns;

use pirn_core::{
    Cause, Kind, Scope, TaskLocal, TaskMeta, budget, finally, finally_in_place, panic_message,
    shield,
};
use pirn_group::{
    ChildError, GroupBuilder, GroupError, InTask, StartError, Started, TaskGroup, Within, gather,
    group_in_task, race,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use support::{Bomb, Flag, Gate, Hand, Log, poll, poll_inside, reports, yield_now};

type Never<T> = Result<T, GroupError<&'static str>>;

fn stop() -> Cause {
    Cause::requested("stop")
}

async fn forever() -> Result<(), &'static str> {
    pending().await
}

struct Builder(GroupBuilder<()>);

/// The hand has nothing to do but to poll the group.
fn on(_: &Hand) -> Builder {
    Builder(GroupBuilder::in_task())
}

impl Builder {
    fn limit(self, children: usize) -> Self {
        Builder(self.0.limit(children))
    }

    fn run<C, T, E, F, Fut>(self, body: F) -> impl Future<Output = Result<T, GroupError<E>>>
    where
        C: Future<Output = ()> + ?Sized,
        E: fmt::Display + 'static,
        F: FnOnce(TaskGroup<E, Within<C>>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.0.run_in_task(body)
    }
}

/// A future that counts its polls, and is ready when the gate is open.
async fn counted(polls: &Cell<usize>, gate: &Gate) -> Result<(), &'static str> {
    let mut passed = pin!(gate.passed());
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        passed.as_mut().poll(cx).map(Ok)
    })
    .await
}

// Borrowing.

#[test]
fn children_borrow_what_was_there_before_the_group_and_need_not_be_send() {
    let words = [Rc::<str>::from("warp"), Rc::from("weft")];
    let seen = RefCell::new(Vec::new());
    let (mut first, mut second) = (0, 0);
    let ended: Never<&str> = Hand::default().finish(group_in_task(async |g| {
        let both: Vec<_> = words
            .iter()
            .map(|word| {
                g.spawn_local(async {
                    yield_now().await;
                    seen.borrow_mut().push(&**word);
                    Ok(&**word)
                })
            })
            .collect();
        g.spawn_local(async {
            first += 1;
            Ok(())
        });
        g.spawn_local_named("second", async {
            yield_now().await;
            second += 2;
            Ok(())
        });
        let mut longest = "";
        for child in both {
            longest = child.await.unwrap_or(longest);
        }
        Ok(longest)
    }));
    assert_eq!(ended.unwrap(), "weft");
    assert_eq!((first, second), (1, 2));
    assert_eq!(seen.into_inner(), ["warp", "weft"]);
}

#[test]
fn a_childs_clean_up_may_borrow_too() {
    let cleaned = Cell::new(0);
    let ended: Never<()> = Hand::default().finish(group_in_task(async |g| {
        for _ in 0..2 {
            g.spawn_local(finally_in_place(forever(), async || {
                yield_now().await;
                cleaned.set(cleaned.get() + 1);
            }));
        }
        yield_now().await;
        Err("enough")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["enough"]);
    assert_eq!(cleaned.get(), 2);
}

#[test]
fn groups_lie_in_one_another_and_the_inner_children_borrow_from_the_outer() {
    let sum = Cell::new(0);
    let ended: Never<()> = Hand::default().finish(group_in_task(async |outer| {
        for i in 1..=3 {
            let sum = &sum;
            outer.spawn_local(async move {
                let own = Cell::new(i);
                let inner = group_in_task(async |g| {
                    for _ in 0..2 {
                        g.spawn_local(async {
                            yield_now().await;
                            sum.set(sum.get() + own.get());
                            Ok(())
                        });
                    }
                    Ok::<_, &str>(())
                });
                inner.await.map_err(|_| "an inner one failed")
            });
        }
        Ok(())
    }));
    assert!(ended.is_ok());
    assert_eq!(sum.get(), 12);
}

#[test]
fn a_child_that_is_started_borrows_and_so_does_what_it_says() {
    let (text, served) = (String::from("warp and weft"), Cell::new(0));
    let ended: Never<_> = Hand::default().finish(group_in_task(async |g| {
        let serve = async |started: Started<_>| {
            yield_now().await;
            started.send(&text[..4]).unwrap();
            yield_now().await;
            served.set(served.get() + 1);
            Ok(Rc::new(&text[9..]))
        };
        let (first, child) = g.start_local(serve).await.unwrap();
        let (again, _) = g.start_local_named("second", serve).await.unwrap();
        assert_eq!(first, again);
        Ok((first, *child.await.unwrap()))
    }));
    assert_eq!(ended.unwrap(), ("warp", "weft"));
    assert_eq!(served.get(), 2);
}

#[test]
fn one_that_is_started_and_fails_is_named_where_it_is_the_groups() {
    for sends in [true, false] {
        let mut seen = None;
        let ended: Never<()> = Hand::default().finish(group_in_task(async |g| {
            let fails = async |started: Started<Rc<()>>| {
                if sends {
                    started.send(Rc::new(())).unwrap();
                }
                Err::<(), _>("broken")
            };
            seen = g.start_local_named("weaver", fails).await.err();
            Ok(())
        }));
        if sends {
            let error = ended.unwrap_err();
            let task = error.first().unwrap().task();
            assert_eq!(task.name(), Some("weaver"));
            assert!(task.spawned_at().file().ends_with("in_task.rs"));
        } else {
            assert!(ended.is_ok() && matches!(seen, Some(StartError::Failed("broken"))));
        }
    }
}

#[test]
fn results_are_collected_of_children_that_borrow_and_the_handle_may_be_given_on() {
    let words = [Rc::<str>::from("warp"), Rc::from("weft")];
    let ended: Never<_> = Hand::default().finish(group_in_task(async |g| {
        let texts = g.collect();
        for word in &words {
            texts.spawn_local(async { Ok((&**word, Rc::clone(word))) });
        }
        assert_eq!(texts.spawn_local_named("last", async { Err("torn") }), 2);
        shield(texts.all()).await.map_err(|_| "not all")
    }));
    let error = ended.unwrap_err();
    assert_eq!(error.first().unwrap().task().name(), Some("last"));
    assert_eq!(error.into_errors(), ["torn", "not all"]);
}

// Polls.

#[test]
fn a_child_is_polled_when_it_was_woken_and_no_more_than_once_in_a_turn() {
    let polls: [Cell<usize>; 3] = Default::default();
    let gates: [Gate; 3] = Default::default();
    let mut run = pin!(group_in_task(async |g| {
        for (polls, gate) in polls.iter().zip(&gates) {
            g.spawn_local(counted(polls, gate));
        }
        Ok::<_, &str>(())
    }));
    let seen = || polls.each_ref().map(Cell::get);
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(seen(), [1, 1, 1]);
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(seen(), [1, 1, 1]);
    gates[1].open();
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(seen(), [1, 2, 1]);
    gates[0].open();
    gates[2].open();
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(seen(), [2, 2, 2]);
    assert!(poll(run.as_mut()).is_ready());
}

#[test]
fn a_child_that_wakes_itself_waits_for_the_next_turn() {
    let polls = Cell::new(0);
    let (woken, waker) = Flag::new();
    let mut cx = Context::from_waker(&waker);
    let mut run = pin!(group_in_task(async |g| {
        g.spawn_local(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            match polls.get() {
                3 => Poll::Ready(Ok::<_, &str>(())),
                _ => Poll::Pending,
            }
        }));
        Ok(())
    }));
    for turn in 1..=3 {
        assert!(run.as_mut().poll(&mut cx).is_pending());
        assert_eq!(polls.get(), turn);
        assert!(woken.take(), "nobody comes back for it");
    }
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn children_that_are_spawned_from_outside_wake_the_group_and_those_from_inside_a_turn_are_seen_in_it()
 {
    let (woken, waker) = Flag::new();
    let mut cx = Context::from_waker(&waker);
    let ran = Cell::new(0);
    let handle = RefCell::new(None);
    let gate = Gate::default();
    let mut run = pin!(group_in_task(async |g| {
        *handle.borrow_mut() = Some(g.clone());
        gate.passed().await;
        g.spawn_local(async {
            ran.set(ran.get() + 10);
            Ok::<_, &str>(())
        });
        handle.borrow_mut().take();
        Ok(())
    }));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(!woken.take());
    let child = || async {
        ran.set(ran.get() + 1);
        Ok(())
    };
    handle.borrow().as_ref().unwrap().spawn_local(child());
    assert!(woken.take());
    handle.borrow().as_ref().unwrap().spawn_local(child());
    assert!(!woken.take(), "it is on its way already");
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(ran.get(), 2);
    woken.take(); // of the last child's end
    gate.open();
    assert!(woken.take());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(ran.get(), 12);
    assert!(woken.take(), "of the last child's end");
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_child_that_a_child_spawns_is_polled_in_the_turn_after() {
    let ran = Cell::new(0);
    let (woken, waker) = Flag::new();
    let mut cx = Context::from_waker(&waker);
    let mut run = pin!(group_in_task(async |g| {
        let handle = g.clone();
        let ran = &ran;
        g.spawn_local(async move {
            handle.spawn_local(async {
                ran.set(1);
                forever().await
            });
            forever().await
        });
        forever().await
    }));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(ran.get(), 0);
    assert!(woken.take());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(ran.get(), 1);
    assert!(!woken.take());
}

#[test]
fn a_child_wakes_whoever_polled_the_group_last() {
    let gate = Gate::default();
    let (first, one) = Flag::new();
    let (second, two) = Flag::new();
    let mut run = pin!(group_in_task(async |g| {
        g.spawn(async {
            gate.passed().await;
            Ok::<_, &str>(())
        });
        Ok(())
    }));
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&one))
            .is_pending()
    );
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&two))
            .is_pending()
    );
    gate.open();
    assert_eq!((first.take(), second.take()), (false, true));
}

#[test]
fn a_child_that_is_always_ready_leaves_the_task_to_its_siblings_and_others() {
    let spent = Cell::new(0);
    let done = Cell::new(false);
    let ended: Never<()> = Hand::default().finish(group_in_task(async |g| {
        g.spawn_local(async {
            while !done.get() {
                poll_fn(budget::poll_spend).await;
                spent.set(spent.get() + 1);
            }
            Ok(())
        });
        g.spawn_local(async {
            yield_now().await;
            done.set(true);
            Ok(())
        });
        Ok(())
    }));
    assert!(ended.is_ok());
    assert!(spent.get() > 1);
}

/// Polls so often, each time as an executor does that knows of budgets.
fn turns<F: Future>(run: &mut Pin<&mut F>, turns: usize) -> bool {
    (0..turns).any(|_| {
        let _refilled = budget::refill();
        poll(run.as_mut()).is_ready()
    })
}

/// Something that spends, and is always ready, until it is told.
async fn busy(until: &Cell<bool>) -> Result<(), &'static str> {
    while !until.get() {
        poll_fn(budget::poll_spend).await;
    }
    Ok(())
}

#[test]
fn a_body_that_is_always_ready_leaves_turns_to_children_that_spend_as_well() {
    let done = Cell::new(false);
    let mut run = pin!(group_in_task(async |g| {
        g.spawn_local(async {
            poll_fn(budget::poll_spend).await;
            done.set(true);
            Ok(())
        });
        busy(&done).await
    }));
    assert!(turns(&mut run, 10), "the child had no turn");
}

#[test]
fn a_child_that_is_always_ready_leaves_turns_to_siblings_that_spend_as_well() {
    let done = Cell::new(false);
    let mut run = pin!(group_in_task(async |g| {
        g.spawn_local(busy(&done));
        g.spawn_local(busy(&done));
        g.spawn_local(async {
            poll_fn(budget::poll_spend).await;
            done.set(true);
            Ok(())
        });
        Ok(())
    }));
    assert!(turns(&mut run, 20), "the last child had no turn");
}

#[test]
fn a_turn_of_groups_beside_one_another_is_bounded() {
    let (spent, done) = (Cell::new(0), Cell::new(false));
    let work = async || {
        while !done.get() {
            poll_fn(budget::poll_spend).await;
            spent.set(spent.get() + 1);
        }
        Ok::<_, &str>(())
    };
    let mut run = pin!(group_in_task(async |outer| {
        for _ in 0..10 {
            outer.spawn_local(async {
                let inner = group_in_task(async |g| {
                    g.spawn_local(work());
                    work().await
                });
                inner.await.map_err(|_| "an inner one failed")
            });
        }
        work().await
    }));
    for turn in 1..=30 {
        assert!(!turns(&mut run, 1));
        // Once for each level at most.
        assert!(spent.get() <= 3 * turn * budget::BUDGET as usize);
    }
    done.set(true);
    assert!(turns(&mut run, 30));
}

#[test]
fn a_child_has_a_copy_of_the_locals_around_its_spawn_and_what_it_sets_is_its_own() {
    static NAME: TaskLocal<&str> = TaskLocal::new();
    let seen = RefCell::new(Vec::new());
    let group = group_in_task(async |g| {
        let child = async |own| {
            seen.borrow_mut().push(NAME.get());
            let _keep = NAME.set(own).unwrap();
            yield_now().await;
            seen.borrow_mut().push(NAME.get());
            Ok::<_, &str>(())
        };
        g.spawn_local(child("a"));
        let _keep = NAME.set("body").unwrap();
        g.spawn_local(child("b"));
        yield_now().await;
        yield_now().await;
        seen.borrow_mut().push(NAME.get());
        Ok(())
    });
    let ended = Hand::default().finish(NAME.scope("task", Scope::detached().run(group)));
    assert!(ended.unwrap().is_ok());
    let expected = ["task", "body", "a", "b", "body"].map(Some);
    assert_eq!(seen.into_inner(), expected);
    assert_eq!(NAME.get(), None);
}

#[test]
fn a_group_that_is_polled_by_reference_in_a_body_that_is_cancelled_goes_on_elsewhere() {
    let (gate, ran) = (Gate::default(), Cell::new(0));
    let mut group = Box::pin(group_in_task(async |g| {
        for _ in 0..2 {
            g.spawn_local(async {
                gate.passed().await;
                ran.set(ran.get() + 1);
                Ok::<_, &str>(())
            });
        }
        Ok(())
    }));
    let scope = Scope::detached();
    let mut run = Box::pin(scope.run(async {
        poll_inside(group.as_mut()).await;
        forever().await
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(stop());
    gate.open();
    assert!(poll(run.as_mut()).is_ready());
    drop(run);
    // Its children were cancelled with that scope; the value that its body had stays.
    assert!(Hand::default().finish(group).is_ok());
    assert_eq!(ran.get(), 0);
}

#[test]
fn a_race_that_a_group_loses_waits_for_the_clean_up_of_its_children() {
    let log = Log::default();
    let ended = Hand::default().finish(race((
        async {
            let group = group_in_task(async |g| {
                g.spawn_local(finally_in_place(forever(), async || {
                    yield_now().await;
                    log.say("cleaned up");
                }));
                forever().await
            });
            group.await.map(|()| 1)
        },
        async {
            yield_now().await;
            Ok(2)
        },
    )));
    assert_eq!(ended.unwrap().unwrap(), 2);
    assert_eq!(log.said(), ["cleaned up"]);
}

// Drops.

#[test]
fn dropping_the_group_drops_the_children_and_then_the_body_and_hands_clean_up_over() {
    let log = Log::default();
    let outer = Scope::detached();
    let mut run = pin!(outer.run(async {
        let mut group = Box::pin(group_in_task(async |g| {
            let _body = log.on_drop("body");
            for name in ["first", "second"] {
                let (dropped, log) = (log.on_drop(name), log.clone());
                let work = async move {
                    dropped.is_there();
                    pending::<Result<(), &str>>().await
                };
                g.spawn(finally(work, || async move { log.say("cleaned up") }));
            }
            yield_now().await;
            let unpolled = log.on_drop("never ran");
            g.spawn::<_, ()>(async move {
                unpolled.is_there();
                panic!("it ran")
            });
            pending::<Result<(), &str>>().await
        }));
        poll_inside(group.as_mut()).await;
        // The third is put there by a poll of the body alone: the group is dropped in that turn.
        drop(group);
        log.say("the code around goes on");
    }));
    assert!(poll(run.as_mut()).is_ready());
    let said = log.said();
    assert_eq!(
        said,
        [
            "first",
            "second",
            "body",
            "the code around goes on",
            "cleaned up",
            "cleaned up"
        ]
    );
}

#[test]
fn children_that_were_not_polled_yet_are_dropped_with_the_group_though_they_have_its_handle() {
    reports();
    let (log, handle) = (Log::default(), RefCell::new(None));
    let mut group = Box::pin(group_in_task(async |g| {
        *handle.borrow_mut() = Some(g.clone());
        g.spawn_local(forever());
        forever().await
    }));
    assert!(poll(group.as_mut()).is_pending());
    let outside: TaskGroup<_, _> = handle.take().unwrap();
    let (inside, dropped) = (outside.clone(), log.on_drop("dropped"));
    let child = outside.spawn_local(async move {
        dropped.is_there();
        inside.cancel(stop());
        Ok(())
    });
    assert_eq!(outside.live(), 2);
    drop(group);
    assert_eq!(log.said(), ["dropped"]);
    assert_eq!(outside.live(), 0);
    let error = Hand::default().finish(child).unwrap_err();
    assert!(error.to_string().contains("dropped"), "{error}");
    let refused = outside.try_spawn_local(TaskMeta::here(), forever());
    assert!(refused.unwrap_err().reason().contains("has ended"));
    assert!(reports().is_empty());
}

#[test]
fn a_destructor_that_spawns_as_the_group_is_dropped_is_refused() {
    struct Spawns<'env>(TaskGroup<&'static str, InTask<'env>>);
    impl Drop for Spawns<'_> {
        fn drop(&mut self) {
            let refused = self.0.try_spawn(TaskMeta::here(), async { Ok(()) });
            assert!(refused.is_err());
        }
    }
    reports();
    let mut group = Box::pin(group_in_task(async |g| {
        let spawns = Spawns(g.clone());
        g.spawn(async move {
            let _spawns = spawns;
            forever().await
        });
        forever().await
    }));
    assert!(poll(group.as_mut()).is_pending());
    drop(group);
    assert!(reports().is_empty());
}

#[test]
fn outside_every_scope_clean_up_of_a_dropped_group_is_reported_as_lost() {
    reports();
    let mut group = Box::pin(group_in_task(async |g| {
        g.spawn(finally(forever(), || async { panic!("it ran") }));
        forever().await
    }));
    assert!(poll(group.as_mut()).is_pending());
    drop(group);
    let reported = reports();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("clean-up"), "{reported:?}");
}

#[test]
fn destructors_and_wakers_that_panic_are_caught_where_the_child_is() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    reports();
    let mut group = Box::pin(group_in_task(async |g| {
        for _ in 0..2 {
            g.spawn(async {
                let _bomb = Bomb;
                forever().await
            });
        }
        forever().await
    }));
    assert!(poll(group.as_mut()).is_pending());
    drop(group);
    assert_eq!(reports().len(), 2);
    // Under a cancel that is a panic of the child.
    let group = group_in_task(async |g| {
        g.spawn(async {
            let _bomb = Bomb;
            forever().await
        });
        yield_now().await;
        g.cancel(stop());
        Ok::<(), &str>(())
    });
    let ended = catch_unwind(AssertUnwindSafe(|| Hand::default().finish(group).is_ok()));
    assert_eq!(panic_message(&*ended.unwrap_err()), "in drop");
}

#[test]
fn a_panic_of_the_body_goes_on_after_the_children_have_ended() {
    let (gate, cleaned) = (Gate::default(), Cell::new(false));
    let mut run = pin!(group_in_task(async |g| {
        g.spawn_local(finally_in_place(forever(), async || {
            gate.passed().await;
            cleaned.set(true);
        }));
        yield_now().await;
        if !cleaned.get() {
            panic!("the body broke");
        }
        Ok::<(), &str>(())
    }));
    let hand = Hand::default();
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    let payload = catch_unwind(AssertUnwindSafe(|| hand.run(run.as_mut()).is_ready())).unwrap_err();
    assert_eq!(panic_message(&*payload), "the body broke");
    assert!(cleaned.get());
}

// Cancels and ends.

#[test]
fn a_cancel_from_another_thread_ends_the_children_and_the_body() {
    let scope = Scope::detached();
    let canceller = scope.clone();
    let cleaned = AtomicUsize::new(0);
    let group = group_in_task(async |g| {
        for _ in 0..3 {
            let cleaned = &cleaned;
            g.spawn(finally_in_place(forever(), async move || {
                cleaned.fetch_add(1, SeqCst);
            }));
        }
        // One that has not begun has nothing to clean up.
        yield_now().await;
        std::thread::spawn(move || canceller.cancel(stop()));
        forever().await
    });
    let ended = futures::executor::block_on(scope.run(group));
    assert_eq!(ended.unwrap_err().text(), "stop");
    assert_eq!(cleaned.load(SeqCst), 3);
}

#[test]
fn a_group_without_children_ends_with_its_body_in_its_first_turn() {
    let mut run = pin!(group_in_task(async |_: TaskGroup<&str, InTask<'_>>| Ok(3)));
    let Poll::Ready(ended) = poll(run.as_mut()) else {
        panic!("it waits for nobody");
    };
    assert_eq!(ended.unwrap(), 3);
}

#[test]
fn the_handle_of_a_group_that_has_ended_refuses_and_it_is_reported_if_nobody_asks() {
    reports();
    let hand = Hand::default();
    let kept: Never<TaskGroup<&str, InTask<'_>>> = hand.finish(group_in_task(async |g| Ok(g)));
    let kept = kept.unwrap();
    let child = kept.spawn_named("late", forever());
    assert!(matches!(hand.finish(child), Err(ChildError::Refused(_))));
    assert!(reports().is_empty());
    drop(kept.spawn_named("unheard", forever()));
    let reported = reports();
    assert!(reported[0].contains("task `unheard`") && reported[0].contains("the group has ended"));
}

#[test]
fn errors_bear_the_groups_name_and_its_childrens_names() {
    let group = GroupBuilder::in_task().named("all").run_in_task(async |g| {
        g.spawn_named("bad", shield(async { Err::<(), _>("of the child") }));
        yield_now().await;
        Err::<(), _>("of the body")
    });
    let error = Hand::default().finish(group).unwrap_err();
    let names: Vec<_> = error
        .iter()
        .map(|failure| failure.task().name().map(str::to_owned))
        .collect();
    assert_eq!(names[0].as_deref(), Some("bad"));
    assert!(
        error
            .first()
            .unwrap()
            .task()
            .spawned_at()
            .file()
            .ends_with("in_task.rs")
    );
}

#[test]
fn a_group_runs_beside_other_futures_of_the_task() {
    let (sent, got) = (Cell::new(None), Cell::new(0));
    let gate = Gate::default();
    let both = gather((
        async {
            let group = group_in_task(async |g| {
                g.spawn_local(async {
                    gate.passed().await;
                    got.set(sent.get().unwrap_or_default());
                    Ok::<_, &str>(())
                });
                Ok(())
            });
            group.await.map_err(|_| "the group")
        },
        async {
            yield_now().await;
            sent.set(Some(5));
            gate.open();
            Ok(())
        },
    ));
    assert!(Hand::default().finish(both).is_ok());
    assert_eq!(got.get(), 5);
}

// Wakers that do something as they are dropped.

/// Does what it was told when its last waker is dropped.
struct AtLast(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl AtLast {
    fn waker(what: impl FnOnce() + Send + 'static) -> std::task::Waker {
        Arc::new(AtLast(std::sync::Mutex::new(Some(Box::new(what))))).into()
    }
}

impl std::task::Wake for AtLast {
    fn wake(self: Arc<Self>) {}
}

impl Drop for AtLast {
    fn drop(&mut self) {
        let what = self.0.get_mut().unwrap().take();
        what.into_iter().for_each(|what| what());
    }
}

#[test]
fn the_waker_of_a_group_that_is_dropped_may_spawn_in_it_as_it_is_dropped() {
    type Handle = TaskGroup<&'static str, InTask<'static>>;
    let place = Arc::new(std::sync::Mutex::new(None::<Handle>));
    let (put, log, scope) = (
        place.clone(),
        Log::default(),
        Arc::new(std::sync::OnceLock::new()),
    );
    let set = scope.clone();
    let mut group = Box::pin(group_in_task(async move |g| {
        set.set(g.scope().clone()).unwrap();
        *put.lock().unwrap() = Some(g.clone());
        forever().await
    }));
    let said = log.clone();
    let waker = AtLast::waker(move || {
        let group = place.lock().unwrap().take().unwrap();
        said.say(if group.spawn(forever()).is_finished() {
            "over"
        } else {
            "alive"
        });
    });
    let mut cx = Context::from_waker(&waker);
    assert!(group.as_mut().poll(&mut cx).is_pending());
    drop(waker);
    // Its run has given its waker up after this: the last one is that for newcomers.
    scope.get().unwrap().cancel(stop());
    drop(group);
    assert_eq!(log.said(), ["over"]);
}

#[test]
fn a_waker_that_panics_as_it_is_dropped_is_reported_wherever_a_group_in_a_task_kept_it() {
    reports();
    let bad = ["a panic that nobody received: a bad waker"];
    let poll_with_bomb = |group: Pin<&mut dyn Future<Output = Never<()>>>| {
        let waker = AtLast::waker(|| panic!("a bad waker"));
        assert!(group.poll(&mut Context::from_waker(&waker)).is_pending());
    };
    let mut group = Box::pin(group_in_task(async |_: TaskGroup<_, InTask<'_>>| {
        forever().await
    }));
    poll_with_bomb(group.as_mut());
    assert!(poll(group.as_mut()).is_pending());
    assert_eq!(reports(), bad, "it was polled with another waker");
    poll_with_bomb(group.as_mut());
    drop(group);
    assert_eq!(reports(), bad, "it was dropped");
}
