//! Models of the lock for readers and writers.

use crate::count::{Count, poll_once};
use pirn_core::shim::{self, UnsafeCell, block_on, thread};
use pirn_sync::{OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard, Semaphore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
// std's on purpose: the owned guards have one, and what it orders is not what is modelled.
use std::sync::Arc;
use std::task::Poll;

/// A number whose every use the checker sees, however long a guard was held before.
struct Value(UnsafeCell<u32>);

// SAFETY: the models read it with a guard and write it with a `&mut`; that this excludes races is
// what they check.
unsafe impl Sync for Value {}

impl Value {
    fn new() -> Arc<RwLock<Self>> {
        Arc::new(RwLock::new(Value(UnsafeCell::new(0))))
    }

    fn get(&self) -> u32 {
        // SAFETY: see above.
        self.0.with(|value| unsafe { *value })
    }

    fn add_one(&mut self) {
        // SAFETY: see above.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

type Shared = Arc<RwLock<Value>>;

fn spawn<R: Send + 'static>(
    lock: &Shared,
    f: impl FnOnce(Shared) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let lock = Arc::clone(lock);
    thread::spawn(move || f(lock))
}

#[test]
fn three_writers_exclude_each_other() {
    shim::model(|| {
        let lock = Value::new();
        let threads = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.write()).add_one()));
        block_on(lock.write()).add_one();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(lock.try_read().unwrap().get(), 2 + 1);
    });
}

#[test]
fn a_reader_and_two_writers_exclude_each_other() {
    shim::model(|| {
        let lock = Value::new();
        let threads = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.write()).add_one()));
        let reader = block_on(lock.read());
        let seen = reader.get();
        assert!(seen <= 2);
        assert_eq!(reader.get(), seen);
        drop(reader);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(lock.try_read().unwrap().get(), 2);
    });
}

#[test]
fn two_readers_and_a_writer_exclude_each_other() {
    shim::model(|| {
        let lock = Value::new();
        let threads = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.read()).get()));
        block_on(lock.write()).add_one();
        for thread in threads {
            assert!(thread.join().unwrap() <= 1);
        }
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn readers_that_wait_are_in_together() {
    shim::model(|| {
        let lock = Value::new();
        let mut held = lock.try_write().unwrap();
        let inside = Arc::new([Semaphore::new(0), Semaphore::new(0)]);
        let threads = [0, 1].map(|i| {
            let inside = Arc::clone(&inside);
            spawn(&lock, move |lock| {
                let guard = block_on(lock.read());
                inside[1 - i].add_permits(1);
                block_on(inside[i].acquire()).unwrap().forget();
                guard.get()
            })
        });
        held.add_one();
        drop(held);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 1);
        }
    });
}

#[test]
fn the_last_of_the_readers_to_leave_lets_the_writer_in() {
    shim::model(|| {
        let lock = Value::new();
        let [one, another] = [(); 2].map(|()| lock.try_read_owned().unwrap());
        let leaver = thread::spawn(move || one.get());
        let writer = spawn(&lock, |lock| block_on(lock.write()).add_one());
        drop(another);
        assert_eq!(leaver.join().unwrap(), 0);
        writer.join().unwrap();
        assert_eq!(lock.try_read().unwrap().get(), 1);
    });
}

#[test]
fn a_try_excludes_those_who_wait() {
    shim::model(|| {
        let lock = Value::new();
        let thread = spawn(&lock, |lock| block_on(lock.write()).add_one());
        if let Some(reader) = lock.try_read() {
            assert!(reader.get() <= 1);
        }
        let mut expected = 1;
        if let Some(mut writer) = lock.try_write() {
            writer.add_one();
            expected += 1;
        }
        thread.join().unwrap();
        assert_eq!(lock.try_read().unwrap().get(), expected);
    });
}

#[test]
fn a_try_to_read_does_not_overtake_a_writer_that_waits() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_read().unwrap();
        let mut writer = pin!(lock.write());
        assert!(poll_once(writer.as_mut(), &Count::new().waker()).is_pending());
        let tryer = spawn(&lock, |lock| {
            lock.try_read().is_some() || lock.try_write().is_some()
        });
        drop(held);
        assert!(!tryer.join().unwrap());
        assert!(poll_once(writer.as_mut(), &Count::new().waker()).is_ready());
    });
}

#[test]
fn a_writer_that_is_cancelled_while_it_is_granted_passes_it_on() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_write().unwrap();
        let mut cancelled = Box::pin(lock.write());
        assert!(poll_once(cancelled.as_mut(), &Count::new().waker()).is_pending());
        let writer = spawn(&lock, |lock| block_on(lock.write()).add_one());
        let reader = spawn(&lock, |lock| block_on(lock.read()).get());
        drop(held);
        drop(cancelled);
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= 1);
        assert_eq!(lock.try_write().unwrap().get(), 1);
    });
}

