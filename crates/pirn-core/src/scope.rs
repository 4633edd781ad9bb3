//! The cancel context: a tree of scopes.
//!
//! # How it works
//!
//! A [`Scope`] is a node. Its parent is a strong reference, its children are weak ones that remove
//! themselves; each node has a lock of its own and no two are ever held at once. Three things
//! happen to it:
//!
//! - **Cancel** goes from a node to its descendants, without recursion, and stops at shields. Each
//!   node keeps its *own* cause and the one *inherited* from the outermost ancestor that was
//!   cancelled; the outermost wins. It stays: the request is a level, not an edge.
//! - **Children** are counted ([`Scope::enter`]): whoever runs the scope's body waits until the
//!   count is zero.
//! - **Clean-ups** are handed over ([`Scope::hand_over`]): whoever runs the body polls them.
//!
//! The one who runs the body is the scope's *run*, a [`Scoped`] or [`Rooted`] future. `signal` is
//! how it looks for news without the lock: every change that concerns it moves the counter, under
//! the lock, and takes its waker out to be woken after unlocking. So a run that finds the counter
//! where it was knows that its waker is still registered.
//!
//! # States of the run, per node
//!
//! | `Post` | meaning | set by |
//! |---|---|---|
//! | `Vacant` | nobody runs the body yet | [`Scope::new`] and its kin |
//! | `Kept` | somebody polls the body, the clean-ups and waits for the children | `claim`; at birth for a task's, made when it is first asked for |
//! | `Ended` | the run has ended or was dropped; what comes now goes to an ancestor that is `Kept` | `try_end`, `abandon` |

mod branch;
mod current;
mod deferred;
mod limited;
mod region;
mod run;
mod slots;

pub use branch::{Branch, BranchEnd};
pub use current::{current_cause, current_deadline};
pub use deferred::{Deferred, defer};
pub use limited::Limited;
pub use region::{finally, finally_in_place, shield, with_resource};
pub use run::{Rooted, Scoped};

pub(crate) use region::Regions;

use crate::budget;
use crate::clock::Instant;
use crate::context::{self, Frame, Plan};
use crate::error::{Cause, Kind, Missing};
use crate::report::{Report, report};
use crate::shim::atomic::{AtomicU32, Ordering};
use crate::shim::{Mutex, MutexGuard};
use crate::wake::{WakeBatch, discard, wake};
use slots::Slots;
use std::boxed::Box;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::vec::Vec;
// std's counter, not the shim's: loom has no `Weak`. What the models explore is the lock and the
// signal.
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// How long clean-up may take after a cancel before it is dropped and reported.
///
/// # Examples
///
/// ```
/// use pirn_core::{Grace, Scope};
/// use std::time::Duration;
///
/// let scope = Scope::detached();
/// assert_eq!(scope.grace(), Some(Grace::DEFAULT));
/// scope.set_grace(Grace::After(Duration::from_secs(1)));
/// assert_eq!(scope.child().grace(), Some(Duration::from_secs(1)));
/// scope.set_grace(Grace::Unlimited);
/// assert_eq!(scope.grace(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grace {
    /// As the scope around; [`Grace::DEFAULT`] where there is none.
    #[default]
    Inherit,
    /// This long after the run saw the cancel. Needs a clock: where there is none, clean-up takes as
    /// long as it takes, which is [reported](crate::report) if a scope said this, and nobody is told
    /// of for [`Grace::DEFAULT`].
    After(Duration),
    /// As long as it takes.
    Unlimited,
}

impl Grace {
    /// What holds where nobody has said anything else.
    pub const DEFAULT: Duration = Duration::from_secs(10);
}

/// A place that can be cancelled: a body, the children that were spawned in it, and their
/// clean-up.
///
/// One type stands under task groups, timeouts and cancel tokens. Clones are the same scope. A
/// scope is cancelled when it, or a scope around it up to the nearest shield, was cancelled.
/// Dropping the last handle cancels nothing.
///
/// Most programs use a task group or a timeout, and never name this type.
///
/// # Examples
///
/// ```
/// use pirn_core::{Cause, Kind, Scope};
///
/// let outer = Scope::detached();
/// let inner = outer.child();
/// assert!(outer.cancel(Cause::requested("enough")));
/// assert!(!outer.cancel(Cause::requested("again"))); // the first cause stays
/// assert_eq!(inner.cause().unwrap().text(), "enough");
/// ```
#[derive(Clone)]
pub struct Scope(Arc<Node>);

