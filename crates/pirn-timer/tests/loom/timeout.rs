//! A limit in time against a cancel from around it.

use crate::driver::{Count, HORIZON, at, driver};
use pirn_core::context::Handles;
use pirn_core::shim::{self, thread};
use pirn_core::{Cause, Instant, Park, Scope, Until};
use pirn_timer::{TimeoutError, move_on_at, timeout_at};
use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

fn poll<F: Future>(future: &mut Pin<Box<F>>, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Arc::clone(count).into();
    future.as_mut().poll(&mut Context::from_waker(&waker))
}

#[test]
fn an_outer_cancel_at_any_moment_is_not_told_as_the_timeouts_own() {
    shim::model(|| {
        let (mut driver, timer, time) = driver();
        let mut handles = Handles::default();
        handles.clock = Some(Arc::new(timer));
        let _entered = Rc::new(handles).enter();
        let count = Count::new();
        let scope = Scope::detached();
        let heard = Cell::new(false);
        let mut run = Box::pin(scope.run(async {
            let ended = timeout_at(at(5), pending::<()>()).await;
            assert!(matches!(ended, Err(TimeoutError::Elapsed)), "{ended:?}");
            heard.set(true);
            pending::<()>().await;
        }));
        assert!(poll(&mut run, &count).is_pending());
        let elsewhere = scope.clone();
        let canceller = thread::spawn(move || elsewhere.cancel(Cause::requested("stop")));
        time.set(5);
        driver.park(Until::Now).unwrap();
        let polled = poll(&mut run, &count);
        canceller.join().unwrap();
        let polled = match polled {
            Poll::Pending => poll(&mut run, &count),
            ended => ended,
        };
        assert!(matches!(polled, Poll::Ready(Err(cause)) if cause.text() == "stop"));
    });
}

#[test]
fn a_deadline_that_its_body_moves_as_it_passes_holds_as_it_was_seen() {
    shim::model(|| {
        let (mut driver, timer, time) = driver();
        let mut handles = Handles::default();
        handles.clock = Some(Arc::new(timer));
        let _entered = Rc::new(handles).enter();
        let count = Count::new();
        let mut limited = move_on_at(at(5), |_| pending::<()>());
        let handle = limited.handle();
        let mut limited = Box::pin(limited);
        assert!(poll(&mut limited, &count).is_pending());
        let moved = handle.clone();
        let mover = thread::spawn(move || moved.reschedule(Instant::NEVER));
        time.set(5);
        driver.park(Until::Now).unwrap();
        let first = poll(&mut limited, &count);
        let in_time = mover.join().unwrap();
        assert_eq!(first.is_ready(), handle.expired());
        assert_eq!(first.is_pending(), in_time);
        if first.is_pending() {
            time.set(HORIZON);
            driver.park(Until::Now).unwrap();
            assert!(poll(&mut limited, &count).is_pending(), "it was taken away");
        }
    });
}
