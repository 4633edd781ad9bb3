//! Task-locals: who sees which value, and when it ends.

mod support;

use pirn_core::{Locals, Rooted, Scope, TaskLocal, finally, shield, yield_now};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::ptr::null;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use support::poll;

static NAME: TaskLocal<&str> = TaskLocal::new();
static COUNT: TaskLocal<u32> = TaskLocal::new();
static OWN: TaskLocal<u32> = TaskLocal::uninherited();

fn end<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = poll(future.as_mut()) {
            return value;
        }
    }
}

#[track_caller]
fn nothing_stays() {
    assert_eq!((NAME.get(), COUNT.get(), OWN.get()), (None, None, None));
    assert!(Locals::current().is_empty());
}

fn set(name: &'static str) {
    let _keep = NAME.set(name).unwrap();
}

#[test]
fn a_scope_gives_a_value_for_the_length_of_a_future_and_only_inside_its_polls() {
    let mut future = pin!(NAME.scope("ada", async {
        assert_eq!(NAME.get(), Some("ada"));
        yield_now().await;
        NAME.with(|name| name.len())
    }));
    assert!(poll(future.as_mut()).is_pending());
    nothing_stays();
    assert_eq!(poll(future.as_mut()), Poll::Ready(3));
    nothing_stays();
}

#[test]
fn an_inner_scope_hides_the_outer_value_and_gives_it_back() {
    end(NAME.scope("outer", async {
        COUNT
            .scope(
                1,
                NAME.scope("inner", async {
                    yield_now().await;
                    assert_eq!((NAME.get(), COUNT.get()), (Some("inner"), Some(1)));
                }),
            )
            .await;
        assert_eq!((NAME.get(), COUNT.get()), (Some("outer"), None));
    }));
    nothing_stays();
}

#[test]
fn two_scopes_in_one_task_do_not_meet() {
    let ask = || async {
        yield_now().await;
        COUNT.get()
    };
    let (mut one, mut two) = (pin!(COUNT.scope(1, ask())), pin!(COUNT.scope(2, ask())));
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    assert_eq!(poll(two), Poll::Ready(Some(2)));
    assert_eq!(poll(one), Poll::Ready(Some(1)));
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let panics = NAME.scope("ada", async { panic!("as planned") });
    assert!(catch_unwind(AssertUnwindSafe(|| end(panics))).is_err());
    nothing_stays();
    let panics = || COUNT.scope_sync(1, || panic!("as planned"));
    assert!(catch_unwind(panics).is_err());
    nothing_stays();
    let mut task = pin!(Rooted::new(async {
        set("ada");
        panic!("as planned")
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(task.as_mut()))).is_err());
    nothing_stays();
}

#[test]
fn a_panic_in_a_later_poll_in_which_a_first_value_was_set_leaves_nothing_behind() {
    let mut task = pin!(Rooted::new(async {
        let _scope = Scope::current();
        yield_now().await;
        set("ada");
        panic!("as planned")
    }));
    assert!(poll(task.as_mut()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(task.as_mut()))).is_err());
    nothing_stays();
}

#[test]
fn the_value_stands_around_the_destructor_of_the_future() {
    struct Asks<'a>(&'a Mutex<Option<&'static str>>);
    impl Drop for Asks<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = NAME.get();
        }
    }
    let seen = Mutex::new(None);
    let asks = Asks(&seen);
    drop(NAME.scope("ada", async move {
        let _asks = asks;
    }));
    assert_eq!(seen.lock().unwrap().take(), Some("ada")); // never polled

    let asks = Asks(&seen);
    let mut polled = Box::pin(NAME.scope("ada", async move {
        let _asks = asks;
        pending::<()>().await;
    }));
    assert!(poll(polled.as_mut()).is_pending());
    drop(polled);
    assert_eq!(seen.lock().unwrap().take(), Some("ada"));

    let asks = Asks(&seen);
    let task = NAME.scope_sync("eve", || {
        Rooted::new(async move {
            let _asks = asks;
        })
    });
    drop(task);
    assert_eq!(seen.lock().unwrap().take(), Some("eve"));
    nothing_stays();
}

#[test]
fn a_value_is_dropped_with_the_last_who_sees_it() {
    static VALUE: TaskLocal<Arc<()>> = TaskLocal::new();
    let value = Arc::new(());
    let mut task = Box::pin(VALUE.scope(value.clone(), async {
        yield_now().await;
        Locals::current()
    }));
    assert!(poll(task.as_mut()).is_pending());
    let Poll::Ready(copy) = poll(task.as_mut()) else {
        panic!("it is ready")
    };
    drop(task);
    assert_eq!(Arc::strong_count(&value), 2);
    drop(copy);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn destructors_of_values_may_look_at_locals_and_set_them() {
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(COUNT.get().is_none());
            if let Ok(token) = COUNT.set(1) {
                token.reset().unwrap();
            }
        }
    }
    static LOOKS: TaskLocal<Looks> = TaskLocal::new();
    end(Rooted::new(async {
        let _first = LOOKS.set(Looks).unwrap();
        let second = LOOKS.set(Looks).unwrap();
        drop(second);
        LOOKS.set(Looks).unwrap().reset().unwrap();
        LOOKS.scope_sync(Looks, || ());
    }))
    .unwrap();
    nothing_stays();
}

