//! Values that belong to a task, and that the tasks it spawns get copies of.
//!
//! # How it works
//!
//! What stands around the caller is one pointer to a shared list, or none if nothing was ever set:
//! copying all of it for a child is counting that pointer. While a task is polled its list lies in a
//! thread-local, and its own place is empty. Beside it stands who keeps what is set:
//!
//! | `Keeper` | meaning | set by | ended by |
//! |---|---|---|---|
//! | `Nobody` | no values, and nobody to keep any: a plain thread, or a task of ours that has none | the first state; `detach` | `enter`, `set` |
//! | `Entered` | whoever is being polled takes back what is here: a [`Carried`], or a task of ours that has values | `enter` | `Leave` |
//! | `Later` | set in a task of ours that had no values: it takes them after this poll | `set` | `settle` |
//!
//! A task of ours without values and without a scope looks at none of this when it is polled.
//! Setting a value in it makes its scope, and with that the run that keeps the list from then on.

use crate::context::{Frame, Outside};
use crate::error::Missing;
use crate::report::{Report, report};
use crate::scope::Scope;
use crate::shim;
use pin_project_lite::pin_project;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::vec::Vec;

/// A value that belongs to a task: code in that task finds it without being handed it.
///
/// Declared as a `static`. It has no value until one is given: for the length of a future or a
/// call by [`scope`](Self::scope) and [`scope_sync`](Self::scope_sync), or for the rest of the task
/// by [`set`](Self::set).
///
/// A task that is spawned gets a copy of what stands around the spawning code, as it is at that
/// moment: what either side sets later the other does not see. So do closures given to `to_thread`.
/// An [`uninherited`](Self::uninherited) local stays with its own task. The copy costs one count,
/// however many values there are; the values themselves are shared, hence `Send + Sync`.
///
/// It is asyncio's `ContextVar`. Pass an argument instead where that is no burden.
///
/// # On other executors
///
/// Inside one task it works everywhere. Inheritance needs a spawn of ours: pirn's executors, the
/// adapters of pirn-compat, groups on those. Elsewhere wrap what you spawn by
/// [`Locals::carry`].
///
/// # Examples
///
/// ```
/// use pirn_core::{TaskLocal, shim::block_on};
///
/// static REQUEST: TaskLocal<u32> = TaskLocal::new();
///
/// async fn log(line: &str) -> String {
///     format!("[{}] {line}", REQUEST.get().unwrap_or(0))
/// }
///
/// block_on(async {
///     assert_eq!(REQUEST.scope(7, log("hello")).await, "[7] hello");
///     assert_eq!(log("and after").await, "[0] and after");
/// });
/// ```
pub struct TaskLocal<T> {
    /// Its number, or 0 before it is first used.
    number: AtomicUsize,
    inherited: bool,
    value: PhantomData<fn() -> T>,
}

/// Gives a [`TaskLocal`] back the value that it had before a [`set`](TaskLocal::set).
///
/// Dropping it changes nothing.
///
/// # Examples
///
/// ```
/// use pirn_core::{TaskLocal, Token, shim::block_on};
///
/// static USER: TaskLocal<&str> = TaskLocal::new();
///
/// block_on(USER.scope("ada", async {
///     let token: Token<'_, &str> = USER.set("grace").unwrap();
///     assert_eq!((token.former(), USER.get()), (Some(&"ada"), Some("grace")));
///     token.reset().unwrap();
///     assert_eq!(USER.get(), Some("ada"));
/// }));
/// ```
#[must_use = "a token does nothing until `reset`"]
pub struct Token<'a, T> {
    local: &'a TaskLocal<T>,
    former: Option<Arc<T>>,
}

/// A copy of the values that stand around the caller: what a child would inherit.
///
/// For executors, and to take the values along where no spawn of ours does. asyncio's
/// `copy_context()`.
///
/// # Examples
///
/// ```
/// use pirn_core::{Locals, TaskLocal};
///
/// static REQUEST: TaskLocal<u32> = TaskLocal::new();
///
/// let locals = REQUEST.scope_sync(7, Locals::current);
/// assert_eq!(REQUEST.get(), None);
/// let seen = std::thread::spawn(move || locals.run(|| REQUEST.get())).join().unwrap();
/// assert_eq!(seen, Some(7));
/// ```
#[derive(Clone, Default)]
pub struct Locals(Option<List>);

