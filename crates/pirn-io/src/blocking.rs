//! Work that blocks, on threads of its own.
//!
//! A [`BlockingPool`] starts a thread when work comes and nobody is free, up to a bound, and lets
//! a thread go that had nothing to do for a while. [`to_thread`] runs a closure on the ambient
//! pool; without one, on a process-wide pool that has no threads until it is used.
//!
//! # Why 64 threads
//!
//! The work meant here waits: for a disk, for a name server. Some dozens at once keep a disk's
//! queue full and hide a slow name server; more only cost memory. asyncio allows at most 32, tokio
//! 512, smol 500. Jobs that wait for other jobs of the same pool may use all threads up and stand
//! still: such work wants threads of its own. The queue has no bound: its length is that of the
//! tasks that wait.
//!
//! # The protocol
//!
//! One lock over `Books`: the queue, and how many threads there are, and how many of them sleep.
//!
//! | event | transition | then, after unlocking |
//! | --- | --- | --- |
//! | a job comes (`submit`) | queued | wake a sleeper; start a thread if the queue is now longer than the sleepers are many |
//! | a thread is free (`next`) | takes the first job | runs it |
//! | … and the queue is empty | counts itself a sleeper | sleeps, at most `keep_alive` |
//! | … and has slept that long, or the pool closed | counts itself out | ends |
//!
//! A sleeper that was woken still counts until it has the lock, and its job stands in the queue
//! until then; so "more jobs than sleepers" is exactly "some job has no thread coming". A wake
//! that hits a sleeper whose time is up is not lost: it looks at the queue before it ends.

#[cfg(feature = "rayon")]
mod rayon;
mod to_thread;

#[cfg(feature = "rayon")]
pub use rayon::{RayonPool, to_rayon};
pub(crate) use to_thread::run_io;
pub use to_thread::{ToThread, to_thread};

use pirn_core::report::{Report, report};
use pirn_core::shim::{Arc, Condvar, Mutex, MutexGuard, thread, thread_local};
use pirn_core::wake::wake;
use pirn_core::{Blocking, BoxJob, Cause, Kind, Refused, Scope, TaskMeta};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The longest rest, so that adding it to the present never overflows.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How to make a [`BlockingPool`].
///
/// # Examples
///
/// ```
/// use pirn_io::blocking::Builder;
/// use std::time::Duration;
///
/// let pool = Builder::new().max_threads(4).keep_alive(Duration::from_secs(1)).name("disk").build();
/// assert_eq!(pool.statistics().threads, 0); // until there is work
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    max_threads: usize,
    keep_alive: Duration,
    name: String,
}

/// A pool of threads for work that blocks. Cheap to clone.
///
/// Nothing waits for its threads when the last clone is dropped; they end when the queue is empty
/// and their rest is over. [`shutdown`](BlockingPool::shutdown) ends it in order.
///
/// # Examples
///
/// ```
/// use pirn_core::Blocking;
/// use pirn_io::blocking::BlockingPool;
/// use std::sync::mpsc;
///
/// let pool = BlockingPool::default();
/// let (sender, receiver) = mpsc::channel();
/// pool.submit(Box::new(move || sender.send(6 * 7).unwrap())).unwrap();
/// assert_eq!(receiver.recv(), Ok(42));
/// ```
#[derive(Clone)]
pub struct BlockingPool(Arc<Pool>);

/// What a [`BlockingPool`] does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Threads, resting ones included.
    pub threads: usize,
    /// Threads that rest.
    pub idle: usize,
    /// Jobs that no thread has taken yet.
    pub queued: usize,
}

/// The jobs that still ran when the time for a pool's shutdown was over. They run on, unwaited.
///
/// # Examples
///
/// ```
/// use pirn_io::blocking::BlockingPool;
/// use pirn_core::{Blocking, shim::block_on};
/// use std::sync::mpsc;
///
/// let pool = BlockingPool::default();
/// let (started, starts) = mpsc::channel();
/// let (end, ends) = mpsc::channel::<()>();
/// pool.submit(Box::new(move || { started.send(()).unwrap(); ends.recv().unwrap() })).unwrap();
/// starts.recv().unwrap();
/// let unfinished = block_on(pool.shutdown(async {})).unwrap_err();
/// assert_eq!(unfinished.jobs().len(), 1);
/// # end.send(()).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    jobs: Vec<Option<TaskMeta>>,
}

