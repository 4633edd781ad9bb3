//! Closures that run soon, or at a time.

use pirn_core::calls::{CallHandle, TimerHandle};
use pirn_core::{Instant, Missing, context};
use std::time::Duration;

/// Lets `f` run soon: on the thread that runs the runtime, after the code that runs now.
///
/// Calls run in the order in which they were made, whoever made them, each as a turn of that thread
/// among the turns of its tasks; so `f` must not block. A call that makes another one does not run
/// it: that has a turn of its own. `f` finds copies of the [task-locals](crate::TaskLocal) around
/// this call. A panic in it goes to the [hook](crate::report::set_hook) and stops nothing.
///
/// What has not run when the runtime ends is dropped. It is asyncio's `loop.call_soon`, and, since
/// it may be called on any of the runtime's threads, `call_soon_threadsafe`. To wait for the end of
/// `f`, or for its value, [`spawn`](crate::spawn()) a task.
///
/// # Errors
///
/// [`Missing`] outside a runtime, and in one that shuts down; `f` is dropped.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
///
/// let (sender, said) = channel();
/// pirn::run(async move {
///     let soon = sender.clone();
///     pirn::call_soon(move || soon.send("soon").unwrap()).unwrap();
///     sender.send("now").unwrap();
///     pirn::sleep(Duration::from_millis(1)).await;
/// });
/// assert_eq!(said.iter().collect::<Vec<_>>(), ["now", "soon"]);
/// ```
#[track_caller]
pub fn call_soon(f: impl FnOnce() + Send + 'static) -> Result<CallHandle, Missing> {
    context::calls()?.call_soon(f)
}

/// Lets `f` run once `delay` has passed, counted from this call.
///
/// asyncio's `loop.call_later`. Otherwise as [`call_at`].
///
/// # Errors
///
/// As [`call_at`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// pirn::run(async {
///     let late = pirn::call_later(Duration::from_secs(3600), || unreachable!("cancelled")).unwrap();
///     assert!(late.when() > pirn::now());
///     assert!(late.cancel());
/// });
/// ```
#[track_caller]
pub fn call_later(
    delay: Duration,
    f: impl FnOnce() + Send + 'static,
) -> Result<TimerHandle, Missing> {
    call_at(context::clock()?.now() + delay, f)
}

/// Lets `f` run once `when` has come, a time of [`now`](crate::now())'s clock.
///
/// Never early. Of calls for the same time, that which was made first runs first. asyncio's
/// `loop.call_at`. Otherwise as [`call_soon`].
///
/// # Errors
///
/// As [`call_soon`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// pirn::run(async {
///     let (sender, said) = pirn::sync::oneshot::channel();
///     let when = pirn::now() + Duration::from_millis(2);
///     pirn::call_at(when, move || sender.send(pirn::now()).unwrap()).unwrap();
///     assert!(said.await.unwrap() >= when);
/// });
/// ```
#[track_caller]
pub fn call_at(when: Instant, f: impl FnOnce() + Send + 'static) -> Result<TimerHandle, Missing> {
    context::calls()?.call_at(when, f)
}
