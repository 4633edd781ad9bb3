//! One driver for two workers.

use pirn_core::shim::{model, thread};
use pirn_core::{Park, ParkError, Unpark, Until};
use pirn_executor::{SharedDriver, SharedPark, ThreadPark, ThreadUnpark};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// A driver that says when it is gone.
struct Lasting(ThreadPark, Arc<AtomicBool>);

impl Park for Lasting {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        self.0.unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        self.0.park(until)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.1.store(true, SeqCst);
    }
}

#[test]
fn two_who_look_at_once_leave_the_driver_where_it_was() {
    model(|| {
        let gone = Arc::new(AtomicBool::new(false));
        let driver = SharedDriver::new(Lasting(ThreadPark::new(), gone.clone()));
        let (mut one, mut two) = (driver.park(), driver.park());
        let thread = thread::spawn(move || two.park(Until::Now).unwrap());
        one.park(Until::Now).unwrap();
        thread.join().unwrap();
        assert!(!gone.load(SeqCst), "the driver was dropped");
        drop(driver);
    });
}

#[test]
fn an_unpark_reaches_the_worker_wherever_it_sleeps() {
    model(|| {
        let driver = SharedDriver::new(ThreadPark::new());
        let (mut one, mut two) = (driver.park(), driver.park());
        let (wake_one, wake_two) = (one.unparker(), two.unparker());
        let thread = thread::spawn(move || two.park(Until::Woken).unwrap());
        wake_one.unpark();
        wake_two.unpark();
        one.park(Until::Woken).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_look_while_another_sleeps_in_the_driver_disturbs_nothing() {
    model(|| {
        let driver = SharedDriver::new(ThreadPark::new());
        let (mut one, mut two) = (driver.park(), driver.park());
        let wake_two = two.unparker();
        let thread = thread::spawn(move || two.park(Until::Woken).unwrap());
        one.park(Until::Now).unwrap();
        wake_two.unpark();
        thread.join().unwrap();
    });
}

#[test]
fn a_share_that_is_dropped_leaves_the_driver_to_one_that_sleeps_beside_it() {
    model(|| {
        let inner = ThreadPark::new();
        let event = inner.unparker();
        let driver = SharedDriver::new(inner);
        let (mut one, mut two) = (driver.park(), driver.park());
        let come = Arc::new(AtomicBool::new(false));
        let seen = come.clone();
        let thread = thread::spawn(move || {
            while !seen.load(SeqCst) {
                one.park(Until::Woken).unwrap();
            }
        });
        two.unparker().unpark();
        two.park(Until::Woken).unwrap();
        drop(two);
        // What the driver brings, it brings to whoever is in it.
        come.store(true, SeqCst);
        event.unpark();
        thread.join().unwrap();
    });
}

/// A thread that sleeps until the driver brought something, which is then brought to whoever is in it,
/// after `look` had a share that nobody watches.
fn somebody_is_in_the_driver_after(look: impl Fn(&mut SharedPark<ThreadPark>)) {
    let inner = ThreadPark::new();
    let event = inner.unparker();
    let driver = SharedDriver::new(inner);
    let (mut one, mut two) = (driver.park(), driver.park_unwatched());
    let come = Arc::new(AtomicBool::new(false));
    let seen = come.clone();
    let thread = thread::spawn(move || {
        while !seen.load(SeqCst) {
            one.park(Until::Woken).unwrap();
        }
    });
    look(&mut two);
    come.store(true, SeqCst);
    event.unpark();
    thread.join().unwrap();
    drop(two);
}

#[test]
fn an_unwatched_share_leaves_the_driver_to_one_that_sleeps_beside_it() {
    model(|| {
        somebody_is_in_the_driver_after(|two| {
            two.unparker().unpark();
            two.park(Until::Woken).unwrap();
        });
    });
}

#[test]
fn an_unwatched_share_that_looks_leaves_the_driver_to_one_that_came_to_sleep_meanwhile() {
    model(|| somebody_is_in_the_driver_after(|two| two.park(Until::Now).unwrap()));
}

/// A thread that sleeps by the share that `sleeper` makes until the driver brought something, as another
/// one comes out of the driver, and a third is woken for something of its own and then gone for long. Both
/// of these have shares that nobody watches.
fn who_sleeps_is_in_the_driver_though_another_one_stays_away(
    sleeper: impl Fn(&SharedDriver<ThreadPark>) -> SharedPark<ThreadPark>,
) {
    let inner = ThreadPark::new();
    let event = inner.unparker();
    let driver = SharedDriver::new(inner);
    let (mut one, mut two) = (sleeper(&driver), driver.park_unwatched());
    let mut three = driver.park_unwatched();
    let come = Arc::new(AtomicBool::new(false));
    let seen = come.clone();
    let thread = thread::spawn(move || {
        while !seen.load(SeqCst) {
            one.park(Until::Woken).unwrap();
        }
    });
    let own = three.unparker();
    let away = thread::spawn(move || {
        three.park(Until::Woken).unwrap();
        three
    });
    two.unparker().unpark();
    own.unpark();
    two.park(Until::Woken).unwrap();
    come.store(true, SeqCst);
    event.unpark();
    thread.join().unwrap();
    drop((two, away.join().unwrap()));
}

#[test]
fn a_worker_is_in_the_driver_that_an_unwatched_share_left_though_another_one_stays_away() {
    model(|| who_sleeps_is_in_the_driver_though_another_one_stays_away(SharedDriver::park));
}

#[test]
fn of_three_unwatched_shares_the_one_that_is_left_to_sleep_is_in_the_driver() {
    model(|| {
        who_sleeps_is_in_the_driver_though_another_one_stays_away(SharedDriver::park_unwatched)
    });
}

#[test]
fn an_unpark_between_two_places_is_kept() {
    model(|| {
        let driver = SharedDriver::new(ThreadPark::new());
        let mut one = driver.park();
        let (wake, again) = (one.unparker(), one.unparker());
        let thread = thread::spawn(move || wake.unpark());
        one.park(Until::Woken).unwrap();
        thread.join().unwrap();
        again.unpark();
        one.park(Until::Woken).unwrap();
    });
}
