//! One closure on a thread, awaited.

use super::{BlockingPool, fallback, name_job};
use crate::error::needs_system;
use pirn_core::budget::poll_spend;
use pirn_core::report::{Report, report};
use pirn_core::shim::{Arc, Mutex};
use pirn_core::wake::wake;
use pirn_core::{Blocking, BoxJob, Cause, JoinError, Kind, Locals, Refused, TaskMeta, context};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// Runs `f`, which may block, on a thread of the ambient pool.
///
/// Without a runtime around it, that is a process-wide pool. As every future, it does nothing
/// until it is polled: to have several at once, poll them at once (`gather`, or a group).
///
/// `f` finds copies of the [task-locals](pirn_core::TaskLocal) that stand around the first poll.
///
/// It is asyncio's `to_thread`. For work that keeps a processor busy it does too, but such jobs
/// take threads from those that wait.
///
/// # Errors
///
/// [`JoinError::Panicked`] if `f` panicked; [`JoinError::Refused`] if the pool takes no more jobs;
/// [`JoinError::Cancelled`] if the pool was shut down before `f` started.
///
/// # Cancel safety
///
/// Dropping the future before `f` has started drops `f` unrun. Once started `f` cannot be
/// stopped: it runs to its end and its result is dropped; a panic goes to the
/// [hook](pirn_core::report::set_hook).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let sum = pirn_io::to_thread(|| (1..=100).sum::<u32>()).await.unwrap();
/// assert_eq!(sum, 5050);
///
/// let error = pirn_io::to_thread(|| panic!("out of luck")).await.unwrap_err();
/// assert_eq!(error.to_string(), "the task panicked: out of luck");
/// # });
/// ```
#[track_caller]
pub fn to_thread<F, T>(f: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    ToThread::new(TaskMeta::here(), None, f)
}

/// `f`'s own result, for operations of the system on the ambient pool; an error in a simulation.
/// Panics go on.
pub(crate) async fn run_io<F, T>(name: &'static str, f: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    needs_system(name)?;
    match ToThread::new(TaskMeta::here().named(name), None, f).await {
        Ok(result) => result,
        Err(JoinError::Panicked(panic)) => panic.resume(),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

/// The future of [`to_thread`]: the closure's value.
///
/// # Examples
///
/// ```
/// use pirn_io::blocking::{ToThread, to_thread};
///
/// let length: ToThread<usize> = to_thread(|| "four".len());
/// assert_eq!(pirn_core::shim::block_on(length).unwrap(), 4);
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct ToThread<T>(Stage<T>);

type Job<T> = Box<dyn FnOnce() -> T + Send>;

enum Stage<T> {
    Unsent(TaskMeta, Option<BlockingPool>, Job<T>),
    Sent(Arc<Slot<T>>),
    Ended,
}

/// What the future and the pool's thread share.
///
/// | state | meaning | arrows |
/// | --- | --- | --- |
/// | `Queued` | no thread has taken the job | `Ticket::start` → `Running`; `Ticket::drop` → `Done`; `ToThread::drop` → `Taken` |
/// | `Running` | a thread runs the job | `Ticket::finish` → `Done`; `ToThread::drop` → `Taken` |
/// | `Done` | the result waits for the future | `ToThread::poll` and `drop` → `Taken` |
/// | `Taken` | nothing is wanted any more | |
struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    Queued(Job<T>, Waker),
    Running(Waker),
    Done(Result<T, JoinError>),
    Taken,
}

/// The pool's side of a slot. Dropped before it was run, it ends the slot.
struct Ticket<T>(Arc<Slot<T>>);

impl<T: Send + 'static> ToThread<T> {
    pub(crate) fn new<F>(meta: TaskMeta, pool: Option<BlockingPool>, f: F) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
    {
        ToThread(Stage::Unsent(meta, pool, Box::new(f)))
    }

    /// Hands the job to the pool now, before the first poll and whatever the budget.
    pub(crate) fn start(mut self) -> Result<Self, JoinError> {
        match mem::replace(&mut self.0, Stage::Ended) {
            Stage::Unsent(meta, pool, job) => {
                let sent = Self::send(meta, pool, job, Waker::noop().clone());
                let refused = |refused: Refused<BoxJob>| JoinError::Refused(refused.reason());
                self.0 = Stage::Sent(sent.map_err(refused)?);
            }
            other => self.0 = other,
        }
        Ok(self)
    }

    /// Lets a job that was handed over run, wanted or not; its value is dropped where it ends.
    pub(crate) fn detach(mut self) {
        self.0 = Stage::Ended;
    }

    fn send(
        meta: TaskMeta,
        pool: Option<BlockingPool>,
        job: Job<T>,
        waker: Waker,
    ) -> Result<Arc<Slot<T>>, Refused<BoxJob>> {
        let slot = Arc::new(Slot(Mutex::new(State::Queued(job, waker))));
        let ticket = Ticket(Arc::clone(&slot));
        let locals = Locals::current();
        let run: BoxJob = Box::new(move || {
            name_job(meta);
            locals.run(|| ticket.run());
        });
        // In a simulation nothing runs on a thread, whichever pool was asked for.
        let pool = pool.filter(|_| context::system("thread").is_ok());
        match (pool, context::blocking()) {
            (Some(pool), _) => pool.submit(run)?,
            (None, Ok(ambient)) => ambient.submit(run)?,
            (None, Err(_)) => fallback().submit(run)?,
        }
        Ok(slot)
    }
}

