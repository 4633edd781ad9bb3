//! The orders in which the items of a queue come out.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use core::time::Duration;

/// In which order the items of an [`OrderedQueue`](super::OrderedQueue) come out: [`Fifo`],
/// [`Lifo`] or [`ByPriority`]. These are all there are.
pub trait Order<T>: Store<T> {}

/// What an order keeps the items in. Called under the queue's lock, so that it runs no code of
/// users: it moves items, and compares only what [`Priority`] allows.
pub trait Store<T>: Sized {
    const EMPTY: Self;
    fn push(&mut self, item: T);
    fn pop(&mut self) -> Option<T>;
    fn len(&self) -> usize;
}

/// First in, first out: the order of a [`Queue`](super::Queue).
pub struct Fifo<T>(VecDeque<T>);

/// Last in, first out: the order of a [`LifoQueue`](super::LifoQueue).
pub struct Lifo<T>(Vec<T>);

/// The least priority first, and of equal ones the first that was put in: the order of a
/// [`PriorityQueue`](super::PriorityQueue).
pub struct ByPriority<P: Priority, T> {
    heap: BinaryHeap<Entry<P, T>>,
    next: u64,
}

/// What the items of a [`PriorityQueue`](super::PriorityQueue) are ordered by: the integers, `bool`,
/// `char` and [`Duration`], pairs and triples of them, and [`Reverse`] for the greatest first.
///
/// Others cannot implement it: comparing happens with the queue locked, where no code of users runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the priority of a queue's item",
    note = "priorities are integers, `bool`, `char`, `Duration`, pairs and triples of them, and `Reverse` of them; for an enum, use `priority as u8`"
)]
pub trait Priority: Ord + Copy + Sealed {}

pub trait Sealed {}

struct Entry<P, T> {
    priority: P,
    /// Which one it is of all that were ever put in.
    number: u64,
    item: T,
}

impl<T> Order<T> for Fifo<T> {}

impl<T> Store<T> for Fifo<T> {
    const EMPTY: Self = Fifo(VecDeque::new());

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Order<T> for Lifo<T> {}

impl<T> Store<T> for Lifo<T> {
    const EMPTY: Self = Lifo(Vec::new());

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<P: Priority, T> Order<(P, T)> for ByPriority<P, T> {}

impl<P: Priority, T> Store<(P, T)> for ByPriority<P, T> {
    const EMPTY: Self = ByPriority {
        heap: BinaryHeap::new(),
        next: 0,
    };

    fn push(&mut self, (priority, item): (P, T)) {
        self.heap.push(Entry {
            priority,
            number: self.next,
            item,
        });
        self.next += 1;
    }

    fn pop(&mut self) -> Option<(P, T)> {
        self.heap.pop().map(|entry| (entry.priority, entry.item))
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<P: Priority, T> Ord for Entry<P, T> {
    /// The heap gives the greatest first: that is the one of the least priority, and then of the
    /// least number.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.priority, other.number).cmp(&(self.priority, self.number))
    }
}

impl<P: Priority, T> PartialOrd for Entry<P, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P: Priority, T> PartialEq for Entry<P, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<P: Priority, T> Eq for Entry<P, T> {}

/// Implements [`Priority`] for types of the language, whose comparison does nothing else.
macro_rules! priorities {
    ($($type:ty),*) => { $(
        impl Sealed for $type {}
        impl Priority for $type {}
    )* };
}

priorities!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char, Duration
);

impl<P: Priority> Sealed for Reverse<P> {}
impl<P: Priority> Priority for Reverse<P> {}
impl<P: Priority, Q: Priority> Sealed for (P, Q) {}
impl<P: Priority, Q: Priority> Priority for (P, Q) {}
impl<P: Priority, Q: Priority, R: Priority> Sealed for (P, Q, R) {}
impl<P: Priority, Q: Priority, R: Priority> Priority for (P, Q, R) {}
