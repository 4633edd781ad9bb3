//! Gathers of two to twelve different futures, which lie in the gather itself and share the task's
//! waker: so nothing is allocated, and a wake polls those that have not ended.

use super::list::result_of;
use super::outcome::Outcome;
use super::plain::{Joining, Sure};
use super::{Gather, GatherResults};
use crate::catch::drop_quietly;
use crate::error::GroupError;
use crate::several::form;
use crate::tally::Tally;
use crate::untaken::{Left, Value};
use pin_project_lite::pin_project;
use pirn_core::{Branch, BranchEnd, Cause, JoinError, Scope, TaskMeta, budget};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Some of a tuple's futures: bit k is the one at k.
type Places = u16;

pin_project! {
    /// A gather of a tuple.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Gathering<S: Seats, W: Wants<S::Bad>> {
        #[pin]
        seats: S,
        judge: W::Judge,
        // Those that have not ended.
        live: Places,
        // Whose turn is first.
        first: u32,
    }

    impl<S: Seats, W: Wants<S::Bad>> PinnedDrop for Gathering<S, W> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let task = this.judge.meta();
            this.seats.as_mut().left(task);
            if *this.live != 0 {
                this.seats.vacate(task);
            }
        }
    }
}

pin_project! {
    /// One of the futures, and what it gave.
    pub struct Seat<F: Future, K: Kept<F::Output>> {
        #[pin]
        branch: Branch<F>,
        value: Option<K::Value>,
    }
}

/// All futures of a tuple.
pub trait Seats {
    type Values;
    /// An end of which nothing is kept.
    type Bad;
    const LEN: u32;

    /// Polls those that are `due`, and says which of them have ended. Ends where the judge has the others
    /// cancelled.
    fn poll<J>(self: Pin<&mut Self>, due: Places, cx: &mut Context<'_>, judge: &mut J) -> Places
    where
        J: Judge<Self::Bad>;

    /// Cancels those that are `live`, and says which of them have ended with that.
    fn cancel<J>(self: Pin<&mut Self>, live: Places, cause: &Arc<Cause>, judge: &mut J) -> Places
    where
        J: Judge<Self::Bad>;

    /// What they gave, once.
    fn values(self: Pin<&mut Self>) -> Self::Values;

    /// Drops what they gave.
    fn discard<J: Judge<Self::Bad>>(self: Pin<&mut Self>, judge: &J);

    /// Nobody is given what they gave any more.
    fn left(self: Pin<&mut Self>, task: &TaskMeta);

    /// Drops the futures, each by itself. Those that have ended are gone.
    fn vacate(self: Pin<&mut Self>, task: &TaskMeta);
}

/// What is kept of each end.
pub trait Kept<Output> {
    type Value;

    /// Keeps an end, or gives it back: it is a bad one then.
    fn keep<J: Judge<Bad>, Bad>(
        end: BranchEnd<Output>,
        judge: &mut J,
    ) -> Result<Self::Value, BranchEnd<Output>>;

    /// Nobody is given that any more.
    fn left(value: Self::Value, task: &TaskMeta);
}

/// The values.
#[derive(Debug)]
pub enum Values {}

/// The ends as they are.
#[derive(Debug)]
pub enum Ends {}

impl<Output: Outcome> Kept<Output> for Values {
    type Value = Output::Value;

    #[inline]
    fn keep<J: Judge<Bad>, Bad>(
        end: BranchEnd<Output>,
        _: &mut J,
    ) -> Result<Self::Value, BranchEnd<Output>> {
        match end {
            BranchEnd::Value(output) => output.value().map_err(BranchEnd::Value),
            bad => Err(bad),
        }
    }

    #[cold]
    fn left(value: Output::Value, task: &TaskMeta) {
        Value(value).left(task);
    }
}

impl<Output> Kept<Output> for Ends {
    type Value = Result<Output, JoinError>;

    #[inline]
    fn keep<J: Judge<Bad>, Bad>(
        end: BranchEnd<Output>,
        judge: &mut J,
    ) -> Result<Self::Value, BranchEnd<Output>> {
        Ok(result_of(end, || judge.stalled()))
    }

    #[cold]
    fn left(value: Self::Value, task: &TaskMeta) {
        value.left(task);
    }
}

/// Who decides what the ends of the futures come to, of which those are bad of which nothing is kept.
pub trait Judge<Bad> {
    /// What there is in the end.
    type Whole<Values>;

    /// Takes note of a bad end.
    fn bad(&mut self, bad: Bad);