pin_project! {
    /// The future of [`Locals::carry`] and [`TaskLocal::scope`]: runs another with values around it.
    ///
    /// It keeps them between its polls. They also stand around the other's destructor.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future inside.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Carried, Locals, shim::block_on};
    ///
    /// let carried: Carried<_> = Locals::current().carry(async { 3 });
    /// assert_eq!(block_on(carried), 3);
    /// ```
    #[must_use = "futures do nothing unless awaited"]
    pub struct Carried<F> {
        // To be added to what stands around the first poll.
        added: Option<Entry>,
        locals: Option<List>,
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                add(this.added, this.locals);
                enter(this.locals, || this.body.set(None));
            }
            end(this.locals.take());
        }
    }
}

/// The values of one task, sorted by nothing: there are few. Never empty.
#[derive(Clone)]
pub(crate) struct List(Arc<Vec<Entry>>);

#[derive(Clone)]
struct Entry {
    number: usize,
    inherited: bool,
    value: Arc<dyn Any + Send + Sync>,
}

/// Who keeps what is set here: see the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keeper {
    Nobody,
    Entered,
    Later,
}

/// What stands around the caller.
struct Around {
    list: Cell<Option<List>>,
    keeper: Cell<Keeper>,
}

impl Around {
    #[inline]
    fn is_empty(&self) -> bool {
        match self.list.take() {
            None => true,
            list => {
                self.list.set(list);
                false
            }
        }
    }
}

/// The same, taken out. `Nobody` has no list.
struct Stand {
    list: Option<List>,
    keeper: Keeper,
}

const BARE: Stand = Stand {
    list: None,
    keeper: Keeper::Nobody,
};

shim::per_thread! {
    // Never dropped, which makes reaching it cheaper; whoever puts a list there takes it out again.
    static AROUND: ManuallyDrop<Around> = ManuallyDrop::new(Around {
        list: Cell::new(None),
        keeper: Cell::new(Keeper::Nobody),
    });
}

/// `std`'s on purpose: only uniqueness is asked of it; there is nothing in it for a model.
static NUMBERS: AtomicUsize = AtomicUsize::new(1);

const NO_TASK: Missing = Missing::new(
    "task to set a local in",
    "call `set` inside a task, or give the value by `scope` or `scope_sync`",
);

impl<T> Default for TaskLocal<T> {
    fn default() -> Self {
        TaskLocal::new()
    }
}

impl<T> TaskLocal<T> {
    /// One that spawned tasks inherit.
    pub const fn new() -> Self {
        TaskLocal::with_inheritance(true)
    }

    /// One that stays with its task.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Locals, TaskLocal};
    ///
    /// static DEPTH: TaskLocal<u32> = TaskLocal::uninherited();
    ///
    /// let child = DEPTH.scope_sync(3, Locals::current);
    /// assert_eq!(child.run(|| DEPTH.get()), None);
    /// ```
    pub const fn uninherited() -> Self {
        TaskLocal::with_inheritance(false)
    }

    const fn with_inheritance(inherited: bool) -> Self {
        TaskLocal {
            number: AtomicUsize::new(0),
            inherited,
            value: PhantomData,
        }
    }
}

