//! The races of the innermost driver: unpark against park.

use pirn_core::shim::atomic::{AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{self, Arc, thread};
use pirn_core::{Park, Unpark, Until};
use pirn_timer::ThreadPark;

#[test]
fn an_unpark_ends_the_present_sleep_or_the_next_and_publishes_what_was_written() {
    shim::model(|| {
        let mut park = ThreadPark::new();
        let unparker = park.unparker();
        let word = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&word);
        let other = thread::spawn(move || {
            // Ordering: Relaxed, published by the unpark.
            written.store(1, Relaxed);
            unparker.unpark();
        });
        park.park(Until::Woken).unwrap();
        // Ordering: Relaxed, ordered by the park.
        assert_eq!(word.load(Relaxed), 1);
        other.join().unwrap();
    });
}

#[test]
fn an_unpark_after_a_sleep_that_another_ended_is_kept() {
    shim::model(|| {
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
