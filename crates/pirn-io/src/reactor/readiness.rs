//! Whether a source may be tried, and who waits until it may.
//!
//! One [`Readiness`] for each registered source, with one side for reading and one for writing.
//! The driver [delivers](Readiness::deliver) edges; a task asks, tries the system call, and takes
//! the readiness back when the system had nothing more.
//!
//! # States of a side
//!
//! | word | meaning | who sets | who clears |
//! | --- | --- | --- | --- |
//! | `ready` | a try may succeed | `new`, `deliver` | `exhausted`, `drained` |
//! | `closed` | the end, or an error, is waiting behind the data | `deliver` | nobody |
//! | `gone` | no more edges will ever come | `abandon` | nobody |
//! | `tick` | how many edges came | `deliver` | nobody |
//! | wakers | who is told of the next edge | `poll_ready` | `deliver`, `abandon`, `leave` |
//!
//! A waker is stored only while `ready` and `gone` are both false, under the same lock that
//! `deliver` takes, so no edge falls between the look and the registration.
//!
//! # Why an edge is never lost
//!
//! The danger is a task that finds nothing, an edge that comes now, and the task then clearing
//! the readiness that this very edge had set. So `poll_ready` gives a [`Tick`], the number of
//! edges so far, and the readiness is cleared only if that number still stands. An edge that came
//! before the try is seen by the try; one that came later has another number.

use pirn_core::shim::{Mutex, MutexGuard};
use pirn_core::wake::wake;
use std::mem;
use std::task::{Context, Poll, Waker};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To us: reads and accepts.
    Read,
    /// From us: writes and connects.
    Write,
}

/// What one event of the system says about a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Reading may give something now.
    pub read: bool,
    /// Behind what can be read lies the end or an error.
    pub read_closed: bool,
    /// Writing may take something now.
    pub write: bool,
    /// The next write fails.
    pub write_closed: bool,
}

/// The number of edges that had come when a side was found ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick(u64);

/// The reactor ended: there will be no more edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Who waits: the one poller of a `poll_x` function, or one of many futures.
#[derive(Debug, PartialEq, Eq)]
pub enum Waiter {
    /// The only one of its direction: each poll replaces the waker of the last.
    Poller,
    /// A future that has not waited yet.
    Fresh,
    /// A future that waits, by number. It must [leave](Readiness::leave) when dropped.
    Waiting(u64),
}

/// The readiness of one source.
pub struct Readiness {
    read: Mutex<Side>,
    write: Mutex<Side>,
}

struct Side {
    ready: bool,
    closed: bool,
    gone: bool,
    tick: u64,
    poller: Option<Waker>,
    waiters: Vec<(u64, Waker)>,
    next: u64,
}

impl Default for Readiness {
    fn default() -> Self {
        Readiness::new()
    }
}

impl Readiness {
    /// Ready both ways: whoever comes first tries first.
    pub fn new() -> Self {
        Readiness {
            read: Mutex::new(Side::new()),
            write: Mutex::new(Side::new()),
        }
    }

    fn side(&self, direction: Direction) -> MutexGuard<'_, Side> {
        match direction {
            Direction::Read => self.read.lock(),
            Direction::Write => self.write.lock(),
        }
    }

    /// Ready if a try may succeed; otherwise the task is woken by the next edge.
    pub fn poll_ready(
        &self,
        direction: Direction,
        waiter: &mut Waiter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Tick, Gone>> {
        match self.side(direction).look(waiter, cx.waker()) {
            Look::Ready(result) => return Poll::Ready(result),
            Look::Registered => return Poll::Pending,
            Look::Register => {}
        }
        // A waker's clone and drop are user code: both happen with the lock released.
        let waker = cx.waker().clone();
        let (answer, _former) = self.side(direction).register(waiter, waker);
        answer
    }

    /// The system had nothing: not ready until an edge that came after `tick`.
    pub fn exhausted(&self, direction: Direction, tick: Tick) {
        let mut side = self.side(direction);
        if side.tick == tick.0 {
            side.ready = false;
        }
    }

    /// The system gave or took less than was offered, so the next try would find nothing, unless
    /// the source is closed: then the next try finds the end, of which no edge tells again.
    pub fn drained(&self, direction: Direction, tick: Tick) {
        let mut side = self.side(direction);
        if side.tick == tick.0 && !side.closed {
            side.ready = false;
        }
    }

    /// Takes a future's waker back.
    pub fn leave(&self, direction: Direction, waiter: &mut Waiter) {
        if let Waiter::Waiting(number) = mem::replace(waiter, Waiter::Fresh) {
            let removed = self.side(direction).remove(number);
            drop(removed); // user code, after unlocking
        }
    }

    /// An event came: sets the readiness and wakes all who waited for it.
    pub fn deliver(&self, edges: Edges) {
        if edges.read {
            let woken = self.read.lock().edge(edges.read_closed);
            woken.wake();
        }
        if edges.write {
            let woken = self.write.lock().edge(edges.write_closed);
            woken.wake();
        }
    }

    /// No event will come any more: whoever waits is woken and told.
    pub fn abandon(&self) {
        for direction in [Direction::Read, Direction::Write] {
            let woken = self.side(direction).abandon();
            woken.wake();
        }
    }
}

