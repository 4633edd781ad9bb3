//! Executors that keep no promise but one: a drop is an end.

use pirn_core::{BoxTask, Refused, Spawn, TaskMeta};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Drops one task in twelve, before one of its polls.
#[derive(Clone)]
pub(crate) struct Careless<S> {
    spawner: S,
    rng: Arc<Mutex<fastrand::Rng>>,
    lost: Arc<AtomicUsize>,
}

impl<S> Careless<S> {
    pub(crate) fn new(spawner: S, seed: u64) -> Self {
        Careless {
            spawner,
            rng: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            lost: Arc::default(),
        }
    }

    /// How many tasks it has dropped.
    pub(crate) fn lost(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.lost)
    }
}

impl<S: Spawn> Spawn for Careless<S> {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut rng = self.rng.lock().unwrap();
        let mut left = (rng.u8(..12) == 0).then(|| rng.u8(..3));
        drop(rng);
        let lost = Arc::clone(&self.lost);
        let mut task: Option<BoxTask> = Some(Box::pin(f));
        let mortal = poll_fn(move |cx| {
            if left == Some(0) {
                lost.fetch_add(1, SeqCst);
                task = None;
            }
            left = left.map(|polls| polls.saturating_sub(1));
            match &mut task {
                Some(task) => task.as_mut().poll(cx),
                None => Poll::Ready(()),
            }
        });
        let spawned = self.spawner.spawn(meta, mortal);
        spawned.expect("these take what they are given");
        Ok(())
    }
}

type Kept = Arc<Mutex<Option<BoxTask>>>;

/// Polls each task so often, then keeps it and does not poll it any more.
#[derive(Clone)]
pub(crate) struct Forgetful<S> {
    spawner: S,
    polls: usize,
    kept: Arc<Mutex<Vec<Kept>>>,
}

impl<S> Forgetful<S> {
    pub(crate) fn new(spawner: S, polls: usize) -> Self {
        Forgetful {
            spawner,
            polls,
            kept: Arc::default(),
        }
    }

    /// Drops what it has kept.
    pub(crate) fn let_go(&self) {
        for kept in std::mem::take(&mut *self.kept.lock().unwrap()) {
            let task = kept.lock().unwrap().take();
            drop(task);
        }
    }
}

impl<S: Spawn> Spawn for Forgetful<S> {
    fn spawn<F>(&self, meta: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task: Kept = Arc::new(Mutex::new(Some(Box::pin(f))));
        self.kept.lock().unwrap().push(Arc::clone(&task));
        let mut left = self.polls;
        let forgotten = poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(()); // The executor's part of it ends, the task is kept.
            }
            left -= 1;
            let mut task = task.lock().unwrap();
            match &mut *task {
                Some(task) => task.as_mut().poll(cx),
                None => Poll::Ready(()),
            }
        });
        let spawned = self.spawner.spawn(meta, forgotten);
        spawned.expect("these take what they are given");
        Ok(())
    }
}
