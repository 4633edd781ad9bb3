//! Events, conditions and barriers.

use super::*;
use pirn_sync::{Barrier, Condition, Event, Lock, LockGuard};

struct ByEvent {
    event: Event,
    clears: bool,
}

impl Subject for ByEvent {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        self.event.wait().await;
    }

    fn serve(&self, _: usize) {
        self.event.set();
        if self.clears {
            self.event.clear();
        }
    }
}

#[test]
fn an_event_lets_the_others_go_whoever_is_cancelled() {
    let make = |clears| {
        move || ByEvent {
            event: Event::new(),
            clears,
        }
    };
    examine("Event::wait", Rules::gate(), make(false));
    examine(
        "Event::wait, set and cleared",
        Rules::all_each(),
        make(true),
    );
}

struct ByCondition {
    lock: Lock<u32>,
    /// Each for one who comes while another has the lock.
    others: Vec<Lock<u32>>,
    condition: Condition,
    all: bool,
}

impl Subject for ByCondition {
    type Held<'a> = LockGuard<'a, u32>;

    async fn wait(&self, who: usize) -> LockGuard<'_, u32> {
        let free = || self.others[who].try_lock();
        let guard = self.lock.try_lock().or_else(free).unwrap();
        self.condition.wait(guard).await
    }

    fn serve(&self, _: usize) {
        match self.all {
            true => self.condition.notify_all(),
            false => self.condition.notify(1),
        }
    }
}

#[test]
fn a_notification_goes_on_whoever_is_cancelled() {
    let make = |all| {
        move || ByCondition {
            lock: Lock::new(0),
            others: (0..16).map(Lock::new).collect(),
            condition: Condition::new(),
            all,
        }
    };
    let one = || Rules::items().at_most_unused(0);
    examine("Condition::notify", one(), make(false));
    examine(
        "Condition::notify, the lock is held",
        one().holds(),
        make(false),
    );
    examine("Condition::notify_all", Rules::all_each(), make(true));
    let held = Rules::all_each().holds();
    examine("Condition::notify_all, the lock is held", held, make(true));
}

struct ByBarrier(Barrier);

impl Subject for ByBarrier {
    /// Whether all had come.
    type Held<'a> = bool;

    async fn wait(&self, _: usize) -> bool {
        self.0.wait().await.is_ok()
    }

    fn close(&self) {
        self.0.abort();
    }

    fn is_end(&self, all_came: &bool) -> bool {
        !all_came
    }

    fn serve(&self, _: usize) {
        let missing = self.0.parties() - self.0.waiting();
        let mut comers: Vec<_> = (0..missing).map(|_| Box::pin(self.0.wait())).collect();
        let last = comers.pop().unwrap();
        for comer in &mut comers {
            assert!(poll_now(comer.as_mut()).is_pending());
        }
        let turn = now(last).unwrap();
        assert!(turn.is_leader());
        for (place, comer) in comers.into_iter().rev().enumerate() {
            assert_eq!(now(comer).unwrap().index(), turn.index() - 1 - place);
        }
    }
}

#[test]
fn a_barrier_counts_those_who_are_there_whoever_is_cancelled() {
    let make = || ByBarrier(Barrier::new(12));
    examine("Barrier::wait", Rules::all_each(), make);
    examine("Barrier::abort", Rules::all_each().closes(), make);
}