struct Node {
    parent: Option<Scope>,
    /// This node's slot among the parent's children.
    key: usize,
    /// Distance from the root; of two causes the one from the smaller depth wins.
    depth: u32,
    /// Cancels and deadlines from above stop here.
    shield: bool,
    /// Bit 0: cancelled. The rest counts changes. Written under `state`'s lock.
    signal: AtomicU32,
    state: Mutex<State>,
}

const CANCELLED: u32 = 1;
const CHANGE: u32 = 2;

struct State {
    own: Option<Arc<Cause>>,
    inherited: Option<(u32, Arc<Cause>)>,
    deadline: Instant,
    deadline_set_at: &'static Location<'static>,
    grace: Grace,
    children: Slots<Weak<Node>>,
    post: Post,
    /// The run dropped its body although regions in it were under way: the grace was over.
    cut_off: bool,
    /// The run's waker. Taken out by whoever moves the signal.
    run_waker: Option<Waker>,
    /// Wakers of [`Cancelled`] futures and held regions. Taken out by a cancel.
    watchers: Slots<Option<Waker>>,
    /// Cancels that are still waking the watchers; the run is told as each ends.
    waking: usize,
    live: usize,
    /// Keeps an ancestor waiting for our children, after our own run was dropped.
    kept_by: Option<ChildGuard>,
    cleanups: Vec<Cleanup>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Post {
    Vacant,
    Kept,
    Ended,
}

/// A clean-up that was handed over to a scope.
pub type Cleanup = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Scope {
    /// A child of the scope that is running here; without one, of the runtime's reaper; without a
    /// runtime, a root.
    #[must_use]
    pub fn new() -> Scope {
        Scope::child_of(Scope::current().as_ref())
    }

    /// A child of `parent`; without one, of the runtime's reaper; without a runtime, a root.
    #[must_use]
    pub fn child_of(parent: Option<&Scope>) -> Scope {
        Scope::make(
            parent.cloned().or_else(context::reaper),
            false,
            Post::Vacant,
        )
    }

    /// A root, whatever runs here.
    #[must_use]
    pub fn detached() -> Scope {
        Scope::make(None, false, Post::Vacant)
    }

    /// A child of this scope.
    #[must_use]
    pub fn child(&self) -> Scope {
        Scope::make(Some(self.clone()), false, Post::Vacant)
    }

    /// A child that cancels and deadlines from above do not reach.
    ///
    /// Its run all the same ends with the body around it: what is to go on in a cancelled body, for its
    /// own sake, goes into a [`shield`].
    #[must_use]
    pub fn shielded_child(&self) -> Scope {
        Scope::make(Some(self.clone()), true, Post::Vacant)
    }

    /// The scope that the calling code runs in. `None` outside every scope and every task of ours.
    #[must_use]
    pub fn current() -> Option<Scope> {
        Frame::current()
    }

    /// The scope that this one was made in. Its cancels reach this one, unless there is a shield.
    #[must_use]
    pub fn parent(&self) -> Option<&Scope> {
        self.0.parent.as_ref()
    }

    /// The scope of a task, which waits for what its body leaves.
    pub(crate) fn of_task() -> Scope {
        Scope::make(context::reaper(), false, Post::Kept)
    }

    /// True if both are handles of one scope.
    pub(crate) fn is_same(&self, other: &Scope) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The scope of a branch that has begun before it was needed.
    pub(crate) fn of_branch(around: Option<Scope>) -> Scope {
        Scope::make(around.or_else(context::reaper), false, Post::Kept)
    }

    /// The scope of a run that has begun before it was needed.
    pub(crate) fn planned(around: Option<Scope>, plan: Plan) -> Scope {
        Scope::make_with(around, false, Post::Kept, plan)
    }

    fn make(parent: Option<Scope>, shield: bool, post: Post) -> Scope {
        let plan = Plan {
            deadline: Instant::NEVER,
            set_at: Location::caller(),
        };
        Scope::make_with(parent, shield, post, plan)
    }

    fn make_with(parent: Option<Scope>, shield: bool, post: Post, plan: Plan) -> Scope {
        let node = |parent: Option<Scope>, key, depth, inherited: Option<(u32, Arc<Cause>)>| Node {
            parent,
            key,
            depth,
            shield,
            signal: AtomicU32::new(if inherited.is_some() { CANCELLED } else { 0 }),
            state: Mutex::new(State {
                own: None,
                inherited,
                deadline: plan.deadline,
                deadline_set_at: plan.set_at,
                grace: Grace::Inherit,
                children: Slots::new(),
                post,
                cut_off: false,
                run_waker: None,
                watchers: Slots::new(),
                waking: 0,
                live: 0,
                kept_by: None,
                cleanups: Vec::new(),
            }),
        };
        let Some(parent) = parent else {
            return Scope(Arc::new(node(None, 0, 0, None)));
        };
        // The child is made under the parent's lock, so that a cancel of the parent finds it among
        // the children or was seen here.
        let mut above = parent.0.state.lock();
        let inherited = if shield {
            None
        } else {
            above.passed_on(parent.0.depth)
        };
        let key = above.children.next_key();
        let depth = parent.0.depth + 1;
        let child = Arc::new(node(Some(parent.clone()), key, depth, inherited));
        above.children.insert(Arc::downgrade(&child));
        drop(above);
        Scope(child)
    }

    /// Asks the scope and everything in it to end, for `cause`.
    ///
    /// Returns true if this was the first cause; a scope that is cancelled keeps the cause it has.
    /// Bodies are dropped when they are polled next, clean-up runs after that. Panics of foreign
    /// wakers go to the [hook](crate::report::set_hook).
    pub fn cancel(&self, cause: Cause) -> bool {
        let cause = Arc::new(cause);
        self.cancel_locked(self.0.state.lock(), cause)
    }

    fn cancel_locked(&self, mut state: MutexGuard<'_, State>, cause: Arc<Cause>) -> bool {
        if state.own.is_some() {
            drop(state);
            return false;
        }
        let first = state.inherited.is_none();
        state.own = Some(Arc::clone(&cause));
        let below = match first {
            true => state.children.iter().cloned().collect(),
            false => Vec::new(),
        };
        self.0.publish(state, CANCELLED);
        pass_down(below, self.0.depth, &cause);
        first
    }

    /// A cancel that comes from around the scope's run, not from above the scope: it is further out
    /// than all that is above.
    fn inherit(&self, cause: &Arc<Cause>) {
        let mut state = self.0.state.lock();
        if !state.inherit(0, cause) {
            return;
        }
        let below = state.children.iter().cloned().collect();
        self.0.publish(state, CANCELLED);
        pass_down(below, 0, cause);
    }

    /// Why the scope is cancelled, if it is. Of several causes, the outermost.
    #[must_use]
    pub fn cause(&self) -> Option<Arc<Cause>> {
        if !self.is_cancelled() {
            return None;
        }
        self.0.state.lock().cause()
    }

    /// Why this scope itself was cancelled, not one around it; the first cause stays.
    #[must_use]
    pub fn own_cause(&self) -> Option<Arc<Cause>> {
        self.0.state.lock().own.clone()
    }

    /// True once the scope was cancelled. A deadline cancels it when its run is polled; see
    /// [`is_over`](Self::is_over).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        // Ordering: Acquire, pairs with the Release in `publish`; what the one who cancelled wrote
        // before is visible to the one who sees it.
        self.0.signal.load(Ordering::Acquire) & CANCELLED != 0
    }

