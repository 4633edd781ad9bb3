//! The virtual clock, and the driver that lets it jump.

use crate::blocking::Late;
use crate::book::Book;
use crate::event::{By, What, Who};
use crate::jitter::Jitter;
use crate::random::Random;
use pirn_core::budget::inspect;
use pirn_core::shim::{Arc, Condvar, Mutex};
use pirn_core::wake::{discard, wake};
use pirn_core::{Instant, Park, ParkError, TaskMeta, Unpark, Until};
use pirn_executor::{Ended, Hooks, TaskId};
use pirn_timer::TimeSource;
use std::fmt;
use std::mem;
use std::task::{Wake, Waker};
use std::time::Duration;

/// What the clock, the driver, the holds and the hooks share.
#[derive(Default)]
pub(crate) struct World {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    now: Instant,
    /// Up to where the clock jumps by itself: for ever, unless it is paused.
    limit: Instant,
    /// For how long of real time nothing must have happened before it jumps.
    threshold: Duration,
    /// The sticky token of `unpark`.
    unparked: bool,
    holds: usize,
    /// The main future has ended.
    over: bool,
    /// Holds are not heeded any more.
    failed: bool,
    deadlocked: bool,
    /// When somebody was polled last.
    active: Instant,
    /// Those who wait until all others are blocked, and have been for so long.
    blocked: Vec<Blocked>,
    /// How many there were.
    tickets: u64,
    random: Random,
    /// Of what polls may spend, where a seed says so.
    rations: Option<Random>,
    /// By how much timers are late, where that was asked for.
    jitter: Option<Jitter>,
    book: Book,
}

struct Blocked {
    ticket: u64,
    cushion: Duration,
    waker: Waker,
}

impl Default for State {
    fn default() -> Self {
        State {
            now: Instant::EPOCH,
            limit: Instant::NEVER,
            threshold: Duration::ZERO,
            unparked: false,
            holds: 0,
            over: false,
            failed: false,
            deadlocked: false,
            active: Instant::EPOCH,
            blocked: Vec::new(),
            tickets: 0,
            random: Random::new(0),
            rations: None,
            jitter: None,
            book: Book::default(),
        }
    }
}

impl World {
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.state.lock().holds += 1;
        Hold {
            world: Arc::clone(self),
        }
    }

    /// True once the driver found nothing to wait for.
    pub(crate) fn is_deadlocked(&self) -> bool {
        self.state.lock().deadlocked
    }

    pub(crate) fn set_threshold(&self, threshold: Duration) {
        self.state.lock().threshold = threshold;
    }

    /// The run has failed: nothing outside is waited for any more.
    pub(crate) fn fail(&self) {
        let mut state = self.state.lock();
        state.failed = true;
        state.threshold = Duration::ZERO;
    }

    /// The main future has ended, or never will: the clock jumps until all others have.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.over = true;
        state.limit = Instant::NEVER;
    }

    /// Stops the clock where it is, unless the run is at its end.
    pub(crate) fn pause(&self) {
        let mut state = self.state.lock();
        if !state.over {
            state.limit = state.now;
        }
    }

    /// Lets it jump.
    pub(crate) fn resume(&self) {
        self.state.lock().limit = Instant::NEVER;
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.lock().limit != Instant::NEVER
    }

    /// Lets a clock that is paused go on for so long. The time at which it stops.
    pub(crate) fn allow(&self, duration: Duration) -> Instant {
        let mut state = self.state.lock();
        let until = state.now + duration;
        state.limit = state.limit.max(until);
        until
    }

    pub(crate) fn now(&self) -> Instant {
        self.state.lock().now
    }

    /// Has `waker` woken once all others have been blocked for so long. A number for it.
    pub(crate) fn wait_blocked(&self, cushion: Duration, waker: Waker) -> u64 {
        let mut state = self.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.blocked.push(Blocked {
            ticket,
            cushion,
            waker,
        });
        ticket
    }

    /// True if it was not woken yet; `waker` will be.
    pub(crate) fn still_waits_blocked(&self, ticket: u64, mut waker: Waker) -> bool {
        let mut state = self.state.lock();
        let own = state.blocked.iter_mut().find(|each| each.ticket == ticket);
        let waits = own.is_some();
        if let Some(own) = own {
            mem::swap(&mut own.waker, &mut waker);
        }
        drop(state);
        discard(waker);
        waits
    }

    pub(crate) fn forget_blocked(&self, ticket: u64) {
        let mut state = self.state.lock();
        let own = state.blocked.iter().position(|each| each.ticket == ticket);
        let own = own.map(|at| state.blocked.remove(at));
        drop(state);
        discard(own.map(|own| own.waker));
    }

    pub(crate) fn seed(&self, seed: u64) {
        self.state.lock().random = Random::new(seed);
    }

    /// Ends polls where the budget allows, by this seed.
    pub(crate) fn seed_rations(&self, seed: u64) {
        self.state.lock().rations = Some(Random::new(seed));
    }

    pub(crate) fn set_jitter(&self, jitter: Jitter) {
        self.state.lock().jitter = Some(jitter);
    }

    /// When a timer for `at` fires.
    pub(crate) fn late(&self, at: Instant) -> Instant {
        let mut state = self.state.lock();
        state.jitter.as_mut().map_or(at, |jitter| jitter.late(at))
    }

    pub(crate) fn random(&self) -> u64 {
        self.state.lock().random.next()
    }

    pub(crate) fn random_below(&self, bound: u64) -> u64 {
        self.state.lock().random.below(bound)
    }

    pub(crate) fn with_book<R>(&self, f: impl FnOnce(&mut Book) -> R) -> R {
        f(&mut self.state.lock().book)
    }

    /// As [`with_book`](Self::with_book), with the present.
    pub(crate) fn tell<R>(&self, f: impl FnOnce(&mut Book, Instant) -> R) -> R {
        let mut state = self.state.lock();
        let now = state.now;
        f(&mut state.book, now)
    }

    pub(crate) fn record(&self, who: Who, what: What) {
        self.tell(|book, now| book.record(now, who, what));
    }

    pub(crate) fn polling(&self, who: Who) {
        let mut state = self.state.lock();
        let now = state.now;
        state.active = now;
        state.book.polling(now, who);
        let ration = state.rations.as_mut().map(ration);
        drop(state);
        ration.flatten().into_iter().for_each(inspect::ration);
    }

    pub(crate) fn polled(&self, who: Who) {
        let notes = inspect::is_on().then(inspect::take);
        self.tell(|book, now| book.polled(now, who, notes));
    }
}

