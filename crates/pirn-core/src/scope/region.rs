//! What a cancelled body is still polled for: shields and clean-ups in place.
//!
//! A region joins the frame around it when it is first polled. When that frame's body is cancelled,
//! it is polled once for its regions; each region that is polled then is *confirmed*, and as long
//! as one confirmed region is under way, the body stays. A region that was not polled in that pass
//! sits in a future that nobody polls any more: waiting for it would be waiting for ever.

use super::run::{Pass, pass};
use super::{Cleanup, Scope, Watch, lose};
use crate::budget;
use crate::context::{self, Frame, Mode};
use crate::error::Cause;
use crate::report::{Report, report};
use crate::wake::discard;
use pin_project_lite::pin_project;
use std::boxed::Box;
use std::future::{Future, pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

/// The regions under way in one body.
///
/// `std`'s on purpose, all relaxed: whoever polls the body counts, and a region that is dropped
/// elsewhere wakes the run through the scope's lock after counting.
#[derive(Default)]
pub(crate) struct Regions {
    held: AtomicUsize,
    confirmed: AtomicUsize,
}

impl Regions {
    /// True if a region was polled and has not ended.
    pub(super) fn any_held(regions: &Option<Arc<Regions>>) -> bool {
        // Ordering: see the type.
        regions
            .as_ref()
            .is_some_and(|regions| regions.held.load(Relaxed) > 0)
    }

    /// True if a region was polled since the body was cancelled, and has not ended.
    pub(super) fn any_confirmed(regions: &Option<Arc<Regions>>) -> bool {
        // Ordering: see the type.
        regions
            .as_ref()
            .is_some_and(|regions| regions.confirmed.load(Relaxed) > 0)
    }
}

/// Membership in a frame's [`Regions`], from the first poll on.
#[derive(Default)]
pub(super) struct Region(Option<Joined>);

struct Joined {
    regions: Arc<Regions>,
    scope: Option<Scope>,
    watch: Watch,
    waker: Option<Waker>,
    confirmed: bool,
}

impl Region {
    /// To be called at each poll: joins at the first, confirms in a cancelled body. Returns true
    /// if the body around was cancelled.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let joined = self.0.as_ref();
        let found = Frame::with(|frame| {
            let frame = frame?;
            let regions = frame.regions.get_or_insert_default();
            let is_here = joined.is_some_and(|joined| Arc::ptr_eq(&joined.regions, regions));
            let new = (!is_here).then(|| Arc::clone(regions));
            Some((new, frame.mode == Mode::Winding))
        });
        let Some((new, winding)) = found else {
            return false;
        };
        if let Some(regions) = new {
            self.join(regions);
        }
        let Some(joined) = &mut self.0 else {
            return winding;
        };
        if winding && !joined.confirmed {
            joined.confirmed = true;
            // Ordering: see `Regions`.
            joined.regions.confirmed.fetch_add(1, Relaxed);
        }
        if joined.watch(cx) && !winding {
            // The cancel was too early to find it: so that it is polled on, whoever polls it.
            cx.waker().wake_by_ref();
        }
        winding
    }

    /// Joins a frame that it is not in.
    #[cold]
    fn join(&mut self, regions: Arc<Regions>) {
        if self.0.is_some() {
            self.move_to(&regions);
        }
        self.0.get_or_insert_with(|| {
            // Ordering: see `Regions`.
            regions.held.fetch_add(1, Relaxed);
            Joined {
                regions,
                scope: Scope::current(),
                watch: Watch::new(),
                waker: None,
                confirmed: false,
            }
        });
    }

    /// It is polled by reference, in another frame than before: that one waits for it from now on.
    #[cold]
    fn move_to(&mut self, regions: &Arc<Regions>) {
        let Some(joined) = &mut self.0 else { return };
        let here = Scope::current();
        let same = match (&here, &joined.scope) {
            (Some(here), Some(scope)) => here.is_same(scope),
            (None, None) => true,
            _ => false,
        };
        if !same {
            return self.end();
        }
        joined.count_out();
        joined.confirmed = false;
        joined.regions = Arc::clone(regions);
        // Ordering: see `Regions`.
        joined.regions.held.fetch_add(1, Relaxed);
    }

    /// True from the first poll on.
    pub(super) fn has_joined(&self) -> bool {
        self.0.is_some()
    }

    /// The scope whose body this region is in.
    pub(super) fn scope(&self) -> Option<&Scope> {
        self.0.as_ref()?.scope.as_ref()
    }

    /// True if the body around must not go on, its time being over included, which its run has yet
    /// to look at.
    pub(super) fn is_over(&self) -> bool {
        self.scope().is_some_and(Scope::is_over)
    }

    /// Why the body around does not go on, if it was polled for its regions alone.
    pub(super) fn interruption(&self) -> Option<Arc<Cause>> {
        self.0
            .as_ref()
            .filter(|joined| joined.confirmed)?
            .scope
            .as_ref()?
            .cause()
    }

    fn end(&mut self) {
        drop(self.0.take());
    }
}