    /// True if the scope was cancelled, or is now, because a deadline in [force](Self::deadline) has
    /// passed. A scope whose run has ended in time stays what it is, however late it gets.
    ///
    /// For who computes for a long time between two awaits: a run looks at its deadline only when it
    /// is polled.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Scope};
    ///
    /// let scope = Scope::detached();
    /// let mut turns = 0;
    /// while !scope.is_over() {
    ///     turns += 1;
    ///     if turns == 3 {
    ///         scope.cancel(Cause::requested("enough"));
    ///     }
    /// }
    /// assert_eq!(turns, 3);
    /// ```
    #[must_use]
    pub fn is_over(&self) -> bool {
        if !self.is_cancelled() && self.deadline() != Instant::NEVER {
            let now = context::clock().map_or(Instant::EPOCH, |clock| clock.now());
            self.expire(now);
        }
        self.is_cancelled()
    }

    /// True if the body that is polled here is cancelled, and must not go on, its time being over
    /// included: a combinator that has nothing to return but [stalled](BranchEnd::Stalled) ends stays
    /// pending.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::Scope;
    ///
    /// assert!(!Scope::must_stay()); // nobody polls anything here
    /// let scope = Scope::detached();
    /// scope.cancel(pirn_core::Cause::requested("enough"));
    /// assert!(scope.inside(Scope::must_stay));
    /// ```
    #[must_use]
    pub fn must_stay() -> bool {
        budget::is_frozen() || Scope::current().is_some_and(|scope| scope.is_over())
    }