/// How much a poll may spend: every other one so little that it ends at one of its first awaits, though
/// that had nothing to wait for. There others come to their turn on a runtime with threads.
fn ration(random: &mut Random) -> Option<u32> {
    let little = random.below(8);
    (little < 4).then_some(little as u32)
}

/// Tells the world what an executor tells.
pub(crate) struct Watch(pub(crate) Arc<World>);

impl Watch {
    fn who(&self, id: TaskId) -> Option<Who> {
        self.0.with_book(|book| book.who(id))
    }
}

impl Hooks for Watch {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        self.0.tell(|book, now| book.spawned(now, id, meta));
    }

    fn polling(&self, id: TaskId) {
        if let Some(who) = self.who(id) {
            self.0.polling(who);
        }
    }

    fn polled(&self, id: TaskId) {
        if let Some(who) = self.who(id) {
            self.0.polled(who);
        }
    }

    fn woken(&self, id: TaskId) {
        if let Some(who) = self.who(id) {
            self.0.tell(|book, now| book.woken(now, who));
        }
    }

    fn ended(&self, id: TaskId, how: Ended) {
        self.0.tell(|book, now| book.ended(now, id, how));
    }
}

/// The waker of the main future, which is no task that an executor tells of.
pub(crate) struct MainWaker {
    pub(crate) world: Arc<World>,
    pub(crate) inner: Waker,
}

impl Wake for MainWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.world.tell(|book, now| book.woken(now, Who::Main));
        self.inner.wake_by_ref();
    }
}

/// The virtual time.
pub(crate) struct VirtualTime(pub(crate) Arc<World>);

impl TimeSource for VirtualTime {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn slack(&self) -> Duration {
        Duration::ZERO
    }
}

/// The outermost driver: what is woken in it, the clock has woken. Jobs that are late run before the
/// clock moves.
pub(crate) struct WatchedPark<P> {
    pub(crate) inner: P,
    pub(crate) world: Arc<World>,
    pub(crate) late: Arc<Late>,
}

impl<P: Park> Park for WatchedPark<P> {
    type Unpark = P::Unpark;

    fn unparker(&self) -> P::Unpark {
        self.inner.unparker()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let until = match self.late.run(&self.world) {
            true => Until::Now,
            false => until,
        };
        self.world.with_book(|book| book.set_outside(By::Clock));
        let parked = self.inner.park(until);
        self.world.with_book(|book| book.set_outside(By::Outside));
        parked
    }
}