// Setting.

#[test]
fn what_a_task_sets_stays_with_it_and_with_nobody_else() {
    let mut one = pin!(Rooted::new(async {
        set("one");
        yield_now().await;
        assert_eq!(NAME.get(), Some("one"));
        set("uno");
        yield_now().await;
        NAME.get()
    }));
    let mut two = pin!(Rooted::new(async {
        for _ in 0..3 {
            assert_eq!(NAME.get(), None);
            yield_now().await;
        }
    }));
    assert!(poll(one.as_mut()).is_pending());
    nothing_stays();
    assert!(poll(two.as_mut()).is_pending());
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    assert_eq!(value(poll(one)), Some("uno"));
    nothing_stays();
}

#[test]
fn what_is_set_in_a_function_is_seen_by_its_caller() {
    async fn deep() {
        yield_now().await;
        set("deep");
    }
    let ended = end(Rooted::new(async {
        shield(async {
            Scope::new().run(deep()).await.unwrap();
        })
        .await;
        yield_now().await;
        NAME.get()
    }));
    assert_eq!(ended.unwrap(), Some("deep"));
    nothing_stays();
}

#[test]
fn what_is_set_in_a_scope_without_a_task_stays_until_its_run_ends() {
    let mut run = pin!(Scope::detached().run(async {
        set("outer");
        let inner = Scope::detached().run(async {
            set("inner");
            yield_now().await;
            NAME.get()
        });
        assert_eq!(inner.await.unwrap(), Some("inner"));
        NAME.get()
    }));
    assert!(poll(run.as_mut()).is_pending());
    nothing_stays();
    assert_eq!(value(poll(run)), Some("inner"));
    nothing_stays();
}

#[test]
fn what_is_set_inside_a_scope_of_a_local_ends_with_it() {
    let ended = end(Rooted::new(async {
        set("before");
        COUNT
            .scope(1, async {
                set("inside");
                let _keep = COUNT.set(2).unwrap();
                yield_now().await;
                assert_eq!((NAME.get(), COUNT.get()), (Some("inside"), Some(2)));
            })
            .await;
        (NAME.get(), COUNT.get())
    }));
    assert_eq!(ended.unwrap(), (Some("before"), None));
}

#[test]
fn a_token_gives_back_what_was_there() {
    end(Rooted::new(async {
        let first = COUNT.set(1).unwrap();
        assert_eq!(first.former(), None);
        let second = COUNT.set(2).unwrap();
        assert_eq!(second.former(), Some(&1));
        yield_now().await;
        second.reset().unwrap();
        assert_eq!(COUNT.get(), Some(1));
        first.reset().unwrap();
        assert!(!COUNT.is_set());
        assert!(Locals::current().is_empty());
    }))
    .unwrap();
    nothing_stays();
}

#[test]
fn where_nobody_would_end_it_nothing_is_set() {
    let error = NAME.set("nobody").unwrap_err();
    assert!(error.to_string().contains("`set` inside a task"), "{error}");
    // A task of an executor that knows nothing of us.
    end(async { assert!(NAME.set("nobody").is_err()) });
    nothing_stays();
}

#[test]
fn a_destructor_that_sets_leaves_nothing_behind() {
    struct Sets;
    impl Drop for Sets {
        fn drop(&mut self) {
            if let Ok(token) = NAME.set("late") {
                drop(token);
            }
        }
    }
    let hold = |sets: Sets| async move {
        let _sets = sets;
        pending::<()>().await;
    };
    // A task, polled or not; a scope's run; one inside a task that has no scope yet.
    drop(Rooted::new(hold(Sets)));
    nothing_stays();
    let mut task = Box::pin(Rooted::new(hold(Sets)));
    assert!(poll(task.as_mut()).is_pending());
    drop(task);
    nothing_stays();
    drop(Scope::detached().run(hold(Sets)));
    nothing_stays();
    let mut outer = pin!(Rooted::new(async {
        drop(Scope::detached().run(hold(Sets)));
        NAME.get()
    }));
    assert_eq!(value(poll(outer.as_mut())), Some("late"));
    nothing_stays();
    // After the value.
    end(Rooted::new(async { Sets })).unwrap();
    nothing_stays();
}

