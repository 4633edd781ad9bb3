//! What stands around a task: the ambient handles, and the frame of its scope.
//!
//! A runtime [enters](Handles::enter) its handles on each of its threads; functions that need a
//! spawner, a clock or a blocking pool take them from here. So the same code runs on the real
//! runtime, on another one, and under simulation. What is missing gives a [`Missing`] that names
//! it.

use crate::budget;
use crate::calls::CallQueue;
use crate::clock::{Clock, Instant};
use crate::error::Missing;
use crate::scope::{Regions, Scope};
use crate::shim;
use crate::spawn::{Blocking, DynSpawn, DynSpawnLocal};
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// The ambient handles of a runtime.
///
/// # Examples
///
/// ```
/// use pirn_core::context::{self, Handles};
/// use std::rc::Rc;
///
/// let missing = context::spawner().err().unwrap();
/// assert_eq!(missing.what(), "spawner");
/// let entered = Rc::new(Handles::default()).enter();
/// assert!(context::handles().is_some());
/// drop(entered);
/// assert!(context::handles().is_none());
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Handles {
    /// Takes tasks.
    pub spawner: Option<Arc<dyn DynSpawn>>,
    /// Takes tasks that stay on this thread.
    pub local_spawner: Option<Rc<dyn DynSpawnLocal>>,
    /// Tells the time.
    pub clock: Option<Arc<dyn Clock>>,
    /// Runs what blocks.
    pub blocking: Option<Arc<dyn Blocking>>,
    /// Runs closures soon, or at a time, on the thread that runs the runtime.
    pub calls: Option<CallQueue>,
    /// The scope above all scopes of the runtime: it waits for what their owners abandoned, and
    /// shutdown cancels it.
    pub reaper: Option<Scope>,
    /// Set where a program is simulated, and must not reach the system: what it should use instead.
    pub no_system: Option<&'static str>,
}

shim::per_thread! {
    static HANDLES: RefCell<Option<Rc<Handles>>> = RefCell::new(None);
    // Never dropped, which makes reaching it cheaper; whoever enters a frame takes it out again.
    static FRAME: ManuallyDrop<Cell<Option<Frame>>> = ManuallyDrop::new(Cell::new(None));
    // The frame below the top one, while that is a `Branch`.
    static AROUND: ManuallyDrop<Cell<Option<Frame>>> = ManuallyDrop::new(Cell::new(None));
    static BRANCHING: Cell<Branching> = Cell::new(Branching::No);
    // Of the top frame, while its scope is `Planned`.
    static PLAN: Cell<Option<Plan>> = Cell::new(None);
}

static FALLBACK_CLOCK: OnceLock<Arc<dyn Clock>> = OnceLock::new();

/// Restores the handles that were there before [`Handles::enter`].
#[must_use = "the handles stand until the guard is dropped"]
pub struct Entered {
    former: Option<Rc<Handles>>,
}

