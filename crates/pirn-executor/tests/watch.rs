//! Who looks after those that work.

use pirn_core::context::{Entered, Handles};
use pirn_core::{BoxSleep, Clock, Instant, Monotonic, Park, ParkError, TimeSource, Until};
use pirn_executor::internals::{Idle, Watches};
use pirn_executor::{PoolExecutor, ThreadPark, ThreadUnpark, block_in_place};
use std::any::Any;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

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

/// Makes real time the ambient clock.
fn with_clock() -> Entered {
    let mut handles = Handles::default();
    handles.clock = Some(Arc::new(Clocked));
    Rc::new(handles).enter()
}

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

#[test]
fn a_worker_in_a_foreign_loop_is_not_woken_to_watch() {
    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let _clock = with_clock();
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

#[test]
fn a_poll_that_goes_on_after_it_blocked_in_place_is_watched() {
    /// A thread's `Park`, which says how it sleeps.
    struct Telling(ThreadPark, mpsc::Sender<Until>);
    impl Park for Telling {
        type Unpark = ThreadUnpark;
        fn unparker(&self) -> ThreadUnpark {
            self.0.unparker()
        }
        fn park(&mut self, until: Until) -> Result<(), ParkError> {
            self.1.send(until).ok();
            self.0.park(until)
        }
    }
    let _clock = with_clock();
    let (executor, mut workers) = PoolExecutor::new(2);
    let (tell, sleeps) = mpsc::channel();
    let (mut other, closed) = (workers.pop().unwrap(), executor.handle().closed());
    let thread = std::thread::spawn(move || {
        let _clock = with_clock();
        let mut park = Telling(ThreadPark::new(), tell);
        other.run(&mut park, closed).unwrap();
    });
    let patience = Duration::from_secs(20);
    let sleeps = |fits: fn(&Until) -> bool| {
        std::iter::from_fn(|| sleeps.recv_timeout(patience).ok()).any(|until| fits(&until))
    };
    let poll = async {
        // The other one has nobody to watch as long as this one blocks.
        let mut unwatched = || sleeps(|until| *until == Until::Woken);
        while block_in_place(&mut unwatched).is_err() {
            std::thread::yield_now();
        }
        sleeps(|until| matches!(until, Until::At(_)))
    };
    let is_watched = workers[0].run(&mut ThreadPark::new(), poll).unwrap();
    drop(executor);
    thread.join().unwrap();
    assert!(is_watched);
}
