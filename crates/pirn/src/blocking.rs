//! Blocking where a task is.

use crate::slow;
use pirn_executor::WouldStall;

/// Runs `f`, which may block, on this thread, while another worker takes what this one has: for what
/// cannot be moved to another thread, as [`to_thread`](crate::to_thread) would. That is better where it
/// can be, since this takes a worker away.
///
/// It is [pirn-executor's](pirn_executor::block_in_place), which says more; and the poll is not
/// [reported](crate::Builder::slow_polls) as a slow one.
///
/// # Errors
///
/// [`WouldStall`], with `f`, which has not run, where no other worker is free, or there is none.
///
/// # Panics
///
/// If `f` does.
///
/// # Examples
///
/// ```
/// let mut runtime = pirn::Runtime::builder().workers(2).build()?;
/// let answer = runtime.run(async {
///     let task = pirn::spawn(async {
///         let numbers = vec![20, 22]; // borrowed by what blocks
///         match pirn::block_in_place(|| numbers.iter().sum::<i32>()) {
///             Ok(sum) => sum,
///             Err(refused) => refused.into_inner()(), // the other worker was busy
///         }
///     });
///     task.await.unwrap()
/// })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn block_in_place<F, R>(f: F) -> Result<R, WouldStall<F>>
where
    F: FnOnce() -> R,
{
    slow::excuse();
    pirn_executor::block_in_place(f)
}