    /// Waits until the scope is cancelled, and returns why.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up the wait; nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Scope, shim::block_on};
    ///
    /// let scope = Scope::detached();
    /// scope.cancel(Cause::requested("stop"));
    /// assert_eq!(block_on(scope.cancelled()).text(), "stop");
    /// ```
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled {
            scope: self,
            watch: Watch::new(),
        }
    }

    /// Sets when the scope cancels itself; [`Instant::NEVER`] takes it back.
    ///
    /// The deadline is kept by the scope's [run](Self::run). A deadline that has passed lets the
    /// body be polled once more: a value that is ready wins.
    ///
    /// # Errors
    ///
    /// [`Missing`] if there is no clock here, neither a runtime's nor a fallback; the former
    /// deadline then stays.
    #[track_caller]
    pub fn set_deadline(&self, at: Instant) -> Result<(), Missing> {
        if at != Instant::NEVER && !context::has_clock() {
            context::clock()?;
        }
        self.set_deadline_locked(self.0.state.lock(), at);
        Ok(())
    }

    /// As [`set_deadline`](Self::set_deadline), unless that comes too late. Returns false, and nothing
    /// has changed, if the scope was cancelled, or its run has ended.
    ///
    /// # Errors
    ///
    /// As [`set_deadline`](Self::set_deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Instant, Scope, shim::block_on};
    ///
    /// let scope = Scope::detached();
    /// assert!(scope.move_deadline(Instant::NEVER)?);
    /// assert_eq!(block_on(scope.run(async { 5 })).unwrap(), 5);
    /// assert!(!scope.move_deadline(Instant::NEVER)?);
    /// # Ok::<(), pirn_core::Missing>(())
    /// ```
    #[track_caller]
    pub fn move_deadline(&self, at: Instant) -> Result<bool, Missing> {
        if at != Instant::NEVER && !context::has_clock() {
            context::clock()?;
        }
        let state = self.0.state.lock();
        if state.post == Post::Ended || state.own.is_some() || state.inherited.is_some() {
            return Ok(false);
        }
        self.set_deadline_locked(state, at);
        Ok(true)
    }

    #[track_caller]
    fn set_deadline_locked(&self, mut state: MutexGuard<'_, State>, at: Instant) {
        state.deadline = at;
        state.deadline_set_at = Location::caller();
        self.0.publish(state, 0);
    }

    /// When the scope will be cancelled by time: the least deadline of this scope and those around
    /// it, up to the nearest shield. One whose run has ended is not in force any more.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.reach()
            .map(|scope| scope.0.state.lock().deadline_in_force())
            .min()
            .unwrap_or(Instant::NEVER)
    }

    /// The deadline of this scope alone, as [`set_deadline`](Self::set_deadline) left it.
    #[must_use]
    pub fn own_deadline(&self) -> Instant {
        self.0.state.lock().deadline
    }

    /// Sets how long clean-up may take. [`Grace::After`] needs a clock when the time comes.
    pub fn set_grace(&self, grace: Grace) {
        self.0.state.lock().grace = grace;
    }

    /// How long clean-up may take: this scope's [`Grace`], or the nearest one around it. `None` is
    /// unlimited.
    #[must_use]
    pub fn grace(&self) -> Option<Duration> {
        match self.chosen_grace() {
            Grace::Inherit => Some(Grace::DEFAULT),
            Grace::After(limit) => Some(limit),
            Grace::Unlimited => None,
        }
    }

    /// What this scope says, or the nearest one around it that says anything.
    pub(crate) fn chosen_grace(&self) -> Grace {
        let mut next = Some(self);
        while let Some(scope) = next {
            match scope.0.state.lock().grace {
                Grace::Inherit => next = scope.0.parent.as_ref(),
                chosen => return chosen,
            }
        }
        Grace::Inherit
    }

    /// True once its run has ended or was dropped: nobody waits for what is left in here any more, and
    /// what is handed over goes to a scope around.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Scope, shim::block_on};
    ///
    /// let scope = Scope::detached();
    /// let ended = block_on(scope.run(async { Scope::current().unwrap().has_ended() }));
    /// assert!(!ended.unwrap());
    /// assert!(scope.has_ended());
    /// ```
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.state.lock().post == Post::Ended
    }

    /// Counts a child in, until the guard is dropped: the scope's run does not end before.
    ///
    /// Keep the guard inside the child's future, so that it goes with it however it ends.
    #[must_use = "the child is counted out when the guard is dropped"]
    pub fn enter(&self) -> ChildGuard {
        self.0.state.lock().live += 1;
        ChildGuard {
            scope: Some(self.clone()),
        }
    }

    /// How many children are counted in.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.state.lock().live
    }

    /// Gives the scope a clean-up to run: its run polls it, shielded, until the grace period is
    /// over, and does not end before.
    ///
    /// A scope without a run passes it on to the nearest one around that has one, then to the
    /// runtime's reaper. Where there is none of these it is dropped and
    /// [reported](crate::report::Report::CleanupLost).
    pub fn hand_over(&self, cleanup: Cleanup) {
        let reaper = context::reaper();
        let heirs = self.ancestry().chain(&reaper);
        if let Err(cleanup) = hand_to_first(heirs, cleanup) {
            lose(cleanup, "no scope was left to run it", self.cause());
        }
    }

    fn try_hand_over(&self, cleanup: Cleanup) -> Result<(), Cleanup> {
        let mut state = self.0.state.lock();
        if state.post != Post::Kept {
            return Err(cleanup);
        }
        state.cleanups.push(cleanup);
        self.0.publish(state, 0);
        Ok(())
    }

    /// Runs `body` in this scope.
    ///
    /// The future ends when the body, every clean-up that was handed over and every child that was
    /// counted in have ended. It returns the body's value, or the outermost cause if the scope was
    /// cancelled before there was one:
    ///
    /// - A body that was never polled when the cancel came never runs.
    /// - Otherwise a cancelled body is dropped in place, unless a [`shield`] or [`finally`] in it
    ///   is under way; then it is polled on for that one's sake, while our leaves outside it stay
    ///   pending, until the last has ended or the grace period is over.
    /// - A panic of the body cancels the scope, and goes on when the children have ended.
    /// - Inside a run that is itself cancelled this scope is, too, wherever it was made; and the future
    ///   stays pending there when it is done, so that the body around cannot go on: the outer cancel is
    ///   never swallowed.
    ///
    /// A scope has one run; a second call runs in a child of it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the scope and drops the body. Clean-ups that are left and the
    /// wait for the children go to the nearest scope around that has a run, then to the runtime's
    /// reaper; without either they are dropped and reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Cause, Scope, shim::block_on};
    ///
    /// let scope = Scope::detached();
    /// let inside = scope.clone();
    /// let ended = block_on(scope.run(async move {
    ///     inside.cancel(Cause::requested("changed my mind"));
    ///     std::future::pending::<()>().await
    /// }));
    /// assert_eq!(ended.unwrap_err().text(), "changed my mind");
    /// ```
    pub fn run<F: Future>(&self, body: F) -> Scoped<F> {
        Scoped::new(self.claim(), body)
    }

    /// This scope if nobody runs it yet, else a child of it.
    fn claim(&self) -> Scope {
        let mut state = self.0.state.lock();
        if state.post == Post::Vacant {
            state.post = Post::Kept;
            drop(state);
            return self.clone();
        }
        drop(state);
        Scope::make(Some(self.clone()), false, Post::Kept)
    }

    /// From this scope up to and including the nearest shield, or the root.
    fn reach(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(self), |scope| {
            if scope.0.shield {
                None
            } else {
                scope.0.parent.as_ref()
            }
        })
    }

    /// From this scope up to the root, shields notwithstanding.
    fn ancestry(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(self), |scope| scope.0.parent.as_ref())
    }

    /// Cancels the outermost scope in reach whose deadline has passed.
    fn expire(&self, now: Instant) {
        let is_late = |state: &State| {
            let deadline = state.deadline_in_force();
            deadline <= now && deadline != Instant::NEVER
        };
        let outermost = || self.reach().filter(|s| is_late(&s.0.state.lock())).last();
        while let Some(scope) = outermost() {
            let state = scope.0.state.lock();
            // Else it was moved, or has ended, in between: there may be another.
            if is_late(&state) {
                let cause = Cause::new(Kind::Deadline, "").with_location(state.deadline_set_at);
                scope.cancel_locked(state, Arc::new(cause));
                return;
            }
        }
    }

    /// Counts a child in if this scope has a run that will wait for it.
    fn enter_if_kept(&self) -> Option<ChildGuard> {
        let mut state = self.0.state.lock();
        if state.post != Post::Kept {
            return None;
        }
        state.live += 1;
        drop(state);
        Some(ChildGuard {
            scope: Some(self.clone()),
        })
    }

    /// True while somebody who cancelled has not yet woken all watchers.
    fn is_waking(&self) -> bool {
        self.0.state.lock().waking > 0
    }

    /// The grace is over, and regions in the body are not.
    fn cut_off(&self) {
        self.0.state.lock().cut_off = true;
    }

    /// True if that is why something in here is dropped.
    fn is_cut_off(&self) -> bool {
        self.ancestry().any(|scope| scope.0.state.lock().cut_off)
    }

    /// Wakes the run, for something that changed outside the lock.
    fn nudge(&self) {
        self.0.publish(self.0.state.lock(), 0);
    }

    /// Puts the run's waker in place and returns the signal as it stands, and the deadline, which a
    /// cancelled scope has no use for. From now until the signal moves, a change wakes this waker.
    fn register_run(&self, waker: Waker) -> (u32, Instant) {
        let mut state = self.0.state.lock();
        let former = state.run_waker.replace(waker);
        let deadline = state.deadline;
        // Ordering: Relaxed, written under the lock that is held here.
        let signal = self.0.signal.load(Ordering::Relaxed);
        drop(state);
        discard(former);
        match signal & CANCELLED {
            0 => (signal, deadline),
            _ => (signal, Instant::NEVER),
        }
    }

    fn signal(&self) -> u32 {
        // Ordering: Relaxed: whoever finds it moved locks, and where it has not moved is no news.
        self.0.signal.load(Ordering::Relaxed)
    }

    fn take_cleanups(&self) -> Vec<Cleanup> {
        std::mem::take(&mut self.0.state.lock().cleanups)
    }

    /// Ends the run if nothing is left for it to do.
    fn try_end(&self) -> bool {
        let mut state = self.0.state.lock();
        if state.live > 0 || !state.cleanups.is_empty() {
            return false;
        }
        state.post = Post::Ended;
        let waker = state.run_waker.take();
        drop(state);
        discard(waker);
        true
    }

    /// Ends a cancelled run before its time: passes on what is left, `cleanups` included, to
    /// an ancestor that is kept, else to `fallback` or one above it, else to the reaper.
    fn abandon(&self, cleanups: Vec<Cleanup>, fallback: Option<&Scope>) {
        let mut state = self.0.state.lock();
        state.post = Post::Ended;
        let waker = state.run_waker.take();
        let late = std::mem::take(&mut state.cleanups);
        let live = state.live;
        drop(state);
        discard(waker);

        let reaper = context::reaper();
        let heirs = || {
            let around = fallback.into_iter().flat_map(Scope::ancestry);
            self.ancestry().chain(around).chain(&reaper)
        };
        for cleanup in cleanups.into_iter().chain(late) {
            if let Err(cleanup) = hand_to_first(heirs(), cleanup) {
                let reason =
                    "the future that ran its scope was dropped, and no scope was left to run it";
                lose(cleanup, reason, self.cause());
            }
        }
        if live == 0 {
            return;
        }
        let Some(guard) = heirs().find_map(Scope::enter_if_kept) else {
            report(Report::Orphaned { children: live });
            return;
        };
        let mut state = self.0.state.lock();
        if state.live > 0 {
            state.kept_by = Some(guard);
        } else {
            drop(state);
            drop(guard);
        }
    }
}