impl Handles {
    /// Makes these the thread's handles until the guard is dropped.
    pub fn enter(self: Rc<Self>) -> Entered {
        Entered {
            former: HANDLES.with(|handles| handles.replace(Some(self))),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let former = self.former.take();
        // A thread whose locals are gone has no handles to restore.
        let _ = HANDLES.try_with(|handles| handles.replace(former));
    }
}

/// The handles that stand around the caller.
///
/// # Examples
///
/// ```
/// use pirn_core::context::{self, Handles};
/// use std::rc::Rc;
///
/// assert!(context::handles().is_none());
/// let handles = Rc::new(Handles::default());
/// let _entered = Rc::clone(&handles).enter();
/// assert!(Rc::ptr_eq(&context::handles().unwrap(), &handles));
/// ```
pub fn handles() -> Option<Rc<Handles>> {
    HANDLES
        .try_with(|handles| handles.borrow().clone())
        .ok()
        .flatten()
}

fn handle<T>(pick: impl FnOnce(&Handles) -> Option<T>) -> Option<T> {
    HANDLES
        .try_with(|handles| handles.borrow().as_deref().and_then(pick))
        .ok()
        .flatten()
}

/// The ambient spawner.
///
/// # Errors
///
/// [`Missing`] outside a runtime.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::spawner().err().unwrap();
/// assert_eq!(missing.what(), "spawner");
/// ```
pub fn spawner() -> Result<Arc<dyn DynSpawn>, Missing> {
    handle(|h| h.spawner.clone()).ok_or(Missing::new(
        "spawner",
        "run inside a runtime (`pirn::run`), or pass one explicitly",
    ))
}

/// The ambient spawner of tasks that stay on this thread.
///
/// # Errors
///
/// [`Missing`] outside a runtime with a current-thread executor.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::local_spawner().err().unwrap();
/// assert_eq!(missing.what(), "local spawner");
/// ```
pub fn local_spawner() -> Result<Rc<dyn DynSpawnLocal>, Missing> {
    handle(|h| h.local_spawner.clone()).ok_or(Missing::new(
        "local spawner",
        "run inside `pirn::run` or a current-thread runtime; worker threads have none",
    ))
}

/// The ambient clock, or the process-wide [fallback](set_fallback_clock).
///
/// # Errors
///
/// [`Missing`] where there is neither.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::clock().err().unwrap();
/// assert_eq!(missing.what(), "clock");
/// ```
pub fn clock() -> Result<Arc<dyn Clock>, Missing> {
    handle(|h| h.clock.clone())
        .or_else(|| FALLBACK_CLOCK.get().cloned())
        .ok_or(Missing::new(
            "clock",
            "run inside a runtime (`pirn::run`), or call `pirn_timer::install_fallback()` once",
        ))
}

/// True if [`clock`] would give one.
pub(crate) fn has_clock() -> bool {
    handle(|h| h.clock.as_ref().map(drop)).is_some() || FALLBACK_CLOCK.get().is_some()
}

/// The ambient pool for work that blocks.
///
/// # Errors
///
/// [`Missing`] outside a runtime.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::blocking().err().unwrap();
/// assert_eq!(missing.what(), "blocking pool");
/// ```
pub fn blocking() -> Result<Arc<dyn Blocking>, Missing> {
    handle(|h| h.blocking.clone()).ok_or(Missing::new(
        "blocking pool",
        "run inside a runtime (`pirn::run`), or use a pool of your own",
    ))
}

/// The queue of calls that run soon, or at a time.
///
/// # Errors
///
/// [`Missing`] outside a runtime.
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::calls().err().unwrap();
/// assert_eq!(missing.what(), "queue of calls");
/// ```
pub fn calls() -> Result<CallQueue, Missing> {
    handle(|h| h.calls.clone()).ok_or(Missing::new(
        "queue of calls",
        "run inside a runtime (`pirn::run`)",
    ))
}

/// Fails where a program is simulated: what needs `what` of the system, a socket or a file, asks this
/// before it goes on.
///
/// # Errors
///
/// [`Missing`] in a simulation, which says what to use instead.
///
/// # Examples
///
/// ```
/// use pirn_core::context::{self, Handles};
/// use std::rc::Rc;
///
/// assert!(context::system("socket").is_ok());
/// let mut handles = Handles::default();
/// handles.no_system = Some("use a stream in memory");
/// let _entered = Rc::new(handles).enter();
/// let missing = context::system("socket").unwrap_err();
/// assert_eq!(missing.to_string(), "there is no socket here: use a stream in memory");
/// ```
pub fn system(what: &'static str) -> Result<(), Missing> {
    match handle(|h| h.no_system) {
        None => Ok(()),
        Some(instead) => Err(Missing::new(what, instead)),
    }
}

/// The scope that waits for what was abandoned, where a runtime has one.
///
/// # Examples
///
/// ```
/// use pirn_core::{Scope, context::{self, Handles}};
/// use std::rc::Rc;
///
/// assert!(context::reaper().is_none());
/// let mut handles = Handles::default();
/// handles.reaper = Some(Scope::detached());
/// let _entered = Rc::new(handles).enter();
/// assert!(!context::reaper().unwrap().is_cancelled());
/// ```
pub fn reaper() -> Option<Scope> {
    handle(|h| h.reaper.clone())
}

/// Sets the clock for threads without a runtime, once. False if one was set before.
///
/// # Examples
///
/// ```
/// use pirn_core::{BoxSleep, Clock, Instant, context};
/// use std::any::Any;
/// use std::sync::Arc;
///
/// struct Never;
/// impl Clock for Never {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(0)
///     }
///     fn sleep_until(&self, _: Instant) -> BoxSleep {
///         Box::pin(std::future::pending())
///     }
///     fn as_any(&self) -> &dyn Any {
///         self
///     }
/// }
///
/// assert!(context::clock().is_err());
/// assert!(context::set_fallback_clock(Arc::new(Never)));
/// assert!(context::clock().is_ok());
/// assert!(!context::set_fallback_clock(Arc::new(Never))); // the first one stays
/// ```
pub fn set_fallback_clock(clock: Arc<dyn Clock>) -> bool {
    FALLBACK_CLOCK.set(clock).is_ok()
}

/// What the code being polled runs under. One for each run of a scope and for each task, stacked
/// by [`Frame::enter`].
#[derive(Default)]
pub(crate) struct Frame {
    /// The scope; while it is [planned](Mode::Planned), the one around it. A task's frame starts
    /// without one and makes it when first asked for.
    pub(crate) scope: Option<Scope>,
    /// The regions that are under way in the body that is polled; made when there is a first one.
    pub(crate) regions: Option<Arc<Regions>>,
    pub(crate) mode: Mode,
}

/// How the frame's body is polled.
///
/// As wide as a word: the frame is moved in and out at each poll, and one with padding is moved in
/// pieces that overlap, each of which waits for the one before.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(usize)]
pub(crate) enum Mode {
    #[default]
    Plain,
    /// Cancelled, for the sake of its regions: leaves outside a region stay pending.
    Winding,
    /// For the first time, its scope being made when somebody asks for it.
    Planned,
    /// One of several in the body around, without a scope of its own until somebody asks for it.
    Branch,
}

/// Whether a branch is polled, on this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branching {
    /// None.
    No,
    /// One whose frame is not made yet: the top frame is the one around. Only the outermost is ever
    /// in this state.
    Bare,
    /// One that has a frame, which is on top or below others.
    Framed,
}