    /// Takes note of one that was cancelled with the body around, where that was kept.
    fn stalled(&mut self);

    /// Of the whole.
    fn meta(&self) -> &TaskMeta;

    /// True if the others are to be cancelled.
    fn must_cancel(&self) -> bool;

    /// True if the values count.
    fn is_well(&self) -> bool;

    /// The cause for which they are from now on.
    fn cancel(&mut self) -> Arc<Cause>;

    /// Drops a value that does not count.
    fn discard<T>(&self, place: usize, value: T);

    /// All have ended.
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<Self::Whole<V>>;
}

/// What is wanted of a tuple: with the judge of that.
pub trait Wants<Bad> {
    type Judge: Judge<Bad>;
}

/// All values, or the errors.
#[derive(Debug)]
pub struct WantsAll<E>(PhantomData<E>);

/// Every end.
#[derive(Debug)]
pub enum WantsEnds {}

impl<Bad, E: fmt::Display> Wants<Bad> for WantsAll<E> {
    type Judge = Strict<Bad, E>;
}

impl<Bad> Wants<Bad> for WantsEnds {
    type Judge = Lenient;
}

/// The judge of those who want values.
pub struct Strict<Bad, E> {
    tally: Tally<E>,
    /// What is done where something has gone wrong: with a bad end, and without one when all have ended.
    /// Known from where the gather was made, as in [`Known`](crate::known::Known), but not on the way of
    /// those who do well.
    badly: fn(&mut Tally<E>, Option<Bad>) -> Poll<GroupError<E>>,
}

impl<Bad, E: fmt::Display> Strict<Bad, E> {
    #[inline]
    fn new(meta: TaskMeta, badly: fn(&mut Tally<E>, Option<Bad>) -> Poll<GroupError<E>>) -> Self {
        Strict {
            tally: Tally::new(&"gather", meta),
            badly,
        }
    }
}

impl<Bad, E: fmt::Display> Judge<Bad> for Strict<Bad, E> {
    type Whole<Values> = Result<Values, GroupError<E>>;

    fn bad(&mut self, bad: Bad) {
        let _ = (self.badly)(&mut self.tally, Some(bad));
    }

    fn stalled(&mut self) {
        unreachable!("no bad end is kept")
    }

    #[inline]
    fn meta(&self) -> &TaskMeta {
        self.tally.meta()
    }

    #[inline]
    fn must_cancel(&self) -> bool {
        self.tally.must_cancel()
    }

    #[inline]
    fn is_well(&self) -> bool {
        self.tally.is_well()
    }

    fn cancel(&mut self) -> Arc<Cause> {
        self.tally.cancel()
    }

    fn discard<T>(&self, place: usize, value: T) {
        self.tally.discard(place, value);
    }

    #[inline]
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<Self::Whole<V>> {
        match self.tally.is_well() {
            true => Poll::Ready(Ok(values())),
            false => (self.badly)(&mut self.tally, None).map(Err),
        }
    }
}

/// The judge of those who want every end.
#[derive(Debug)]
pub struct Lenient {
    meta: TaskMeta,
    /// One was cancelled with the body around.
    stalled: bool,
}

impl<Bad> Judge<Bad> for Lenient {
    type Whole<Values> = Values;

    fn bad(&mut self, _: Bad) {
        unreachable!("every end is kept")
    }

    #[inline]
    fn stalled(&mut self) {
        self.stalled = true;
    }

    #[inline]
    fn meta(&self) -> &TaskMeta {
        &self.meta
    }

    #[inline]
    fn must_cancel(&self) -> bool {
        false
    }

    #[inline]
    fn is_well(&self) -> bool {
        true
    }

    fn cancel(&mut self) -> Arc<Cause> {
        unreachable!("nobody must be cancelled")
    }

    fn discard<T>(&self, _: usize, _: T) {
        unreachable!("every end counts")
    }

