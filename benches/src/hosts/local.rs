//! Those of one thread.

use std::{cell::RefCell, future::Future, rc::Rc};

use monoio::{Buildable, Driver};

use super::{Joined, Local, tokio_one};

/// pirn's executor of one thread, parking it when there is nothing to do.
#[derive(Clone)]
pub struct PirnLocal(
    Rc<(
        pirn_executor::LocalExecutor,
        RefCell<pirn_executor::ThreadPark>,
    )>,
);

impl PirnLocal {
    /// What groups spawn on.
    pub fn spawner(&self) -> pirn_executor::LocalHandle {
        self.0.0.handle()
    }
}

impl Local for PirnLocal {
    type Task<T: 'static> = Joined<pirn_executor::Task<T>>;

    fn new() -> Self {
        let park = RefCell::new(pirn_executor::ThreadPark::new());
        PirnLocal(Rc::new((pirn_executor::LocalExecutor::new(), park)))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: self.0.0.spawn(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let run = self.0.0.run(&mut *self.0.1.borrow_mut(), future);
        run.expect("a thread can always park")
    }
}

/// pirn's runtime on the calling thread: the executor above, over timers and the reactor.
#[derive(Clone)]
pub struct PirnRuntimeLocal(Rc<RefCell<pirn::Runtime>>);

impl Local for PirnRuntimeLocal {
    type Task<T: 'static> = Joined<pirn::Task<T>>;

    fn new() -> Self {
        let built = pirn::Runtime::builder().current_thread().build();
        PirnRuntimeLocal(Rc::new(RefCell::new(built.expect("a runtime"))))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: pirn::spawn_local(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let run = self.0.borrow_mut().run(future);
        run.expect("nobody cancels it")
    }
}

/// tokio's current-thread runtime with a `LocalSet`.
#[derive(Clone)]
pub struct TokioLocal(Rc<(tokio::runtime::Runtime, tokio::task::LocalSet)>);

impl Local for TokioLocal {
    type Task<T: 'static> = Joined<tokio::task::JoinHandle<T>>;

    fn new() -> Self {
        TokioLocal(Rc::new((tokio_one(), tokio::task::LocalSet::new())))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: self.0.1.spawn_local(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        drop(task);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.1.block_on(&self.0.0, future)
    }
}

/// async-executor's `LocalExecutor`.
#[derive(Clone)]
pub struct SmolLocal(Rc<async_executor::LocalExecutor<'static>>);

impl Local for SmolLocal {
    type Task<T: 'static> = async_executor::Task<T>;

    fn new() -> Self {
        SmolLocal(Rc::default())
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn(future)
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures::executor::block_on(self.0.run(future))
    }
}

/// monoio on the driver `D`.
pub struct Monoio<D>(Rc<RefCell<monoio::Runtime<D>>>);

impl<D> Clone for Monoio<D> {
    fn clone(&self) -> Self {
        Monoio(self.0.clone())
    }
}

impl<D: Driver + Buildable + 'static> Local for Monoio<D> {
    type Task<T: 'static> = monoio::task::JoinHandle<T>;

    fn new() -> Self {
        let built = Buildable::build(monoio::RuntimeBuilder::<D>::new());
        Monoio(Rc::new(RefCell::new(built.expect("a runtime"))))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        drop(task);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.borrow_mut().block_on(future)
    }
}

/// compio, on io_uring.
#[derive(Clone)]
pub struct Compio(compio::runtime::Runtime);

impl Local for Compio {
    type Task<T: 'static> = Joined<compio::runtime::JoinHandle<T>>;

    fn new() -> Self {
        Compio(compio::runtime::Runtime::new().expect("a runtime"))
    }

    fn spawn<F>(&self, future: F) -> Self::Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined {
            handle: self.0.spawn(future),
        }
    }

    fn detach<T: 'static>(task: Self::Task<T>) {
        task.handle.detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}
