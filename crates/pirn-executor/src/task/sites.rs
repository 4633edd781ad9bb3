//! Where tasks are spawned: a number of 12 bits for each place in the program.
//!
//! A place is found by its line and column, which say where in the table it lies, or shortly behind
//! that; its number is where it lies. What is in the table stays there, so whoever looks for a place
//! again finds the same number, without a lock, and a place that the compiler wrote down more than
//! once has one number as well.
//!
//! | number | the place |
//! |---|---|
//! | [`NONE`] | had no room: the task's entry in the side table has it |
//! | any other | is in the table |
//!
//! Rejected: numbers in order, behind a lock, with those of late remembered by each thread (two busy
//! places that remember in the same line would meet at the lock for each task).

use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Bits of a number.
pub(super) const BITS: u32 = 12;
/// The number of what has none.
pub const NONE: usize = 0;
/// How many entries are looked at for a place.
const LOOKS: usize = 16;

/// The places in which this program spawned tasks.
pub(super) static SITES: Sites<{ 1 << BITS }> = Sites::empty();

/// A table of `N` entries, which is a power of two. The first one is never used.
///
/// (`std`'s atomics on purpose: it outlives the executions of a model, and nothing that a model looks
/// at hangs on it.)
pub struct Sites<const N: usize>([AtomicPtr<Location<'static>>; N]);

impl<const N: usize> Sites<N> {
    /// An empty table.
    pub const fn empty() -> Self {
        assert!(N.is_power_of_two() && N > 1);
        Sites([const { AtomicPtr::new(ptr::null_mut()) }; N])
    }

    /// The number of a place, if that is seen at once.
    #[inline]
    pub fn find(&self, place: &'static Location<'static>) -> Option<usize> {
        let first = Self::first(place);
        // Ordering: Relaxed, an address that is compared with one that the caller has.
        ptr::eq(self.0[first].load(Relaxed), place).then_some(first)
    }

    /// The number of a place, which is put in if there is room.
    #[cold]
    pub fn number(&self, place: &'static Location<'static>) -> usize {
        let first = Self::first(place);
        let numbers = (first..first + LOOKS).map(|number| number % N);
        for number in numbers.filter(|&number| number != NONE) {
            if self.place(number).is_none() && self.put(number, place) {
                return number;
            }
            if self.place(number) == Some(place) {
                return number;
            }
        }
        NONE
    }

    /// The place of a number, which `number` gave.
    pub fn place(&self, number: usize) -> Option<&'static Location<'static>> {
        // Ordering: Acquire, pairs with the Release in `put`; publishes the place.
        let there = self.0.get(number)?.load(Acquire);
        // SAFETY: null, or from a reference that lives for ever, to what does not change.
        unsafe { there.as_ref() }
    }

    /// Leaves no room: for tests of what happens then.
    #[track_caller]
    pub fn fill(&self) {
        let place = Location::caller();
        for number in NONE + 1..N {
            self.put(number, place);
        }
    }

    /// Puts a place where none was. False if there was one.
    fn put(&self, number: usize, place: &'static Location<'static>) -> bool {
        let (none, some) = (ptr::null_mut(), ptr::from_ref(place).cast_mut());
        // Ordering: Release, pairs with the Acquire in `place`; publishes the place. Failure Relaxed:
        // who asks what is there loads it again.
        let put = self.0[number].compare_exchange(none, some, Release, Relaxed);
        put.is_ok()
    }

    /// Where a place lies if there is room.
    #[inline]
    fn first(place: &Location<'_>) -> usize {
        let both = u64::from(place.line()) | u64::from(place.column()) << 32;
        // The upper bits of a product depend on all bits; the factor is 2^64 by the golden ratio.
        let spread = both.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> (u64::BITS - N.trailing_zeros())) as usize
    }
}

/// [Fills](Sites::fill) the table of this program.
#[track_caller]
pub fn fill() {
    SITES.fill();
}
