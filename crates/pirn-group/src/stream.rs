//! Streams that are written as async closures: async generators, clean-up included.
//!
//! ```
//! use futures::StreamExt;
//! use pirn_group::stream;
//! use std::pin::pin;
//!
//! # futures::executor::block_on(async {
//! let mut squares = pin!(stream::from_fn(async |yielder| {
//!     for n in 1.. {
//!         yielder.yield_(n * n).await;
//!     }
//! }));
//! assert_eq!(squares.next().await, Some(1));
//! assert_eq!(squares.next().await, Some(4));
//! squares.as_mut().close().await;
//! assert_eq!(squares.next().await, None);
//! # });
//! ```
//!
//! # How it works
//!
//! The closure is a future that the stream polls, in a [scope](pirn_core::Scope) of its own. An item is
//! laid into a slot, and the closure is pending until the stream was asked for the next one. So it runs
//! only while somebody asks, never beside. There is one allocation for the slot and one for the scope,
//! none for an item; but an item costs a poll of that scope, some 600 instructions where async-stream
//! takes 50. It is for items that are worth that: pages, lines, messages, not bytes.
//!
//! # How it ends
//!
//! | | the closure | its clean-up ([`finally`](pirn_core::finally)) |
//! |---|---|---|
//! | it returns | | has run |
//! | [`close`](FromFn::close) | is cancelled, as any body | awaited, then `close` returns |
//! | the stream is dropped | is dropped | handed over to the scope it belongs to, whose run awaits it |
//! | the scope it belongs to is cancelled | is cancelled | awaited, if the stream is being polled |
//! | a scope around one `next` alone is cancelled, by a timeout say | stands still | |
//! | it panics | | handed over likewise; the panic goes on, after the item that it had yielded, and the stream has ended |
//!
//! It belongs to the scope in which the stream was *made*, not to that in which it is polled first: a
//! `timeout`, a `race` or a `move_on_after` around one `next` gives up that wait and no more, be it the
//! first or a later one, and the item is there for the next. So the limits of whoever asks are not the
//! generator's: its deadline is that of the scope in which the stream was made. If that has ended by
//! the first poll, the stream was given away, as the value of a `timeout` that opened it, say; then the
//! nearest scope around that has not ended counts. A stream that was made outside every scope belongs to
//! the runtime, where there is one: a cancel of the task that polls it drops it with the task.
//!
//! The price is a stream that goes, by value, into a scope that it was not made in: `timeout(limit,
//! pages().collect::<Vec<_>>())`. If that is cut, the stream is dropped, and its clean-up is awaited by
//! the scope in which it was made, not by the timeout; and what can only run
//! [in place](pirn_core::finally_in_place) is lost, which is reported. Make the stream inside, in an
//! `async` block, where the timeout is to await it.
//!
//! An end that is not the generator's own is told by [`cause`](FromFn::cause): who polls the stream
//! elsewhere, in a shield or in another task, may go on when its scope is cancelled, and is then given
//! `None`.
//!
//! What is around the closure in one poll may not be around it in the next: a timeout in it goes on
//! while the consumer is busy with an item, and fires when the stream is polled next.
//!
//! # Beside others
//!
//! | | async-stream 0.3 | genawaiter 0.99 | `from_fn` |
//! |---|---|---|---|
//! | written as | a macro with a `yield` of its own | a closure, or a macro | a closure |
//! | unsafe code | yes | yes | none |
//! | two yields at once | only the macro yields | panics in debug builds | does not compile |
//! | a yielder outside its generator | only the macro yields | compiles | does not compile |
//! | when it is dropped half-way | is dropped | is dropped | its async clean-up still runs |
//! | an end that is awaited | no | no | [`close`](FromFn::close) |
//! | always ready | does not give the thread back | likewise | spends the task's budget |

