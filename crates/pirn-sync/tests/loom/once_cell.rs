//! Models of the cell that is filled once.

use crate::count::{Count, poll_once};
use pirn_core::shim::atomic::{AtomicUsize, Ordering};
use pirn_core::shim::{self, Arc, block_on, thread};
use pirn_core::yield_now;
use pirn_sync::{OnceCell, SetError};
use std::future::{pending, ready};
use std::pin::pin;
use std::task::Poll;

/// A cell and how often its value was made, and how many are making it.
#[derive(Default)]
struct Shared {
    cell: OnceCell<usize>,
    made: AtomicUsize,
    making: AtomicUsize,
}

impl Shared {
    /// Makes the value with a pause in between; fails for 0, at once.
    async fn make(&self, value: usize) -> Result<usize, ()> {
        // Ordering: Relaxed; the cell orders those who make the value.
        assert_eq!(self.making.fetch_add(1, Ordering::Relaxed), 0);
        if value > 0 {
            yield_now().await;
        }
        self.making.fetch_sub(1, Ordering::Relaxed);
        self.made.fetch_add(1, Ordering::Relaxed);
        (value > 0).then_some(value).ok_or(())
    }

    fn get(&self, value: usize) -> Result<usize, ()> {
        block_on(self.cell.get_or_try_init(|| self.make(value))).copied()
    }

    fn made(&self) -> usize {
        // Ordering: Relaxed, after a join.
        self.made.load(Ordering::Relaxed)
    }
}

#[test]
fn one_of_two_makes_the_value_and_both_have_it() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.get(1))
        };
        let here = shared.get(2);
        assert_eq!(thread.join().unwrap(), here);
        assert_eq!(
            (here, shared.made()),
            (shared.cell.get().copied().ok_or(()), 1)
        );
    });
}

#[test]
fn who_fails_hands_over_and_they_make_it_one_after_the_other() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let threads = [0, 1].map(|value| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.get(value))
        });
        let here = shared.get(0);
        let [failed, made] = threads.map(|thread| thread.join().unwrap());
        assert_eq!(made, Ok(1));
        for other in [failed, here] {
            assert!(other == Ok(1) || other == Err(()));
        }
        let failures = [failed, here].iter().filter(|end| end.is_err()).count();
        assert_eq!(shared.made(), 1 + failures);
    });
}

#[test]
fn who_sees_the_value_sees_it_whole() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let setter = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.set([1, 2]).unwrap())
        };
        if let Some(value) = cell.get() {
            assert_eq!(value, &[1, 2]);
        }
        setter.join().unwrap();
        assert_eq!(cell.get(), Some(&[1, 2]));
    });
}

#[test]
fn who_waits_for_the_value_is_woken_and_sees_it() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let threads = [(); 2].map(|()| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || assert_eq!(block_on(cell.wait()), &[1, 2]))
        });
        cell.set([1, 2]).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn who_waits_and_who_would_make_it_are_all_let_go() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let waits = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || *block_on(shared.cell.wait()))
        };
        let makes = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.get(1))
        };
        // It fails, and leaves it to the other, or finds the value.
        let here = shared.get(0);
        assert_eq!((makes.join().unwrap(), waits.join().unwrap()), (Ok(1), 1));
        assert!(here != Ok(0));
    });
}

#[test]
fn an_initialiser_that_is_cancelled_hands_over_to_the_first_who_waits() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let (count, first) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(cell.get_or_init(pending::<u8>));
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let mut next = pin!(cell.get_or_init(|| ready(1)));
        assert!(poll_once(next.as_mut(), &first.waker()).is_pending());
        let newcomer = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || *block_on(cell.get_or_init(|| ready(2))))
        };
        drop(cancelled);
        assert_eq!(first.wakes(), 1);
        assert_eq!(poll_once(next.as_mut(), &first.waker()), Poll::Ready(&1));
        assert_eq!(newcomer.join().unwrap(), 1);
    });
}

