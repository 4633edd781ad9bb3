//! The rows, a module per subject.

mod barrier;
mod broadcast;
mod condition;
mod echo;
mod event;
mod executor;
mod group;
mod http;
mod join;
mod lock;
mod once_cell;
mod oneshot;
mod queue;
mod rwlock;
mod semaphore;
mod timer;
mod watch;
mod wheel;

use crate::harness::Row;

/// The rows whose names begin with `prefix`, in the order in which they are reported; those of
/// pirn-sync's primitives, its queues aside, for `sync`.
pub fn named(prefix: &str) -> Vec<Row> {
    if prefix == "sync" {
        return primitives();
    }
    let mut rows = executor::rows();
    rows.extend(primitives());
    rows.extend(queue::rows());
    rows.extend(join::rows());
    rows.extend(timer::rows());
    rows.extend(group::rows());
    rows.extend(wheel::rows());
    rows.extend(echo::rows());
    rows.extend(http::rows());
    rows.retain(|row| row.name.starts_with(prefix));
    rows
}

fn primitives() -> Vec<Row> {
    let mut rows = lock::rows();
    rows.extend(rwlock::rows());
    rows.extend(semaphore::rows());
    rows.extend(event::rows());
    rows.extend(condition::rows());
    rows.extend(barrier::rows());
    rows.extend(once_cell::rows());
    rows.extend(oneshot::rows());
    rows.extend(watch::rows());
    rows.extend(broadcast::rows());
    rows
}
