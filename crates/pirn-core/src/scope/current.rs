//! What holds for the code that asks, without a scope being made for it.

use super::Scope;
use crate::clock::Instant;
use crate::context::Frame;
use crate::error::Cause;
use std::sync::Arc;

/// When the code that asks will be cancelled by time; [`Instant::NEVER`] where nothing limits it.
///
/// It is the least deadline of the scopes around, up to the nearest shield: inside a
/// [`shield`](crate::shield), and in a clean-up, deadlines outside do not count, and the grace period
/// is not one. A deadline that has passed, or a scope that is cancelled for another reason, is told as
/// it is: whether there is a cancel, [`current_cause`] tells. As
/// [`Scope::current`] and [`Scope::deadline`], but no scope is made for it.
///
/// # Examples
///
/// ```
/// use pirn_core::{Instant, Scope, current_deadline, shield, shim::block_on};
///
/// # struct Still;
/// # impl pirn_core::Clock for Still {
/// #     fn now(&self) -> Instant { Instant::EPOCH }
/// #     fn sleep_until(&self, _: Instant) -> pirn_core::BoxSleep { Box::pin(std::future::pending()) }
/// #     fn as_any(&self) -> &dyn std::any::Any { self }
/// # }
/// # pirn_core::context::set_fallback_clock(std::sync::Arc::new(Still));
/// let scope = Scope::detached();
/// let noon = Instant::from_nanos(12);
/// scope.set_deadline(noon)?;
/// let ended = block_on(scope.run(async {
///     assert_eq!(current_deadline(), noon);
///     assert_eq!(shield(async { current_deadline() }).await, Instant::NEVER);
/// }));
/// assert!(ended.is_ok());
/// assert_eq!(current_deadline(), Instant::NEVER);
/// # Ok::<(), pirn_core::Missing>(())
/// ```
#[must_use]
pub fn current_deadline() -> Instant {
    let (scope, planned) = Frame::around();
    scope.map_or(planned, |scope| scope.deadline().min(planned))
}

/// Why the code that asks, or what it cleans up after, was cancelled; `None` where nothing was.
///
/// It is the cause of the nearest scope around that is cancelled, shields notwithstanding: so a
/// clean-up learns why it runs, though no cancel reaches it, and a destructor why its future was
/// dropped. A clean-up that was handed over learns the cause of the scope whose run polls it.
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Scope, current_cause, finally, shim::block_on};
///
/// let scope = Scope::detached();
/// let inside = scope.clone();
/// let ended = block_on(scope.run(finally(
///     async move {
///         assert!(current_cause().is_none());
///         inside.cancel(Cause::requested("stop"));
///         std::future::pending::<()>().await
///     },
///     async || assert_eq!(current_cause().unwrap().text(), "stop"),
/// )));
/// assert_eq!(ended.unwrap_err().text(), "stop");
/// ```
#[must_use]
pub fn current_cause() -> Option<Arc<Cause>> {
    let (scope, _) = Frame::around();
    scope?.ancestry().find_map(Scope::cause)
}
