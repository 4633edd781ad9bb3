//! Many futures awaited in one task, or in a task each.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::StreamExt;
use futures_concurrency::future::Join;

use crate::{
    harness::{Contender, Row},
    hosts::{tokio_one, yield_now},
};

/// How many futures there are.
const MEMBERS: usize = 1000;
/// How often each yields.
const YIELDS: usize = 10;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("join.ready_1000", "one of 1000 that are ready", || {
            lists(
                MEMBERS as u64,
                |index, _| async move { black_box(index as u64) },
            )
        }),
        Row::new(
            "join.yield10_1000",
            "one yield, of 1000 that yield 10 times each",
            || {
                lists((MEMBERS * YIELDS) as u64, |index, _| async move {
                    for _ in 0..YIELDS {
                        yield_now().await;
                    }
                    index as u64
                })
            },
        ),
        Row::new(
            "join.sparse_1_of_1000",
            "one yield of the only one of 1000 that is awake",
            sparse,
        ),
        Row::new("join.tuple3_ready", "three that are ready", || {
            tuples(|index| async move { black_box(index) })
        }),
        Row::new(
            "join.tuple3_yield10",
            "three that yield 10 times each",
            || {
                tuples(|index| async move {
                    for _ in 0..YIELDS {
                        yield_now().await;
                    }
                    index
                })
            },
        ),
    ]
}

/// Lists whose members give `each` for an index and what they have in common.
fn lists<F, Fut>(operations: u64, each: F) -> Vec<Contender>
where
    F: Fn(usize, &Rc<Gate>) -> Fut + Copy + 'static,
    Fut: Future<Output = u64> + 'static,
{
    let times = move |count: u64| count.div_ceil(operations);
    contenders(move |count| (times(count), 0), each)
}

fn sparse() -> Vec<Contender> {
    contenders(
        |count| (1, count),
        |index, gate: &Rc<Gate>| {
            let gate = Rc::clone(gate);
            async move {
                if index == MEMBERS / 2 {
                    for _ in 0..gate.yields.get() {
                        yield_now().await;
                    }
                    gate.open();
                }
                gate.passed().await;
                index as u64
            }
        },
    )
}

/// How many joins, and how many yields the awake one makes, is what `plan` says of a count.
fn contenders<P, F, Fut>(plan: P, each: F) -> Vec<Contender>
where
    P: Fn(u64) -> (u64, u64) + Copy + 'static,
    F: Fn(usize, &Rc<Gate>) -> Fut + Copy + 'static,
    Fut: Future<Output = u64> + 'static,
{
    vec![
        list("pirn", plan, each, async |members| {
            let members = members.map(|member| async { Ok::<_, Infallible>(member.await) });
            pirn_group::gather(members).await.map_or(0, sum)
        }),
        list("pirn-results", plan, each, async |members| {
            let ends = pirn_group::gather_results(members).await;
            ends.into_iter().filter_map(Result::ok).sum()
        }),
        list("futures-buffered-join_all", plan, each, async |members| {
            sum(futures_buffered::join_all(members).await)
        }),
        list("futures-buffered-bounded", plan, each, async |members| {
            let mut set = futures_buffered::FuturesUnorderedBounded::new(MEMBERS);
            members.for_each(|member| set.push(member));
            let mut all = 0;
            while let Some(value) = set.next().await {
                all += value;
            }
            all
        }),
        list("futures-join_all", plan, each, async |members| {
            sum(futures::future::join_all(members).await)
        }),
        list("futures-unordered", plan, each, async |members| {
            let set: futures::stream::FuturesUnordered<_> = members.collect();
            set.fold(0, async |all, value| all + value).await
        }),
        list("futures-concurrency", plan, each, async |members| {
            let members: Vec<_> = members.collect();
            sum(members.join().await)
        }),
        tokio_set(plan, each),
        list("bare-poll-all", plan, each, async |members| {
            let mut members: Vec<_> = members.map(|member| Some(Box::pin(member))).collect();
            let (mut all, mut left) = (0, MEMBERS);
            std::future::poll_fn(|cx| {
                for place in &mut members {
                    let Some(member) = place else { continue };
                    if let Poll::Ready(value) = member.as_mut().poll(cx) {
                        all += value;
                        left -= 1;
                        *place = None;
                    }
                }
                match left {
                    0 => Poll::Ready(all),
                    _ => Poll::Pending,
                }
            })
            .await
        }),
    ]
}

