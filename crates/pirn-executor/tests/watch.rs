//! Who looks after those that work.

use pirn_core::context::Handles;
use pirn_core::{BoxSleep, Clock, Instant, Monotonic, Park, ParkError, TimeSource, Unpark, Until};
use pirn_executor::internals::{Idle, Watches};
use pirn_executor::{PoolExecutor, ThreadPark, ThreadUnpark, block_in_place};
use std::any::Any;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
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

/// What is ambient on a thread that has a clock, or on one that has none.
fn with_clock(has: bool) -> Rc<Handles> {
    let mut handles = Handles::default();
    handles.clock = has.then(|| Arc::new(Clocked) as Arc<dyn Clock>);
    Rc::new(handles)
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A sleep within which something else is done on the thread.
struct Meanwhile<F> {
    what: F,
    woken: Arc<Woken>,
}

#[derive(Clone)]
struct Told(Arc<Woken>);

impl Unpark for Told {
    fn unpark(&self) {
        self.0.clone().wake();
    }
}

impl<F: FnMut()> Park for Meanwhile<F> {
    type Unpark = Told;

    fn unparker(&self) -> Told {
        Told(self.woken.clone())
    }

    fn park(&mut self, _: Until) -> Result<(), ParkError> {
        (self.what)();
        Ok(())
    }
}

#[test]
fn who_is_woken_to_watch_has_a_clock_whoever_rises() {
    for (sleeper_has, riser_has) in [(true, true), (true, false), (false, true), (false, false)] {
        let (executor, mut workers) = PoolExecutor::new(2);
        executor.set_spin(Duration::ZERO);
        let (riser, woken) = (workers.pop().unwrap(), Arc::new(Woken::default()));
        let mut riser = Some(riser);
        let (sender, wakes) = mpsc::channel::<Waker>();
        let mut to_watch = None;
        let count = woken.clone();
        let what = || {
            let Some(mut riser) = riser.take() else {
                return;
            };
            let _entered = with_clock(riser_has).enter();
            // It rises, to poll this; and as it leaves, wakes the sleeper for what it might have had.
            let rises = async { count.0.load(SeqCst) };
            to_watch = riser.run(&mut ThreadPark::new(), rises).ok();
            wakes.try_iter().for_each(Waker::wake);
        };
        let mut park = Meanwhile { what, woken };
        let _entered = with_clock(sleeper_has).enter();
        let mut polled = false;
        let until = poll_fn(|cx| {
            sender.send(cx.waker().clone()).unwrap();
            match std::mem::replace(&mut polled, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        workers[0].run(&mut park, until).unwrap();
        drop(park);
        assert_eq!(
            to_watch,
            Some(usize::from(sleeper_has)),
            "{sleeper_has} {riser_has}"
        );
    }
}

#[test]
fn a_worker_in_a_foreign_loop_is_not_woken_to_watch() {
    let _entered = with_clock(true).enter();
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
    let _clock = with_clock(true).enter();
    let (executor, mut workers) = PoolExecutor::new(2);
    let (tell, sleeps) = mpsc::channel();
    let (mut other, closed) = (workers.pop().unwrap(), executor.handle().closed());
    let thread = std::thread::spawn(move || {
        let _clock = with_clock(true).enter();
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
