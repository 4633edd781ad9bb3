//! The blocking twin of every waiting operation.

use core::future::Future;
use pirn_core::shim;

/// Waits on a plain thread: drives a future to its end, with the thread parked in between.
///
/// It is the blocking twin of every waiting operation of this crate: what a task writes as
/// `lock.lock().await`, a thread writes as `block_on(lock.lock())`. Threads and tasks wait in the
/// same queues, each in its turn.
///
/// It drives any future that needs nothing but to be polled when it is woken. One that wants a timer
/// or a socket gets it from the runtime that it knows, if any: here is none.
///
/// # Not in a task
///
/// A task awaits. If it blocks, it blocks its executor's thread, and with that all tasks which that
/// thread would run; if what it waits for is to come from one of those, it waits for ever. Nothing
/// here can see that.
///
/// # Fairness
///
/// To the primitives a thread is a task. If it was granted something in one future, which it keeps
/// and no longer polls, and then blocks on another future of the same primitive, it gets it there.
/// It may block again inside of what it blocks on, in a waker or a destructor; that is the same
/// task. A task that blocks is a stranger to the futures that it awaited before.
///
/// The future is polled without a bound: it spends no budget, nor does the task around it.
///
/// # Panics
///
/// If the future does. The thread can block again after that.
///
/// # Examples
///
/// ```
/// use pirn_sync::{Queue, block_on};
/// use std::sync::Arc;
/// use std::thread;
///
/// let squares = Arc::new(Queue::bounded(1));
/// let worker = thread::spawn({
///     let squares = Arc::clone(&squares);
///     move || {
///         for n in 1..=3 {
///             block_on(squares.put(n * n)).expect("nobody closed it yet");
///         }
///         squares.close();
///     }
/// });
/// let mut got = Vec::new();
/// while let Ok(square) = block_on(squares.get()) {
///     got.push(square);
/// }
/// worker.join().unwrap();
/// assert_eq!(got, [1, 4, 9]);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    shim::block_on(future)
}
