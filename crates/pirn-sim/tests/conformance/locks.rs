//! Locks, also for readers and writers.

use super::*;
use pirn_sync::{
    Lock, LockGuard, OwnedLockGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard,
};
use std::sync::Arc;

struct Locked {
    lock: Arc<Lock<u32>>,
    outside: Outside<OwnedLockGuard<u32>>,
}

impl Locked {
    fn of(lock: Lock<u32>) -> Self {
        let lock = Arc::new(lock);
        let outside = RefCell::new(lock.try_lock_owned());
        Locked { lock, outside }
    }

    fn left(&self) -> Option<usize> {
        Some(usize::from(self.lock.try_lock().is_some()))
    }
}

struct ByLock(Locked);

impl Subject for ByLock {
    type Held<'a> = LockGuard<'a, u32>;

    async fn wait(&self, _: usize) -> LockGuard<'_, u32> {
        self.0.lock.lock().await
    }

    fn serve(&self, _: usize) {
        self.0.outside.take();
    }

    fn left(&self) -> Option<usize> {
        self.0.left()
    }
}

struct ByLockOwned(Locked);

impl Subject for ByLockOwned {
    type Held<'a> = OwnedLockGuard<u32>;

    async fn wait(&self, _: usize) -> OwnedLockGuard<u32> {
        self.0.lock.lock_owned().await
    }

    fn serve(&self, _: usize) {
        self.0.outside.take();
    }

    fn left(&self) -> Option<usize> {
        self.0.left()
    }
}

#[test]
fn a_lock_is_handed_on_whoever_is_cancelled() {
    let make = || ByLock(Locked::of(Lock::new(0)));
    examine("Lock::lock", Rules::permits(1), make);
}

#[test]
fn a_lock_with_an_owned_guard_is_handed_on_whoever_is_cancelled() {
    let make = || ByLockOwned(Locked::of(Lock::new(0)));
    examine("Lock::lock_owned", Rules::permits(1), make);
}

#[test]
fn a_lock_that_may_be_barged_into_is_handed_on_whoever_is_cancelled() {
    for overtakes in [1, 2, u8::MAX] {
        let make = || ByLock(Locked::of(Lock::new_barging(0, overtakes)));
        let exam = Exam::new("Lock::lock, barging", Rules::permits(1));
        let why = "whoever is next is overtaken so often, and no more";
        exam.without(Property::InOrder, why).run(make).assert();
    }
}

// Locks for readers and writers: each has as many units as there can be readers here, and a writer
// takes them all.

const READERS: usize = 16;

enum Side<R, W> {
    Read(R),
    Write(W),
}

/// Which of them read, and which of those who write then turn to reading.
#[derive(Clone, Copy)]
struct Who {
    reads: fn(usize) -> bool,
    downgrades: bool,
}

struct ByRwLock {
    lock: Arc<RwLock<u32>>,
    outside: Outside<OwnedRwLockWriteGuard<u32>>,
    readers: Outside<Vec<OwnedRwLockReadGuard<u32>>>,
    who: Who,
}

impl ByRwLock {
    /// A writer is in.
    fn written(who: Who) -> Self {
        let lock = Arc::new(RwLock::new(0));
        ByRwLock {
            outside: RefCell::new(lock.try_write_owned()),
            readers: RefCell::default(),
            lock,
            who,
        }
    }

    /// Two readers are in.
    fn read(who: Who) -> Self {
        let lock = Arc::new(RwLock::new(0));
        let readers = [(); 2].map(|()| lock.try_read_owned().unwrap());
        ByRwLock {
            outside: RefCell::default(),
            readers: RefCell::new(Some(readers.into())),
            lock,
            who,
        }
    }
}

impl Subject for ByRwLock {
    type Held<'a> = Side<RwLockReadGuard<'a, u32>, RwLockWriteGuard<'a, u32>>;