/// What `Side::look` found.
enum Look {
    Ready(Result<Tick, Gone>),
    Registered,
    Register,
}

/// Wakers taken out under the lock, to be woken without it.
#[must_use]
struct Woken(Option<Waker>, Vec<(u64, Waker)>);

impl Woken {
    fn wake(self) {
        self.0
            .into_iter()
            .chain(self.1.into_iter().map(|(_, waker)| waker))
            .for_each(wake);
    }
}

impl Side {
    fn new() -> Self {
        Side {
            ready: true,
            closed: false,
            gone: false,
            tick: 0,
            poller: None,
            waiters: Vec::new(),
            next: 0,
        }
    }

    fn answer(&self) -> Option<Result<Tick, Gone>> {
        match (self.ready, self.gone) {
            (true, _) => Some(Ok(Tick(self.tick))),
            (false, true) => Some(Err(Gone)),
            (false, false) => None,
        }
    }

    fn stored(&mut self, waiter: &Waiter) -> Option<&mut Waker> {
        match waiter {
            Waiter::Poller => self.poller.as_mut(),
            Waiter::Fresh => None,
            Waiter::Waiting(number) => self
                .waiters
                .iter_mut()
                .find_map(|(each, waker)| (each == number).then_some(waker)),
        }
    }

    fn look(&mut self, waiter: &Waiter, waker: &Waker) -> Look {
        if let Some(result) = self.answer() {
            return Look::Ready(result);
        }
        match self.stored(waiter) {
            Some(stored) if stored.will_wake(waker) => Look::Registered,
            _ => Look::Register,
        }
    }

    /// Stores the waker if there is still nothing. What comes back is dropped after unlocking: the
    /// former waker, or `waker` itself.
    fn register(
        &mut self,
        waiter: &mut Waiter,
        waker: Waker,
    ) -> (Poll<Result<Tick, Gone>>, Option<Waker>) {
        if let Some(result) = self.answer() {
            return (Poll::Ready(result), Some(waker));
        }
        if let Some(stored) = self.stored(waiter) {
            return (Poll::Pending, Some(mem::replace(stored, waker)));
        }
        match waiter {
            Waiter::Poller => self.poller = Some(waker),
            Waiter::Fresh | Waiter::Waiting(_) => {
                *waiter = Waiter::Waiting(self.next);
                self.waiters.push((self.next, waker));
                self.next += 1;
            }
        }
        (Poll::Pending, None)
    }

    fn remove(&mut self, number: u64) -> Option<Waker> {
        let at = self.waiters.iter().position(|(each, _)| *each == number)?;
        Some(self.waiters.remove(at).1)
    }

    fn edge(&mut self, closed: bool) -> Woken {
        self.ready = true;
        self.closed |= closed;
        self.tick += 1;
        self.take_wakers()
    }

    fn abandon(&mut self) -> Woken {
        self.gone = true;
        self.take_wakers()
    }

    fn take_wakers(&mut self) -> Woken {
        Woken(self.poller.take(), mem::take(&mut self.waiters))
    }
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |side: MutexGuard<'_, Side>| (side.ready, side.closed, side.gone, side.tick);
        f.debug_struct("Readiness")
            .field("read", &of(self.read.lock()))
            .field("write", &of(self.write.lock()))
            .finish()
    }
}