    #[inline]
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<V> {
        match self.stalled && Scope::must_stay() {
            true => Poll::Pending,
            false => Poll::Ready(values()),
        }
    }
}

impl<S: Seats, W: Wants<S::Bad>> Gathering<S, W> {
    #[inline]
    fn new(seats: S, judge: W::Judge) -> Self {
        Gathering {
            seats,
            judge,
            live: (1 << S::LEN) - 1,
            first: 0,
        }
    }
}

impl<S: Seats, W: Wants<S::Bad>> Future for Gathering<S, W> {
    type Output = <W::Judge as Judge<S::Bad>>::Whole<S::Values>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let budget = budget::refill_if_outermost();
        loop {
            // From the first on, and around.
            let from = Places::MAX << *this.first;
            let mut turn = from;
            loop {
                let due = *this.live & turn;
                *this.live &= !this.seats.as_mut().poll(due, cx, this.judge);
                if turn & 1 != 0 {
                    break;
                }
                turn = !from;
            }
            if budget::is_spent() {
                // So that one which would spend all of it leaves the others their turns.
                *this.first = (*this.first + 1) % S::LEN;
            }
            if !this.judge.must_cancel() {
                break;
            }
            let cause = this.judge.cancel();
            let seats = this.seats.as_mut();
            *this.live &= !seats.cancel(*this.live, &cause, this.judge);
        }
        drop(budget);
        if *this.live != 0 {
            return Poll::Pending;
        }
        if !this.judge.is_well() {
            this.seats.as_mut().discard(this.judge);
        }
        this.judge.poll_whole(|| this.seats.values())
    }
}

impl<F: Future, K: Kept<F::Output>> Seat<F, K> {
    #[inline]
    fn new(future: F) -> Self {
        Seat {
            branch: Branch::new(future),
            value: None,
        }
    }

    /// True when it has ended. `bad` makes a bad end one of the tuple's.
    #[inline]
    fn poll<J: Judge<Bad>, Bad>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        judge: &mut J,
        bad: impl FnOnce(BranchEnd<F::Output>) -> Bad,
    ) -> bool {
        match self.as_mut().project().branch.poll(cx) {
            Poll::Ready(end) => {
                self.end(end, judge, bad);
                true
            }
            Poll::Pending => false,
        }
    }

    /// True if it has ended with that.
    fn cancel<J: Judge<Bad>, Bad>(
        mut self: Pin<&mut Self>,
        cause: &Arc<Cause>,
        judge: &mut J,
        bad: impl FnOnce(BranchEnd<F::Output>) -> Bad,
    ) -> bool {
        match self.as_mut().project().branch.cancel(cause) {
            Some(end) => {
                self.end(end, judge, bad);
                true
            }
            None => false,
        }
    }

    #[inline]
    fn end<J: Judge<Bad>, Bad>(
        self: Pin<&mut Self>,
        end: BranchEnd<F::Output>,
        judge: &mut J,
        bad: impl FnOnce(BranchEnd<F::Output>) -> Bad,
    ) {
        match K::keep(end, judge) {
            Ok(value) => *self.project().value = Some(value),
            Err(end) => tell_badly(judge, end, bad),
        }
    }

    #[inline]
    fn value(self: Pin<&mut Self>) -> K::Value {
        let value = self.project().value.take();
        value.expect("a gather was polled after it was ready")
    }

    fn discard<J: Judge<Bad>, Bad>(self: Pin<&mut Self>, place: usize, judge: &J) {
        if let Some(value) = self.project().value.take() {
            judge.discard(place, value);
        }
    }

    #[inline]
    fn left(self: Pin<&mut Self>, task: &TaskMeta) {
        if let Some(value) = self.project().value.take() {
            K::left(value, task);
        }
    }

    fn vacate(self: Pin<&mut Self>, task: &TaskMeta) {
        drop_quietly(task, || self.project().branch.vacate());
    }
}

/// Apart from the way of those who do well.
#[cold]
fn tell_badly<T, J: Judge<Bad>, Bad>(
    judge: &mut J,
    end: BranchEnd<T>,
    bad: impl FnOnce(BranchEnd<T>) -> Bad,
) {
    judge.bad(bad(end));
}