struct Pool {
    books: Mutex<Books>,
    work: Condvar,
    max_threads: usize,
    keep_alive: Duration,
    name: String,
}

struct Books {
    queue: VecDeque<(u64, BoxJob)>,
    next_job: u64,
    threads: usize,
    idle: usize,
    next_thread: u64,
    /// Where that was asked for.
    closed: Option<&'static Location<'static>>,
    /// What runs, by thread.
    running: Vec<(u64, Running)>,
    /// Who waits for the last thread to end.
    ended: Vec<Waker>,
}

/// What is known of a job that runs, once it has said so.
#[derive(Default)]
struct Running {
    meta: Option<TaskMeta>,
    scope: Option<Scope>,
}

/// What `submit` must do once it has unlocked.
#[derive(Debug, PartialEq, Eq)]
enum Submitted {
    Wake,
    Start { thread: u64 },
    Wait,
}

/// What a free thread does next.
enum Next {
    Run(BoxJob),
    Rest,
    End,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    /// At most 64 threads named `pirn-blocking-N`, each of which ends after 10 s without work.
    pub fn new() -> Self {
        Builder {
            max_threads: 64,
            keep_alive: Duration::from_secs(10),
            name: "pirn-blocking".to_owned(),
        }
    }

    /// At most so many threads.
    ///
    /// # Panics
    ///
    /// If `threads` is 0.
    #[track_caller]
    #[must_use]
    pub fn max_threads(self, threads: usize) -> Self {
        assert!(threads > 0, "a blocking pool needs at least one thread");
        Builder {
            max_threads: threads,
            ..self
        }
    }

    /// How long a thread without work stays: zero for not at all, and a year at most.
    #[must_use]
    pub fn keep_alive(self, keep_alive: Duration) -> Self {
        Builder {
            keep_alive: keep_alive.min(YEAR),
            ..self
        }
    }

    /// What its threads are called, before their number.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Builder {
            name: name.into(),
            ..self
        }
    }

    /// The pool. Its threads start when there is work.
    pub fn build(self) -> BlockingPool {
        BlockingPool(Arc::new(Pool {
            books: Mutex::new(Books {
                queue: VecDeque::new(),
                next_job: 0,
                threads: 0,
                idle: 0,
                next_thread: 0,
                closed: None,
                running: Vec::new(),
                ended: Vec::new(),
            }),
            work: Condvar::new(),
            max_threads: self.max_threads,
            keep_alive: self.keep_alive,
            name: self.name,
        }))
    }
}

impl Default for BlockingPool {
    fn default() -> Self {
        Builder::new().build()
    }
}

/// The pool of those who have none around them.
pub(crate) fn fallback() -> &'static BlockingPool {
    static FALLBACK: OnceLock<BlockingPool> = OnceLock::new();
    FALLBACK.get_or_init(BlockingPool::default)
}

