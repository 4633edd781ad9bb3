//! Gathers of two to twelve different futures, which lie in the gather itself and share the task's
//! waker: so nothing is allocated, and a wake polls those that have not ended.

use super::list::result;
use super::outcome::Outcome;
use super::plain::{Joining, Sure};
use super::{Gather, GatherResults};
use crate::error::GroupError;
use crate::known::Known;
use crate::several::form;
use crate::tally::Tally;
use crate::untaken::{Quiet, Untaken};
use pin_project_lite::pin_project;
use pirn_core::{Branch, BranchEnd, Cause, JoinError, Scope, TaskMeta, budget};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Some of a tuple's futures: bit k is the one at k.
type Places = u16;

pin_project! {
    /// A gather of a tuple.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Gathering<S, J> {
        #[pin]
        seats: S,
        judge: J,
        // Those that have not ended.
        live: Places,
        // Whose turn is first.
        first: u32,
    }
}

pin_project! {
    /// One of the futures, and what it gave.
    pub struct Seat<F: Future, K: Kept<F::Output>> {
        #[pin]
        branch: Branch<F>,
        value: Option<K::Place>,
    }
}

/// What is kept of each end.
pub trait Kept<Output> {
    type Value;
    /// Where it lies until it is given. If it is not, that drops it, or reports what cannot be dropped.
    type Place;

    fn give(place: Self::Place) -> Self::Value;
}

/// The values.
#[derive(Debug)]
pub enum Values {}

/// The ends as they are.
#[derive(Debug)]
pub enum Ends {}

impl<Output: Outcome> Kept<Output> for Values {
    type Value = Output::Value;
    type Place = Quiet<Output::Value>;

    #[inline]
    fn give(place: Self::Place) -> Self::Value {
        place.take()
    }
}

impl<Output> Kept<Output> for Ends {
    type Value = Result<Output, JoinError>;
    type Place = End<Output>;

    #[inline]
    fn give(mut place: Self::Place) -> Self::Value {
        place.take().expect("it is given once")
    }
}

type End<T> = Untaken<Option<Result<T, JoinError>>>;

/// All futures of a tuple.
pub trait Seats<J> {
    type Values;
    const LEN: u32;

    /// Polls those that are `due`, and says which of them have ended. Ends where the judge has the others
    /// cancelled.
    fn poll(self: Pin<&mut Self>, due: Places, cx: &mut Context<'_>, judge: &mut J) -> Places;

    /// Cancels those that are `live`, and says which of them have ended with that.
    fn cancel(self: Pin<&mut Self>, live: Places, cause: &Arc<Cause>, judge: &mut J) -> Places;

    /// What they gave, once.
    fn values(self: Pin<&mut Self>) -> Self::Values;

    /// Drops what they gave.
    fn discard(self: Pin<&mut Self>, judge: &J);
}

/// Who decides what the ends of the futures come to.
pub trait Judge {
    /// What there is in the end.
    type Whole<Values>;

    /// True if the others are to be cancelled.
    fn must_cancel(&self) -> bool;

    /// True if the values count.
    fn is_well(&self) -> bool;

    /// The cause for which they are from now on.
    fn cancel(&mut self) -> Arc<Cause>;

    /// All have ended.
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<Self::Whole<V>>;
}

/// And what one of them comes to, of which a value is kept in its place.
pub trait JudgeOf<Output, Place>: Judge {
    fn end(&mut self, index: usize, end: BranchEnd<Output>) -> Option<Place>;

    /// Drops a value that does not count.
    fn discard(&self, index: usize, place: Place);
}

impl<E: fmt::Display + 'static> Judge for Tally<E> {
    type Whole<Values> = Result<Values, GroupError<E>>;

    #[inline]
    fn must_cancel(&self) -> bool {
        Tally::must_cancel(self)
    }

    #[inline]
    fn is_well(&self) -> bool {
        Tally::is_well(self)
    }

    fn cancel(&mut self) -> Arc<Cause> {
        Tally::cancel(self)
    }

    #[inline]
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<Self::Whole<V>> {
        Poll::Ready(ready!(self.poll_finish()).map(|()| values()))
    }
}

impl<T, E: fmt::Display + 'static> JudgeOf<Result<T, E>, Quiet<T>> for Tally<E> {
    #[inline]
    fn end(&mut self, index: usize, end: BranchEnd<Result<T, E>>) -> Option<Quiet<T>> {
        Tally::end(self, index, end).map(Quiet::new)
    }

    fn discard(&self, index: usize, place: Quiet<T>) {
        Tally::discard(self, index, place.take());
    }
}

/// The judge of those who want every end.
#[derive(Debug)]
pub struct Lenient {
    meta: TaskMeta,
    /// One was cancelled with the body around.
    stalled: bool,
}

impl Judge for Lenient {
    type Whole<Values> = Values;

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

    #[inline]
    fn poll_whole<V>(&mut self, values: impl FnOnce() -> V) -> Poll<V> {
        match self.stalled && Scope::must_stay() {
            true => Poll::Pending,
            false => Poll::Ready(values()),
        }
    }
}