use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;
use pirn_core::budget::{self, inspect};
use pirn_core::report::{Report, report};
use pirn_core::shim::ListLock;
use pirn_core::wake::{Identity, discard, wake};
use pirn_core::{Cause, Kind, Limited, Payload, Scope, context};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
// std's: nothing here goes on between threads.
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// A stream of what `generator` yields. It ends when `generator` returns.
///
/// Nothing runs before the stream is polled. See the [module](self) for how it ends.
///
/// # Cancel safety
///
/// Dropping a future of its next item loses nothing; nor does a scope around it that ends, unless the
/// stream was made in there: the generator stands still until the stream is polled again. Dropping the
/// stream drops the generator where it waits; clean-up that it left behind goes to the scope in which
/// the stream was made.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use pirn_group::stream;
///
/// # futures::executor::block_on(async {
/// let lines = ["warp", "weft"];
/// let lengths = stream::from_fn(async |yielder| {
///     for line in lines {
///         yielder.yield_(line.len()).await;
///     }
/// });
/// assert_eq!(lengths.collect::<Vec<_>>().await, [4, 4]);
/// # });
/// ```
///
/// A generator that is written in the body of a task that must be `Send` does not compile where the type
/// of its items has a lifetime in it, as `&str` has and `Result<_, Box<dyn Error>>`: the compiler says
/// "implementation of `AsyncFnOnce` is not general enough". Write it in a function that says what the
/// stream gives, or yield what owns: an `Arc<str>`, or an error type of your own.
///
/// ```
/// use futures::{Stream, StreamExt};
/// use pirn_group::stream;
/// use std::pin::pin;
///
/// fn words(text: &str) -> impl Stream<Item = &str> + Send {
///     stream::from_fn(async move |yielder| {
///         for word in text.split(' ') {
///             yielder.yield_(word).await;
///         }
///     })
/// }
///
/// fn task() -> impl Future<Output = usize> + Send + 'static {
///     async {
///         let text = String::from("warp and weft");
///         let mut words = pin!(words(&text));
///         let mut longest = 0;
///         while let Some(word) = words.next().await {
///             longest = longest.max(word.len());
///         }
///         longest
///     }
/// }
/// assert_eq!(futures::executor::block_on(task()), 4);
/// ```
///
/// A yielder yields one item at a time, and stays in its generator:
///
/// ```compile_fail,E0499
/// # use pirn_group::stream;
/// stream::from_fn(async |yielder| {
///     let (one, two) = (yielder.yield_(1), yielder.yield_(2));
///     futures::join!(one, two);
/// });
/// ```
#[track_caller]
pub fn from_fn<T, G>(generator: G) -> FromFn<T, impl Future<Output = ()>>
where
    G: AsyncFnOnce(&mut Yielder<T>),
{
    let slot = Slot::default();
    let mut yielder = Yielder { slot: slot.clone() };
    let run = async move { generator(&mut yielder).await };
    FromFn {
        generator: Generator::new(slot, run),
    }
}

/// As [`from_fn`], for a generator that may fail: what it yields is `Ok`, and an error that it returns
/// is the last item. The error's type may have a lifetime in it also where the task must be `Send`.
///
/// # Cancel safety
///
/// As [`from_fn`].
///
/// # Examples
///
/// ```
/// use futures::TryStreamExt;
/// use pirn_group::stream;
///
/// # futures::executor::block_on(async {
/// let numbers = stream::try_from_fn(async |yielder| {
///     for word in ["7", "8", "nine", "10"] {
///         yielder.yield_(word.parse::<u8>()?).await;
///     }
///     Ok::<(), std::num::ParseIntError>(())
/// });
/// let mut seen = Vec::new();
/// let ended = numbers.try_for_each(|n| std::future::ready(Ok(seen.push(n)))).await;
/// assert!(ended.is_err());
/// assert_eq!(seen, [7, 8]);
/// # });
/// ```
#[track_caller]
pub fn try_from_fn<T, E, G>(generator: G) -> TryFromFn<T, impl Future<Output = Result<(), E>>>
where
    G: AsyncFnOnce(&mut Yielder<T>) -> Result<(), E>,
{
    let slot = Slot::default();
    let mut yielder = Yielder { slot: slot.clone() };
    let run = async move { generator(&mut yielder).await };
    TryFromFn {
        generator: Generator::new(slot, run),
    }
}