impl Joined {
    /// Keeps the waker with the scope, so that a cancel wakes every executor inside the task on the
    /// way to the region. True if that is too late, the scope being cancelled.
    fn watch(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(scope) = &self.scope else {
            return false;
        };
        if self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            return false;
        }
        discard(self.waker.replace(cx.waker().clone()));
        self.watch.register(scope, cx.waker())
    }
}

impl Joined {
    fn count_out(&self) {
        // Ordering: see `Regions`.
        self.regions.held.fetch_sub(1, Relaxed);
        if self.confirmed {
            // Ordering: see `Regions`.
            self.regions.confirmed.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.count_out();
        if let Some(scope) = &self.scope {
            self.watch.end(scope);
            if self.confirmed {
                // The run may be waiting for this region alone.
                scope.nudge();
            }
        }
        discard(self.waker.take());
    }
}

pin_project! {
    /// Polls `inner` to its end; under a cancel drops it as soon as no region in it is under way,
    /// and gives `None`.
    struct Interruptible<F> {
        #[pin]
        inner: Option<F>,
        own: Option<Arc<Regions>>,
        region: Region,
    }
}

impl<F: Future> Interruptible<F> {
    fn new(inner: F) -> Self {
        Interruptible {
            inner: Some(inner),
            own: None,
            region: Region::default(),
        }
    }
}

impl<F: Future> Future for Interruptible<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let winding = this.region.poll(cx);
        let mut value = None;
        if !winding || Regions::any_held(this.own) {
            let inner = this
                .inner
                .as_mut()
                .as_pin_mut()
                .expect("polled after completion");
            let mut scope = Scope::current();
            let passed = match scope {
                Some(_) => pass(inner, &mut scope, this.own, winding, cx),
                None => bare(inner, cx),
            };
            match passed {
                Pass::Ready(ready) => value = Some(ready),
                Pass::Pending if winding && !Regions::any_confirmed(this.own) => {}
                Pass::Pending => return Poll::Pending,
                Pass::Panicked(payload) => resume_unwind(payload),
            }
        }
        // A destructor that blocks on a leaf of ours has nobody to go back to.
        let unbounded = budget::lift();
        this.inner.set(None);
        drop(unbounded);
        this.region.end();
        Poll::Ready(value)
    }
}

/// Polls `inner` outside every scope. Not in a frame: a scope that was made there when asked for
/// would have nobody to run it, and what is handed over to it would be lost in silence.
fn bare<F: Future>(inner: Pin<&mut F>, cx: &mut Context<'_>) -> Pass<F::Output> {
    match inner.poll(cx) {
        Poll::Ready(value) => Pass::Ready(value),
        Poll::Pending => Pass::Pending,
    }
}

pin_project! {
    /// Polls `inner` in a shielded scope, as a region of the body around.
    struct Held<F> {
        #[pin]
        inner: F,
        scope: Option<Scope>,
        regions: Option<Arc<Regions>>,
        region: Region,
        is_shield: bool,
    }

    impl<F> PinnedDrop for Held<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A clean-up says so itself, and who drops a shield need not be told.
            if !*this.is_shield || !this.region.scope().is_some_and(Scope::is_cut_off) {
                return;
            }
            if let Some(cause) = this.region.interruption() {
                let (reason, cause) = ("the grace period of a shield was over", Some(cause));
                report(Report::CleanupLost { reason, cause });
            }
        }
    }
}