/// Takes a cause from a node at `depth` down the tree: each node is locked alone.
fn pass_down(mut below: Vec<Weak<Node>>, depth: u32, cause: &Arc<Cause>) {
    while let Some(node) = below.pop() {
        let Some(node) = node.upgrade() else { continue };
        if node.shield {
            continue;
        }
        let mut state = node.state.lock();
        if !state.inherit(depth, cause) {
            continue;
        }
        below.extend(state.children.iter().cloned());
        node.publish(state, CANCELLED);
        // The last handle may be this one: its destructor runs here, with no lock held.
    }
}

/// Gives a clean-up to the first of `heirs` that has a run.
fn hand_to_first<'a>(
    heirs: impl Iterator<Item = &'a Scope>,
    mut cleanup: Cleanup,
) -> Result<(), Cleanup> {
    for scope in heirs {
        match scope.try_hand_over(cleanup) {
            Ok(()) => return Ok(()),
            Err(back) => cleanup = back,
        }
    }
    Err(cleanup)
}

/// Drops a clean-up that will not run to its end, and says so.
fn lose(cleanup: Cleanup, reason: &'static str, cause: Option<Arc<Cause>>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(cleanup))) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
    report(Report::CleanupLost { reason, cause });
}

impl Default for Scope {
    fn default() -> Self {
        Scope::new()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        let (cause, deadline, live) = (state.cause(), state.deadline, state.live);
        drop(state);
        f.debug_struct("Scope")
            .field("depth", &self.0.depth)
            .field("shield", &self.0.shield)
            .field("cause", &cause)
            .field("deadline", &deadline)
            .field("live", &live)
            .finish()
    }
}

