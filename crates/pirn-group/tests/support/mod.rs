//! What the group tests share: an executor that is driven by hand, and a log.

#![allow(dead_code, reason = "each test binary uses its part")]

use pirn_core::report::{Report, set_hook};
use pirn_core::{BoxTask, LocalBoxTask, Refused, Spawn, SpawnLocal, TaskMeta};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

/// An executor that is driven by hand: polls what was woken, in order; can refuse and lose.
pub(crate) struct Driven<B>(Arc<Inner<B>>);

pub(crate) type Hand = Driven<BoxTask>;
/// One whose tasks need not be `Send`.
pub(crate) type LocalHand = Driven<LocalBoxTask>;

struct Inner<B> {
    tasks: Mutex<Vec<Task<B>>>,
    refuses: AtomicBool,
}

struct Task<B> {
    future: B,
    woken: Arc<Flag>,
}

impl<B> Clone for Driven<B> {
    fn clone(&self) -> Self {
        Driven(Arc::clone(&self.0))
    }
}

impl<B> Default for Driven<B> {
    fn default() -> Self {
        Driven(Arc::new(Inner {
            tasks: Mutex::default(),
            refuses: AtomicBool::new(false),
        }))
    }
}

pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        (Arc::clone(&flag), flag.into())
    }

    /// True if it was woken since the last call.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl Spawn for Hand {
    fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.put(f, |f| Box::pin(f))
    }
}

impl SpawnLocal for LocalHand {
    fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        self.put(f, |f| Box::pin(f))
    }
}

impl<B: Future<Output = ()> + Unpin> Driven<B> {
    fn put<F>(&self, f: F, boxed: impl FnOnce(F) -> B) -> Result<(), Refused<F>> {
        if self.0.refuses.load(SeqCst) {
            return Err(Refused::new("the hand is full", f));
        }
        self.0.tasks.lock().unwrap().push(Task {
            future: boxed(f),
            woken: Arc::new(Flag(AtomicBool::new(true))),
        });
        Ok(())
    }

    /// Takes no more tasks.
    pub(crate) fn refuse(&self) {
        self.0.refuses.store(true, SeqCst);
    }

    pub(crate) fn held(&self) -> usize {
        self.0.tasks.lock().unwrap().len()
    }

    /// Polls each task that was woken, once. True if there was one.
    pub(crate) fn turn(&self) -> bool {
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap());
        let mut any = false;
        let mut rest = Vec::new();
        for mut task in tasks {
            if task.woken.take() {
                any = true;
                let waker = Waker::from(Arc::clone(&task.woken));
                let mut cx = Context::from_waker(&waker);
                if Pin::new(&mut task.future).poll(&mut cx).is_ready() {
                    continue;
                }
            }
            rest.push(task);
        }
        let mut tasks = self.0.tasks.lock().unwrap();
        rest.append(&mut tasks);
        *tasks = rest;
        any
    }

    /// Polls until nobody is woken.
    pub(crate) fn settle(&self) {
        while self.turn() {}
    }

    /// Drops a task.
    pub(crate) fn lose(&self, index: usize) {
        let task = self.0.tasks.lock().unwrap().remove(index);
        drop(task);
    }

    /// Runs the tasks and `future` until nobody is woken; its output, if it has ended.
    pub(crate) fn run<F: Future + ?Sized>(&self, mut future: Pin<&mut F>) -> Poll<F::Output> {
        let (woken, waker) = Flag::new();
        woken.0.store(true, SeqCst);
        loop {
            if woken.take() {
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                if polled.is_ready() {
                    return polled;
                }
            }
            if !self.turn() && !woken.0.load(SeqCst) {
                return Poll::Pending;
            }
        }
    }

    /// As `run`, for what must end.
    pub(crate) fn finish<F: Future>(&self, future: F) -> F::Output {
        match self.run(std::pin::pin!(future)) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits for something that will not come"),
        }
    }
}

/// Polls as long as it is woken.
pub(crate) fn run<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    Hand::default().run(future)
}

/// As `run`, for what must end.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    Hand::default().finish(future)
}

/// Polls a future once inside a body; it must be pending.
pub(crate) async fn poll_inside<F: Future>(mut future: Pin<&mut F>) {
    let pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
}

/// Polls once with a waker of no interest.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the other tasks have a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A log of what happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Says so when it is dropped.
    pub(crate) fn on_drop(&self, what: &'static str) -> OnDrop {
        OnDrop(self.clone(), what)
    }
}

pub(crate) struct OnDrop(Log, &'static str);

impl OnDrop {
    /// So that a future owns it.
    pub(crate) fn is_there(&self) {}
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Panics as it is dropped, with this.
pub(crate) struct Bomb(pub(crate) &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Open or shut.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(AtomicUsize, Mutex<Vec<Waker>>)>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.store(1, SeqCst);
        let wakers = std::mem::take(&mut *self.0.1.lock().unwrap());
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn shut(&self) {
        self.0.0.store(0, SeqCst);
    }

    pub(crate) fn passed(&self) -> impl Future<Output = ()> + Send + use<> {
        let gate = Arc::clone(&self.0);
        poll_fn(move |cx| {
            let mut wakers = gate.1.lock().unwrap();
            if gate.0.load(SeqCst) == 1 {
                return Poll::Ready(());
            }
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// What was reported on this thread, taken out.
pub(crate) fn reports() -> Vec<String> {
    static SEEN: Mutex<Option<HashMap<ThreadId, Vec<String>>>> = Mutex::new(None);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Some(Arc::new(|report: &Report| {
            let mut seen = SEEN.lock().unwrap();
            let of_thread = seen
                .get_or_insert_default()
                .entry(thread::current().id())
                .or_default();
            of_thread.push(report.to_string());
        })));
    });
    let mut seen = SEEN.lock().unwrap();
    seen.get_or_insert_default()
        .remove(&thread::current().id())
        .unwrap_or_default()
}
