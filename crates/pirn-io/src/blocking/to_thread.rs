//! One closure on a thread, awaited.

use super::{fallback, name_job};
use crate::error::needs_system;
use pirn_core::budget::poll_spend;
use pirn_core::report::{Report, report};
use pirn_core::shim::{Arc, Mutex, block_on};
use pirn_core::wake::wake;
use pirn_core::{
    Blocking, BoxJob, Cause, JoinError, Kind, Locals, Payload, Refused, Scope, TaskMeta, context,
};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc as Shared;
use std::task::{Context, Poll, Waker, ready};

/// Runs `f`, which may block, on a thread of the ambient pool.
///
/// Without a runtime around it, that is a process-wide pool. As every future, it does nothing
/// until it is polled: to have several at once, poll them at once (`gather`, or a group).
///
/// `f` finds copies of the [task-locals](pirn_core::TaskLocal) that stand around the first poll, and
/// runs in a [scope](Scope::current) inside the one there.
///
/// It is asyncio's `to_thread`. For work that keeps a processor busy it does too, but such jobs
/// take threads from those that wait: better give them a [pool](super::BlockingPool) of their own, or
/// rayon's, with `to_rayon` and the feature `rayon`.
///
/// # When it is cancelled
///
/// A thread cannot be stopped from outside. But it can look: in `f`,
/// [`current_cause`](pirn_core::current_cause) is `None` until the code that waits for `f` is
/// cancelled, for whatever reason, or dropped. What is done about that is up to `f`. Whether somebody
/// waits for it meanwhile is up to you:
///
/// | under a cancel | nobody has begun `f` | `f` is running |
/// |---|---|---|
/// | `to_thread(f)` | drops `f` unrun | lets go at once; `f` is told, and runs on |
/// | `shield(to_thread(f))` | runs `f`, which is told | waits for `f`, which is told, at most for the grace period |
/// | either, dropped | drops `f` unrun | lets go at once; `f` is told, and runs on |
///
/// So what `f` alone may use, a permit that bounds how many do such work, or a file, is moved *into*
/// it: outside, it would be given back while `f` still runs.
///
/// # Errors
///
/// [`JoinError::Panicked`] if `f` panicked; [`JoinError::Refused`] if the pool takes no more jobs;
/// [`JoinError::Cancelled`] if the pool was shut down before `f` started.
///
/// # Cancel safety
///
/// Dropping the future before `f` has started drops `f` unrun. Once started, `f` runs to its end; it
/// is told, its result is dropped, and a panic goes to the [hook](pirn_core::report::set_hook).
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
///
/// A closure that ends when nobody wants it any more, and is waited for:
///
/// ```
/// use pirn_core::{Cause, Scope, current_cause, shield, shim::block_on};
/// use pirn_io::to_thread;
///
/// let scope = Scope::detached();
/// let stopper = scope.clone();
/// let search = move || {
///     let mut tried = 0_u64;
///     while current_cause().is_none() {
///         tried += 1; // and so on, for ever
///         if tried == 1000 {
///             stopper.cancel(Cause::requested("enough")); // who searches elsewhere has found it
///         }
///     }
///     tried
/// };
/// let tried = block_on(scope.run(shield(to_thread(search))));
/// assert!(tried.unwrap().unwrap() >= 1000);
/// ```
#[track_caller]
pub fn to_thread<F, T>(f: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    ToThread::new(TaskMeta::here(), None, f).told()
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
    Unsent(Unsent<T>),
    Sent(Sent<T>),
    Ended,
}

struct Unsent<T> {
    meta: TaskMeta,
    /// The ambient one if it is absent.
    pool: Option<Shared<dyn Blocking>>,
    job: Job<T>,
    /// The job has a scope, and so learns of a cancel.
    told: bool,
}

struct Sent<T> {
    slot: Arc<Slot<T>>,
    scope: Option<Scope>,
}

