//! Conditions: two tasks take turns. The host is tokio's for all.

use std::{future::Future, sync::Arc};

use crate::{
    harness::{Contender, Row},
    hosts::{Shared, Tokio},
};

/// A condition and the lock of a number, as much of it as the row needs.
trait Condition: Send + Sync + 'static {
    fn new() -> Self;

    /// Waits until the number is even or odd, adds one, and notifies one who waits.
    fn turn(&self, parity: u64) -> impl Future<Output = u64> + Send;
}

pub(super) fn rows() -> Vec<Row> {
    let about = "one of two tasks locks, waits for its turn, gives the other its turn, unlocks";
    vec![Row::new("condition.notify_one.1", about, || {
        let host = Tokio::with_workers(1);
        vec![
            turns::<Pirn>("pirn", &host),
            turns::<Asyncband>("asyncband", &host),
        ]
    })]
}

fn turns<C: Condition>(name: &'static str, host: &Tokio) -> Contender {
    let host = host.clone();
    Contender::timed(name, move |count| {
        let each = count.div_ceil(2);
        let condition = Arc::new(C::new());
        let root = host.clone();
        host.run(async move {
            let tasks = [0, 1].map(|parity| {
                let condition = Arc::clone(&condition);
                root.spawn(async move {
                    for turn in 0..each {
                        assert_eq!(condition.turn(parity).await, turn * 2 + parity);
                    }
                })
            });
            for task in tasks {
                task.await;
            }
        });
    })
}

struct Pirn(pirn_sync::Lock<u64>, pirn_sync::Condition);

impl Condition for Pirn {
    fn new() -> Self {
        Pirn(pirn_sync::Lock::new(0), pirn_sync::Condition::new())
    }

    async fn turn(&self, parity: u64) -> u64 {
        let guard = self.0.lock().await;
        let mut guard = self.1.wait_while(guard, |n| *n % 2 != parity).await;
        *guard += 1;
        self.1.notify(1);
        *guard - 1
    }
}

struct Asyncband(asyncband::mutex::Mutex<u64>, asyncband::condvar::Condvar);

impl Condition for Asyncband {
    fn new() -> Self {
        let lock = asyncband::mutex::Mutex::new(0);
        Asyncband(lock, asyncband::condvar::Condvar::new())
    }

    async fn turn(&self, parity: u64) -> u64 {
        let guard = self.0.lock().await;
        let mut guard = self.1.wait_while(guard, |n| *n % 2 != parity).await;
        *guard += 1;
        self.1.notify_one();
        *guard - 1
    }
}