/// In the hands of a generator: gives items to its stream.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use pirn_group::stream::{self, Yielder};
///
/// async fn countdown(yielder: &mut Yielder<u8>, from: u8) {
///     for n in (1..=from).rev() {
///         yielder.yield_(n).await;
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let twice = stream::from_fn(async |yielder| {
///     countdown(yielder, 2).await;
///     countdown(yielder, 1).await;
/// });
/// assert_eq!(twice.collect::<Vec<_>>().await, [2, 1, 1]);
/// # });
/// ```
pub struct Yielder<T> {
    slot: Slot<T>,
}

impl<T> Yielder<T> {
    /// Gives `item` to the stream, and waits until it is asked for the next one.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll, the item goes with it; after that, the stream gives it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_group::stream;
    ///
    /// # futures::executor::block_on(async {
    /// let one = stream::from_fn(async |yielder| yielder.yield_("weft").await);
    /// assert_eq!(one.collect::<Vec<_>>().await, ["weft"]);
    /// # });
    /// ```
    pub fn yield_(&mut self, item: T) -> Yield<'_, T> {
        Yield {
            slot: &self.slot,
            item: Some(item),
        }
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

/// The future of [`Yielder::yield_`].
#[must_use = "futures do nothing unless awaited"]
pub struct Yield<'a, T> {
    slot: &'a Slot<T>,
    /// Until it lies in the slot.
    item: Option<T>,
}

impl<T> Unpin for Yield<'_, T> {}

impl<T> Future for Yield<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // In a cancelled generator nothing is given any more.
        if budget::is_frozen() {
            if self.item.is_some() && inspect::asks() {
                inspect::say(inspect::LOST);
            }
            return Poll::Pending;
        }
        let this = &mut *self;
        let mut lying = this.slot.0.lock();
        if lying.item.is_none() && this.item.is_none() {
            return Poll::Ready(());
        }
        if lying.item.is_none() {
            lying.item = this.item.take();
        }
        // Whoever wants an item polls the generator, which polls this, as a rule; but what is
        // between may poll only what was woken.
        if lying.asker == Identity::of(cx.waker()) {
            return Poll::Pending;
        }
        drop(lying);
        let waker = cx.waker().clone();
        let former = this.slot.0.lock().waiting.replace(waker);
        discard(former);
        Poll::Pending
    }
}

/// Where an item lies between the generator and its stream.
struct Slot<T>(Arc<ListLock<Lying<T>>>);

struct Lying<T> {
    item: Option<T>,
    /// With whose waker the stream was polled last.
    asker: Identity,
    /// Who waits until the stream is polled again, if that is not the asker itself.
    waiting: Option<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot(Arc::new(ListLock::new(Lying {
            item: None,
            asker: Identity::NOBODY,
            waiting: None,
        })))
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Slot(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    /// The stream is polled by `asker`: whoever waits for that is woken.
    fn ask(&self, asker: &Waker) {
        let mut lying = self.0.lock();
        lying.asker = Identity::of(asker);
        let waiting = lying.waiting.take();
        drop(lying);
        if let Some(waker) = waiting {
            wake(waker);
        }
    }

    fn put_back(&self, item: Option<T>) {
        self.0.lock().item = item;
    }

    fn take(&self) -> Option<T> {
        self.0.lock().item.take()
    }
}

pin_project! {
    /// The stream of [`from_fn`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_group::stream::{FromFn, from_fn};
    /// use std::future::Future;
    ///
    /// fn ones() -> FromFn<u8, impl Future<Output = ()>> {
    ///     from_fn(async |yielder| loop { yielder.yield_(1).await })
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// assert_eq!(ones().take(2).collect::<Vec<_>>().await, [1, 1]);
    /// # });
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct FromFn<T, F: Future> {
        #[pin]
        generator: Generator<T, F>,
    }
}

pin_project! {
    /// The stream of [`try_from_fn`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::TryStreamExt;
    /// use pirn_group::stream::{TryFromFn, try_from_fn};
    /// use std::future::Future;
    ///
    /// fn none() -> TryFromFn<u8, impl Future<Output = Result<(), &'static str>>> {
    ///     try_from_fn(async |_| Err("there is none"))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// assert_eq!(none().try_collect::<Vec<_>>().await, Err("there is none"));
    /// # });
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct TryFromFn<T, F: Future> {
        #[pin]
        generator: Generator<T, F>,
    }
}

impl<T, F: Future<Output = ()>> FromFn<T, F> {
    /// Ends the stream: the generator is cancelled, and its clean-up awaited. Items that it yields
    /// meanwhile, from a shield, are dropped. A generator that was never polled is dropped.
    ///
    /// # Panics
    ///
    /// With a panic of the generator, and with one that was to come after the last item.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the generator cancelled; what is left of its clean-up goes on when this, or
    /// the stream, is polled again, and is handed over when the stream is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_core::finally;
    /// use pirn_group::stream;
    /// use std::pin::pin;
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// static CLOSED: AtomicBool = AtomicBool::new(false);
    /// # futures::executor::block_on(async {
    /// let mut lines = pin!(stream::from_fn(async |yielder| {
    ///     let work = async { loop { yielder.yield_("line").await } };
    ///     finally(work, async || CLOSED.store(true, Relaxed)).await
    /// }));
    /// assert_eq!(lines.next().await, Some("line"));
    /// lines.as_mut().close().await;
    /// assert!(CLOSED.load(Relaxed));
    /// # });
    /// ```
    #[track_caller]
    pub fn close(self: Pin<&mut Self>) -> impl Future<Output = ()> {
        let closed = self.project().generator.close(Location::caller());
        async move { _ = closed.await }
    }

