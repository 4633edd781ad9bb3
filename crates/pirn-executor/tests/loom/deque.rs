//! A worker's queue: every item is taken once, whole.

use pirn_core::shim::{UnsafeCell, model, thread};
use pirn_executor::internals::{Local, Stealer, Word, deque};

/// An item whose content was written before it was queued.
struct Item(Box<UnsafeCell<usize>>);

// SAFETY: the content is accessed by whoever has the item.
unsafe impl Send for Item {}

impl Word for Item {
    fn into_word(self) -> *mut () {
        Box::into_raw(self.0).cast()
    }

    unsafe fn from_word(word: *mut ()) -> Self {
        // SAFETY: `into_word` made it from a box of this type.
        Item(unsafe { Box::from_raw(word.cast()) })
    }
}

impl Item {
    fn new(number: usize) -> Item {
        let item = Item(Box::new(UnsafeCell::new(0)));
        // SAFETY: the item is ours.
        item.0.with_mut(|content| unsafe { *content = number });
        item
    }

    fn number(self) -> usize {
        // SAFETY: the item is ours.
        self.0.with(|content| unsafe { *content })
    }
}

fn push(local: &Local<Item>, number: usize) -> Vec<usize> {
    match local.push(Item::new(number)) {
        Ok(()) => Vec::new(),
        Err(half) => half.into_iter().map(Item::number).collect(),
    }
}

/// A thief that steals `times`.
fn thief(stealer: Stealer<Item>, times: usize) -> thread::JoinHandle<Vec<usize>> {
    thread::spawn(move || {
        let (local, _) = deque();
        let mut got = Vec::new();
        for _ in 0..times {
            got.extend(stealer.steal_into(&local).map(Item::number));
            while let Some(item) = local.pop() {
                got.push(item.number());
            }
        }
        got
    })
}

fn drain(local: &Local<Item>) -> Vec<usize> {
    std::iter::from_fn(|| local.pop())
        .map(Item::number)
        .collect()
}

#[test]
fn a_thief_and_the_owner_take_each_item_once() {
    model(|| {
        let (local, stealer) = deque();
        let mut got = push(&local, 1);
        got.extend(push(&local, 2));
        let thief = thief(stealer, 2);
        got.extend(local.pop().map(Item::number));
        got.extend(push(&local, 3));
        got.extend(drain(&local));
        got.extend(thief.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn an_overflow_that_meets_a_thief_loses_nothing() {
    model(|| {
        let (local, stealer) = deque();
        let mut got: Vec<usize> = (1..=4).flat_map(|number| push(&local, number)).collect();
        assert!(got.is_empty());
        let thief = thief(stealer, 1);
        got.extend(push(&local, 5));
        got.extend(push(&local, 6));
        got.extend(drain(&local));
        got.extend(thief.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2, 3, 4, 5, 6]);
    });
}

#[test]
fn two_thieves_take_different_items() {
    model(|| {
        let (local, stealer) = deque::<Item>();
        let (_, other) = (push(&local, 1), push(&local, 2));
        assert!(other.is_empty());
        let stealers = [&stealer, &stealer].map(|s| s.share());
        let [one, two] = stealers.map(|stealer| thief(stealer, 1));
        let mut got = push(&local, 3);
        got.extend(drain(&local));
        got.extend(one.join().unwrap());
        got.extend(two.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn what_a_thief_took_along_is_whole_for_the_next_thief() {
    model(|| {
        let (local, stealer) = deque();
        let (second, second_stealer) = deque();
        let last = thief(second_stealer, 1);
        let thief = thread::spawn(move || {
            let mut got: Vec<_> = stealer
                .steal_into(&second)
                .map(Item::number)
                .into_iter()
                .collect();
            got.extend(drain(&second));
            got
        });
        let mut got: Vec<usize> = (1..=3).flat_map(|number| push(&local, number)).collect();
        got.extend(drain(&local));
        got.extend(thief.join().unwrap());
        got.extend(last.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn the_slot_is_taken_once_by_owner_or_thief() {
    model(|| {
        let (local, stealer) = deque();
        assert!(local.swap_slot(Item::new(1)).is_none());
        let thread = thread::spawn(move || stealer.steal_slot().map(Item::number));
        let mut got: Vec<_> = local
            .swap_slot(Item::new(2))
            .map(Item::number)
            .into_iter()
            .collect();
        got.extend(local.take_slot().map(Item::number));
        got.extend(thread.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn a_thief_takes_from_the_slot_what_was_put_there_last_or_nothing() {
    model(|| {
        let (local, stealer) = deque();
        let thread = thread::spawn(move || {
            let first = stealer.steal_slot().map(Item::number);
            first.or_else(|| stealer.steal_slot().map(Item::number))
        });
        assert!(local.swap_slot(Item::new(1)).is_none());
        let mut got: Vec<_> = local.take_slot().map(Item::number).into_iter().collect();
        got.extend(local.swap_slot(Item::new(2)).map(Item::number));
        let stolen = thread.join().unwrap();
        got.extend(local.take_slot().map(Item::number));
        got.extend(stolen);
        got.sort();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn two_thieves_take_the_slot_once() {
    model(|| {
        let (local, stealer) = deque();
        assert!(local.swap_slot(Item::new(1)).is_none());
        let other = stealer.share();
        let thread = thread::spawn(move || other.steal_slot().map(Item::number));
        let mut got: Vec<_> = stealer.steal_slot().map(Item::number).into_iter().collect();
        got.extend(thread.join().unwrap());
        got.extend(local.take_slot().map(Item::number));
        assert_eq!(got, [1]);
    });
}

#[test]
fn an_overflow_that_meets_two_thieves_loses_nothing() {
    model(|| {
        let (local, stealer) = deque();
        let mut got: Vec<usize> = (1..=4).flat_map(|number| push(&local, number)).collect();
        let stealers = [&stealer, &stealer].map(|s| s.share());
        let [one, two] = stealers.map(|stealer| thief(stealer, 1));
        got.extend(push(&local, 5));
        got.extend(drain(&local));
        got.extend(one.join().unwrap());
        got.extend(two.join().unwrap());
        got.sort();
        assert_eq!(got, [1, 2, 3, 4, 5]);
    });
}

#[test]
fn what_is_left_is_dropped_with_the_owner() {
    model(|| {
        let (local, stealer) = deque();
        let kept = [push(&local, 1), push(&local, 2)];
        assert!(kept.concat().is_empty() && local.swap_slot(Item::new(3)).is_none());
        let thief = thief(stealer, 1);
        drop(local);
        assert!(thief.join().unwrap().len() <= 1);
    });
}
