//! A group as a value.

use super::end::end;
use super::shared::{Closes, Exit, Leaving, Shared};
use super::{Ambient, GroupBuilder, TaskGroup};
use crate::catch::Catch;
use crate::error::GroupError;
use pin_project_lite::pin_project;
use pirn_core::shim::Mutex;
use pirn_core::{Cause, Scope, Scoped, shield};
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A group without a body: made, kept in a struct, spawned into from synchronous code, and ended by
/// [`join`](Self::join).
///
/// It is a [`TaskGroup`], by [`Deref`]: what spawns, cancels and closes is there. It belongs to the
/// scope that it was [opened](GroupBuilder::open) in, whose cancels reach it; without one, to the
/// runtime's reaper. A child that fails cancels its siblings at once, though nobody joins yet;
/// `group.scope().cancelled()` waits for that. A deadline is looked at only while it is joined.
///
/// Where a block of code will do, [`GroupBuilder::run`] and [`group`](crate::group()) are better:
/// nobody can forget to join them.
///
/// # Dropping it
///
/// Children are cancelled at once, and left, with their clean-up, to the scope that the group was
/// opened in, which ends after them; if that has ended, to the one around it, and then to the
/// runtime's reaper. Without any of these each child ends at its next poll, and how many there
/// were is [reported](pirn_core::report::Report::Orphaned). So is every error that nobody receives.
///
/// # Examples
///
/// ```
/// use pirn_compat::AsyncExecutor;
/// use pirn_core::Cause;
/// use pirn_group::{GroupBuilder, OwnedGroup};
/// use std::sync::Arc;
///
/// struct Server {
///     connections: OwnedGroup<std::io::Error, AsyncExecutor>,
/// }
///
/// impl Server {
///     fn accept(&self) {
///         self.connections.spawn(async { Ok(()) }); // serves it
///     }
///
///     async fn shut_down(self) {
///         self.connections.cancel(Cause::requested("shutting down"));
///         self.connections.join().await.unwrap();
///     }
/// }
///
/// let executor = Arc::new(async_executor::Executor::new());
/// let connections = GroupBuilder::on(AsyncExecutor::new(executor.clone())).open();
/// let server = Server { connections };
/// server.accept();
/// assert_eq!(server.connections.live(), 1);
/// futures::executor::block_on(executor.run(server.shut_down()));
/// ```
#[must_use = "dropping a group cancels its children"]
pub struct OwnedGroup<E: fmt::Display, S = Ambient> {
    // Dropped in this order: the children are cancelled, then what failed is reported.
    leaving: Leaving<Scope>,
    /// Never locked: it is there so that a group may be shared by threads. `join` takes it out.
    run: Mutex<Scoped<Last<E>>>,
    exit: Exit<E>,
    handle: TaskGroup<E, S>,
}

/// The body of a group without one: ends with the last child.
struct Last<E>(Closes<E>);

impl<E> Future for Last<E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.0.poll_close()
    }
}

impl<S> GroupBuilder<S> {
    /// Opens a group as a value, in the scope that is running here.
    pub fn open<E: fmt::Display>(self) -> OwnedGroup<E, S> {
        let scope = Scope::new();
        scope.set_grace(self.grace);
        let shared = Shared::new(scope, self.meta, self.limit);
        OwnedGroup {
            leaving: Leaving::new(shared.scope.clone(), &shared.meta),
            run: Mutex::new(shared.scope.run(Last(Closes(Arc::clone(&shared))))),
            exit: Exit(Arc::clone(&shared)),
            handle: TaskGroup {
                shared,
                spawner: self.spawner,
            },
        }
    }
}

impl<E: fmt::Display + 'static, S> OwnedGroup<E, S> {
    /// Waits for the last child, clean-up included, those included that children spawn meanwhile.
    ///
    /// A cancel [on request](pirn_core::Kind::Requested) is an end as any other: `Ok`. Others are
    /// not. A cancel of the scope in which it is joined cancels the group too.
    ///
    /// # Errors
    ///
    /// [`GroupError`] as [`GroupBuilder::run`].
    ///
    /// # Panics
    ///
    /// With the first panic of a child, when all have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the group, with what that does. To wait for children and keep
    /// the group, join a group that is kept elsewhere, or ask the children's handles.
    pub async fn join(self) -> Result<(), GroupError<E>> {
        let OwnedGroup {
            leaving, run, exit, ..
        } = self;
        let around = Scope::current();
        let inner = Followed {
            leaving,
            run: run.into_inner(),
            scope: exit.0.scope.clone(),
            around: around.clone(),
        };
        let ended = shield(Catch { inner }).await;
        end(exit, Some(()), ended, around.as_ref()).await
    }
}

impl<E: fmt::Display, S> Deref for OwnedGroup<E, S> {
    type Target = TaskGroup<E, S>;

    fn deref(&self) -> &TaskGroup<E, S> {
        &self.handle
    }
}

impl<E: fmt::Display, S> fmt::Debug for OwnedGroup<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedGroup").field(&self.handle).finish()
    }
}

pin_project! {
    /// A group's run, cancelled with the scope in which it is joined.
    struct Followed<F: Future> {
        leaving: Leaving<Scope>,
        #[pin]
        run: Scoped<F>,
        scope: Scope,
        around: Option<Scope>,
    }
}

impl<F: Future> Future for Followed<F> {
    type Output = <Scoped<F> as Future>::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The shield around this is woken by that cancel.
        if let Some(cause) = this.around.as_ref().and_then(Scope::cause) {
            if !this.scope.is_cancelled() {
                this.scope.cancel(Cause::clone(&cause));
            }
        }
        let polled = this.run.poll(cx);
        if polled.is_ready() {
            this.leaving.ended();
        }
        polled
    }
}