    /// Why the generator was cancelled, if it was and has ended: by [`close`](Self::close), with the
    /// scope that it belongs to, or by itself. `None` where it has returned, or goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_group::stream;
    /// use std::pin::pin;
    ///
    /// # futures::executor::block_on(async {
    /// let mut numbers = pin!(stream::from_fn(async |yielder| {
    ///     for n in 0..9 {
    ///         yielder.yield_(n).await;
    ///     }
    /// }));
    /// assert_eq!(numbers.next().await, Some(0));
    /// numbers.as_mut().close().await;
    /// assert_eq!(numbers.next().await, None); // as at its end,
    /// assert_eq!(numbers.cause().unwrap().text(), "the stream was closed"); // which it was not
    /// # });
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.generator.cause.as_deref()
    }
}

impl<T, E, F: Future<Output = Result<(), E>>> TryFromFn<T, F> {
    /// Ends the stream, as [`FromFn::close`].
    ///
    /// # Errors
    ///
    /// The generator's, if it returned one rather than be cancelled.
    ///
    /// # Panics
    ///
    /// As [`FromFn::close`].
    ///
    /// # Cancel safety
    ///
    /// As [`FromFn::close`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_group::stream;
    /// use std::pin::pin;
    ///
    /// # futures::executor::block_on(async {
    /// let mut numbers = pin!(stream::try_from_fn(async |yielder| {
    ///     yielder.yield_(1).await;
    ///     Err::<(), _>("there is but one")
    /// }));
    /// assert_eq!(numbers.next().await, Some(Ok(1)));
    /// assert_eq!(numbers.as_mut().close().await, Ok(()));
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    #[track_caller]
    pub fn close(self: Pin<&mut Self>) -> impl Future<Output = Result<(), E>> {
        let closed = self.project().generator.close(Location::caller());
        async move { closed.await.unwrap_or(Ok(())) }
    }

    /// Why the generator was cancelled, if it was and has ended: by [`close`](Self::close), with the
    /// scope that it belongs to, or by itself. `None` where it has returned, or goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use pirn_group::stream;
    /// use std::pin::pin;
    ///
    /// # futures::executor::block_on(async {
    /// let mut numbers = pin!(stream::try_from_fn(async |yielder| {
    ///     for n in 0..9 {
    ///         yielder.yield_(n).await;
    ///     }
    ///     Ok::<(), &str>(())
    /// }));
    /// assert_eq!(numbers.next().await, Some(Ok(0)));
    /// numbers.as_mut().close().await.unwrap();
    /// assert_eq!(numbers.next().await, None); // as at its end,
    /// assert_eq!(numbers.cause().unwrap().text(), "the stream was closed"); // which it was not
    /// # });
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.generator.cause.as_deref()
    }
}

