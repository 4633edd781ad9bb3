//! The timing wheel alone, beside other stores of deadlines: no clock, no waker.
//!
//! Deadlines are nanoseconds, as the wheel's driver has them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    hint::black_box,
    time::Duration,
};

use pirn_timer::wheel::{Key, Wheel};
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

use crate::{
    harness::{Contender, Row},
    hosts::tokio_one,
};

/// Timers in the store.
const ALIVE: u64 = 100_000;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "timer.store_churn_100k",
            "the oldest of 100,000 timers removed and one inserted, the store alone",
            || {
                vec![
                    Contender::timed("pirn", churn(Wheel::new())),
                    Contender::timed("BinaryHeap-lazy", churn(LazyHeap::default())),
                    Contender::timed("BTreeMap", churn(Tree::default())),
                    Contender::timed("tokio-util-DelayQueue", churn_delays()),
                ]
            },
        ),
        Row::new(
            "timer.store_insert_fire_100k",
            "one of 100,000 timers inserted and, in order, taken out",
            || {
                vec![
                    Contender::timed("pirn", insert_fire::<Wheel<u64>>()),
                    Contender::timed("BinaryHeap-lazy", insert_fire::<LazyHeap>()),
                    Contender::timed("BTreeMap", insert_fire::<Tree>()),
                ]
            },
        ),
    ]
}

/// Deadlines, each with a payload.
trait Store: 'static {
    type Key: 'static;

    fn insert(&mut self, at: u64, payload: u64) -> Self::Key;
    fn remove(&mut self, key: Self::Key);
}

/// One that can be told the time.
trait Expire: Store + Default {
    fn pop_expired(&mut self, now: u64) -> Option<u64>;
}

/// From 10 to 70 s, to the microsecond.
fn deadline(i: u64) -> u64 {
    10_000_000_000 + (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 60_000_000 * 1000
}

fn churn<S: Store>(mut store: S) -> impl FnMut(u64) {
    let mut keys = VecDeque::new();
    let mut next = 0;
    move |count| {
        let missing = ALIVE - keys.len() as u64;
        for _ in 0..missing + count {
            if keys.len() as u64 == ALIVE {
                store.remove(keys.pop_front().expect("there are many"));
            }
            keys.push_back(store.insert(deadline(next), next));
            next += 1;
        }
    }
}

/// Fills the store, lets time pass in milliseconds until it is empty, and so on.
fn insert_fire<S: Expire>() -> impl FnMut(u64) {
    let mut store = S::default();
    let (mut now, mut filled, mut step) = (0, 0, 0);
    move |count| {
        for _ in 0..2 * count {
            if step % (2 * ALIVE) < ALIVE {
                store.insert(filled + deadline(step), step);
            } else {
                let expired = loop {
                    if let Some(expired) = store.pop_expired(now) {
                        break expired;
                    }
                    now += 1_000_000;
                };
                black_box(expired);
                filled = now;
            }
            step += 1;
        }
    }
}

impl Store for Wheel<u64> {
    type Key = Key;

    fn insert(&mut self, at: u64, payload: u64) -> Key {
        self.insert(at, payload)
    }

    fn remove(&mut self, key: Key) {
        black_box(self.remove(key));
    }
}

impl Expire for Wheel<u64> {
    fn pop_expired(&mut self, now: u64) -> Option<u64> {
        self.pop_expired(now)
    }
}

/// A heap whose removed timers stay until they come to the top, or are the half of it.
#[derive(Default)]
struct LazyHeap {
    /// Deadline, slot, generation.
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// Generation and payload.
    slots: Vec<(u32, Option<u64>)>,
    free: Vec<u32>,
    removed: usize,
}

impl LazyHeap {
    fn vacate(&mut self, slot: u32) -> Option<u64> {
        let (generation, payload) = &mut self.slots[slot as usize];
        *generation += 1;
        self.free.push(slot);
        payload.take()
    }
}

impl Store for LazyHeap {
    type Key = u32;

    fn insert(&mut self, at: u64, payload: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() as u32 - 1
        });
        let (generation, place) = &mut self.slots[slot as usize];
        *place = Some(payload);
        self.heap.push(Reverse((at, slot, *generation)));
        slot
    }

    fn remove(&mut self, slot: u32) {
        black_box(self.vacate(slot));
        self.removed += 1;
        if self.removed * 2 > self.heap.len() {
            let slots = &self.slots;
            let alive = |&Reverse((_, slot, generation)): &_| slots[slot as usize].0 == generation;
            self.heap.retain(alive);
            self.removed = 0;
        }
    }
}

impl Expire for LazyHeap {
    fn pop_expired(&mut self, now: u64) -> Option<u64> {
        loop {
            let &Reverse((at, slot, generation)) = self.heap.peek()?;
            if self.slots[slot as usize].0 != generation {
                self.heap.pop();
                self.removed -= 1;
            } else if at > now {
                return None;
            } else {
                self.heap.pop();
                return self.vacate(slot);
            }
        }
    }
}

/// Keys are deadlines and, among equal ones, numbers.
#[derive(Default)]
struct Tree {
    timers: BTreeMap<(u64, u64), u64>,
    inserted: u64,
}

impl Store for Tree {
    type Key = (u64, u64);

    fn insert(&mut self, at: u64, payload: u64) -> (u64, u64) {
        self.inserted += 1;
        self.timers.insert((at, self.inserted), payload);
        (at, self.inserted)
    }

    fn remove(&mut self, key: (u64, u64)) {
        black_box(self.timers.remove(&key));
    }
}

impl Expire for Tree {
    fn pop_expired(&mut self, now: u64) -> Option<u64> {
        let first = self.timers.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        Some(first.remove())
    }
}

/// tokio-util's: it has a clock, and is not told the time.
struct Delays {
    timers: DelayQueue<u64>,
    start: Instant,
}

impl Store for Delays {
    type Key = delay_queue::Key;

    fn insert(&mut self, at: u64, payload: u64) -> delay_queue::Key {
        let at = self.start + Duration::from_nanos(at);
        self.timers.insert_at(payload, at)
    }

    fn remove(&mut self, key: delay_queue::Key) {
        black_box(self.timers.remove(&key));
    }
}

/// The queue's own sleep needs a runtime.
fn churn_delays() -> impl FnMut(u64) {
    let runtime = tokio_one();
    let mut work = churn(Delays {
        timers: DelayQueue::new(),
        start: Instant::now(),
    });
    move |count| {
        let _inside = runtime.enter();
        work(count);
    }
}