impl<T: Send + Sync + 'static> TaskLocal<T> {
    /// Calls `f` with the value.
    ///
    /// # Panics
    ///
    /// If it has none; see [`try_with`](Self::try_with).
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        match self.find() {
            Some(value) => f(&value),
            None => panic!("{NO_VALUE}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    ///
    /// [`Missing`] if it has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::TaskLocal;
    ///
    /// static NAME: TaskLocal<String> = TaskLocal::new();
    ///
    /// assert!(NAME.try_with(String::len).is_err());
    /// let length = NAME.scope_sync("ada".to_owned(), || NAME.try_with(String::len));
    /// assert_eq!(length, Ok(3));
    /// ```
    pub fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R, Missing> {
        self.find().map(|value| f(&value)).ok_or(NO_VALUE)
    }

    /// A copy of the value, if it has one.
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.find().map(|value| T::clone(&value))
    }

    /// True if it has a value here.
    pub fn is_set(&self) -> bool {
        self.find().is_some()
    }

    /// Runs `future` with `value`, on top of what stands around its first poll.
    ///
    /// It is a world of its own: what is [set](Self::set) in there ends with it, whichever local
    /// that is. As Python's `copy_context().run`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`, with the value around its destructor.
    pub fn scope<F: Future>(&self, value: T, future: F) -> Carried<F> {
        Carried {
            added: Some(self.entry(Arc::new(value))),
            locals: None,
            body: Some(future),
        }
    }

    /// Calls `f` with `value` around it. Otherwise as [`scope`](Self::scope).
    pub fn scope_sync<R>(&self, value: T, f: impl FnOnce() -> R) -> R {
        let mut locals = around();
        let former = replace_in(
            &mut locals,
            self.number(),
            Some(self.entry(Arc::new(value))),
        );
        let result = enter(&mut locals, f);
        drop((locals, former));
        result
    }

    /// Gives it `value` for the rest of the task, or of the nearest [`scope`](Self::scope) around.
    ///
    /// Whoever polls the same task sees it from now on: the rest of this function, its callers, and
    /// what they spawn. asyncio's `ContextVar.set`.
    ///
    /// # Errors
    ///
    /// [`Missing`] where nobody would keep the value and end it: on a plain thread, and in a task of
    /// another executor outside every `scope` and [`Scope`](crate::Scope).
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Rooted, TaskLocal, shim::block_on};
    ///
    /// static USER: TaskLocal<&str> = TaskLocal::new();
    ///
    /// async fn log_in() {
    ///     let _keep = USER.set("ada").unwrap();
    /// }
    ///
    /// let task = Rooted::new(async {
    ///     log_in().await;
    ///     USER.get()
    /// });
    /// assert_eq!(block_on(task).unwrap(), Some("ada"));
    /// assert!(USER.set("nobody").is_err()); // no task
    /// ```
    pub fn set(&self, value: T) -> Result<Token<'_, T>, Missing> {
        let former = self.replace(Some(Arc::new(value)))?;
        Ok(Token {
            local: self,
            former,
        })
    }

    fn find(&self) -> Option<Arc<T>> {
        // Ordering: Relaxed, a number of another use on another thread: that found nothing here.
        let number = self.number.load(Relaxed);
        if number == 0 {
            return None;
        }
        let value = peek(|list| {
            let entry = list?.0.iter().find(|entry| entry.number == number)?;
            Some(Arc::clone(&entry.value))
        });
        value?.downcast().ok()
    }

    fn replace(&self, value: Option<Arc<T>>) -> Result<Option<Arc<T>>, Missing> {
        let (number, entry) = (self.number(), value.map(|value| self.entry(value)));
        if keeper() == Keeper::Nobody {
            // Makes the scope of a task that has none, and so sees to `settle`.
            Scope::current().ok_or(NO_TASK)?;
        }
        let replaced = AROUND.try_with(|around| {
            if around.keeper.get() == Keeper::Nobody {
                around.keeper.set(Keeper::Later);
            }
            let mut list = around.list.take();
            let former = replace_in(&mut list, number, entry);
            around.list.set(list);
            former
        });
        let former = replaced.ok().flatten();
        Ok(former.and_then(|entry| entry.value.downcast().ok()))
    }

    fn entry(&self, value: Arc<T>) -> Entry {
        Entry {
            number: self.number(),
            inherited: self.inherited,
            value,
        }
    }

    fn number(&self) -> usize {
        // Ordering: Relaxed, the number is all there is to know.
        match self.number.load(Relaxed) {
            0 => self.assign(),
            number => number,
        }
    }

    #[cold]
    fn assign(&self) -> usize {
        // Ordering: Relaxed, only uniqueness is asked of it.
        let fresh = NUMBERS.fetch_add(1, Relaxed);
        // Ordering: Relaxed, the number is all there is to know; the first to store one wins.
        match self.number.compare_exchange(0, fresh, Relaxed, Relaxed) {
            Ok(_) => fresh,
            Err(number) => number,
        }
    }
}

const NO_VALUE: Missing = Missing::new(
    "value of this task-local",
    "give it one by `scope`, `scope_sync` or `set`",
);

