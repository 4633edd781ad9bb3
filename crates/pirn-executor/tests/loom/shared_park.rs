//! One driver for two workers.

use pirn_core::shim::{model, thread};
use pirn_core::{Park, Unpark, Until};
use pirn_executor::{SharedDriver, ThreadPark};

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
