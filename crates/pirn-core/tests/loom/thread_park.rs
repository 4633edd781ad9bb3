//! The thread's own driver.

use pirn_core::shim::atomic::{AtomicBool, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_core::{Park, ThreadPark, Unpark, Until};

#[test]
fn an_unpark_ends_the_sleep_and_publishes_what_came_before() {
    model(|| {
        let mut park = ThreadPark::new();
        let unparker = park.unparker();
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, the unpark publishes it.
            set.store(true, Relaxed);
            unparker.unpark();
        });
        park.park(Until::Woken).unwrap();
        // Ordering: Relaxed, the park made it visible.
        assert!(flag.load(Relaxed));
        thread.join().unwrap();
    });
}

#[test]
fn of_two_unparks_the_later_one_is_not_lost() {
    model(|| {
        let mut park = ThreadPark::new();
        let (first, second) = (park.unparker(), park.unparker());
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        first.unpark();
        let thread = thread::spawn(move || {
            // Ordering: Relaxed, the unpark publishes it.
            set.store(true, Relaxed);
            second.unpark();
        });
        // Ordering: Relaxed, the park that the second unpark ended made it visible.
        while !flag.load(Relaxed) {
            park.park(Until::Woken).unwrap();
        }
        thread.join().unwrap();
    });
}

#[test]
fn an_unpark_after_a_sleep_that_another_ended_is_kept() {
    model(|| {
        let mut park = ThreadPark::new();
        let unparker = park.unparker();
        unparker.unpark();
        let other = thread::spawn(move || unparker.unpark());
        park.park(Until::Woken).unwrap();
        other.join().unwrap();
        // The two tokens were one, or the second is still there: either way nobody hangs.
        park.park(Until::Now).unwrap();
    });
}