impl<T: Send + Sync + 'static> Token<'_, T> {
    /// What the local had before.
    pub fn former(&self) -> Option<&T> {
        self.former.as_deref()
    }

    /// Gives that back, or takes the value away if there was none before.
    ///
    /// # Errors
    ///
    /// [`Missing`], as [`TaskLocal::set`]. In a task other than the one that set the value it acts
    /// on that other task.
    pub fn reset(self) -> Result<(), Missing> {
        let Token { local, former } = self;
        // Dropped here, where nothing is taken out.
        local.replace(former).map(drop)
    }
}

impl Locals {
    /// The values that stand around the caller, those aside that are not inherited.
    pub fn current() -> Self {
        Locals(inherit())
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Calls `f` with these around it, and no others. What is set in there ends with it.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut own = self.0.clone();
        enter(&mut own, f)
    }

    /// Runs `future` with these around it, and no others: what an executor does for a task that it
    /// spawns, if that is no [`Rooted`](crate::Rooted), which does so by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Locals, TaskLocal, shim::block_on};
    ///
    /// static REQUEST: TaskLocal<u32> = TaskLocal::new();
    ///
    /// let task = REQUEST.scope_sync(7, || Locals::current().carry(async { REQUEST.get() }));
    /// assert_eq!(block_on(task), Some(7));
    /// ```
    pub fn carry<F: Future>(self, future: F) -> Carried<F> {
        Carried {
            added: None,
            locals: self.0,
            body: Some(future),
        }
    }

    /// Takes what stands around the caller away until the guard is dropped, the task that is polled
    /// included: what an executor does before it runs tasks inside another one's poll.
    ///
    /// Meanwhile there is no [`Scope::current`], and nobody to [set](TaskLocal::set) values for, but
    /// in the tasks that are run.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_core::{Locals, Scope, shim::block_on};
    ///
    /// let run = Scope::detached().run(async {
    ///     let detached = Locals::detach();
    ///     assert!(Scope::current().is_none());
    ///     drop(detached);
    ///     assert!(Scope::current().is_some());
    /// });
    /// assert!(block_on(run).is_ok());
    /// ```
    pub fn detach() -> Detached {
        Detached {
            around: replace(BARE),
            _outside: Outside::new(),
        }
    }
}

/// Brings back what [`Locals::detach`] took away.
#[must_use = "the values come back with the guard's end"]
pub struct Detached {
    around: Stand,
    /// Without it, what such a task sets first would be left for the one outside.
    _outside: Outside,
}

impl Drop for Detached {
    fn drop(&mut self) {
        let taken = mem::replace(&mut self.around, BARE);
        drop(replace(taken));
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        add(this.added, this.locals);
        let polled = enter(this.locals, || {
            let body = this.body.as_mut().as_pin_mut();
            let polled = body.expect("polled after completion").poll(cx);
            if polled.is_ready() {
                this.body.set(None);
            }
            polled
        });
        if polled.is_ready() {
            drop(this.locals.take());
        }
        polled
    }
}

#[inline]
fn replace(stand: Stand) -> Stand {
    let replaced = AROUND.try_with(|around| Stand {
        list: around.list.replace(stand.list),
        keeper: around.keeper.replace(stand.keeper),
    });
    // A thread whose locals are gone keeps nothing.
    replaced.unwrap_or(BARE)
}

#[inline]
fn keeper() -> Keeper {
    AROUND
        .try_with(|around| around.keeper.get())
        .unwrap_or(Keeper::Nobody)
}

/// Looks at the list, which is not there meanwhile: `f` is not the user's.
fn peek<R>(f: impl FnOnce(Option<&List>) -> R) -> R {
    let list = AROUND.try_with(|around| around.list.take()).ok().flatten();
    let result = f(list.as_ref());
    // As it was before: what this drops is empty.
    let _ = AROUND.try_with(|around| around.list.set(list));
    result
}

/// The whole list that stands around the caller.
fn around() -> Option<List> {
    peek(|list| list.cloned())
}

/// What stands around the caller, and what is to be added to it.
fn add(added: &mut Option<Entry>, locals: &mut Option<List>) {
    if let Some(entry) = added.take() {
        *locals = around();
        // The value before it lives on in the list around.
        drop(replace_in(locals, entry.number, Some(entry)));
    }
}