impl<T, F: Future<Output = ()>> Stream for FromFn<T, F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let step = ready!(self.project().generator.poll_step(cx));
        Poll::Ready(match step {
            Step::Item(item) => Some(item),
            Step::End(_) => None,
        })
    }
}

impl<T, E, F: Future<Output = Result<(), E>>> Stream for TryFromFn<T, F> {
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        let step = ready!(self.project().generator.poll_step(cx));
        Poll::Ready(match step {
            Step::Item(item) => Some(Ok(item)),
            Step::End(Some(Err(error))) => Some(Err(error)),
            Step::End(_) => None,
        })
    }
}

impl<T, F: Future<Output = ()>> FusedStream for FromFn<T, F> {
    fn is_terminated(&self) -> bool {
        self.generator.is_terminated()
    }
}

impl<T, E, F: Future<Output = Result<(), E>>> FusedStream for TryFromFn<T, F> {
    fn is_terminated(&self) -> bool {
        self.generator.is_terminated()
    }
}

impl<T, F: Future> fmt::Debug for FromFn<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

impl<T, F: Future> fmt::Debug for TryFromFn<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryFromFn").finish_non_exhaustive()
    }
}

/// What a generator gives.
enum Step<T, R> {
    Item(T),
    /// It returned this, or was cancelled.
    End(Option<R>),
}

/// How a generator ended.
enum End<R> {
    Returned(R),
    Cancelled,
    Panicked(Payload),
}

impl<R> End<R> {
    /// What it returned, if that is how it ended; a panic goes on.
    fn tell(end: Option<Self>) -> Option<R> {
        match end? {
            End::Returned(value) => Some(value),
            End::Cancelled => None,
            End::Panicked(payload) => resume_unwind(payload),
        }
    }
}