impl State {
    fn cause(&self) -> Option<Arc<Cause>> {
        self.inherited
            .as_ref()
            .map(|(_, cause)| cause)
            .or(self.own.as_ref())
            .cloned()
    }

    /// The deadline, which is its run's: there is none after that.
    fn deadline_in_force(&self) -> Instant {
        match self.post {
            Post::Ended => Instant::NEVER,
            Post::Vacant | Post::Kept => self.deadline,
        }
    }

    /// What a child of a node at `depth` in this state inherits.
    fn passed_on(&self, depth: u32) -> Option<(u32, Arc<Cause>)> {
        let own = || self.own.as_ref().map(|cause| (depth, Arc::clone(cause)));
        self.inherited.clone().or_else(own)
    }

    /// Takes a cause from an ancestor at `depth`. False if one from as far out is there already;
    /// then the descendants have it too.
    fn inherit(&mut self, depth: u32, cause: &Arc<Cause>) -> bool {
        if matches!(&self.inherited, Some((present, _)) if *present <= depth) {
            return false;
        }
        self.inherited = Some((depth, Arc::clone(cause)));
        true
    }
}

impl Node {
    /// Moves the signal, unlocks, and wakes whom it concerns: the watchers at a cancel, the run at
    /// every change, and again after the watchers if it was polled meanwhile.
    fn publish(&self, mut state: MutexGuard<'_, State>, bits: u32) {
        // Ordering: Relaxed load, only written under the lock held here. Release store, pairs with
        // the Acquire in `is_cancelled`.
        let signal = self.signal.load(Ordering::Relaxed);
        self.signal
            .store(signal.wrapping_add(CHANGE) | bits, Ordering::Release);
        let run_waker = state.run_waker.take();
        let watched = bits & CANCELLED != 0 && !state.watchers.is_empty();
        state.waking += usize::from(watched);
        drop(state);
        if watched {
            self.wake_watchers();
            let mut state = self.state.lock();
            state.waking -= 1;
            self.publish(state, 0);
        }
        if let Some(waker) = run_waker {
            wake(waker);
        }
    }

