//! Cancel, deadline and completion on several threads: the outcomes that `docs/order.md` allows.

use pirn_core::context::{Entered, Handles};
use pirn_core::shim::{self, Arc, Mutex, block_on, thread};
use pirn_core::{BoxSleep, Cause, Clock, Instant, Kind, Limited, Scope, shield};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Something that happens once, elsewhere: a leaf that is then ready, or the only tick of a clock.
#[derive(Clone, Default)]
struct Once(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Once {
    fn happen(&self) {
        let mut state = self.0.lock();
        state.0 = true;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn has_happened(&self) -> bool {
        self.0.lock().0
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.0 {
            return Poll::Ready(());
        }
        state.1.push(cx.waker().clone());
        Poll::Pending
    }
}

/// A clock with two instants, the second of which is [`END`].
struct TwoInstants(Once);

const END: Instant = Instant::from_nanos(1);

impl Clock for TwoInstants {
    fn now(&self) -> Instant {
        match self.0.has_happened() {
            true => END,
            false => Instant::EPOCH,
        }
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        let tick = self.0.clone();
        Box::pin(poll_fn(move |cx| match at {
            Instant::EPOCH => Poll::Ready(()),
            END => tick.poll(cx),
            _ => Poll::Pending,
        }))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A clock around this thread, and what makes it tick.
fn clock() -> (Once, Entered) {
    let tick = Once::default();
    let mut handles = Handles::default();
    handles.clock = Some(std::sync::Arc::new(TwoInstants(tick.clone())));
    (tick, Rc::new(handles).enter())
}

fn elsewhere(f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(f)
}

fn until_end<F: Future>(body: F) -> Limited<F> {
    match Limited::until(END, body) {
        Ok(run) => run,
        Err((missing, _)) => panic!("{missing}"),
    }
}

/// A leaf that is ready once something has happened.
async fn after(once: &Once) {
    poll_fn(|cx| once.poll(cx)).await;
}

#[test]
fn a_deadline_that_passes_at_any_moment_ends_the_run() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let time = elsewhere(move || tick.happen());
        let cause = block_on(until_end(pending::<()>())).unwrap_err();
        assert_eq!(cause.kind(), Kind::Deadline);
        time.join().unwrap();
    });
}

#[test]
fn of_a_cancel_and_a_deadline_one_is_the_cause_for_all_who_look() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let scope = Scope::detached();
        scope.set_deadline(END).unwrap();
        let canceller = {
            let scope = scope.clone();
            thread::spawn(move || {
                (
                    scope.cancel(Cause::requested("stop")),
                    scope.cause().unwrap(),
                )
            })
        };
        let time = elsewhere(move || tick.happen());
        let cause = block_on(scope.run(pending::<()>())).unwrap_err();
        let (first, seen) = canceller.join().unwrap();
        time.join().unwrap();
        assert_eq!(cause.kind(), seen.kind());
        assert_eq!(first, cause.kind() == Kind::Requested);
    });
}

#[test]
fn of_a_cancel_a_deadline_and_a_value_one_is_the_end_and_it_is_that_of_all_who_look() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let (scope, value) = (Scope::detached(), Once::default());
        scope.set_deadline(END).unwrap();
        let canceller = {
            let scope = scope.clone();
            thread::spawn(move || scope.cancel(Cause::requested("stop")))
        };
        let time = elsewhere(move || tick.happen());
        let giver = {
            let value = value.clone();
            elsewhere(move || value.happen())
        };
        let ended = block_on(scope.run(after(&value)));
        let given = value.has_happened();
        let first = canceller.join().unwrap();
        time.join().unwrap();
        giver.join().unwrap();
        match ended {
            Ok(()) => assert!(given),
            Err(cause) => {
                assert_eq!(first, cause.kind() == Kind::Requested);
                assert!(first || cause.kind() == Kind::Deadline);
            }
        }
    });
}

