//! Trees of combinators under many orders of events: nothing outlives its combinator, and what was
//! begun is cleaned up.
//!
//! `PIRN_SEEDS=10000` runs more of them than the thousand that run otherwise; `PIRN_SEED=77` runs
//! that one.

mod support;

use pirn_core::{Cause, Scope, finally, finally_in_place, shield};
use pirn_group::{
    first_ok, for_each_limit, gather, gather_results, group_in_task, map_limit, race,
};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use support::Flag;

/// What happens in one run.
#[derive(Default)]
struct World {
    random: Cell<u64>,
    /// Whom to wake, when their time has come.
    sleeping: RefCell<Vec<Waker>>,
    live: Cell<usize>,
    begun: Cell<usize>,
    cleaned: Rc<Counts>,
}

/// Shared with clean-ups, which may outlive the futures.
#[derive(Default)]
struct Counts {
    done: Cell<usize>,
}

struct Live<'a>(&'a Cell<usize>);

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl World {
    /// A number below `bound`.
    fn random(&self, bound: u64) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x % bound
    }

    /// Until the world wakes it.
    async fn sleep(&self) {
        let mut slept = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                // Ours do not go on in a body that is cancelled.
                return pirn_core::budget::poll_spend(cx);
            }
            self.sleeping.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Wakes one who sleeps. False if nobody does.
    fn wake_one(&self) -> bool {
        let count = self.sleeping.borrow().len() as u64;
        if count == 0 {
            return false;
        }
        let index = self.random(count) as usize;
        let waker = self.sleeping.borrow_mut().swap_remove(index);
        waker.wake();
        true
    }

    fn work(&self, depth: u64) -> Pin<Box<dyn Future<Output = Result<(), &'static str>> + '_>> {
        Box::pin(async move {
            self.live.set(self.live.get() + 1);
            let _live = Live(&self.live);
            match self.random(if depth == 0 { 5 } else { 13 }) {
                0 => {}
                1 => self.sleep().await,
                2 => {
                    self.sleep().await;
                    return Err("failed");
                }
                3 => {
                    // In place: it counts where it is awaited.
                    let begun = async {
                        self.begun.set(self.begun.get() + 1);
                        self.sleep().await;
                        self.sleep().await;
                    };
                    let cleaned = Rc::clone(&self.cleaned);
                    let first = Cell::new(false);
                    let counted = async {
                        first.set(true);
                        begun.await;
                    };
                    finally_in_place(counted, async || {
                        self.sleep().await;
                        if first.get() {
                            cleaned.done.set(cleaned.done.get() + 1);
                        }
                    })
                    .await;
                }
                4 => shield(self.sleep()).await,
                5 => {
                    let two = (self.work(depth - 1), self.work(depth - 1));
                    gather(two).await.map_err(|_| "gather")?;
                }
                6 => {
                    let many = (0..3).map(|_| self.work(depth - 1));
                    drop(gather(many).await.map_err(|_| "gather")?);
                }
                7 => drop(gather_results([self.work(depth - 1), self.work(depth - 1)]).await),
                8 => drop(race((self.work(depth - 1), self.work(depth - 1))).await),
                9 => {
                    let all = [self.work(depth - 1), self.work(depth - 1)];
                    first_ok(all).await.map_err(|_| "first_ok")?;
                }
                10 => {
                    let each = for_each_limit(2, 0..3, |_| self.work(depth - 1));
                    each.await.map_err(|_| "for_each")?;
                }
                11 => {
                    let group = group_in_task(async |g| {
                        let late = g.clone();
                        g.spawn_local(async move {
                            self.work(depth - 1).await?;
                            late.spawn_local(self.work(depth - 1));
                            Ok(())
                        });
                        let child = g.spawn_local(self.work(depth - 1));
                        if self.random(2) == 0 {
                            child.cancel(Cause::requested("not needed"));
                        }
                        self.work(depth - 1).await
                    });
                    group.await.map_err(|_| "a group in one task")?;
                }
                _ => {
                    map_limit(
                        2,
                        0..3,
                        |_| self.work(depth - 1),
                        async |mut results| {
                            self.sleep().await;
                            let _ = results.next().await;
                        },
                    )
                    .await;
                }
            }
            Ok(())
        })
    }
}

#[test]
fn nothing_outlives_its_combinator_and_what_was_begun_is_cleaned_up() {
    let (mut ended, mut cancelled) = (0, 0);
    let number = |name| std::env::var(name).ok().map(|value| value.parse().unwrap());
    let one: Option<u64> = number("PIRN_SEED");
    let seeds = match one {
        Some(seed) => seed..=seed,
        None => 1..=number("PIRN_SEEDS").unwrap_or(1000),
    };
    for seed in seeds {
        let world = World::default();
        world.random.set(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let scope = Scope::detached();
        let mut run = pin!(scope.run(async {
            let ended = gather((world.work(3), world.work(3))).await;
            assert_eq!(world.live.get(), 0, "seed {seed}: alive behind the gather");
            ended.map(drop).map_err(drop)
        }));
        let (woken, waker) = Flag::new();
        let cancel_at = world.random(30);
        let mut turn = 0;
        let outcome = loop {
            let polled = run.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(outcome) = polled {
                break outcome;
            }
            while !woken.take() {
                turn += 1;
                assert!(turn < 10_000, "seed {seed}: it does not end");
                if turn == cancel_at {
                    scope.cancel(Cause::requested("stop"));
                } else {
                    assert!(
                        world.wake_one() || turn < cancel_at,
                        "seed {seed}: nobody is woken any more, and it has not ended"
                    );
                }
            }
        };
        assert_eq!(world.live.get(), 0, "seed {seed}: alive behind the run");
        let (begun, cleaned) = (world.begun.get(), world.cleaned.done.get());
        assert_eq!(begun, cleaned, "seed {seed}: begun and not cleaned up");
        match outcome {
            Ok(_) => ended += 1,
            Err(_) => cancelled += 1,
        }
    }
    // Both happen, or it shows little.
    let few = (ended + cancelled) / 10;
    assert!(
        one.is_some() || (ended > few && cancelled > few),
        "{ended} and {cancelled}"
    );
}

#[test]
fn handed_over_clean_up_is_done_before_the_run_ends_even_if_the_combinator_is_dropped() {
    for drop_at in 0..4 {
        let cleaned = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let scope = Scope::detached();
        let count = || {
            let cleaned = std::sync::Arc::clone(&cleaned);
            move || async move {
                cleaned.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let run = scope.run(async {
            let member = || async {
                finally(std::future::pending::<()>(), count()).await;
                Ok::<(), &str>(())
            };
            let mut all = Box::pin(gather((0..drop_at).map(|_| member())));
            let polled = poll_fn(|cx| Poll::Ready(all.as_mut().poll(cx).is_ready())).await;
            assert_eq!(polled, drop_at == 0);
        });
        assert!(matches!(support::poll(pin!(run)), Poll::Ready(Ok(()))));
        let cleaned = cleaned.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(cleaned, drop_at);
    }
}