#[test]
fn a_reader_that_is_cancelled_while_it_is_granted_passes_it_on() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_write_owned().unwrap();
        let mut cancelled = Box::pin(lock.read());
        assert!(poll_once(cancelled.as_mut(), &Count::new().waker()).is_pending());
        let holder = thread::spawn(move || drop(held));
        let writer = spawn(&lock, |lock| block_on(lock.write()).add_one());
        drop(cancelled);
        holder.join().unwrap();
        writer.join().unwrap();
        assert_eq!(lock.try_write().unwrap().get(), 1);
    });
}

#[test]
fn a_writer_that_leaves_the_head_lets_the_readers_behind_it_in() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_read().unwrap();
        let mut writer = Box::pin(lock.write());
        assert!(poll_once(writer.as_mut(), &Count::new().waker()).is_pending());
        let readers = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.read()).get()));
        drop(writer);
        // They need not wait for the reader that is there.
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 0);
        }
        drop(held);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn who_polls_once_and_leaves_while_it_is_let_go_leaves_it_free() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_read().unwrap();
        let passer = spawn(&lock, |lock| {
            let _ = poll_once(pin!(lock.write()), &Count::new().waker());
        });
        let reader = spawn(&lock, |lock| block_on(lock.read()).get());
        drop(held);
        passer.join().unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_downgrade_lets_readers_in_and_publishes_what_was_written() {
    shim::model(|| {
        let lock = Value::new();
        let mut held = lock.try_write().unwrap();
        let readers = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.read()).get()));
        held.add_one();
        let held = RwLockWriteGuard::downgrade(held);
        // They need not wait for the reader that is there.
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
        assert_eq!(held.get(), 1);
    });
}

