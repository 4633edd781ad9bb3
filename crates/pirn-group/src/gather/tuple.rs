//! Gathers of two to twelve different futures, which lie in the gather itself and share the task's
//! waker: so nothing is allocated, and a wake polls those that have not ended.

use super::list::result;
use super::plain::{self, Sure};
use super::{Gather, GatherResults};
use crate::branches::stay;
use crate::error::GroupError;
use crate::several::form;
use crate::tally::Tally;
use pin_project_lite::pin_project;
use pirn_core::{Branch, BranchEnd, Cause, JoinError, TaskMeta, budget};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pin_project! {
    /// One of the futures, and what it gave.
    struct Seat<F: Future, V> {
        #[pin]
        branch: Branch<F>,
        ended: bool,
        value: Option<V>,
    }
}

impl<F: Future, V> Seat<F, V> {
    #[inline]
    fn new(future: F) -> Self {
        Seat {
            branch: Branch::new(future),
            ended: false,
            value: None,
        }
    }

    /// Ready when it has ended; `take` is then called once.
    #[inline]
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        take: impl FnOnce(BranchEnd<F::Output>) -> Option<V>,
    ) -> Poll<()> {
        let this = self.project();
        if !*this.ended {
            let end = ready!(this.branch.poll(cx));
            *this.ended = true;
            *this.value = take(end);
        }
        Poll::Ready(())
    }

    fn cancel(
        self: Pin<&mut Self>,
        cause: &Arc<Cause>,
        take: impl FnOnce(BranchEnd<F::Output>) -> Option<V>,
    ) {
        let this = self.project();
        if *this.ended {
            return;
        }
        if let Some(end) = this.branch.cancel(cause) {
            *this.ended = true;
            *this.value = take(end);
        }
    }

    fn value(self: Pin<&mut Self>) -> V {
        let value = self.project().value.take();
        value.expect("each gave its value")
    }
}

/// Goes through `len` futures, from `first` on and around: `poll` polls those whose turn it is. After a
/// pass in which the task's budget was spent another is the first, so that one which would spend all of
/// it leaves the others their turns.
#[inline]
fn pass(first: &mut usize, len: usize, mut poll: impl FnMut(&dyn Fn(usize) -> bool)) {
    let from = *first;
    poll(&|index| index >= from);
    if from > 0 {
        poll(&|index| index < from);
    }
    if budget::is_spent() {
        *first = (from + 1) % len;
    }
}

macro_rules! gather {
    ($len:literal: $($F:ident $T:ident $index:literal),+) => {
        #[allow(non_snake_case, reason = "named for their types")]
        impl<Fails, $($F, $T),+> Gather<form::Tuple> for ($($F,)+)
        where
            $($F: Future<Output = Result<$T, Fails>>,)+
            Fails: fmt::Display + 'static,
        {
            type Values = ($($T,)+);
            type Error = Fails;

            async fn gather(self, meta: TaskMeta) -> Result<Self::Values, GroupError<Fails>> {
                let ($($F,)+) = self;
                $(let mut $F = pin!(Seat::new($F));)+
                let mut tally = Tally::new("gather", meta, $len);
                let mut first = 0;
                poll_fn(|cx| {
                    let _budget = budget::refill_if_outermost();
                    loop {
                        pass(&mut first, $len, |turn| {
                            $(if turn($index) && !tally.must_cancel() {
                                let _ = $F.as_mut().poll(cx, |end| tally.end($index, end));
                            })+
                        });
                        if !tally.must_cancel() {
                            break;
                        }
                        let cause = tally.cancel();
                        $($F.as_mut().cancel(&cause, |end| tally.end($index, end));)+
                    }
                    match tally.left {
                        0 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                })
                .await;
                tally.finish().await?;
                Ok(($($F.as_mut().value(),)+))
            }
        }

        #[allow(non_snake_case, reason = "named for their types")]
        impl<$($F: Future),+> GatherResults<form::Tuple> for ($($F,)+) {
            type Values = ($($F::Output,)+);
            type Ends = ($(Result<$F::Output, JoinError>,)+);

            async fn gather_results(self) -> Self::Ends {
                let ($($F,)+) = self;
                $(let mut $F = pin!(Seat::new($F));)+
                let mut stalled = false;
                let mut first = 0;
                poll_fn(|cx| {
                    let _budget = budget::refill_if_outermost();
                    let mut left = $len;
                    pass(&mut first, $len, |turn| {
                        $(if turn($index) {
                            let polled = $F.as_mut().poll(cx, |end| Some(result(end, &mut stalled)));
                            left -= usize::from(polled.is_ready());
                        })+
                    });
                    match left {
                        0 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                })
                .await;
                if stalled {
                    stay().await;
                }
                ($($F.as_mut().value(),)+)
            }

            fn join(self, meta: TaskMeta) -> impl Future<Output = Self::Values> {
                let ($($F,)+) = self;
                plain::join(($(Sure::new($F),)+), meta)
            }
        }
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