/// What the future and the pool's thread share.
///
/// | state | meaning | arrows |
/// | --- | --- | --- |
/// | `Queued` | no thread has taken the job | `Ticket::start` → `Running`; `Ticket::drop` → `Done`; `ToThread::drop` → `Taken` |
/// | `Running` | a thread runs the job | `Ticket::finish` → `Done`; `ToThread::drop` → `Taken`, and cancels the job's scope |
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
    pub(crate) fn new<F>(meta: TaskMeta, pool: Option<Shared<dyn Blocking>>, f: F) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
    {
        ToThread(Stage::Unsent(Unsent {
            meta,
            pool,
            job: Box::new(f),
            told: false,
        }))
    }

    /// The job learns of a cancel. What never asks, as the system's operations, does without a scope.
    pub(crate) fn told(mut self) -> Self {
        if let Stage::Unsent(unsent) = &mut self.0 {
            unsent.told = true;
        }
        self
    }

    /// Hands the job to the pool now, before the first poll and whatever the budget.
    pub(crate) fn start(mut self) -> Result<Self, JoinError> {
        match mem::replace(&mut self.0, Stage::Ended) {
            Stage::Unsent(unsent) => {
                let sent = unsent.send(Waker::noop().clone());
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
}

impl<T: Send + 'static> Unsent<T> {
    fn send(self, waker: Waker) -> Result<Sent<T>, Refused<BoxJob>> {
        let slot = Arc::new(Slot(Mutex::new(State::Queued(self.job, waker))));
        let ticket = Ticket(Arc::clone(&slot));
        let locals = Locals::current();
        let scope = self.told.then(Scope::new);
        let (meta, inside) = (self.meta, scope.clone());
        let run: BoxJob = Box::new(move || {
            name_job(meta, inside.clone());
            locals.run(|| ticket.run(inside.as_ref()));
        });
        // In a simulation nothing runs on a thread, whichever pool was asked for.
        let pool = self.pool.filter(|_| context::system("thread").is_ok());
        match pool.map_or_else(context::blocking, Ok) {
            Ok(pool) => pool.submit(run)?,
            Err(_) => fallback().submit(run)?,
        }
        Ok(Sent { slot, scope })
    }
}

/// Calls `job` in `scope`, unless that is cancelled before.
///
/// Children and clean-ups that `job` leaves in its scope go to the scope around that.
fn call<T>(job: Job<T>, scope: Option<&Scope>) -> Result<Result<T, Payload>, Shared<Cause>> {
    let job = || catch_unwind(AssertUnwindSafe(job));
    let Some(scope) = scope else {
        return Ok(job());
    };
    let mut result = None;
    // It is all of a poll, but who blocks in `job` has nobody to give way to: hence `block_on`.
    let body = async { result = Some(block_on(async { job() })) };
    let mut cx = Context::from_waker(Waker::noop());
    let poll = || pin!(scope.run(body)).poll(&mut cx);
    let ended = catch_unwind(AssertUnwindSafe(poll));
    match (result, ended) {
        (Some(result), _) => Ok(result),
        (None, Ok(Poll::Ready(Err(cause)))) => Err(cause),
        // Of the destructor of `job`, which was not called.
        (None, Err(payload)) => Ok(Err(payload)),
        (None, Ok(_)) => unreachable!("a body that is polled is ready"),
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
    fn run(self, scope: Option<&Scope>) {
        if let Some(job) = self.start() {
            self.finish(match call(job, scope) {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(payload)) => Err(JoinError::Panicked(payload.into())),
                Err(cause) => Err(JoinError::Cancelled(cause)),
            });
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
            self.finish(Err(JoinError::Cancelled(Shared::new(Cause::new(
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
            Stage::Unsent(unsent) => {
                // A body that is cancelled starts nothing any more: the budget is frozen.
                if poll_spend(cx).is_pending() {
                    self.0 = Stage::Unsent(unsent);
                    return Poll::Pending;
                }
                match unsent.send(cx.waker().clone()) {
                    Ok(sent) => {
                        self.0 = Stage::Sent(sent);
                        Poll::Pending
                    }
                    Err(refused) => Poll::Ready(Err(JoinError::Refused(refused.reason()))),
                }
            }
            Stage::Sent(sent) => {
                if sent.slot.is_done() && poll_spend(cx).is_pending() {
                    self.0 = Stage::Sent(sent);
                    return Poll::Pending;
                }
                let polled = sent.slot.poll(cx);
                if polled.is_pending() {
                    self.0 = Stage::Sent(sent);
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
        if let Stage::Sent(Sent { slot, scope }) = &self.0 {
            let former = mem::replace(&mut *slot.0.lock(), State::Taken);
            if let (State::Running(_), Some(scope)) = (&former, scope) {
                let cause = Cause::new(Kind::Dropped, "nobody waits for the closure any more");
                scope.cancel(cause);
            }
            former.abandon();
        }
    }
}

impl<T> fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Unsent(_) => "ToThread(not started)",
            Stage::Sent(_) => "ToThread(waiting)",
            Stage::Ended => "ToThread(ended)",
        })
    }
}