/// The innermost driver: instead of sleeping until an instant, makes it now.
///
/// | asked for | unparked | a hold lives, or idle for less than the threshold | else |
/// |---|---|---|---|
/// | `Now` | returns | returns | returns |
/// | `At` | returns | waits for real | jumps; paused before that: deadlock |
/// | `Woken` | returns | waits for real | deadlock: an error |
///
/// Before it jumps beyond the time at which all have been blocked for long enough for those who
/// [wait for that](World::wait_blocked), it wakes them.
pub(crate) struct JumpPark(pub(crate) Arc<World>);

impl Park for JumpPark {
    type Unpark = JumpUnpark;

    fn unparker(&self) -> JumpUnpark {
        JumpUnpark(Arc::clone(&self.0))
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let at = match until {
            Until::Now => return Ok(()),
            Until::At(at) => at,
            Until::Woken => Instant::NEVER,
        };
        let mut state = self.0.state.lock();
        let mut idle_since = None;
        loop {
            if mem::take(&mut state.unparked) {
                return Ok(());
            }
            if state.holds > 0 && !state.failed {
                state = self.0.changed.wait(state);
                continue;
            }
            if state.threshold.is_zero() {
                break;
            }
            let since = *idle_since.get_or_insert_with(std::time::Instant::now);
            let left = state.threshold.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.0.changed.wait_timeout(state, left);
        }
        match state.idle(at) {
            Idle::Jump => Ok(()),
            Idle::Blocked(wakers) => {
                drop(state);
                wakers.into_iter().for_each(wake);
                Ok(())
            }
            Idle::Deadlock(why) => {
                state.deadlocked = true;
                Err(ParkError::new("virtual clock", why))
            }
        }
    }
}

/// What is done where nothing is.
enum Idle {
    Jump,
    Blocked(Vec<Waker>),
    Deadlock(&'static str),
}

impl State {
    /// Nobody can go on before `at`.
    fn idle(&mut self, at: Instant) -> Idle {
        let least = self.blocked.iter().map(|each| each.cushion).min();
        if let Some(least) = least.filter(|least| self.active + *least <= at.min(self.limit)) {
            self.now = self.now.max(self.active + least);
            let all = mem::take(&mut self.blocked).into_iter();
            let (first, rest): (Vec<_>, _) = all.partition(|each| each.cushion == least);
            self.blocked = rest;
            return Idle::Blocked(first.into_iter().map(|each| each.waker).collect());
        }
        if at <= self.limit && at != Instant::NEVER {
            self.now = self.now.max(at);
            return Idle::Jump;
        }
        Idle::Deadlock(match self.limit {
            Instant::NEVER => "nothing is ready and no timer is left",
            _ => "nothing is ready and the clock is paused",
        })
    }
}

/// Ends the wait of a [`JumpPark`].
#[derive(Clone)]
pub(crate) struct JumpUnpark(Arc<World>);

impl Unpark for JumpUnpark {
    fn unpark(&self) {
        self.0.state.lock().unparked = true;
        self.0.changed.notify_one();
    }
}

/// Sleeps not at all: for a run that ends with its first poll.
pub(crate) struct Awake;

#[derive(Clone)]
pub(crate) struct Nothing;

impl Unpark for Nothing {
    fn unpark(&self) {}
}

impl Park for Awake {
    type Unpark = Nothing;

    fn unparker(&self) -> Nothing {
        Nothing
    }

    fn park(&mut self, _: Until) -> Result<(), ParkError> {
        Ok(())
    }
}

/// Keeps the virtual clock from jumping while it lives: for work outside the simulation.
///
/// Made by [`Sim::hold`](crate::Sim::hold) and [`hold`](crate::hold). While one lives, a run that has
/// nothing to do waits for real, until it is woken or the last hold is dropped.
///
/// # Examples
///
/// ```
/// use pirn_sim::Sim;
///
/// let sim = Sim::new();
/// let hold = sim.hold();
/// let (sender, receiver) = futures::channel::oneshot::channel();
/// let worker = std::thread::spawn(move || {
///     sender.send(7).unwrap();
///     drop(hold);
/// });
/// // Without the hold this might be taken for a deadlock.
/// assert_eq!(sim.run(receiver), Ok(7));
/// worker.join().unwrap();
/// ```
pub struct Hold {
    world: Arc<World>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.world.state.lock().holds -= 1;
        self.world.changed.notify_one();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
