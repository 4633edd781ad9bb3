//! Who looks after those that work.

use pirn_core::context::Handles;
use pirn_core::{BoxSleep, Clock, Instant, Monotonic, TimeSource};
use pirn_executor::PoolExecutor;
use pirn_executor::internals::{Idle, Watches};
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};

#[test]
fn two_watch_at_a_time_and_not_for_the_same_time() {
    let watches = Watches::default();
    let (first, second) = (watches.take().unwrap(), watches.take().unwrap());
    assert!(watches.take().is_none());
    assert_ne!(first.1, second.1);
    let time = first.1;
    drop(first);
    assert_eq!(watches.take().unwrap().1, time);
}

#[test]
fn a_sleeper_is_named_only_if_nobody_watches() {
    let (idle, watches) = (Idle::new(3), Watches::default());
    assert_eq!(watches.missing(&idle, |_| true), None, "nobody sleeps");
    idle.sleep(1, false);
    assert_eq!(watches.missing(&idle, |_| true), Some(1));
    assert_eq!(watches.missing(&idle, |_| true), Some(1), "it still sleeps");
    let watch = watches.take();
    assert_eq!(watches.missing(&idle, |_| true), None);
    drop(watch);
    assert_eq!(watches.missing(&idle, |_| true), Some(1));
}

#[test]
fn a_sleeper_that_cannot_watch_is_passed_over() {
    let (idle, watches) = (Idle::new(3), Watches::default());
    idle.sleep(0, false);
    idle.sleep(1, false);
    assert_eq!(watches.missing(&idle, |worker| worker != 1), Some(0));
    assert_eq!(watches.missing(&idle, |_| false), None);
}

#[test]
fn a_worker_in_a_foreign_loop_is_not_woken_to_watch() {
    struct Clocked;
    impl Clock for Clocked {
        fn now(&self) -> Instant {
            Monotonic.now()
        }
        fn sleep_until(&self, _: Instant) -> BoxSleep {
            Box::pin(std::future::pending())
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }
    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let mut handles = Handles::default();
    handles.clock = Some(Arc::new(Clocked));
    let _entered = Rc::new(handles).enter();
    let (executor, mut workers) = PoolExecutor::new(2);
    let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    let mut tick = |worker: usize| {
        let waker = Waker::from(woken[worker].clone());
        workers[worker].poll_tick(&mut Context::from_waker(&waker))
    };
    assert!(tick(0).is_pending() && tick(1).is_pending());
    executor.handle().spawn(async {}).detach();
    assert!(tick(1).is_ready() && tick(1).is_pending());
    // The first by the second, as that left what it might have had; not to watch besides.
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(SeqCst)), [1, 1]);
}
