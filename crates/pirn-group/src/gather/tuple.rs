//! Gathers of two to twelve different futures, which lie in the gather itself and share the task's
//! waker: so nothing is allocated, and a wake polls those that have not ended.

use super::list::result;
use super::plain::{self, Sure};
use super::{Gather, GatherResults};
use crate::error::GroupError;
use crate::several::form;
use crate::tally::Tally;
use pin_project_lite::pin_project;
use pirn_core::{Branch, BranchEnd, Cause, JoinError, Scope, TaskMeta, budget};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Some of a tuple's futures: bit k is the one at k.
type Places = u16;

pin_project! {
    /// A gather of a tuple.
    struct Gathering<S, J> {
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
    struct Seat<F: Future, V> {
        #[pin]
        branch: Branch<F>,
        value: Option<V>,
    }
}

/// All futures of a tuple.
trait Seats<J> {
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
trait Judge {
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

/// And what is kept of each.
trait JudgeOf<Output>: Judge {
    type Value;

    fn end(&mut self, place: usize, end: BranchEnd<Output>) -> Option<Self::Value>;

    /// Drops a value that does not count.
    fn discard(&self, place: usize, value: Self::Value);
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

impl<T, E: fmt::Display + 'static> JudgeOf<Result<T, E>> for Tally<E> {
    type Value = T;

    #[inline]
    fn end(&mut self, place: usize, end: BranchEnd<Result<T, E>>) -> Option<T> {
        Tally::end(self, place, end)
    }

    fn discard(&self, place: usize, value: T) {
        Tally::discard(self, place, value);
    }
}

/// The judge of those who want every end.
#[derive(Default)]
struct Lenient {
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

impl<T> JudgeOf<T> for Lenient {
    type Value = Result<T, JoinError>;

    #[inline]
    fn end(&mut self, _: usize, end: BranchEnd<T>) -> Option<Self::Value> {
        Some(result(end, &mut self.stalled))
    }

    fn discard(&self, _: usize, _: Self::Value) {
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

impl<F: Future, V> Seat<F, V> {
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
        J: JudgeOf<F::Output, Value = V>,
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
        J: JudgeOf<F::Output, Value = V>,
    {
        let this = self.project();
        let Some(end) = this.branch.cancel(cause) else {
            return false;
        };
        *this.value = judge.end(place, end);
        true
    }

    #[inline]
    fn value(self: Pin<&mut Self>) -> V {
        let value = self.project().value.take();
        value.expect("a gather was polled after it was ready")
    }

    fn discard<J>(self: Pin<&mut Self>, place: usize, judge: &J)
    where
        J: JudgeOf<F::Output, Value = V>,
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
                struct Row<$($F: Future, $T),+> {
                    $(#[pin] $F: Seat<$F, $T>,)+
                }
            }

            impl<$($F: Future, $T),+> Row<$($F, $T),+> {
                #[inline]
                fn new(($($F,)+): ($($F,)+)) -> Self {
                    Row { $($F: Seat::new($F)),+ }
                }
            }

            impl<Who: Judge, $($F: Future, $T),+> Seats<Who> for Row<$($F, $T),+>
            where
                $(Who: JudgeOf<$F::Output, Value = $T>,)+
            {
                type Values = ($($T,)+);
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

                #[inline]
                fn gather(
                    self,
                    meta: TaskMeta,
                ) -> impl Future<Output = Result<Self::Values, GroupError<Fails>>> {
                    Gathering::new(Row::new(self), Tally::new("gather", meta))
                }
            }

            impl<$($F: Future),+> GatherResults<form::Tuple> for ($($F,)+) {
                type Values = ($($F::Output,)+);
                type Ends = ($(Result<$F::Output, JoinError>,)+);

                #[inline]
                fn gather_results(self) -> impl Future<Output = Self::Ends> {
                    Gathering::new(Row::new(self), Lenient::default())
                }

                #[inline]
                fn join(self, meta: TaskMeta) -> impl Future<Output = Self::Values> {
                    let ($($F,)+) = self;
                    plain::join(($(Sure::new($F),)+), meta)
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
