//! A worker that blocks, and the other one.

use crate::support::{Door, Flag};
use pirn_core::shim::atomic::{AtomicUsize, Ordering::SeqCst};
use pirn_core::shim::{Arc, model, thread};
use pirn_executor::{PoolExecutor, ThreadPark, block_in_place, spawn};

#[test]
fn a_sleeping_worker_is_woken_for_what_a_blocked_one_has() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let (done, door) = (Flag::new(), Door::new());
        let end = done.wait();
        let thread = thread::spawn(move || two.run(&mut ThreadPark::new(), end).unwrap());
        one.run(&mut ThreadPark::new(), async {
            let inside = door.clone();
            spawn(async move { inside.open() }).detach();
            // Alone it may not, and need not: the task is run then.
            let _ = block_in_place(|| door.pass());
        })
        .unwrap();
        while one.try_tick() {}
        done.set();
        thread.join().unwrap();
        drop((one, executor));
    });
}

#[test]
fn of_two_workers_one_never_blocks() {
    model(|| {
        let (executor, mut workers) = PoolExecutor::new(2);
        let (mut one, mut two) = (workers.remove(0), workers.remove(0));
        let blocked = Arc::new(AtomicUsize::new(0));
        let block = |blocked: Arc<AtomicUsize>| {
            let _ = block_in_place(|| {
                // Ordering: any, the count is what matters.
                assert_eq!(blocked.fetch_add(1, SeqCst), 0);
                blocked.fetch_sub(1, SeqCst);
            });
        };
        let theirs = blocked.clone();
        let thread = thread::spawn(move || {
            two.run(&mut ThreadPark::new(), async { block(theirs) })
                .unwrap();
            two
        });
        one.run(&mut ThreadPark::new(), async { block(blocked) })
            .unwrap();
        drop((thread.join().unwrap(), one, executor));
    });
}