#[inline]
fn branching() -> Branching {
    BRANCHING.try_with(Cell::get).unwrap_or(Branching::No)
}

/// Gives what it was before.
#[inline]
fn set_branching(branching: Branching) -> Branching {
    let set = |slot: &Cell<Branching>| slot.replace(branching);
    BRANCHING.try_with(set).unwrap_or(Branching::No)
}

/// What is known of a scope before it is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) deadline: Instant,
    pub(crate) set_at: &'static Location<'static>,
}

impl Frame {
    /// One with this scope.
    pub(crate) fn of(scope: Option<Scope>) -> Frame {
        Frame {
            scope,
            ..Frame::default()
        }
    }

    /// Runs `f` with this frame on top, and gives the frame back as `f` left it. `f` must not
    /// unwind.
    #[inline]
    pub(crate) fn enter<R>(self, f: impl FnOnce() -> R) -> (R, Frame) {
        Frame::settle_branch();
        let _budget = if self.mode == Mode::Winding {
            Some(budget::freeze())
        } else if budget::is_frozen() {
            Some(budget::inspect::refill())
        } else {
            None
        };
        // It stays here where the thread's locals are gone: a run is dropped there too.
        let mut own = Some(self);
        let former = FRAME
            .try_with(|slot| slot.replace(own.take()))
            .ok()
            .flatten();
        let result = f();
        let own = own.or_else(|| FRAME.try_with(|slot| slot.replace(former)).ok().flatten());
        (result, own.unwrap_or_default())
    }

    /// As [`enter`](Self::enter), for a frame whose scope is to be made by `plan`.
    #[inline]
    pub(crate) fn enter_planned<R>(self, plan: Plan, f: impl FnOnce() -> R) -> (R, Frame) {
        let planned = Frame {
            mode: Mode::Planned,
            ..self
        };
        let former = PLAN
            .try_with(|slot| slot.replace(Some(plan)))
            .ok()
            .flatten();
        let ended = planned.enter(f);
        let _ = PLAN.try_with(|slot| slot.set(former));
        ended
    }

    /// Runs `f`, which must not unwind, in a branch of the top frame's body, and gives the scope and
    /// the regions that the branch then has. The branch has no frame until somebody looks at it, and
    /// the scope around is not even made unless the branch's is.
    #[inline]
    pub(crate) fn branch<R>(f: impl FnOnce() -> R) -> (R, Option<Frame>) {
        if branching() != Branching::No {
            return Frame::branch_inside(f);
        }
        set_branching(Branching::Bare);
        let result = f();
        match set_branching(Branching::No) {
            Branching::Bare => (result, None),
            _ => (result, Frame::leave_branch(None)),
        }
    }

    /// The same inside a branch, or in a frame that stands in one.
    #[cold]
    fn branch_inside<R>(f: impl FnOnce() -> R) -> (R, Option<Frame>) {
        Frame::settle_branch();
        let former = Frame::enter_branch();
        let result = f();
        (result, Frame::leave_branch(former))
    }

    /// Gives a branch its frame, if it has none yet.
    #[inline]
    fn settle_branch() {
        if branching() == Branching::Bare {
            Frame::settle_bare_branch();
        }
    }

    #[cold]
    fn settle_bare_branch() {
        set_branching(Branching::Framed);
        Frame::enter_branch();
    }

