//! Functions that run in processes of their own (Unix).
//!
//! For work that must not take the program with it: code that may crash or leak, or that has to be
//! stopped half-way. Work that only needs a processor is better done by threads:
//! [`to_thread`](crate::to_thread), or a pool such as rayon's.
//!
//! A worker is this same program, started once more: [`serve`], called first of all in `main`, sees
//! that it is one, and runs the jobs that it is sent. Arguments and results travel as MessagePack,
//! by `serde`. What a job prints to its standard output goes to standard error.
//!
//! ```no_run
//! use pirn::process_pool::{Job, ProcessPool, serve};
//!
//! fn fibonacci(n: u64) -> u64 {
//!     if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
//! }
//! const FIBONACCI: Job<u64, u64> = Job::new("fibonacci", fibonacci);
//!
//! fn main() {
//!     serve(&[&FIBONACCI]);
//!     pirn::run(async {
//!         let pool = ProcessPool::new(4);
//!         assert_eq!(pool.call(&FIBONACCI, &30).await.unwrap(), 832_040);
//!     });
//! }
//! ```

mod frame;
mod job;
mod worker;

pub use job::{AnyJob, Job};
pub use worker::serve;

use pirn_core::shim::Mutex;
use pirn_io::signal::Signal;
use pirn_sync::Semaphore;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use worker::{Answer, Ran, Worker};

/// Processes that run [`Job`]s, at most so many at once.
///
/// A process is started when a job comes and none is idle, and stays for the next; dropping the pool
/// kills them. One that crashes is an error for its job alone, and is replaced.
///
/// # Fairness
///
/// Jobs that find all processes busy wait in the order in which they came.
///
/// # Cancel safety
///
/// Dropping the future of a [`call`](Self::call) kills the process that runs the job: there is no
/// other way to stop it.
///
/// # Examples
///
/// ```no_run
/// use pirn::process_pool::{CallError, Job, ProcessPool, serve};
///
/// const CRASH: Job<(), ()> = Job::new("crash", |()| std::process::abort());
///
/// fn main() {
///     serve(&[&CRASH]);
///     pirn::run(async {
///         let pool = ProcessPool::new(1);
///         let error = pool.call(&CRASH, &()).await.unwrap_err();
///         assert!(matches!(error, CallError::Crashed(_)));
///     });
/// }
/// ```
pub struct ProcessPool {
    free: Semaphore,
    idle: Mutex<Vec<Worker>>,
    workers: usize,
}

/// Why a job gave no result.
///
/// # Examples
///
/// ```
/// let error = pirn::process_pool::CallError::Panicked("no thread".to_owned());
/// assert_eq!(error.to_string(), "the job panicked: no thread");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The function panicked, with this message. Its process goes on.
    Panicked(String),
    /// The process ended as it ran the job. Its status tells by which signal, or with which code.
    Crashed(ExitStatus),
    /// The program does not know a job of this name: it is not among those that [`serve`] was given.
    Unknown(&'static str),
    /// The arguments or the result do not go through MessagePack, or come out as something else.
    Format(String),
    /// No process could be started or spoken to.
    Io(io::Error),
}

impl ProcessPool {
    /// A pool of at most `workers` processes, none of which is started yet.
    ///
    /// # Panics
    ///
    /// If `workers` is 0, or in a worker of such a pool: the program forgot to call [`serve`] first
    /// of all in `main`, or a job made a pool.
    #[track_caller]
    pub fn new(workers: usize) -> Self {
        assert!(workers > 0, "a ProcessPool needs at least 1 worker");
        assert!(
            !worker::is_worker(),
            "a worker of a ProcessPool makes no pool: call `process_pool::serve` first of all in `main`"
        );
        ProcessPool {
            free: Semaphore::new(workers),
            idle: Mutex::new(Vec::new()),
            workers,
        }
    }

    /// Runs `job` in one of the processes.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before a process is free takes nothing; after that it kills the process,
    /// and the job stops wherever it is.
    pub async fn call<A, R>(&self, job: &Job<A, R>, arguments: &A) -> Result<R, CallError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        let arguments = rmp_serde::to_vec_named(arguments).map_err(CallError::format)?;
        let _permit = self.free.acquire().await;
        loop {
            let (mut worker, is_new) = match self.idle_worker() {
                Some(worker) => (worker, false),
                None => (Worker::start().await?, true),
            };
            // Dropped before its answer, it is killed.
            let answer = match worker.run(job.name(), &arguments).await? {
                // It had been idle, and nobody had seen that it ended: another one has the job.
                Ran::Unbegun(_) if !is_new => continue,
                Ran::Unbegun(status) => return Err(CallError::Crashed(status)),
                Ran::Answered(answer) => answer,
            };
            self.idle.lock().push(worker);
            return match answer {
                Answer::Done(result) => rmp_serde::from_slice(&result).map_err(CallError::format),
                Answer::Panicked(message) => Err(CallError::Panicked(message)),
                Answer::Format(message) => Err(CallError::Format(message)),
                Answer::Unknown => Err(CallError::Unknown(job.name())),
            };
        }
    }

    /// One that is idle and has not ended meanwhile.
    fn idle_worker(&self) -> Option<Worker> {
        loop {
            let mut worker = self.idle.lock().pop()?;
            if worker.is_alive() {
                return Some(worker);
            }
        }
    }

    /// Asks the idle processes to end by themselves, and waits until they have. Those that run jobs
    /// are left alone; the pool can be used on.
    ///
    /// # Errors
    ///
    /// If the system does not tell of an end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills those that have not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn::process_pool::ProcessPool;
    ///
    /// pirn::run(async {
    ///     let pool = ProcessPool::new(2);
    ///     pool.rest().await?;
    ///     assert_eq!(pool.idle(), 0);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub async fn rest(&self) -> io::Result<()> {
        let idle = std::mem::take(&mut *self.idle.lock());
        for worker in idle {
            worker.end().await?;
        }
        Ok(())
    }

    /// How many processes are idle.
    pub fn idle(&self) -> usize {
        self.idle.lock().len()
    }
}

impl CallError {
    fn format(error: impl fmt::Display) -> Self {
        CallError::Format(error.to_string())
    }
}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        CallError::Io(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::process::ExitStatusExt;
        match self {
            CallError::Panicked(message) => write!(f, "the job panicked: {message}"),
            CallError::Crashed(status) => match status.signal() {
                Some(signal) => write!(f, "the job's process died of {}", Signal::new(signal)),
                None => write!(f, "the job's process ended: {status}"),
            },
            CallError::Unknown(name) => {
                write!(f, "the job `{name}` is not among those given to `serve`")
            }
            CallError::Format(error) => write!(f, "the job's data: {error}"),
            CallError::Io(error) => write!(f, "the job's process: {error}"),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool")
            .field("workers", &self.workers)
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}