impl<T> JudgeOf<T, End<T>> for Lenient {
    #[inline]
    fn end(&mut self, _: usize, end: BranchEnd<T>) -> Option<End<T>> {
        let end = result(end, &mut self.stalled);
        Some(Untaken::new(Some(end), self.meta.clone()))
    }

    fn discard(&self, _: usize, _: End<T>) {
        unreachable!("every end counts")
    }
}

impl<S: Seats<J>, J: Judge> Gathering<S, J> {
    #[inline]
    fn new(seats: S, judge: J) -> Self {
        Gathering {
            seats,
            judge,
            live: (1 << S::LEN) - 1,
            first: 0,
        }
    }
}

impl<S: Seats<J>, J: Judge> Future for Gathering<S, J> {
    type Output = J::Whole<S::Values>;

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

    /// True when it has ended.
    #[inline]
    fn poll<J>(self: Pin<&mut Self>, place: usize, cx: &mut Context<'_>, judge: &mut J) -> bool
    where
        J: JudgeOf<F::Output, K::Place>,
    {
        let this = self.project();
        let Poll::Ready(end) = this.branch.poll(cx) else {
            return false;
        };
        *this.value = judge.end(place, end);
        true
    }

    /// True if it has ended with that.
    fn cancel<J>(self: Pin<&mut Self>, place: usize, cause: &Arc<Cause>, judge: &mut J) -> bool
    where
        J: JudgeOf<F::Output, K::Place>,
    {
        let this = self.project();
        let Some(end) = this.branch.cancel(cause) else {
            return false;
        };
        *this.value = judge.end(place, end);
        true
    }

    #[inline]
    fn value(self: Pin<&mut Self>) -> K::Value {
        let place = self.project().value.take();
        K::give(place.expect("a gather was polled after it was ready"))
    }

    fn discard<J>(self: Pin<&mut Self>, place: usize, judge: &J)
    where
        J: JudgeOf<F::Output, K::Place>,
    {
        if let Some(value) = self.project().value.take() {
            judge.discard(place, value);
        }
    }
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

            impl<Who: Judge, $($F: Future,)+ Keeps> Seats<Who> for Row<$($F,)+ Keeps>
            where
                $(Keeps: Kept<$F::Output>,)+
                $(Who: JudgeOf<$F::Output, <Keeps as Kept<$F::Output>>::Place>,)+
            {
                type Values = ($(<Keeps as Kept<$F::Output>>::Value,)+);
                const LEN: u32 = $len;

                #[inline]
                fn poll(
                    self: Pin<&mut Self>,
                    due: Places,
                    cx: &mut Context<'_>,
                    judge: &mut Who,
                ) -> Places {
                    let this = self.project();
                    let mut ended = 0;
                    $(if due & (1 << $index) != 0 && !judge.must_cancel() {
                        ended |= Places::from(this.$F.poll($index, cx, judge)) << $index;
                    })+
                    ended
                }

                fn cancel(
                    self: Pin<&mut Self>,
                    live: Places,
                    cause: &Arc<Cause>,
                    judge: &mut Who,
                ) -> Places {
                    let this = self.project();
                    let mut ended = 0;
                    $(if live & (1 << $index) != 0 {
                        ended |= Places::from(this.$F.cancel($index, cause, judge)) << $index;
                    })+
                    ended
                }

                #[inline]
                fn values(self: Pin<&mut Self>) -> Self::Values {
                    let this = self.project();
                    ($(this.$F.value(),)+)
                }

                #[cold]
                fn discard(self: Pin<&mut Self>, judge: &Who) {
                    let this = self.project();
                    $(this.$F.discard($index, judge);)+
                }
            }

            impl<Fails, $($F, $T),+> Gather<form::Tuple> for ($($F,)+)
            where
                $($F: Future<Output = Result<$T, Fails>>,)+
                Fails: fmt::Display + 'static,
            {
                type Values = ($($T,)+);
                type Error = Fails;
                type Gathering =
                    Known<Gathering<Row<$($F,)+ Values>, Tally<Fails>>, Result<($($T,)+), GroupError<Fails>>>;

                #[inline]
                fn gather(self, meta: TaskMeta) -> Self::Gathering {
                    Known::new(Gathering::new(Row::new(self), Tally::new("gather", meta)))
                }
            }

            impl<$($F: Future),+> GatherResults<form::Tuple> for ($($F,)+) {
                type Values = ($($F::Output,)+);
                type Ends = ($(Result<$F::Output, JoinError>,)+);
                type Settling = Gathering<Row<$($F,)+ Ends>, Lenient>;
                type Joining = Joining<Gathering<Row<$(Sure<$F>,)+ Values>, Tally<Infallible>>>;

                #[inline]
                fn gather_results(self, meta: TaskMeta) -> Self::Settling {
                    let stalled = false;
                    Gathering::new(Row::new(self), Lenient { meta, stalled })
                }

                #[inline]
                fn join(self, meta: TaskMeta) -> Self::Joining {
                    let ($($F,)+) = self;
                    let gather = |meta| {
                        let row = Row::new(($(Sure::new($F),)+));
                        Gathering::new(row, Tally::new("gather", meta))
                    };
                    Joining::new(gather, meta)
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