    fn wake_watchers(&self) {
        let mut next = 0;
        let mut batch = WakeBatch::new();
        loop {
            let mut state = self.state.lock();
            while !batch.is_full() && next < state.watchers.end() {
                if let Some(waker) = state.watchers.get_mut(next).and_then(Option::take) {
                    batch.push(waker);
                }
                next += 1;
            }
            let more = next < state.watchers.end();
            drop(state);
            batch.wake_all();
            if !more {
                return;
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Up the tree without recursion: a chain of a million scopes must not overflow the stack.
        let mut key = self.key;
        let mut parent = self.parent.take();
        while let Some(Scope(above)) = parent {
            above.state.lock().children.remove(key);
            parent = match Arc::into_inner(above) {
                Some(mut node) => {
                    key = node.key;
                    node.parent.take()
                }
                None => None,
            };
        }
    }
}

/// Counts a child of a [`Scope`] out when it is dropped.
#[derive(Debug)]
pub struct ChildGuard {
    /// `None` once it was counted out.
    scope: Option<Scope>,
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Up the chain of abandoned scopes without recursion.
        let mut next = self.scope.take();
        while let Some(scope) = next {
            let mut state = scope.0.state.lock();
            state.live -= 1;
            if state.live > 0 {
                return;
            }
            let kept_by = state.kept_by.take();
            scope.0.publish(state, 0);
            next = kept_by.and_then(|mut guard| guard.scope.take());
        }
    }
}

/// A registration among a scope's watchers.
struct Watch {
    key: Option<usize>,
}

impl Watch {
    const fn new() -> Self {
        Watch { key: None }
    }

