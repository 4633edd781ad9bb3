//! tokio's context around futures that are polled elsewhere.

use ::tokio::runtime::{Builder, EnterGuard, Handle};
use ::tokio::task::AbortHandle;
use pin_project_lite::pin_project;
use pirn_core::context::{self, Entered, Handles};
use pirn_core::{BoxTask, DynSpawn, DynSpawnLocal, LocalBoxTask, Refused, TaskMeta};
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

/// A tokio runtime beside pirn's, for clients that do not work without one: reqwest, sqlx, async-nats.
///
/// Such a client asks tokio's context for a reactor, timers and a place for its background tasks, and
/// panics where there is none. What [`run`](Self::run)s in this, a whole program or one call, has the
/// context around it. It is still polled by pirn: scopes, groups, timeouts and queues work as always.
/// What the client spawns in the background runs on the tokio runtime.
///
/// There is no hidden runtime: this is a handle to one that the program has already, or one that it
/// [starts](Self::start), with a thread which ends when the last clone of this is dropped.
///
/// # What is different
///
/// - A cancel drops the future inside the context, as a client's destructors may need. It does not
///   reach what the client has in the background; that ends when the client is dropped.
/// - What waits in tokio's reactor or timers is woken from the runtime's thread: some microseconds more
///   for each wait than in pirn's own, and more than some where every core is busy. A client that takes
///   its stream, by `ForTokio`, does not pay that.
/// - tokio's leaves know nothing of pirn's budget, and their own has no bound outside a tokio task. A
///   loop over what is always ready gives way by [`yield_now`](pirn_core::yield_now). Nor do they know
///   of a cancelled body that is polled for its clean-up's sake: they may complete there.
/// - The children of groups inside are inside too. What is started by `pirn::spawn` and its like is
///   outside again, and so are closures of `to_thread`: [`run`](Self::run) what needs it, or, where the
///   runtime is on the current thread alone, [`enter`](Self::enter) around it.
///
/// # Examples
///
/// ```
/// use pirn_compat::TokioContext;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let tokio = TokioContext::start()?;
/// pirn::run(tokio.run(async {
///     tokio::time::sleep(Duration::from_millis(1)).await; // panics outside
///     let task = tokio::spawn(async { 7 }); // on tokio's thread
///     assert_eq!(task.await.unwrap(), 7);
/// }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokioContext {
    handle: Handle,
    /// Of a runtime that was started here.
    _own: Option<Arc<Own>>,
}

/// Ends the runtime's thread, which waits for this task.
#[derive(Debug)]
struct Own(AbortHandle);

pin_project! {
    /// The future of [`TokioContext::run`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future inside, within the context.
    #[must_use = "futures do nothing unless awaited"]
    pub struct InTokio<F> {
        tokio: TokioContext,
        spawner: Option<Swap>,
        // Taken out as this is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InTokio<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _around = enter_spawners(this.tokio, this.spawner);
            let _context = this.tokio.enter();
            this.future.set(None);
        }
    }
}

impl TokioContext {
    /// The context of a runtime that runs already. It must have what the client needs: most need
    /// `enable_all`.
    ///
    /// One of the flavour `current_thread` has reactor and timers only while some thread is inside
    /// its `block_on`.
    pub fn new(handle: Handle) -> Self {
        TokioContext { handle, _own: None }
    }

    /// Starts a runtime with a thread of its own, named `pirn-tokio`.
    ///
    /// When the last clone is dropped, also those in futures of [`run`](Self::run), the thread drops
    /// the runtime with its tasks and ends; nobody waits for it.
    ///
    /// # Errors
    ///
    /// If the system refuses the reactor or the thread, and in a simulation, which has no system.
    pub fn start() -> io::Result<Self> {
        let missing = |missing| io::Error::new(io::ErrorKind::Unsupported, missing);
        context::system("tokio runtime").map_err(missing)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let anchor = runtime.spawn(pending::<()>());
        let own = Own(anchor.abort_handle());
        let thread = thread::Builder::new().name("pirn-tokio".into());
        thread.spawn(move || drop(runtime.block_on(anchor)))?;
        Ok(TokioContext {
            handle,
            _own: Some(Arc::new(own)),
        })
    }