macro_rules! gather {
    ($len:literal: $($F:ident $T:ident $index:literal),+) => {
        #[allow(non_snake_case, reason = "named for their types")]
        const _: () = {
            pin_project! {
                pub struct Row<$($F: Future,)+ Keeps>
                where
                    $(Keeps: Kept<$F::Output>,)+
                {
                    $(#[pin] $F: Seat<$F, Keeps>,)+
                }
            }

            impl<$($F: Future,)+ Keeps> Row<$($F,)+ Keeps>
            where
                $(Keeps: Kept<$F::Output>,)+
            {
                #[inline]
                fn new(($($F,)+): ($($F,)+)) -> Self {
                    Row { $($F: Seat::new($F)),+ }
                }
            }

            /// A bad end of one of them.
            pub enum Bad<$($F),+> {
                $($F(BranchEnd<$F>)),+
            }

            impl<$($T,)+ Fails: fmt::Display + 'static> Bad<$(Result<$T, Fails>),+> {
                /// What a judge does [badly](Strict::badly).
                #[cold]
                fn tell(tally: &mut Tally<Fails>, bad: Option<Self>) -> Poll<GroupError<Fails>> {
                    match bad {
                        $(Some(Bad::$F(end)) => drop(tally.end($index, end)),)+
                        None => return tally.poll_finish_badly(),
                    }
                    Poll::Pending
                }
            }

            impl<$($F: Future,)+ Keeps> Seats for Row<$($F,)+ Keeps>
            where
                $(Keeps: Kept<$F::Output>,)+
            {
                type Values = ($(<Keeps as Kept<$F::Output>>::Value,)+);
                type Bad = Bad<$($F::Output),+>;
                const LEN: u32 = $len;

                #[inline]
                fn poll<Who>(
                    self: Pin<&mut Self>,
                    due: Places,
                    cx: &mut Context<'_>,
                    judge: &mut Who,
                ) -> Places
                where
                    Who: Judge<Self::Bad>,
                {
                    let this = self.project();
                    let mut ended = 0;
                    $(if due & (1 << $index) != 0 && !judge.must_cancel() {
                        ended |= Places::from(this.$F.poll(cx, judge, Bad::$F)) << $index;
                    })+
                    ended
                }

                fn cancel<Who>(
                    self: Pin<&mut Self>,
                    live: Places,
                    cause: &Arc<Cause>,
                    judge: &mut Who,
                ) -> Places
                where
                    Who: Judge<Self::Bad>,
                {
                    let this = self.project();
                    let mut ended = 0;
                    $(if live & (1 << $index) != 0 {
                        ended |= Places::from(this.$F.cancel(cause, judge, Bad::$F)) << $index;
                    })+
                    ended
                }

                #[inline]
                fn values(self: Pin<&mut Self>) -> Self::Values {
                    let this = self.project();
                    ($(this.$F.value(),)+)
                }

                #[cold]
                fn discard<Who: Judge<Self::Bad>>(self: Pin<&mut Self>, judge: &Who) {
                    let this = self.project();
                    $(this.$F.discard($index, judge);)+
                }

                #[inline]
                fn left(self: Pin<&mut Self>, task: &TaskMeta) {
                    let this = self.project();
                    $(this.$F.left(task);)+
                }

                #[cold]
                fn vacate(self: Pin<&mut Self>, task: &TaskMeta) {
                    let this = self.project();
                    $(this.$F.vacate(task);)+
                }
            }

            impl<Fails, $($F, $T),+> Gather<form::Tuple> for ($($F,)+)
            where
                $($F: Future<Output = Result<$T, Fails>>,)+
                Fails: fmt::Display + 'static,
            {
                type Values = ($($T,)+);
                type Error = Fails;
                type Gathering = Gathering<Row<$($F,)+ Values>, WantsAll<Fails>>;

                #[inline]
                fn gather(self, meta: TaskMeta) -> Self::Gathering {
                    Gathering::new(Row::new(self), Strict::new(meta, Bad::tell))
                }
            }

            impl<$($F: Future),+> GatherResults<form::Tuple> for ($($F,)+) {
                type Values = ($($F::Output,)+);
                type Ends = ($(Result<$F::Output, JoinError>,)+);
                type Settling = Gathering<Row<$($F,)+ Ends>, WantsEnds>;
                type Joining = Joining<Gathering<Row<$(Sure<$F>,)+ Values>, WantsAll<Infallible>>>;

                #[inline]
                fn gather_results(self, meta: TaskMeta) -> Self::Settling {
                    let stalled = false;
                    Gathering::new(Row::new(self), Lenient { meta, stalled })
                }

                #[inline]
                fn join(self, meta: TaskMeta) -> Self::Joining {
                    let ($($F,)+) = self;
                    Joining::new(|meta| ($(Sure::new($F),)+).gather(meta), meta)
                }
            }
        };
    };
}

gather!(2: A TA 0, B TB 1);
gather!(3: A TA 0, B TB 1, C TC 2);
gather!(4: A TA 0, B TB 1, C TC 2, D TD 3);
gather!(5: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4);
gather!(6: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5);
gather!(7: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6);
gather!(8: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7);
gather!(9: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8);
gather!(10: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9);
gather!(
    11: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10
);
gather!(
    12: A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6, H TH 7, I TI 8, J TJ 9, K TK 10,
    L TL 11
);
