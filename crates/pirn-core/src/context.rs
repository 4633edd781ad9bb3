//! What stands around a task: the ambient handles, and the frame of its scope.
//!
//! A runtime [enters](Handles::enter) its handles on each of its threads; functions that need a
//! spawner, a clock or a blocking pool take them from here. So the same code runs on the real
//! runtime, on another one, and under simulation. What is missing gives a [`Missing`] that names
//! it.

mod frame;
pub(crate) mod loan;

pub(crate) use frame::{Begun, Frame, Mode, Outside, Plan};

use crate::calls::CallQueue;
use crate::clock::{Clock, Instant};
use crate::error::Missing;
use crate::scope::Scope;
use crate::shim;
use crate::spawn::{Blocking, DynSpawn, DynSpawnLocal};
use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
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
    // Never dropped, which makes reaching it cheaper; whoever enters handles takes them out again.
    static HANDLES: ManuallyDrop<Cell<Option<Rc<Handles>>>> = ManuallyDrop::new(Cell::new(None));
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
#[inline]
pub fn handles() -> Option<Rc<Handles>> {
    peek(|handles| handles.cloned())
}

/// Looks at the handles, which are not there meanwhile: `f` is not the user's.
#[inline]
fn peek<R>(f: impl FnOnce(Option<&Rc<Handles>>) -> R) -> R {
    let handles = HANDLES.try_with(|slot| slot.take()).ok().flatten();
    let result = f(handles.as_ref());
    // What this replaces is empty, which the compiler cannot know.
    let _ = HANDLES.try_with(|slot| mem::forget(slot.replace(handles)));
    result
}

fn handle<T>(pick: impl FnOnce(&Handles) -> Option<T>) -> Option<T> {
    peek(|handles| pick(handles?))
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

/// The present, by that [`clock`].
///
/// # Errors
///
/// [`Missing`], as [`clock`].
///
/// # Examples
///
/// ```
/// use pirn_core::context;
///
/// // Outside a runtime.
/// let missing = context::now().unwrap_err();
/// assert_eq!(missing.what(), "clock");
/// ```
#[inline]
pub fn now() -> Result<Instant, Missing> {
    // A clock is code of users: the handles are in their place meanwhile.
    let handles = handles();
    match handles.as_ref().and_then(|handles| handles.clock.as_ref()) {
        Some(clock) => Ok(clock.now()),
        None => now_by_fallback(),
    }
}

#[cold]
fn now_by_fallback() -> Result<Instant, Missing> {
    clock().map(|clock| clock.now())
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