#[test]
fn a_value_against_a_deadline_is_returned_or_the_run_was_over_time() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let value = Once::default();
        let giver = {
            let value = value.clone();
            elsewhere(move || value.happen())
        };
        let time = elsewhere(move || tick.happen());
        match block_on(until_end(after(&value))) {
            Ok(()) => assert!(value.has_happened()),
            Err(cause) => assert_eq!(cause.kind(), Kind::Deadline),
        }
        giver.join().unwrap();
        time.join().unwrap();
    });
}

#[test]
fn a_value_that_is_there_before_the_cancel_is_returned() {
    shim::model(|| {
        let (scope, value) = (Scope::detached(), Once::default());
        let both = {
            let (scope, value) = (scope.clone(), value.clone());
            elsewhere(move || {
                value.happen();
                scope.cancel(Cause::requested("stop"));
            })
        };
        let polled = Cell::new(false);
        let body = poll_fn(|cx| {
            polled.set(true);
            value.poll(cx)
        });
        let ended = block_on(scope.run(body));
        // A cancel that is seen before the poll drops the body; else there was the value.
        assert!(ended.is_ok() || scope.is_cancelled());
        assert!(ended.is_err() || polled.get());
        both.join().unwrap();
    });
}

#[test]
fn an_inner_deadline_does_not_swallow_an_outer_cancel() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let scope = Scope::detached();
        let canceller = {
            let scope = scope.clone();
            elsewhere(move || _ = scope.cancel(Cause::requested("stop")))
        };
        let time = elsewhere(move || tick.happen());
        let ended = block_on(scope.run(async {
            let cause = until_end(pending::<()>()).await.unwrap_err();
            assert_eq!(
                cause.kind(),
                Kind::Deadline,
                "the outer cause is not the inner's"
            );
            pending::<()>().await;
        }));
        assert_eq!(ended.unwrap_err().text(), "stop");
        canceller.join().unwrap();
        time.join().unwrap();
    });
}

#[test]
fn an_inner_cancel_does_not_swallow_an_outer_deadline() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let inner = Scope::detached();
        let canceller = {
            let inner = inner.clone();
            elsewhere(move || _ = inner.cancel(Cause::requested("stop")))
        };
        let time = elsewhere(move || tick.happen());
        let ended = block_on(until_end(async {
            let cause = inner.run(pending::<()>()).await.unwrap_err();
            assert_eq!(cause.text(), "stop");
            pending::<()>().await;
        }));
        assert_eq!(ended.unwrap_err().kind(), Kind::Deadline);
        canceller.join().unwrap();
        time.join().unwrap();
    });
}

#[test]
fn a_body_whose_time_is_over_before_the_inner_cancel_does_not_go_on() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let inner = Scope::detached();
        let both = {
            let inner = inner.clone();
            elsewhere(move || {
                tick.happen();
                inner.cancel(Cause::requested("stop"));
            })
        };
        let ended = block_on(until_end(async {
            let _ = inner.run(pending::<()>()).await;
            unreachable!("it goes on");
        }));
        assert_eq!(ended.unwrap_err().kind(), Kind::Deadline);
        both.join().unwrap();
    });
}

#[test]
fn of_an_inner_and_an_outer_cancel_the_body_hears_of_the_inner_one_or_of_none() {
    shim::model(|| {
        let outer = Scope::detached();
        let inner = outer.child();
        let cancels = [(&outer, "outer"), (&inner, "inner")].map(|(scope, text)| {
            let scope = scope.clone();
            elsewhere(move || _ = scope.cancel(Cause::requested(text)))
        });
        let ended = block_on(outer.run(async {
            let cause = inner.run(pending::<()>()).await.unwrap_err();
            assert_eq!(cause.text(), "inner");
        }));
        if let Err(cause) = ended {
            assert_eq!(cause.text(), "outer");
        }
        cancels
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_deadline_that_is_taken_back_as_it_passes_ends_the_run_or_does_not() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let (scope, value) = (Scope::detached(), Once::default());
        scope.set_deadline(END).unwrap();
        let time = elsewhere(move || tick.happen());
        let mover = {
            let (scope, value) = (scope.clone(), value.clone());
            elsewhere(move || {
                scope.set_deadline(Instant::NEVER).unwrap();
                value.happen();
            })
        };
        match block_on(scope.run(after(&value))) {
            Ok(()) => assert!(value.has_happened()),
            Err(cause) => assert_eq!(cause.kind(), Kind::Deadline),
        }
        time.join().unwrap();
        mover.join().unwrap();
    });
}