fn list<P, F, Fut, J>(name: &'static str, plan: P, each: F, join: J) -> Contender
where
    P: Fn(u64) -> (u64, u64) + 'static,
    F: Fn(usize, &Rc<Gate>) -> Fut + Copy + 'static,
    Fut: Future<Output = u64> + 'static,
    J: AsyncFn(Members<F>) -> u64 + 'static,
{
    Contender::timed(name, move |count| {
        let (joins, yields) = plan(count);
        futures::executor::block_on(async {
            for _ in 0..joins {
                let members = Members {
                    range: 0..MEMBERS,
                    gate: Gate::new(yields),
                    each,
                };
                assert_eq!(join(members).await, (MEMBERS * (MEMBERS - 1) / 2) as u64);
            }
        });
    })
}

fn tokio_set<P, F, Fut>(plan: P, each: F) -> Contender
where
    P: Fn(u64) -> (u64, u64) + 'static,
    F: Fn(usize, &Rc<Gate>) -> Fut + 'static,
    Fut: Future<Output = u64> + 'static,
{
    let runtime = tokio_one();
    Contender::timed("tokio-JoinSet", move |count| {
        let (joins, yields) = plan(count);
        tokio::task::LocalSet::new().block_on(&runtime, async {
            for _ in 0..joins {
                let gate = Gate::new(yields);
                let mut set = tokio::task::JoinSet::new();
                for index in 0..MEMBERS {
                    set.spawn_local(each(index, &gate));
                }
                let mut all = 0;
                while let Some(value) = set.join_next().await {
                    all += value.expect("none fails");
                }
                assert_eq!(all, (MEMBERS * (MEMBERS - 1) / 2) as u64);
            }
        });
    })
}

/// Makes the members as they are asked for; it knows how many there are.
struct Members<F> {
    range: std::ops::Range<usize>,
    gate: Rc<Gate>,
    each: F,
}

impl<F: Fn(usize, &Rc<Gate>) -> Fut, Fut> Iterator for Members<F> {
    type Item = Fut;

    fn next(&mut self) -> Option<Fut> {
        let index = self.range.next()?;
        Some((self.each)(index, &self.gate))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl<F: Fn(usize, &Rc<Gate>) -> Fut, Fut> ExactSizeIterator for Members<F> {}

fn sum(values: Vec<u64>) -> u64 {
    values.into_iter().sum()
}

fn tuples<F, Fut>(each: F) -> Vec<Contender>
where
    F: Fn(u64) -> Fut + Copy + 'static,
    Fut: Future<Output = u64> + 'static,
{
    vec![
        tuple("pirn", each, async |a, b, c| {
            let ok = async |future: Fut| Ok::<_, Infallible>(future.await);
            let all = pirn_group::gather((ok(a), ok(b), ok(c))).await;
            all.map_or(0, |(a, b, c)| a + b + c)
        }),
        tuple("pirn-results", each, async |a, b, c| {
            let (a, b, c) = pirn_group::gather_results((a, b, c)).await;
            a.unwrap_or(0) + b.unwrap_or(0) + c.unwrap_or(0)
        }),
        tuple("futures-join!", each, async |a, b, c| {
            let (a, b, c) = futures::join!(a, b, c);
            a + b + c
        }),
        tuple("futures-try_join!", each, async |a, b, c| {
            let ok = async |future: Fut| Ok::<_, Infallible>(future.await);
            let all = futures::try_join!(ok(a), ok(b), ok(c));
            all.map_or(0, |(a, b, c)| a + b + c)
        }),
        tuple("tokio-join!", each, async |a, b, c| {
            let (a, b, c) = tokio::join!(a, b, c);
            a + b + c
        }),
        tuple("futures-concurrency", each, async |a, b, c| {
            let (a, b, c) = (a, b, c).join().await;
            a + b + c
        }),
    ]
}

fn tuple<F, Fut, J>(name: &'static str, each: F, join: J) -> Contender
where
    F: Fn(u64) -> Fut + 'static,
    J: AsyncFn(Fut, Fut, Fut) -> u64 + 'static,
{
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            for _ in 0..count {
                assert_eq!(join(each(1), each(2), each(3)).await, 6);
            }
        });
    })
}

/// What the members of a sparse list wait for.
struct Gate {
    yields: Cell<u64>,
    open: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    fn new(yields: u64) -> Rc<Self> {
        Rc::new(Gate {
            yields: Cell::new(yields),
            open: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    fn open(&self) {
        self.open.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    fn passed(self: Rc<Self>) -> Passed {
        Passed(self)
    }
}

struct Passed(Rc<Gate>);

impl Future for Passed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.open.get() {
            return Poll::Ready(());
        }
        self.0.waiting.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }
}