    async fn wait(&self, who: usize) -> Self::Held<'_> {
        if (self.who.reads)(who) {
            return Side::Read(self.lock.read().await);
        }
        let guard = self.lock.write().await;
        match self.who.downgrades {
            true => Side::Read(RwLockWriteGuard::downgrade(guard)),
            false => Side::Write(guard),
        }
    }

    fn serve(&self, _: usize) {
        self.outside.take();
        if let Some(readers) = &mut *self.readers.borrow_mut() {
            readers.pop();
        }
    }

    fn left(&self) -> Option<usize> {
        // With those outside gone, a writer gets in.
        let inside = self.readers.take().map_or(0, |readers| readers.len());
        let is_free = self.outside.take().is_none() && self.lock.try_write().is_some();
        Some(if is_free { READERS - inside } else { 0 })
    }
}

fn some_read(who: usize) -> usize {
    if who % 2 == 0 { 1 } else { READERS }
}

fn some_write(who: usize) -> usize {
    if who % 2 == 0 { READERS } else { 1 }
}

#[test]
fn readers_and_writers_go_on_whoever_is_cancelled() {
    let rules = || Rules::permits(1).gives(READERS);
    let writes = Who {
        reads: |_| false,
        downgrades: false,
    };
    let all = rules().takes(|_| READERS);
    examine("RwLock::write", all, || ByRwLock::written(writes));

    let reads = Who {
        reads: |_| true,
        downgrades: false,
    };
    examine("RwLock::read", rules(), || ByRwLock::written(reads));

    let mixed = Who {
        reads: |who| who % 2 == 0,
        downgrades: false,
    };
    let takes = rules().takes(some_read);
    examine("RwLock::read and write", takes, || ByRwLock::written(mixed));

    let mixed = Who {
        reads: |who| who % 2 == 1,
        downgrades: false,
    };
    let takes = rules().takes(some_write);
    examine("RwLock::write and read", takes, || ByRwLock::written(mixed));
}

#[test]
fn writers_behind_readers_go_on_whoever_is_cancelled() {
    let mixed = Who {
        reads: |who| who % 2 == 1,
        downgrades: false,
    };
    let rules = Rules::permits(2).free(READERS - 2).takes(some_write);
    examine("RwLock::write behind readers", rules, || {
        ByRwLock::read(mixed)
    });

    // As the writer leaves, all who are behind it can go on.
    let one_writes = Who {
        reads: |who| who > 0,
        downgrades: false,
    };
    let takes = |who| if who == 0 { READERS } else { 1 };
    let rules = Rules::permits(2).free(READERS - 2).takes(takes);
    examine("RwLock, readers behind a writer", rules, || {
        ByRwLock::read(one_writes)
    });
}

#[test]
fn a_writer_that_turns_to_reading_lets_readers_in_whoever_is_cancelled() {
    let mixed = Who {
        reads: |who| who % 2 == 1,
        downgrades: true,
    };
    let rules = Rules::permits(1)
        .gives(READERS)
        .takes(some_write)
        .keeps(|_| 1);
    examine("RwLock, downgrade", rules, || ByRwLock::written(mixed));
}

struct ByRwLockOwned(ByRwLock);

impl Subject for ByRwLockOwned {
    type Held<'a> = Side<OwnedRwLockReadGuard<u32>, OwnedRwLockWriteGuard<u32>>;

    async fn wait(&self, who: usize) -> Self::Held<'_> {
        match (self.0.who.reads)(who) {
            true => Side::Read(self.0.lock.read_owned().await),
            false => Side::Write(self.0.lock.write_owned().await),
        }
    }

    fn serve(&self, number: usize) {
        self.0.serve(number);
    }

    fn left(&self) -> Option<usize> {
        self.0.left()
    }
}

#[test]
fn readers_and_writers_with_owned_guards_go_on_whoever_is_cancelled() {
    let mixed = Who {
        reads: |who| who % 2 == 1,
        downgrades: false,
    };
    let rules = Rules::permits(1).gives(READERS).takes(some_write);
    examine("RwLock::write_owned and read_owned", rules, || {
        ByRwLockOwned(ByRwLock::written(mixed))
    });
}
