//! The token between a sleeping driver and its unparkers.

use pirn_core::shim::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use pirn_core::shim::{Arc, Condvar, Mutex, UnsafeCell, model, thread};
use pirn_io::reactor::doorbell::Doorbell;

/// A driver of the model: the system's sticky wake is a flag under a lock.
struct Driver {
    doorbell: Doorbell,
    woken: Mutex<bool>,
    changed: Condvar,
    calls: AtomicUsize,
}

impl Driver {
    fn new() -> Arc<Driver> {
        Arc::new(Driver {
            doorbell: Doorbell::new(),
            woken: Mutex::new(false),
            changed: Condvar::new(),
            calls: AtomicUsize::new(0),
        })
    }

    fn unpark(&self) {
        if self.doorbell.ring() {
            // Ordering: a statistic.
            self.calls.fetch_add(1, Relaxed);
            *self.woken.lock() = true;
            self.changed.notify_all();
        }
    }

    fn park(&self) {
        if self.doorbell.lie_down() {
            let mut woken = self.woken.lock();
            while !*woken {
                woken = self.changed.wait(woken);
            }
            *woken = false;
            drop(woken);
            self.doorbell.rise();
        }
    }
}

#[test]
fn an_unpark_ends_the_present_sleep_or_the_next() {
    model(|| {
        let driver = Driver::new();
        let caller = {
            let driver = Arc::clone(&driver);
            thread::spawn(move || driver.unpark())
        };
        driver.park();
        caller.join().unwrap();
    });
}

#[test]
fn work_queued_before_an_unpark_is_found_however_many_unpark() {
    model(|| {
        let driver = Driver::new();
        let queue = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let callers = [0, 1].map(|number| {
            let (driver, queue) = (Arc::clone(&driver), Arc::clone(&queue));
            thread::spawn(move || {
                // Ordering: Relaxed; the unpark publishes it.
                queue[number].store(true, Relaxed);
                driver.unpark();
            })
        });
        // Ordering: Relaxed; the park that was ended acquires it.
        while !queue.iter().all(|each| each.load(Relaxed)) {
            driver.park();
        }
        for caller in callers {
            caller.join().unwrap();
        }
    });
}

#[test]
fn what_was_written_before_the_unpark_is_visible_after_the_park() {
    struct Cell(UnsafeCell<u32>);
    // SAFETY: written before the unpark, read after the park that it ended; that is the property.
    unsafe impl Sync for Cell {}
    // SAFETY: as above.
    unsafe impl Send for Cell {}
    model(|| {
        let driver = Driver::new();
        let cell = Arc::new(Cell(UnsafeCell::new(0)));
        let caller = {
            let (driver, cell) = (Arc::clone(&driver), Arc::clone(&cell));
            thread::spawn(move || {
                // SAFETY: nobody reads before the unpark.
                cell.0.with_mut(|value| unsafe { *value = 1 });
                driver.unpark();
            })
        };
        driver.park();
        // SAFETY: the only writer is done.
        assert_eq!(cell.0.with(|value| unsafe { *value }), 1);
        caller.join().unwrap();
    });
}

#[test]
fn two_unparks_of_one_sleep_make_one_system_call() {
    model(|| {
        let driver = Driver::new();
        assert!(driver.doorbell.lie_down());
        let other = {
            let driver = Arc::clone(&driver);
            thread::spawn(move || driver.unpark())
        };
        driver.unpark();
        other.join().unwrap();
        // Ordering: all have been joined.
        assert_eq!(driver.calls.load(Relaxed), 1);
    });
}
