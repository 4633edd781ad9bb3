//! tokio's context around futures that pirn polls.

use pirn::{Cause, Scope, TimeoutError};
use pirn_compat::TokioContext;
use pirn_core::context::{self, Handles};
use pirn_core::shim::block_on;
use pirn_core::{BoxTask, Refused, Spawn, TaskMeta};
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::runtime::Handle;

/// Says whether tokio's context stood around its drop.
struct Witness(mpsc::Sender<bool>);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.send(Handle::try_current().is_ok());
    }
}

async fn sleeps() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn tokios_leaves_work_within_and_the_context_ends_with_the_poll() {
    let tokio = TokioContext::start().unwrap();
    pirn::run(async {
        tokio.run(sleeps()).await;
        assert!(Handle::try_current().is_err());
        pirn::spawn(tokio.run(sleeps())).await.unwrap();
    });
}

async fn sleeps_well() -> io::Result<()> {
    sleeps().await;
    Ok(())
}

/// A group whose children need the context, on whichever thread they are polled.
async fn needy_children() {
    let ended = pirn::group(async |group| {
        for _ in 0..10 {
            group.spawn(sleeps_well());
        }
        Ok::<_, io::Error>(tokio::spawn(async { 7 }).await)
    });
    assert_eq!(ended.await.unwrap().unwrap(), 7);
}

#[test]
fn children_of_groups_inside_are_inside_on_whichever_thread() {
    let tokio = TokioContext::start().unwrap();
    pirn::run(tokio.run(async {
        needy_children().await;
        let local = pirn::group(async |group| {
            let not_send = Rc::new(7);
            let child = group.spawn_local(async move {
                sleeps().await;
                Ok(*not_send)
            });
            Ok::<_, io::Error>(child.await.unwrap())
        });
        assert_eq!(local.await.unwrap(), 7);
        // And their children's.
        let deeper = pirn::group(async |group| {
            group.spawn(async {
                needy_children().await;
                Ok(())
            });
            Ok::<_, io::Error>(())
        });
        deeper.await.unwrap();
    }));
}

/// Keeps tasks until it is asked for them.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Vec<BoxTask>>>);

impl Spawn for Later {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().unwrap().push(Box::pin(f));
        Ok(())
    }
}

/// Spawns a witness as it is dropped.
struct Parting(Option<Witness>);

impl Drop for Parting {
    fn drop(&mut self) {
        let witness = self.0.take();
        let task = Box::pin(async move { drop(witness) });
        let spawned = context::spawner()
            .unwrap()
            .spawn_boxed(TaskMeta::here(), task);
        assert!(spawned.is_ok());
    }
}

#[test]
fn what_a_destructor_inside_spawns_is_inside() {
    let tokio = TokioContext::start().unwrap();
    let later = Later::default();
    let mut handles = Handles::default();
    handles.spawner = Some(Arc::new(later.clone()));
    let _entered = Rc::new(handles).enter();
    let (sender, dropped) = mpsc::channel();
    let parting = Parting(Some(Witness(sender)));
    drop(tokio.run(async move { drop(parting) }));
    let tasks = std::mem::take(&mut *later.0.lock().unwrap());
    tasks.into_iter().for_each(block_on);
    assert!(dropped.try_recv().unwrap());
}

/// Takes nothing.
struct Shut;

impl Spawn for Shut {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Err(Refused::new("shut", f))
    }
}

#[test]
fn a_child_inside_that_the_runtime_refuses_comes_back() {
    let tokio = TokioContext::start().unwrap();
    let mut handles = Handles::default();
    handles.spawner = Some(Arc::new(Shut));
    let _entered = Rc::new(handles).enter();
    let returned = block_on(tokio.run(pirn::group(async |group| {
        let child = async { Ok::<_, io::Error>("ran, though it was refused") };
        let refused = group.try_spawn(TaskMeta::here(), child).unwrap_err();
        assert_eq!(refused.reason(), "shut");
        refused.into_future().await
    })));
    assert_eq!(returned.unwrap(), "ran, though it was refused");
}

#[test]
fn without_a_runtime_of_ours_it_works_as_well() {
    let tokio = TokioContext::start().unwrap();
    block_on(tokio.run(sleeps()));
}

#[test]
fn entered_around_a_runtime_of_the_current_thread_it_stands_around_every_task() {
    let tokio = TokioContext::start().unwrap();
    let _context = tokio.enter();
    let mut runtime = pirn::Runtime::builder().current_thread().build().unwrap();
    let ended = runtime.run(async {
        needy_children().await;
        pirn::spawn(sleeps()).await
    });
    ended.unwrap().unwrap();
}

#[test]
fn on_workers_each_task_enters_it() {
    let tokio = TokioContext::start().unwrap();
    let mut runtime = pirn::Runtime::builder().workers(2).build().unwrap();
    let ended = runtime.run(async {
        let tasks: Vec<_> = (0..10).map(|_| pirn::spawn(tokio.run(sleeps()))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    ended.unwrap();
}

#[test]
fn a_cancel_drops_the_future_within_the_context() {
    let tokio = TokioContext::start().unwrap();
    let (sender, dropped) = mpsc::channel();
    let witness = Witness(sender);
    let ended: Result<(), TimeoutError> = pirn::run(pirn::timeout(
        Duration::from_millis(1),
        tokio.run(async {
            let _witness = witness;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }),
    ));
    assert!(ended.is_err());
    assert!(dropped.try_recv().unwrap());
}

#[test]
fn a_future_that_was_never_polled_is_dropped_within_the_context_too() {
    let tokio = TokioContext::start().unwrap();
    let (sender, dropped) = mpsc::channel();
    let witness = Witness(sender);
    drop(tokio.run(async move { drop(witness) }));
    assert!(dropped.try_recv().unwrap());
}

#[test]
fn scopes_reach_through_it() {
    let tokio = TokioContext::start().unwrap();
    let scope = Scope::detached();
    let cause = pirn::run(scope.run(tokio.run(async {
        Scope::current().unwrap().cancel(Cause::requested("inside"));
        pending::<()>().await;
    })));
    assert_eq!(cause.unwrap_err().text(), "inside");
}

#[test]
fn the_last_clone_takes_the_runtime_with_it() {
    let tokio = TokioContext::start().unwrap();
    let (sender, dropped) = mpsc::channel();
    let witness = Witness(sender);
    let waits = tokio.handle().spawn(async move {
        let _witness = witness;
        pending::<()>().await;
    });
    let future = tokio.run(waits);
    drop(tokio);
    assert!(dropped.try_recv().is_err(), "the future holds a clone");
    drop(future);
    dropped.recv().expect("its tasks are dropped");
}

#[test]
fn a_runtime_that_is_there_already_is_only_borrowed() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let tokio = TokioContext::new(runtime.handle().clone());
    block_on(tokio.run(sleeps()));
    drop(tokio);
    runtime.block_on(sleeps());
}

#[test]
fn in_a_simulation_none_is_started() {
    let mut handles = Handles::default();
    handles.no_system = Some("use a stream in memory");
    let _entered = Rc::new(handles).enter();
    let error = TokioContext::start().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "there is no tokio runtime here: use a stream in memory"
    );
}
