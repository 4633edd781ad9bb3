//! The worker threads of a runtime.

use crate::current::Running;
use crate::hooks::Monitor;
use crate::runtime::{Common, Driver};
use pirn_core::report::{Report, report};
use pirn_core::shim::block_on;
use pirn_core::{Park, ParkError};
use pirn_executor::{
    LocalExecutor, PoolExecutor, PoolHandle, PoolStatistics, SharedDriver, SharedPark, TaskInfo,
    Worker,
};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A pool, its threads, and the driver that they share.
pub(crate) struct Workers {
    pool: PoolExecutor,
    threads: Vec<JoinHandle<()>>,
    driver: SharedDriver<Driver>,
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(
        count: usize,
        name: &str,
        driver: Driver,
        common: &Common,
        hooks: Option<Arc<Monitor>>,
    ) -> io::Result<Self> {
        let (pool, workers) = match hooks {
            Some(hooks) => PoolExecutor::with_hooks(count, hooks),
            None => PoolExecutor::new(count),
        };
        let driver = SharedDriver::new(driver);
        let mut started = Workers {
            pool,
            threads: Vec::with_capacity(count),
            driver,
        };
        for (number, worker) in workers.into_iter().enumerate() {
            let (park, common, handle) = (started.driver.park(), common.clone(), started.handle());
            // If one cannot be started, dropping the pool ends the others.
            let thread = thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work(worker, park, &common, handle))?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    pub(crate) fn set_spin(&self, limit: Duration) {
        self.pool.set_spin(limit);
    }

    pub(crate) fn statistics(&self) -> PoolStatistics {
        self.pool.statistics()
    }

    pub(crate) fn handle(&self) -> PoolHandle {
        self.pool.handle()
    }

    /// The driver, for runs inside one that these workers serve.
    pub(crate) fn shared(&self) -> SharedDriver<Driver> {
        self.driver.clone()
    }

    /// The driver, for who has it to himself once the workers are gone.
    pub(crate) fn driver(&self) -> SharedPark<Driver> {
        self.driver.park()
    }

    /// Shuts the pool down together with the executor of this thread: both are asked at once, and
    /// have until the same `deadline`. Says which tasks had not ended.
    pub(crate) fn shutdown_with<P: Park, D: Future>(
        &mut self,
        local: &LocalExecutor,
        park: &mut P,
        deadline: impl Fn() -> D,
    ) -> Result<Vec<TaskInfo>, ParkError> {
        let mut ending = pin!(self.pool.shutdown(deadline()));
        let asked = local.run(park, poll_fn(|cx| Poll::Ready(ending.as_mut().poll(cx))));
        let (local_left, pool_left) = match asked {
            Ok(Poll::Ready(left)) => {
                // No worker is left to serve the local tasks: this thread takes the driver.
                join(&mut self.threads);
                (local.shutdown(&mut self.driver.park(), deadline()), left)
            }
            Ok(Poll::Pending) | Err(_) => {
                // As long as nobody asks `ending`, the workers stay.
                let local_left = local.shutdown(park, deadline());
                let left = block_on(ending);
                join(&mut self.threads);
                (local_left, left)
            }
        };
        local_left.map(|left| left.into_iter().chain(pool_left).collect())
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // A worker catches the panics of its tasks and has none of its own to tell.
        let _ = thread.join();
    }
}

fn work(mut worker: Worker, mut park: SharedPark<Driver>, common: &Common, handle: PoolHandle) {
    let _running = Running::worker(handle.clone());
    let handles = Rc::new(common.handles(handle.clone()));
    let (_handles, _reactor) = (handles.enter(), common.reactor.enter());
    if let Err(error) = worker.run(&mut park, handle.closed()) {
        report(Report::Error {
            task: None,
            error: error.into(),
        });
    }
}
