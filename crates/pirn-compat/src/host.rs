//! A foreign executor around a whole program of pirn's.

use pin_project_lite::pin_project;
use pirn_core::context::{self, Entered};
use pirn_core::{DynSpawn, Refused, Spawn, TaskMeta};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Makes a spawner the ambient one for a program, so that what asks for "the runtime around" works on
/// an executor that is not pirn's: `group`, `TaskGroup`, `GroupBuilder::ambient`, hyper's `Executor`
/// in pirn-http.
///
/// Nothing else needs it: timers, sockets, `to_thread` and files start threads of their own where
/// there is no runtime of pirn's, locks and queues need nothing, and a group that is built by
/// `GroupBuilder::on` has its spawner with it. `pirn::spawn` and `run` are of pirn's own executor, and
/// do not work here.
///
/// Tasks that are spawned through it are in it as well. Those that the executor's own functions spawn
/// are not, unless they [`run`](Self::run) in it.
///
/// What is abandoned goes to the scope around, as always; a program that wants to outlive that runs in
/// a [`Scope`](pirn_core::Scope) of its own.
///
/// # Examples
///
/// ```
/// use pirn_compat::{Host, TokioHandle};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let host = Host::new(TokioHandle::current()?);
///     let sum = host.run(async {
///         pirn::group(async |group| {
///             let (a, b) = (group.spawn(async { Ok(2) }), group.spawn(async { Ok(3) }));
///             Ok::<u32, Box<dyn std::error::Error + Send + Sync>>(a.await? + b.await?)
///         })
///         .await
///     });
///     assert_eq!(sum.await?, 5);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Host<S>(S);

pin_project! {
    /// The future of [`Host::run`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future inside, with the spawner around.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Hosted<F> {
        spawner: Arc<dyn DynSpawn>,
        // Taken out as this is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Hosted<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = enter(this.spawner);
            this.future.set(None);
        }
    }
}

impl<S: Spawn + Clone + Send + Sync + 'static> Host<S> {
    /// A host that spawns by `spawner`.
    pub fn new(spawner: S) -> Self {
        Host(spawner)
    }

    /// Runs `future` with the spawner around each of its polls, and around its destructor. The other
    /// ambient handles stay.
    ///
    /// Each poll costs one allocation more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the one inside.
    pub fn run<F: Future>(&self, future: F) -> Hosted<F> {
        Hosted {
            spawner: Arc::new(self.clone()),
            future: Some(future),
        }
    }
}

impl<S: Spawn + Clone + Send + Sync + 'static> Spawn for Host<S> {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.0.spawn(meta, self.run(f)) {
            Ok(()) => Ok(()),
            Err(refused) => {
                let reason = refused.reason();
                let mut hosted = refused.into_future();
                match hosted.future.take() {
                    Some(f) => Err(Refused::new(reason, f)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl<F> fmt::Debug for Hosted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").finish_non_exhaustive()
    }
}

impl<F: Future> Future for Hosted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(this.spawner);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

fn enter(spawner: &Arc<dyn DynSpawn>) -> Entered {
    let around = context::handles();
    let mut handles = around.as_deref().cloned().unwrap_or_default();
    handles.spawner = Some(Arc::clone(spawner));
    Rc::new(handles).enter()
}