impl BlockingPool {
    /// [Closes](Self::close) it, and waits until the running jobs have ended, or until `deadline`
    /// ends.
    ///
    /// The pool is closed at the call already, not first at the await.
    ///
    /// # Errors
    ///
    /// [`Unfinished`], which names the jobs that still run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the waiting; the pool stays closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::shim::block_on;
    /// use pirn_io::blocking::BlockingPool;
    /// use std::future::pending;
    ///
    /// let pool = BlockingPool::default();
    /// assert!(block_on(pool.shutdown(pending())).is_ok()); // nothing runs
    /// assert!(block_on(pool.run(|| 5)).is_err());
    /// ```
    #[track_caller]
    pub fn shutdown(
        &self,
        deadline: impl Future<Output = ()>,
    ) -> impl Future<Output = Result<(), Unfinished>> {
        self.close();
        let pool = Arc::clone(&self.0);
        async move {
            let mut deadline = pin!(deadline);
            poll_fn(|cx| {
                if pool.poll_ended(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                deadline.as_mut().poll(cx).map(|()| pool.unfinished())
            })
            .await
        }
    }

    /// Takes no more jobs and drops the queued ones unrun. Running ones run on;
    /// [`current_cause`](pirn_core::current_cause) tells those of [`to_thread`] and
    /// [`run`](Self::run) to end.
    #[track_caller]
    pub fn close(&self) {
        let mut books = self.0.books.lock();
        books.closed = Some(Location::caller());
        let unrun = mem::take(&mut books.queue);
        let told: Vec<_> = books
            .running
            .iter()
            .filter_map(|(_, job)| job.scope.clone())
            .collect();
        drop(books);
        self.0.work.notify_all();
        for scope in told {
            scope.cancel(closing(Location::caller()));
        }
        discard(unrun);
    }

    /// Runs `f` on a thread of this pool; otherwise as [`to_thread`].
    ///
    /// # Cancel safety
    ///
    /// As [`to_thread`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::shim::block_on;
    /// use pirn_io::blocking::Builder;
    ///
    /// let pool = Builder::new().max_threads(1).build();
    /// assert_eq!(block_on(pool.run(|| 6 * 7)).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> ToThread<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        ToThread::new(TaskMeta::here(), Some(std::sync::Arc::new(self.clone())), f).told()
    }

    /// What it does at the moment.
    pub fn statistics(&self) -> Statistics {
        let books = self.0.books.lock();
        Statistics {
            threads: books.threads,
            idle: books.idle,
            queued: books.queue.len(),
        }
    }
}

impl Blocking for BlockingPool {
    fn submit(&self, job: BoxJob) -> Result<(), Refused<BoxJob>> {
        let mut books = self.0.books.lock();
        if books.closed.is_some() {
            drop(books);
            return Err(Refused::new("the blocking pool is shut down", job));
        }
        let number = books.next_job;
        let then = books.submit(job, self.0.max_threads);
        drop(books);
        match then {
            Submitted::Wait => Ok(()),
            Submitted::Wake => {
                self.0.work.notify_one();
                Ok(())
            }
            Submitted::Start { thread } => self.start(thread, number),
        }
    }
}

impl BlockingPool {
    /// Starts a thread, which `submit` has counted in already. If the system refuses, the job is
    /// left to the threads there are; if there are none, it and all others are given up.
    fn start(&self, thread: u64, job: u64) -> Result<(), Refused<BoxJob>> {
        let pool = Arc::clone(&self.0);
        let started = thread::Builder::new()
            .name(format!("{}-{thread}", self.0.name))
            .spawn(move || work(&pool, thread));
        if started.is_ok() {
            return Ok(());
        }
        let mut books = self.0.books.lock();
        let ended = books.end_thread();
        let mut unrun = match books.threads {
            0 => mem::take(&mut books.queue),
            _ => VecDeque::new(),
        };
        drop(books);
        ended.into_iter().for_each(wake);
        let own = unrun.iter().position(|(number, _)| *number == job);
        let own = own.and_then(|at| unrun.remove(at));
        discard(unrun);
        match own {
            Some((_, job)) => Err(Refused::new("the system starts no more threads", job)),
            None => Ok(()),
        }
    }
}

/// Drops jobs unrun: their destructors are user code, and a panic in one goes to the hook.
fn discard(jobs: VecDeque<(u64, BoxJob)>) {
    for (_, job) in jobs {
        guarded(|| drop(job));
    }
}