#[test]
fn one_who_is_cancelled_as_it_is_handed_the_turn_passes_it_on() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let (count, last) = (Count::new(), Count::new());
        let mut maker = {
            let cell = Arc::clone(&cell);
            Box::pin(async move { *cell.get_or_init(pending::<u8>).await })
        };
        assert!(poll_once(maker.as_mut(), &count.waker()).is_pending());
        let mut cancelled = Box::pin(cell.get_or_init(|| ready(1)));
        assert!(poll_once(cancelled.as_mut(), &count.waker()).is_pending());
        let mut next = pin!(cell.get_or_init(|| ready(2)));
        assert!(poll_once(next.as_mut(), &last.waker()).is_pending());
        let leaver = thread::spawn(move || drop(maker));
        drop(cancelled);
        leaver.join().unwrap();
        assert_eq!(last.wakes(), 1);
        assert_eq!(poll_once(next.as_mut(), &last.waker()), Poll::Ready(&2));
    });
}

#[test]
fn of_a_set_and_an_initialiser_one_gives_the_value() {
    shim::model(|| {
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.get(1))
        };
        let set = shared.cell.set(2);
        let got = thread.join().unwrap();
        match set {
            Ok(()) => assert_eq!((got, shared.made()), (Ok(2), 0)),
            Err(SetError::Full(2) | SetError::Busy(2)) => {
                assert_eq!((got, shared.made()), (Ok(1), 1));
            }
            Err(_) => panic!("not the value that was to be set"),
        }
    });
}

#[test]
fn of_two_that_set_one_has_its_value_back() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let thread = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.set(1).is_ok())
        };
        let here = cell.set(2).is_ok();
        assert_ne!(thread.join().unwrap(), here);
        assert_eq!(cell.get(), Some(if here { &2 } else { &1 }));
    });
}

#[test]
fn after_a_waker_is_replaced_the_newest_is_woken() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let (old, new) = (Count::new(), Count::new());
        let mut wait = pin!(cell.wait());
        assert!(poll_once(wait.as_mut(), &old.waker()).is_pending());
        let setter = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.set(1))
        };
        let ready = poll_once(wait.as_mut(), &new.waker()).is_ready();
        setter.join().unwrap().unwrap();
        assert!(ready || new.wakes() == 1);
    });
}

#[test]
fn one_of_two_who_wait_that_is_cancelled_as_the_value_comes_takes_nothing_from_the_other() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let (first, second) = (Count::new(), Count::new());
        let mut cancelled = Box::pin(cell.wait());
        assert!(poll_once(cancelled.as_mut(), &first.waker()).is_pending());
        let mut other = pin!(cell.wait());
        assert!(poll_once(other.as_mut(), &second.waker()).is_pending());
        let setter = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.set(1).unwrap())
        };
        drop(cancelled);
        setter.join().unwrap();
        assert_eq!(second.wakes(), 1);
        assert_eq!(poll_once(other.as_mut(), &second.waker()), Poll::Ready(&1));
    });
}

#[test]
fn who_is_handed_the_turn_as_its_waker_is_replaced_is_woken_by_the_newest() {
    shim::model(|| {
        let cell = Arc::new(OnceCell::new());
        let (count, old, new) = (Count::new(), Count::new(), Count::new());
        let mut maker = {
            let cell = Arc::clone(&cell);
            Box::pin(async move { *cell.get_or_init(pending::<u8>).await })
        };
        assert!(poll_once(maker.as_mut(), &count.waker()).is_pending());
        let mut next = pin!(cell.get_or_init(|| ready(1)));
        assert!(poll_once(next.as_mut(), &old.waker()).is_pending());
        let leaver = thread::spawn(move || drop(maker));
        let is_ready = poll_once(next.as_mut(), &new.waker()).is_ready();
        leaver.join().unwrap();
        assert!(is_ready || new.wakes() == 1);
        assert!(is_ready || poll_once(next.as_mut(), &new.waker()).is_ready());
    });
}