/// What a child of the caller gets.
#[inline]
pub(crate) fn inherit() -> Option<List> {
    match AROUND.try_with(|around| around.is_empty()) {
        Ok(false) => copy(),
        Ok(true) | Err(_) => None,
    }
}

#[cold]
fn copy() -> Option<List> {
    peek(|list| {
        let list = list?;
        if list.0.iter().all(|entry| entry.inherited) {
            return Some(list.clone());
        }
        let inherited = list.0.iter().filter(|entry| entry.inherited).cloned();
        List::of(inherited.collect())
    })
}

impl List {
    fn of(entries: Vec<Entry>) -> Option<List> {
        (!entries.is_empty()).then(|| List(Arc::new(entries)))
    }
}

/// Puts `entry` in the place of the one with its number, or takes that one out; gives it back, to
/// be dropped where nothing is taken out of the slot.
#[must_use]
fn replace_in(list: &mut Option<List>, number: usize, entry: Option<Entry>) -> Option<Entry> {
    let Some(List(entries)) = list else {
        *list = List::of(entry.into_iter().collect());
        return None;
    };
    let place = entries.iter().position(|former| former.number == number);
    match (place, entry) {
        (Some(place), Some(entry)) => Some(mem::replace(&mut Arc::make_mut(entries)[place], entry)),
        (Some(place), None) => {
            let former = Arc::make_mut(entries).swap_remove(place);
            if entries.is_empty() {
                *list = None;
            }
            Some(former)
        }
        (None, Some(entry)) => {
            Arc::make_mut(entries).push(entry);
            None
        }
        (None, None) => None,
    }
}

/// Calls `f` with `own` around it, and gives `own` back as `f` left it, even if `f` unwinds.
pub(crate) fn enter<R>(own: &mut Option<List>, f: impl FnOnce() -> R) -> R {
    struct Leave<'a> {
        own: &'a mut Option<List>,
        former: Stand,
    }
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            let former = mem::replace(&mut self.former, BARE);
            *self.own = replace(former).list;
        }
    }
    let former = replace(Stand {
        list: own.take(),
        keeper: Keeper::Entered,
    });
    let _leave = Leave { own, former };
    f()
}

/// As [`enter`], for a task or a scope that may have no values: then `f` is called as it is, and
/// what it set is taken over.
#[inline]
pub(crate) fn keep<R>(own: &mut Option<List>, f: impl FnOnce() -> R) -> R {
    if own.is_some() {
        return enter(own, f);
    }
    let (result, list) = watch(f);
    if list.is_some() {
        *own = list;
    }
    result
}

/// Calls `f` for a task or a scope that has no values, and takes over what it set.
#[inline]
pub(crate) fn watch<R>(f: impl FnOnce() -> R) -> (R, Option<List>) {
    /// Nothing stays if `f` unwinds.
    struct Unwound;
    impl Drop for Unwound {
        fn drop(&mut self) {
            end(settle());
        }
    }
    let unwound = Unwound;
    let result = f();
    mem::forget(unwound);
    let list = match keeper() {
        Keeper::Later => settle(),
        Keeper::Nobody | Keeper::Entered => None,
    };
    (result, list)
}

/// Takes what was set during a poll of a task or scope that had no values; inside another one that
/// is being polled it stays there, for that one.
#[cold]
pub(crate) fn settle() -> Option<List> {
    if keeper() != Keeper::Later {
        return None;
    }
    if Frame::with(|frame| frame.is_some()) {
        // It has a scope from now on, so that it settles too.
        drop(Scope::current());
        return None;
    }
    replace(BARE).list
}

/// Drops a list where nothing may unwind: a panic of a value's destructor is reported.
pub(crate) fn end(list: Option<List>) {
    if list.is_none() {
        return;
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(list))) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}

impl<T> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocal")
            .field("inherited", &self.inherited)
            .finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Token<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.former).finish()
    }
}

impl fmt::Debug for Locals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.0.as_ref().map_or(0, |list| list.0.len());
        f.debug_struct("Locals").field("values", &values).finish()
    }
}

impl fmt::Debug for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Carried<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").finish_non_exhaustive()
    }
}