    /// Puts a branch's frame on top, and gives what was around before.
    fn enter_branch() -> Option<Frame> {
        let branch = Frame {
            mode: Mode::Branch,
            ..Frame::default()
        };
        let top = |own| FRAME.try_with(|slot| slot.replace(own)).ok().flatten();
        let mut around = top(Some(branch));
        if let Some(frame) = &mut around {
            if frame.mode == Mode::Branch {
                // Only one branch can do without: of what is around this one, one frame is kept.
                frame.scope();
            }
        }
        AROUND.try_with(|slot| slot.replace(around)).ok().flatten()
    }

    /// Undoes it; gives the branch's frame if it has a scope.
    #[cold]
    fn leave_branch(former: Option<Frame>) -> Option<Frame> {
        let around = AROUND.try_with(|slot| slot.replace(former)).ok().flatten();
        let own = FRAME.try_with(|slot| slot.replace(around)).ok().flatten();
        own.filter(|frame| frame.scope.is_some())
    }

    /// Looks at the top frame, if there is one. `f` must not look for itself.
    pub(crate) fn with<R>(f: impl FnOnce(Option<&mut Frame>) -> R) -> R {
        Frame::settle_branch();
        let mut frame = FRAME.try_with(|slot| slot.take()).ok().flatten();
        let result = f(frame.as_mut());
        let _ = FRAME.try_with(|slot| slot.set(frame));
        result
    }

    /// The scope that runs here, or the one around it where it is yet to be made, which is not done
    /// now; and the deadline that it will then have.
    pub(crate) fn around() -> (Option<Scope>, Instant) {
        let seen = |frame: &Frame| (frame.scope.clone(), frame.mode);
        let mut found = Frame::with(|frame| frame.map(|frame| seen(frame)));
        if let Some((_, Mode::Branch)) = found {
            // It has no scope of its own: what is around it holds.
            let around = AROUND.try_with(|slot| slot.take()).ok().flatten();
            found = Some(around.as_ref().map_or((None, Mode::Plain), seen));
            let _ = AROUND.try_with(|slot| slot.set(around));
        }
        let Some((scope, mode)) = found else {
            return (None, Instant::NEVER);
        };
        let plan = match mode {
            Mode::Planned => PLAN.try_with(Cell::get).ok().flatten(),
            _ => None,
        };
        let deadline = plan.map_or(Instant::NEVER, |plan| plan.deadline);
        (scope.or_else(reaper), deadline)
    }

    /// True if the body that is polled here is cancelled.
    pub(crate) fn is_winding() -> bool {
        Frame::with(|frame| frame.is_some_and(|frame| frame.mode == Mode::Winding))
    }

    /// True if this is the frame of a body of `scope`.
    pub(crate) fn is_of(&self, scope: &Scope) -> bool {
        let made = self.mode != Mode::Planned && self.mode != Mode::Branch;
        made && self.scope.as_ref().is_some_and(|own| own.is_same(scope))
    }

    /// The scope, made if it was not yet.
    pub(crate) fn scope(&mut self) -> &Scope {
        if self.mode == Mode::Planned {
            self.mode = Mode::Plain;
            let plan = PLAN.try_with(Cell::get).ok().flatten();
            let around = self.scope.take();
            self.scope = plan.map(|plan| Scope::planned(around, plan));
        }
        if self.mode == Mode::Branch {
            self.mode = Mode::Plain;
            let mut around = AROUND.try_with(|slot| slot.take()).ok().flatten();
            let above = around.as_mut().map(|frame| frame.scope().clone());
            let _ = AROUND.try_with(|slot| slot.set(around));
            self.scope = Some(Scope::of_branch(above));
        }
        self.scope.get_or_insert_with(Scope::of_task)
    }
}

/// Polls `f` as a task of its own, without a scope: what executors call around each poll of a task
/// that [`Rooted`](crate::Rooted) does not wrap, so that it inherits nothing from a poll outside.
///
/// # Examples
///
/// ```
/// use pirn_core::{Scope, context, shim::block_on};
///
/// let run = Scope::detached().run(async {
///     assert!(Scope::current().is_some());
///     context::isolate(|| Scope::current().is_none())
/// });
/// assert!(block_on(run).unwrap());
/// ```
pub fn isolate<R>(f: impl FnOnce() -> R) -> R {
    let _outside = Outside::new();
    f()
}

/// Takes the top frame away until it is dropped.
pub(crate) struct Outside(Option<Frame>);

impl Outside {
    pub(crate) fn new() -> Outside {
        Frame::settle_branch();
        Outside(FRAME.try_with(|slot| slot.take()).ok().flatten())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let former = self.0.take();
        let _ = FRAME.try_with(|slot| slot.set(former));
    }
}
