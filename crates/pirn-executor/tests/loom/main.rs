//! Models of the races in the executors. Run once by `cargo test`, explored by `cargo xtask loom`.

mod away;
mod blocking;
mod claimed;
mod deque;
mod heap;
mod hooks;
mod idle;
mod injector;
mod lanes;
mod local;
mod pool;
mod shared_park;
mod state;
mod support;
mod task;
mod unparker;
mod watch;

use pirn_core::shim::atomic::{AtomicBool, Ordering};
use pirn_core::shim::{Arc, UnsafeCell, model_must_fail, thread};

/// Proves that the shim is plugged in.
#[test]
fn the_shim_finds_a_relaxed_publication() {
    struct Slot {
        ready: AtomicBool,
        value: UnsafeCell<u32>,
    }
    // SAFETY: it is not safe: that is what the model must find.
    unsafe impl Sync for Slot {}
    model_must_fail(|| {
        let slot = Arc::new(Slot {
            ready: AtomicBool::new(false),
            value: UnsafeCell::new(0),
        });
        let writer = slot.clone();
        let thread = thread::spawn(move || {
            // SAFETY: as above.
            writer.value.with_mut(|value| unsafe { *value = 1 });
            // Ordering: Relaxed publishes nothing, on purpose.
            writer.ready.store(true, Ordering::Relaxed);
        });
        if slot.ready.load(Ordering::Relaxed) {
            // SAFETY: as above.
            assert_eq!(slot.value.with(|value| unsafe { *value }), 1);
        }
        thread.join().unwrap();
    });
}