#[test]
fn a_clean_up_that_was_handed_over_sees_the_values_of_its_task() {
    let seen = Arc::new(Mutex::new(None));
    let sees = Arc::clone(&seen);
    let mut task = pin!(Rooted::new(async move {
        set("ada");
        let mut dropped = Box::pin(finally(pending::<()>(), move || async move {
            *sees.lock().unwrap() = NAME.get();
        }));
        poll_fn(|cx| {
            assert!(dropped.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(dropped);
    }));
    end(task.as_mut()).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some("ada"));
    nothing_stays();
}

// Inheritance.

#[test]
fn a_task_gets_a_copy_when_it_is_made() {
    let mut parent = pin!(Rooted::new(async {
        set("parent");
        let child = Rooted::new(async {
            assert_eq!(NAME.get(), Some("parent"));
            set("child");
            yield_now().await;
            NAME.get()
        });
        set("later");
        let mut child = Box::pin(child);
        let child = poll_fn(|cx| child.as_mut().poll(cx)).await;
        (NAME.get(), child.unwrap())
    }));
    assert!(poll(parent.as_mut()).is_pending());
    nothing_stays();
    assert_eq!(value(poll(parent)), (Some("later"), Some("child")));
}

#[test]
fn what_is_not_inherited_stays_with_its_task() {
    let task = OWN.scope_sync(1, || {
        COUNT.scope_sync(2, || Rooted::new(async { (OWN.get(), COUNT.get()) }))
    });
    assert_eq!(end(task).unwrap(), (None, Some(2)));
    let alone = OWN.scope_sync(1, Locals::current);
    assert!(alone.is_empty());
    // A scope inside the task has it.
    let inner = OWN.scope_sync(1, || COUNT.scope_sync(2, || OWN.get()));
    assert_eq!(inner, Some(1));
}

#[test]
fn a_task_with_inherited_values_that_is_cancelled_keeps_them_for_its_clean_up() {
    let seen = Arc::new(AtomicUsize::new(0));
    let sees = Arc::clone(&seen);
    let work = finally(pending::<()>(), move || async move {
        yield_now().await;
        sees.store(COUNT.get().unwrap() as usize, SeqCst);
    });
    let mut task = pin!(COUNT.scope_sync(5, || Rooted::new(work)));
    assert!(poll(task.as_mut()).is_pending());
    task.as_mut()
        .request_cancel(pirn_core::Cause::requested("stop"));
    assert!(end(task.as_mut()).is_err());
    assert_eq!(seen.load(SeqCst), 5);
    nothing_stays();
}

#[test]
fn locals_that_were_captured_replace_those_around() {
    let captured = COUNT.scope_sync(1, Locals::current);
    NAME.scope_sync("ada", || {
        captured.run(|| assert_eq!((NAME.get(), COUNT.get()), (None, Some(1))));
        assert_eq!((NAME.get(), COUNT.get()), (Some("ada"), None));
        let carried = captured.clone().carry(async { (NAME.get(), COUNT.get()) });
        assert_eq!(end(carried), (None, Some(1)));
        let detached = Locals::detach();
        nothing_stays();
        drop(detached);
        assert_eq!(NAME.get(), Some("ada"));
    });
}

#[test]
fn two_locals_of_one_type_are_two() {
    static A: TaskLocal<u32> = TaskLocal::new();
    static B: TaskLocal<u32> = TaskLocal::new();
    A.scope_sync(1, || {
        assert_eq!((A.get(), B.get()), (Some(1), None));
        B.scope_sync(2, || assert_eq!((A.get(), B.get()), (Some(1), Some(2))));
    });
}

#[test]
fn a_local_that_has_no_value_says_so() {
    let error = NAME.try_with(|_| ()).unwrap_err();
    assert_eq!(error.what(), "value of this task-local");
    assert!(catch_unwind(|| NAME.with(|_| ())).is_err());
}

#[test]
fn a_task_is_no_larger_for_its_locals() {
    let future = || [0_usize; 4];
    let size = size_of_val(&Rooted::new(async move {
        let kept = future();
        yield_now().await;
        kept
    }));
    let bare = size_of_val(&Some(async move {
        let kept = future();
        yield_now().await;
        kept
    }));
    assert!(size <= bare + 2 * size_of::<usize>(), "{size} over {bare}");
}

#[test]
fn carriers_are_send_if_the_future_is() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&NAME.scope("ada", ready(())));
    is_send(&Locals::current());
    is_send(&Locals::current().carry(ready(())));
}

#[track_caller]
fn value<T, E>(polled: Poll<Result<T, E>>) -> T {
    match polled {
        Poll::Ready(Ok(value)) => value,
        _ => panic!("it has no value"),
    }
}

#[test]
fn a_waker_that_panics_as_it_is_cloned_leaves_no_value_on_the_thread() {
    static VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("cloned"), |_| {}, |_| {}, |_| {});
    // SAFETY: the functions do nothing, or panic.
    let waker = unsafe { Waker::from_raw(RawWaker::new(null(), &VTABLE)) };
    let mut task = Box::pin(Rooted::new(async {
        let _keep = COUNT.set(1).unwrap();
        pending::<()>().await;
    }));
    let poll = || {
        task.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
    };
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    nothing_stays();
    drop(task);
    nothing_stays();
}