#[test]
fn a_downgrade_publishes_to_who_tries() {
    shim::model(|| {
        let lock = Value::new();
        let mut held = lock.try_write_owned().unwrap();
        let tryer = spawn(&lock, |lock| lock.try_read().map_or(1, |value| value.get()));
        held.add_one();
        let held = OwnedRwLockWriteGuard::downgrade(held);
        assert_eq!(tryer.join().unwrap(), 1);
        drop(held);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn no_writer_gets_between_a_write_and_the_read_after_a_downgrade() {
    shim::model(|| {
        let lock = Value::new();
        let writers = [(); 2].map(|()| spawn(&lock, |lock| block_on(lock.write()).add_one()));
        let mut held = block_on(lock.write());
        held.add_one();
        let written = held.get();
        let held = RwLockWriteGuard::downgrade(held);
        assert_eq!(held.get(), written);
        drop(held);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lock.try_read().unwrap().get(), 3);
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let lock = Value::new();
        let (old, new) = (Count::new(), Count::new());
        let holder = spawn(&lock, |lock| block_on(lock.write()).add_one());
        let mut waiter = pin!(lock.read());
        let first = poll_once(waiter.as_mut(), &old.waker()).is_ready();
        let ready = first || poll_once(waiter.as_mut(), &new.waker()).is_ready();
        holder.join().unwrap();
        assert!(ready || new.wakes() == 1);
        assert!(ready || poll_once(waiter.as_mut(), &new.waker()).is_ready());
    });
}

#[test]
fn a_task_that_was_granted_to_write_gets_it_by_the_read_that_it_polls() {
    shim::model(|| {
        let lock = Value::new();
        let mut held = lock.try_write_owned().unwrap();
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = Box::pin(lock.write());
        assert!(poll_once(unpolled.as_mut(), &waker).is_pending());
        let holder = thread::spawn(move || {
            held.add_one();
            drop(held);
        });
        let mut awaited = Box::pin(lock.read());
        let mut polled = poll_once(awaited.as_mut(), &waker);
        holder.join().unwrap();
        if polled.is_pending() {
            assert!(task.wakes() >= 1);
            polled = poll_once(awaited.as_mut(), &waker);
        }
        let Poll::Ready(guard) = polled else {
            panic!("the task was granted more than that");
        };
        assert_eq!(guard.get(), 1);
        drop(guard);
        assert!(poll_once(unpolled.as_mut(), &waker).is_ready());
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_task_that_was_granted_to_read_twice_gets_it_by_the_write_that_it_polls() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_write_owned().unwrap();
        let task = Count::new();
        let waker = task.waker();
        let mut unpolled = [(); 2].map(|()| Box::pin(lock.read()));
        for read in &mut unpolled {
            assert!(poll_once(read.as_mut(), &waker).is_pending());
        }
        let holder = thread::spawn(move || drop(held));
        let mut awaited = Box::pin(lock.write());
        let mut polled = poll_once(awaited.as_mut(), &waker);
        holder.join().unwrap();
        if polled.is_pending() {
            assert!(task.wakes() >= 2);
            polled = poll_once(awaited.as_mut(), &waker);
        }
        let Poll::Ready(mut guard) = polled else {
            panic!("nobody else reads");
        };
        guard.add_one();
        drop(guard);
        for read in &mut unpolled {
            match poll_once(read.as_mut(), &waker) {
                Poll::Ready(guard) => assert_eq!(guard.get(), 1),
                Poll::Pending => panic!("nobody writes"),
            }
        }
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_grant_to_read_serves_a_writer_of_its_task_once_the_others_have_left() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_write().unwrap();
        let (task, other) = (Count::new(), Count::new());
        let mut unpolled = Box::pin(lock.read());
        let mut strange = pin!(lock.read());
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_pending());
        assert!(poll_once(strange.as_mut(), &other.waker()).is_pending());
        drop(held);
        assert!(poll_once(strange.as_mut(), &other.waker()).is_ready());
        let stranger = lock.try_read_owned().unwrap();
        let leaver = thread::spawn(move || stranger.get());
        let mut awaited = Box::pin(lock.write());
        let mut polled = poll_once(awaited.as_mut(), &task.waker());
        assert_eq!(leaver.join().unwrap(), 0);
        if polled.is_pending() {
            polled = poll_once(awaited.as_mut(), &task.waker());
        }
        let Poll::Ready(mut guard) = polled else {
            panic!("the others have left");
        };
        guard.add_one();
        drop(guard);
        assert!(poll_once(unpolled.as_mut(), &task.waker()).is_ready());
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn who_finds_it_free_after_the_only_waiter_left_sees_what_the_holder_wrote() {
    shim::model(|| {
        let lock = Value::new();
        let mut held = lock.try_write_owned().unwrap();
        // SAFETY: the thread drops the waiter before its share of the lock.
        let borrowed: &'static RwLock<Value> = unsafe { &*Arc::as_ptr(&lock) };
        let mut waiter = Box::pin(borrowed.read());
        assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
        let leaver = spawn(&lock, move |lock| {
            drop(waiter);
            lock.try_write().map(|mut value| value.add_one()).is_some()
        });
        held.add_one();
        drop(held);
        let expected = 1 + u32::from(leaver.join().unwrap());
        assert_eq!(lock.try_read().unwrap().get(), expected);
    });
}

#[test]
fn who_writes_after_the_only_waiter_left_comes_after_those_who_read() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_read_owned().unwrap();
        // SAFETY: the thread drops the waiter before its share of the lock.
        let borrowed: &'static RwLock<Value> = unsafe { &*Arc::as_ptr(&lock) };
        let mut waiter = Box::pin(borrowed.write());
        assert!(poll_once(waiter.as_mut(), &Count::new().waker()).is_pending());
        let leaver = spawn(&lock, move |lock| {
            drop(waiter);
            lock.try_write().map(|mut value| value.add_one()).is_some()
        });
        assert_eq!(held.get(), 0);
        drop(held);
        let expected = u32::from(leaver.join().unwrap());
        assert_eq!(lock.try_read().unwrap().get(), expected);
    });
}

#[test]
fn no_more_readers_than_the_most_are_in_at_once() {
    shim::model(|| {
        let lock = Value::new();
        let thread = spawn(&lock, |lock| [(); 2].map(|()| lock.try_read_owned()));
        let mine = [(); 2].map(|()| lock.try_read());
        let others = thread.join().unwrap();
        let readers = mine.iter().flatten().count() + others.iter().flatten().count();
        // Three are the most under the checker.
        assert_eq!(readers, shim::choose(4, 3));
        if shim::IS_LOOM {
            let waiting = || poll_once(pin!(lock.read()), &Count::new().waker()).is_pending();
            let payload = catch_unwind(AssertUnwindSafe(waiting)).unwrap_err();
            let message = "an RwLock has at most 3 readers at once";
            assert_eq!(pirn_core::panic_message(&*payload), message);
        }
        drop((mine, others));
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_writer_that_leaves_the_middle_as_it_is_let_go_lets_the_reader_behind_it_in() {
    shim::model(|| {
        let lock = Value::new();
        let held = lock.try_write_owned().unwrap();
        let counts = [Count::new(), Count::new(), Count::new()];
        let mut head = pin!(lock.read());
        assert!(poll_once(head.as_mut(), &counts[0].waker()).is_pending());
        let mut cancelled = Box::pin(lock.write());
        assert!(poll_once(cancelled.as_mut(), &counts[1].waker()).is_pending());
        let mut tail = pin!(lock.read());
        assert!(poll_once(tail.as_mut(), &counts[2].waker()).is_pending());
        let holder = thread::spawn(move || drop(held));
        drop(cancelled);
        holder.join().unwrap();
        assert_eq!(counts.map(|count| count.wakes()), [1, 0, 1]);
        let guards = [
            poll_once(head.as_mut(), &Count::new().waker()),
            poll_once(tail.as_mut(), &Count::new().waker()),
        ];
        assert!(guards.iter().all(Poll::is_ready));
    });
}