    /// Puts `waker` in place. True if the scope is cancelled already, and nothing was registered.
    fn register(&mut self, scope: &Scope, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut state = scope.0.state.lock();
        if state.own.is_some() || state.inherited.is_some() {
            drop(state);
            return true;
        }
        let former = match self.key.and_then(|key| state.watchers.get_mut(key)) {
            Some(slot) => slot.replace(waker),
            None => {
                self.key = Some(state.watchers.insert(Some(waker)));
                None
            }
        };
        drop(state);
        discard(former);
        false
    }

    fn end(&mut self, scope: &Scope) {
        if let Some(key) = self.key.take() {
            let waker = scope.0.state.lock().watchers.remove(key);
            discard(waker.flatten());
        }
    }
}

/// The future of [`Scope::cancelled`].
#[must_use = "futures do nothing unless awaited"]
pub struct Cancelled<'a> {
    scope: &'a Scope,
    watch: Watch,
}

impl Future for Cancelled<'_> {
    type Output = Arc<Cause>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Arc<Cause>> {
        let this = &mut *self;
        if !this.watch.register(this.scope, cx.waker()) {
            budget::inspect::say("the cancel of a scope");
            return Poll::Pending;
        }
        ready!(budget::poll_spend(cx));
        match this.scope.cause() {
            Some(cause) => Poll::Ready(cause),
            None => Poll::Pending,
        }
    }
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        self.watch.end(self.scope);
    }
}
