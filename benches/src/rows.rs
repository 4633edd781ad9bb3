//! The rows, a module per subject.

mod echo;
mod executor;
mod http;
mod lock;
mod queue;
mod semaphore;
mod timer;

use crate::harness::Row;

/// Every row, in the order in which they are reported.
pub fn all() -> Vec<Row> {
    let mut rows = executor::rows();
    rows.extend(lock::rows());
    rows.extend(semaphore::rows());
    rows.extend(queue::rows());
    rows.extend(timer::rows());
    rows.extend(echo::rows());
    rows.extend(http::rows());
    rows
}