    /// Puts this thread into the context until the guard is dropped; guards are dropped in the
    /// reverse order.
    ///
    /// Around a runtime of the current thread it serves every task, destructors included, and costs
    /// nothing per poll. It does not reach the threads of a pool, which `pirn::run` has.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::TokioContext;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let tokio = TokioContext::start()?;
    /// let _context = tokio.enter();
    /// let mut runtime = pirn::Runtime::builder().current_thread().build()?;
    /// let slept = runtime.run(async {
    ///     pirn::spawn(async { tokio::time::sleep(Duration::from_millis(1)).await }).await
    /// });
    /// assert!(slept.unwrap().is_ok());
    /// # Ok(()) }
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs `future` in the context: it is entered around each poll, and while the future is dropped.
    /// So it is around the children of groups that `future` spawns by the ambient spawner.
    ///
    /// Under a runtime each poll costs an allocation or two.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the one inside, within the context.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_compat::TokioContext;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let tokio = TokioContext::start()?;
    /// let mut runtime = pirn::Runtime::builder().workers(1).build()?;
    /// let slept = runtime.run(async {
    ///     let sleeps = async { tokio::time::sleep(Duration::from_millis(1)).await };
    ///     pirn::spawn(tokio.run(sleeps)).await // on the worker's thread
    /// });
    /// assert!(slept.unwrap().is_ok());
    /// # Ok(()) }
    /// ```
    pub fn run<F: Future>(&self, future: F) -> InTokio<F> {
        InTokio {
            tokio: self.clone(),
            spawner: None,
            future: Some(future),
        }
    }

    /// The runtime's handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<F> fmt::Debug for InTokio<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTokio").finish_non_exhaustive()
    }
}

impl<F: Future> Future for InTokio<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _around = enter_spawners(this.tokio, this.spawner);
        let _context = this.tokio.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Spawns by another, within the context.
struct Inside<S> {
    tokio: TokioContext,
    spawner: S,
}

// A refused task comes back in the box that was handed on: around it, nothing is lost.
impl DynSpawn for Inside<Arc<dyn DynSpawn>> {
    fn spawn_boxed(&self, meta: TaskMeta, f: BoxTask) -> Result<(), Refused<BoxTask>> {
        self.spawner.spawn_boxed(meta, Box::pin(self.tokio.run(f)))
    }
}

impl DynSpawnLocal for Inside<Rc<dyn DynSpawnLocal>> {
    fn spawn_local_boxed(
        &self,
        meta: TaskMeta,
        f: LocalBoxTask,
    ) -> Result<(), Refused<LocalBoxTask>> {
        let f = Box::pin(self.tokio.run(f));
        self.spawner.spawn_local_boxed(meta, f)
    }
}

/// The spawner that stood around the last poll, and what stood inside in its place.
struct Swap {
    outer: Arc<dyn DynSpawn>,
    inner: Arc<dyn DynSpawn>,
}

/// Puts spawners into the context around the ambient ones, if there are any. `last` is what was made
/// for the last poll, and serves again while the runtime is the same.
fn enter_spawners(tokio: &TokioContext, last: &mut Option<Swap>) -> Option<Entered> {
    let around = context::handles()?;
    let mut handles = Handles::clone(&around);
    if let Some(outer) = &around.spawner {
        let same = last.as_ref().filter(|last| Arc::ptr_eq(&last.outer, outer));
        handles.spawner = same.map(|last| Arc::clone(&last.inner));
        if handles.spawner.is_none() {
            let (tokio, spawner) = (tokio.clone(), Arc::clone(outer));
            let inner: Arc<dyn DynSpawn> = Arc::new(Inside { tokio, spawner });
            handles.spawner = Some(Arc::clone(&inner));
            let outer = Arc::clone(outer);
            *last = Some(Swap { outer, inner });
        }
    }
    if let Some(outer) = &around.local_spawner {
        let (tokio, spawner) = (tokio.clone(), Rc::clone(outer));
        handles.local_spawner = Some(Rc::new(Inside { tokio, spawner }));
    }
    Some(Rc::new(handles).enter())
}