#[test]
fn a_deadline_that_is_set_as_it_passes_ends_the_run() {
    shim::model(|| {
        let (tick, _entered) = clock();
        let scope = Scope::detached();
        // Who sets it needs a clock.
        let setter = {
            let (scope, tick) = (scope.clone(), tick.clone());
            elsewhere(move || {
                let mut handles = Handles::default();
                handles.clock = Some(std::sync::Arc::new(TwoInstants(tick)));
                let _entered = Rc::new(handles).enter();
                scope.set_deadline(END).unwrap();
            })
        };
        let time = elsewhere(move || tick.happen());
        let cause = block_on(scope.run(pending::<()>())).unwrap_err();
        assert_eq!(cause.kind(), Kind::Deadline);
        setter.join().unwrap();
        time.join().unwrap();
    });
}

#[test]
fn a_shield_is_polled_to_its_end_whenever_the_cancel_comes() {
    shim::model(|| {
        let (scope, value) = (Scope::detached(), Once::default());
        let canceller = {
            let scope = scope.clone();
            elsewhere(move || _ = scope.cancel(Cause::requested("stop")))
        };
        let giver = {
            let value = value.clone();
            elsewhere(move || value.happen())
        };
        let (begun, done) = (Cell::new(false), Cell::new(false));
        let mut run = Box::pin(scope.run(async {
            begun.set(true);
            shield(after(&value)).await;
            done.set(true);
            pending::<()>().await;
        }));
        let ended = block_on(poll_fn(|cx: &mut Context<'_>| {
            Pin::as_mut(&mut run).poll(cx)
        }));
        assert_eq!(ended.unwrap_err().text(), "stop");
        assert_eq!(begun.get(), done.get());
        canceller.join().unwrap();
        giver.join().unwrap();
    });
}

#[test]
fn a_cancel_at_any_moment_goes_through_runs_of_scopes_made_elsewhere() {
    shim::model(|| {
        let (outer, middle, inner) = (Scope::detached(), Scope::detached(), Scope::detached());
        let canceller = {
            let outer = outer.clone();
            elsewhere(move || _ = outer.cancel(Cause::requested("stop")))
        };
        let ended = block_on(outer.run(middle.run(inner.run(pending::<()>()))));
        assert_eq!(ended.map(drop).unwrap_err().text(), "stop");
        canceller.join().unwrap();
    });
}

#[test]
fn a_child_of_a_scope_made_elsewhere_is_told_of_a_cancel_around_its_run() {
    shim::model(|| {
        let (outer, inner) = (Scope::detached(), Scope::detached());
        let child = {
            let (scope, guard) = (inner.child(), inner.enter());
            // No scope is left for it where the run was never polled.
            thread::spawn(move || {
                let cause = block_on(scope.cancelled());
                drop(guard);
                cause
            })
        };
        let canceller = {
            let outer = outer.clone();
            elsewhere(move || _ = outer.cancel(Cause::requested("stop")))
        };
        // Polled once before the cancel is seen: what was never polled is dropped, and says so.
        let mut run = Box::pin(inner.run(async {}));
        let body = poll_fn(|cx| Pin::as_mut(&mut run).poll(cx));
        let mut outer = Box::pin(outer.run(body));
        let ended = block_on(poll_fn(|cx| Pin::as_mut(&mut outer).poll(cx)));
        drop(outer);
        drop(run);
        let told = child.join().unwrap();
        match ended {
            Ok(_) => assert_eq!(told.text(), "stop"),
            Err(cause) => {
                assert_eq!(cause.text(), "stop");
                assert!(told.text() == "stop" || told.kind() == Kind::Dropped);
            }
        }
        canceller.join().unwrap();
    });
}