impl<T> Slot<T> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let waker = cx.waker().clone(); // user code, before locking
        let mut state = self.0.lock();
        let _former = match &mut *state {
            State::Queued(_, stored) | State::Running(stored) => mem::replace(stored, waker),
            State::Done(_) => match mem::replace(&mut *state, State::Taken) {
                State::Done(result) => return Poll::Ready(result),
                _ => unreachable!("matched above"),
            },
            State::Taken => unreachable!("the future ended with its result"),
        };
        drop(state); // before the former waker, which is user code
        Poll::Pending
    }

    fn is_done(&self) -> bool {
        matches!(*self.0.lock(), State::Done(_))
    }
}

impl<T> Ticket<T> {
    fn run(self) {
        if let Some(job) = self.start() {
            self.finish(
                catch_unwind(AssertUnwindSafe(job))
                    .map_err(|payload| JoinError::Panicked(payload.into())),
            );
        }
    }

    fn start(&self) -> Option<Job<T>> {
        let mut state = self.0.0.lock();
        match mem::replace(&mut *state, State::Taken) {
            State::Queued(job, waker) => {
                *state = State::Running(waker);
                Some(job)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    fn finish(&self, result: Result<T, JoinError>) {
        let mut state = self.0.0.lock();
        match mem::replace(&mut *state, State::Taken) {
            State::Running(waker) => {
                *state = State::Done(result);
                drop(state);
                wake(waker);
            }
            _ => {
                drop(state);
                State::Done(result).abandon();
            }
        }
    }
}

impl<T> State<T> {
    /// Drops what nobody wants any more, with no lock held: the job, the waker and the value are
    /// user code. A panic goes to the hook.
    fn abandon(self) {
        if let State::Done(Err(JoinError::Panicked(panic))) = self {
            report(Report::Panic {
                task: None,
                payload: panic.into_payload(),
            });
        }
    }
}

impl<T> Drop for Slot<T> {
    /// A result that came after `detach`.
    fn drop(&mut self) {
        let former = mem::replace(&mut *self.0.lock(), State::Taken);
        former.abandon();
    }
}

impl<T> Drop for Ticket<T> {
    /// The pool dropped the job unrun.
    fn drop(&mut self) {
        let unrun = self.start();
        if unrun.is_some() {
            self.finish(Err(JoinError::Cancelled(std::sync::Arc::new(Cause::new(
                Kind::Shutdown,
                "the blocking pool was shut down before the job started",
            )))));
        }
    }
}

impl<T: Send + 'static> Future for ToThread<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match mem::replace(&mut self.0, Stage::Ended) {
            Stage::Unsent(meta, pool, job) => {
                // A body that is cancelled starts nothing any more: the budget is frozen.
                if poll_spend(cx).is_pending() {
                    self.0 = Stage::Unsent(meta, pool, job);
                    return Poll::Pending;
                }
                match Self::send(meta, pool, job, cx.waker().clone()) {
                    Ok(slot) => {
                        self.0 = Stage::Sent(slot);
                        Poll::Pending
                    }
                    Err(refused) => Poll::Ready(Err(JoinError::Refused(refused.reason()))),
                }
            }
            Stage::Sent(slot) => {
                if slot.is_done() && poll_spend(cx).is_pending() {
                    self.0 = Stage::Sent(slot);
                    return Poll::Pending;
                }
                let polled = slot.poll(cx);
                if polled.is_pending() {
                    self.0 = Stage::Sent(slot);
                }
                Poll::Ready(ready!(polled))
            }
            Stage::Ended => panic!("`ToThread` was polled after it had ended"),
        }
    }
}

// No field is pinned.
impl<T> Unpin for ToThread<T> {}

impl<T> Drop for ToThread<T> {
    fn drop(&mut self) {
        if let Stage::Sent(slot) = &self.0 {
            let former = mem::replace(&mut *slot.0.lock(), State::Taken);
            former.abandon();
        }
    }
}

impl<T> fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Unsent(..) => "ToThread(not started)",
            Stage::Sent(_) => "ToThread(waiting)",
            Stage::Ended => "ToThread(ended)",
        })
    }
}