impl<F: Future> Held<F> {
    fn new(inner: F) -> Self {
        Held {
            inner,
            scope: None,
            regions: None,
            region: Region::default(),
            is_shield: false,
        }
    }
}

impl<F: Future> Future for Held<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.region.poll(cx);
        if this.scope.is_none() {
            *this.scope = Scope::current().map(|scope| scope.shielded_child());
        }
        let passed = match this.scope {
            Some(_) => pass(this.inner, this.scope, this.regions, false, cx),
            None => bare(this.inner, cx),
        };
        match passed {
            Pass::Ready(value) => {
                this.region.end();
                Poll::Ready(value)
            }
            Pass::Pending => Poll::Pending,
            Pass::Panicked(payload) => resume_unwind(payload),
        }
    }
}

/// Runs `future` so that a cancel of the scope around does not reach it.
///
/// A cancelled body that is in here is polled on until `future` has ended or the grace period is
/// over; its value is then returned, and the body goes on to its next leaf of ours, or its next shield,
/// and no further.
/// As trio's shielded scope; asyncio's `shield` differs: it abandons the wait.
///
/// # Cancel safety
///
/// Dropping it drops `future`: a shield protects from cancels, not from drops. One that is dropped
/// since the grace period is over is [reported](crate::report::Report::CleanupLost).
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Scope, shield, shim::block_on};
///
/// let scope = Scope::detached();
/// let inside = scope.clone();
/// let ended = block_on(scope.run(async move {
///     shield(async {
///         inside.cancel(Cause::requested("stop"));
///         assert!(!Scope::current().unwrap().is_cancelled()); // not in here
///     })
///     .await;
///     "committed"
/// }));
/// assert_eq!(ended.unwrap(), "committed");
/// ```
pub async fn shield<F: Future>(future: F) -> F::Output {
    // A cancelled body, polled for regions that are under way, begins no new one.
    poll_fn(|_| match budget::is_frozen() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
    let mut held = Held::new(future);
    held.is_shield = true;
    held.await
}

/// A resource and what closes it: once, in place, or handed over to the scope if this is dropped
/// before the end.
pub(super) struct Closing<R, C: FnOnce(R) -> Cleanup> {
    open: Option<(R, C)>,
    running: Option<Cleanup>,
    scope: Option<Scope>,
}

impl<R, C: FnOnce(R) -> Cleanup> Closing<R, C> {
    fn new(resource: R, close: C) -> Self {
        Closing {
            open: Some((resource, close)),
            running: None,
            scope: Scope::current(),
        }
    }

    fn resource(&mut self) -> &mut R {
        &mut self.open.as_mut().expect("open until `run`").0
    }

    fn start(&mut self) -> Option<Cleanup> {
        let (resource, close) = self.open.take()?;
        Some(close(resource))
    }

    /// Closes it here, shielded.
    pub(super) async fn run(mut self) {
        if let Some(cleanup) = self.start() {
            self.running = Some(cleanup);
        }
        let closing = poll_fn(|cx| {
            // Taken out for the poll: one that panics is not polled again.
            let Some(mut running) = self.running.take() else {
                return Poll::Ready(());
            };
            let polled = running.as_mut().poll(cx);
            if polled.is_pending() {
                self.running = Some(running);
            }
            polled
        });
        Held::new(closing).await;
    }
}

impl Closing<(), fn(()) -> Cleanup> {
    /// Of nothing but the clean-up.
    pub(super) fn begun(cleanup: Cleanup) -> Self {
        Closing {
            open: None,
            running: Some(cleanup),
            scope: Scope::current(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.running = None;
    }
}

impl<R, C: FnOnce(R) -> Cleanup> Drop for Closing<R, C> {
    fn drop(&mut self) {
        let Some(cleanup) = self.running.take().or_else(|| self.start()) else {
            return;
        };
        match self.scope.take().or_else(context::reaper) {
            Some(scope) => scope.hand_over(cleanup),
            None => lose(cleanup, "its future was dropped outside every scope", None),
        }
    }
}

/// Runs `future`, and after it, however it ends, the clean-up that `cleanup` makes.
///
/// - `future` returns: its value is returned when the clean-up has ended.
/// - The scope around is cancelled: `future` is dropped, after regions in it have ended; then the
///   clean-up runs, in place and shielded, up to the grace period.
/// - `future` panics, or this future is dropped (by a `select!`, say): the clean-up goes to the
///   scope around, whose run awaits it. Outside every scope it is
///   [reported](crate::report::Report::CleanupLost).
///
/// For a clean-up that borrows or that must stay on its thread, see [`finally_in_place`]; for a
/// resource that opens and closes, [`with_resource`].
///
/// Do not poll it by reference under a time limit, to await it again after that: if it was cancelled
/// there, it has no value to give, and stays pending.
///
/// # Cancel safety
///
/// Dropping it drops `future` and hands the clean-up over, as said.
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Scope, finally, shim::block_on};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
///
/// let cleaned = Arc::new(AtomicBool::new(false));
/// let seen = Arc::clone(&cleaned);
/// let scope = Scope::detached();
/// let inside = scope.clone();
/// let ended = block_on(scope.run(finally(
///     async move {
///         inside.cancel(Cause::requested("stop"));
///         std::future::pending::<()>().await
///     },
///     || async move { seen.store(true, SeqCst) },
/// )));
/// assert!(ended.is_err());
/// assert!(cleaned.load(SeqCst));
/// ```
pub async fn finally<F, C, Fut>(future: F, cleanup: C) -> F::Output
where
    F: Future,
    C: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    // The closure is called inside the future: where the clean-up is polled, not in a destructor.
    let closing = Closing::new((), |()| -> Cleanup {
        Box::pin(async move { cleanup().await })
    });
    let value = Interruptible::new(future).await;
    closing.run().await;
    or_stay(value).await
}

/// As [`finally`], for a clean-up that borrows or that must stay on its thread.
///
/// It runs in place only: after a value, and under a cancel of the scope around. If this future is
/// dropped before, by a `select!` or because the grace period was over, the clean-up cannot run; that
/// is [reported](crate::report::Report::CleanupLost).
///
/// # Cancel safety
///
/// Dropping it drops `future` and loses the clean-up, which is reported.
///
/// # Examples
///
/// ```
/// use pirn_core::{finally_in_place, shim::block_on};
///
/// let mut log = Vec::new();
/// let value = block_on(finally_in_place(async { 7 }, async || log.push("closed")));
/// assert_eq!((value, log), (7, vec!["closed"]));
/// ```
pub async fn finally_in_place<F, C>(future: F, cleanup: C) -> F::Output
where
    F: Future,
    C: AsyncFnOnce(),
{
    struct Lost;
    impl Drop for Lost {
        fn drop(&mut self) {
            let reason = "its future was dropped, and it could run in place only";
            report(Report::CleanupLost {
                reason,
                cause: Scope::current().and_then(|s| s.cause()),
            });
        }
    }
    let lost = Lost;
    let value = Interruptible::new(future).await;
    Held::new(cleanup()).await;
    std::mem::forget(lost);
    or_stay(value).await
}

/// Uses `resource` in `body`, and closes it after, however `body` ends.
///
/// What `close` makes is awaited in the cases of [`finally`], with the resource in its hands.
///
/// # Cancel safety
///
/// Dropping it drops what `body` was doing and hands the closing over, as [`finally`] does.
///
/// # Examples
///
/// ```
/// use pirn_core::{with_resource, shim::block_on};
///
/// let connection = vec!["open"];
/// let length = block_on(with_resource(
///     connection,
///     async |connection| {
///         connection.push("used");
///         connection.len()
///     },
///     |mut connection| async move {
///         connection.push("closed");
///         assert_eq!(connection, ["open", "used", "closed"]);
///     },
/// ));
/// assert_eq!(length, 2);
/// ```
pub async fn with_resource<R, T, B, C, Fut>(resource: R, body: B, close: C) -> T
where
    R: Send + 'static,
    B: AsyncFnOnce(&mut R) -> T,
    C: FnOnce(R) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let close = |resource| -> Cleanup { Box::pin(async move { close(resource).await }) };
    let mut closing = Closing::new(resource, close);
    let value = Interruptible::new(body(closing.resource())).await;
    closing.run().await;
    or_stay(value).await
}

/// The value; without one, the body around was cancelled, and does not go on.
async fn or_stay<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => pending().await,
    }
}