pin_project! {
    struct Generator<T, F: Future> {
        slot: Slot<T>,
        // The end, if it could not yet be told.
        end: Option<End<F::Output>>,
        // Why it was cancelled.
        cause: Option<Arc<Cause>>,
        made_at: &'static Location<'static>,
        // The slot is full, and the last poll had no budget left to give the item.
        left: bool,
        #[pin]
        state: State<F>,
    }

    impl<T, F: Future> PinnedDrop for Generator<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let State::Running { run } = &*this.state {
                cancel(run, Kind::Dropped, "the stream was dropped", this.made_at);
            }
            if let Some(End::Panicked(payload)) = this.end.take() {
                report(Report::Panic { task: None, payload });
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F: Future> {
        // Moved into its run at the first poll.
        Unpolled { future: Option<F>, made_in: Option<Scope> },
        Running { #[pin] run: Limited<F> },
        Ended,
    }
}

impl<T, F: Future> Generator<T, F> {
    #[track_caller]
    fn new(slot: Slot<T>, future: F) -> Self {
        Generator {
            made_at: Location::caller(),
            slot,
            end: None,
            cause: None,
            left: false,
            state: State::Unpolled {
                future: Some(future),
                made_in: Scope::current(),
            },
        }
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended) && self.end.is_none() && !self.left
    }

    /// True while there may be clean-up of a cancelled generator to wait for.
    fn is_cancelled(&self) -> bool {
        match &self.state {
            // It is there after a poll that was pending.
            State::Running { run } => run.scope_if_made().is_some_and(Scope::is_cancelled),
            State::Unpolled { .. } | State::Ended => false,
        }
    }

    fn poll_step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step<T, F::Output>> {
        let frozen = budget::is_frozen();
        if frozen && !self.is_cancelled() {
            // The wait is cancelled, and the generator is not: what it does, and an item that is left,
            // are for the next. (Not polled, it does not hold up the body around.)
            self.ask(cx);
            return Poll::Pending;
        }
        if frozen {
            // Nobody will take an item: it is polled for its clean-up, whatever is left.
            let _over = self.poll_out(cx);
            return Poll::Pending;
        }
        let mut panicked = None;
        if !self.left {
            panicked = self.as_mut().poll_run(cx).err();
        }
        let this = self.project();
        *this.left = false;
        let item = this.slot.take();
        if let Some(payload) = panicked {
            if item.is_none() {
                resume_unwind(payload);
            }
            // What was yielded comes first.
            *this.end = Some(End::Panicked(payload));
        }
        if item.is_none() && !matches!(*this.state, State::Ended) {
            return Poll::Pending;
        }
        if budget::poll_spend(cx).is_pending() {
            *this.left = item.is_some();
            this.slot.put_back(item);
            return Poll::Pending;
        }
        Poll::Ready(match item {
            Some(item) => Step::Item(item),
            None => Step::End(End::tell(this.end.take())),
        })
    }

    /// If this thread [inspects](inspect), lets a generator that was waited for say what it waits for.
    #[cold]
    fn ask(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let waits = matches!(self.state, State::Running { .. }) && !self.left;
        if !waits || !inspect::asks() {
            return;
        }
        if let Err(payload) = self.as_mut().poll_run(cx) {
            resume_unwind(payload);
        }
        if matches!(self.state, State::Ended) {
            inspect::say(inspect::LOST);
        }
    }

    /// Polls what is left of the generator, and keeps its end; a panic is the caller's.
    fn poll_run(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Result<(), Payload> {
        let mut this = self.project();
        if let StateProj::Unpolled { future, made_in } = this.state.as_mut().project() {
            let future = future.take().expect("there until the first poll");
            let run = Limited::child_of(&home(made_in.take()), future);
            this.state.set(State::Running { run });
        }
        let StateProj::Running { run } = this.state.as_mut().project() else {
            return Ok(());
        };
        this.slot.ask(cx.waker());
        match catch_unwind(AssertUnwindSafe(|| run.poll(cx))) {
            Ok(Poll::Pending) => return Ok(()),
            Ok(Poll::Ready(Ok(value))) => *this.end = Some(End::Returned(value)),
            Ok(Poll::Ready(Err(cause))) => {
                *this.cause = Some(cause);
                *this.end = Some(End::Cancelled);
            }
            Err(payload) => {
                this.state.set(State::Ended);
                return Err(payload);
            }
        }
        this.state.set(State::Ended);
        Ok(())
    }

    async fn close(mut self: Pin<&mut Self>, at: &'static Location<'static>) -> Option<F::Output> {
        let text = "the stream was closed";
        let mut this = self.as_mut().project();
        match this.state.as_mut().project() {
            StateProj::Unpolled { .. } => {
                *this.cause = Some(Arc::new(Cause::requested(text).with_location(at)));
                this.state.set(State::Ended);
            }
            StateProj::Running { run } => cancel(&run, Kind::Requested, text, at),
            StateProj::Ended => {}
        }
        poll_fn(|cx| self.as_mut().poll_close(cx)).await
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let _budget = budget::refill_if_outermost();
        ready!(self.as_mut().poll_out(cx));
        ready!(budget::poll_spend(cx));
        Poll::Ready(End::tell(self.project().end.take()))
    }

    /// Polls a cancelled generator to its end, as far as it goes, and drops what it yields.
    fn poll_out(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // In a cancelled body there is no budget to spend, and the generator may be in a shield.
        let frozen = budget::is_frozen();
        for _ in 0..budget::BUDGET {
            let polled = self.as_mut().poll_run(cx);
            let this = self.as_mut().project();
            *this.left = false;
            let dropped = this.slot.take().is_some();
            if let Err(payload) = polled {
                resume_unwind(payload);
            }
            if matches!(*this.state, State::Ended) {
                return Poll::Ready(());
            }
            if !dropped {
                return Poll::Pending;
            }
            if !frozen {
                ready!(budget::poll_spend(cx));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Cancels a generator that was polled.
fn cancel<F: Future>(
    run: &Limited<F>,
    kind: Kind,
    text: &'static str,
    at: &'static Location<'static>,
) {
    // It is there after a poll that was pending.
    if let Some(scope) = run.scope_if_made() {
        scope.cancel(Cause::new(kind, text).with_location(at));
    }
}

/// The scope that a generator belongs to, of that in which its stream was made: the nearest that has
/// not ended by the first poll.
fn home(made_in: Option<Scope>) -> Scope {
    let mut home = made_in;
    while let Some(ended) = home.as_ref().filter(|scope| scope.has_ended()) {
        home = ended.parent().cloned();
    }
    home.or_else(context::reaper)
        .unwrap_or_else(Scope::detached)
}
