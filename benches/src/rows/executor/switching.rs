//! Tasks that yield, and tasks that wake one another.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use futures::task::AtomicWaker;

use crate::hosts::{Local, Shared, yield_now};

/// Tasks that yield side by side, and pairs that play ping-pong.
pub(super) const SIDE_BY_SIDE: u64 = 100;

pub(super) async fn yield_many(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

pub(super) fn yield_local<H: Local>(host: &H, count: u64) {
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.block_on(async {
        let tasks: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| host.spawn(yield_many(each)))
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

pub(super) fn yield_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.clone().run(async move {
        let tasks: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| host.spawn(yield_many(each)))
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

/// A ball that one task at a time holds; the same for every executor.
#[derive(Default)]
struct Court {
    /// Whether the second player has the ball.
    far: AtomicBool,
    wakers: [AtomicWaker; 2],
}

/// Waits for the ball and hits it back, `times` over.
async fn play(court: Arc<Court>, player: usize, times: u64) {
    for _ in 0..times {
        poll_fn(|cx| {
            // Ordering: Acquire, pairs with the Release below.
            let mine = || court.far.load(Ordering::Acquire) == (player == 1);
            if mine() {
                return Poll::Ready(());
            }
            court.wakers[player].register(cx.waker());
            if mine() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        // Ordering: Release, pairs with the Acquire above.
        court.far.store(player == 0, Ordering::Release);
        court.wakers[1 - player].wake();
    }
}

pub(super) fn ping_pong_local<H: Local>(host: &H, count: u64) {
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..SIDE_BY_SIDE {
            let court = Arc::new(Court::default());
            tasks.push(host.spawn(play(court.clone(), 0, each)));
            tasks.push(host.spawn(play(court, 1, each)));
        }
        for task in tasks {
            task.await;
        }
    });
}

pub(super) fn ping_pong_shared<H: Shared>(host: &H, count: u64) {
    let host = host.clone();
    let each = count.div_ceil(SIDE_BY_SIDE);
    host.clone().run(async move {
        let mut tasks = Vec::new();
        for _ in 0..SIDE_BY_SIDE {
            let court = Arc::new(Court::default());
            tasks.push(host.spawn(play(court.clone(), 0, each)));
            tasks.push(host.spawn(play(court, 1, each)));
        }
        for task in tasks {
            task.await;
        }
    });
}