fn guarded(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

impl Books {
    fn submit(&mut self, job: BoxJob, max_threads: usize) -> Submitted {
        self.queue.push_back((self.next_job, job));
        self.next_job += 1;
        if self.queue.len() <= self.idle {
            return Submitted::Wake;
        }
        if self.threads == max_threads {
            return Submitted::Wait;
        }
        self.threads += 1;
        self.next_thread += 1;
        Submitted::Start {
            thread: self.next_thread,
        }
    }

    fn next(&mut self, thread: u64, rested: bool) -> Next {
        match self.queue.pop_front() {
            Some((_, job)) => {
                self.running.push((thread, Running::default()));
                Next::Run(job)
            }
            None if self.closed.is_some() || rested => Next::End,
            None => {
                self.idle += 1;
                Next::Rest
            }
        }
    }

    fn done(&mut self, thread: u64) {
        self.running.retain(|(each, _)| *each != thread);
    }

    /// Counts a thread out; if it was the last, gives back whom to tell.
    fn end_thread(&mut self) -> Vec<Waker> {
        self.threads -= 1;
        match self.threads {
            0 => mem::take(&mut self.ended),
            _ => Vec::new(),
        }
    }
}

thread_local! {
    /// The pool and number of this thread, if it is a pool's.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro takes no const block")]
    static SELF: RefCell<Option<(Arc<Pool>, u64)>> = RefCell::new(None);
}

/// Says what the job on this thread is, for [`Unfinished`], and its scope, which a close cancels.
/// Elsewhere it does nothing.
fn name_job(meta: TaskMeta, scope: Option<Scope>) {
    let closed = SELF.with(|own| {
        let own = own.borrow();
        let (pool, thread) = own.as_ref()?;
        let mut books = pool.books.lock();
        let (_, job) = books.running.iter_mut().find(|(each, _)| each == thread)?;
        *job = Running {
            meta: Some(meta),
            scope: scope.clone(),
        };
        books.closed
    });
    if let (Some(at), Some(scope)) = (closed, scope) {
        // The close came between: it did not find the scope.
        scope.cancel(closing(at));
    }
}

fn closing(at: &'static Location<'static>) -> Cause {
    Cause::new(Kind::Shutdown, "the blocking pool shuts down").with_location(at)
}

/// A thread's life.
fn work(pool: &Arc<Pool>, thread: u64) {
    SELF.with(|own| own.replace(Some((Arc::clone(pool), thread))));
    let ended = pool.run_jobs(thread);
    SELF.with(RefCell::take);
    ended.into_iter().for_each(wake);
}

impl Pool {
    fn run_jobs(&self, thread: u64) -> Vec<Waker> {
        let mut rest_ends = None;
        let mut books = self.books.lock();
        loop {
            match books.next(thread, self.rested(rest_ends)) {
                Next::Run(job) => {
                    drop(books);
                    guarded(job);
                    rest_ends = None;
                    books = self.books.lock();
                    books.done(thread);
                }
                Next::Rest => {
                    let ends = *rest_ends.get_or_insert_with(|| Instant::now() + self.keep_alive);
                    books = self.rest(books, ends);
                }
                Next::End => return books.end_thread(),
            }
        }
    }

    fn rested(&self, rest_ends: Option<Instant>) -> bool {
        self.keep_alive.is_zero() || rest_ends.is_some_and(|ends| ends <= Instant::now())
    }

    fn rest<'a>(&'a self, books: MutexGuard<'a, Books>, ends: Instant) -> MutexGuard<'a, Books> {
        let limit = ends.saturating_duration_since(Instant::now());
        let mut books = self.work.wait_timeout(books, limit);
        books.idle -= 1;
        books
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone(); // user code, before locking
        let mut books = self.books.lock();
        if books.threads == 0 {
            return Poll::Ready(());
        }
        if !books.ended.iter().any(|known| known.will_wake(&waker)) {
            books.ended.push(waker);
        }
        Poll::Pending
    }

    /// Names what runs, if anything does: threads that are about to end are no failure.
    fn unfinished(&self) -> Result<(), Unfinished> {
        let books = self.books.lock();
        let running = books.running.iter();
        let jobs: Vec<_> = running.map(|(_, job)| job.meta.clone()).collect();
        match jobs.is_empty() {
            true => Ok(()),
            false => Err(Unfinished { jobs }),
        }
    }
}

impl Unfinished {
    /// The jobs that still run; `None` for one that was submitted without saying what it is.
    pub fn jobs(&self) -> &[Option<TaskMeta>] {
        &self.jobs
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs still block", self.jobs.len())?;
        for (at, job) in self.jobs.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { ", " })?;
            match job {
                Some(meta) => meta.fmt(f)?,
                None => f.write_str("one that did not say what it is")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unfinished {}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPool")
            .field("name", &self.0.name)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
