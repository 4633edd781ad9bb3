//! The claim on what one worker at a time does.

use pirn_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::internals::Claimed;

/// The claim, and how many have it.
type Shared = Arc<(AtomicBool, AtomicUsize)>;

fn try_twice(shared: &Shared) {
    for _ in 0..2 {
        if let Some(claimed) = Claimed::take(&shared.0) {
            // Ordering: Relaxed, each change follows the last one.
            assert_eq!(shared.1.fetch_add(1, Relaxed), 0, "two have it");
            shared.1.fetch_sub(1, Relaxed);
            drop(claimed);
        }
    }
}

#[test]
fn of_two_who_try_again_and_again_one_has_it_at_a_time() {
    model(|| {
        let shared: Shared = Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
        let other = shared.clone();
        let thread = thread::spawn(move || try_twice(&other));
        try_twice(&shared);
        thread.join().unwrap();
    });
}
