//! A hierarchical timing wheel, as a pure data structure: no clock, no waker, no lock.
//!
//! # How it works
//!
//! A deadline is a `u64` tick, eleven digits in base 64. The wheel keeps the tick it was advanced
//! to, its *base*. A timer stands at the level of the highest digit in which its deadline differs
//! from the base, in the slot of that digit:
//!
//! ```text
//! base   … 07 12 33    level 2: slot 08 holds every deadline 08 xx xx   (64² ticks wide)
//!           │  │  └──  level 1: slot 40 holds every deadline 07 40 xx   (64  ticks wide)
//!           │  └─────  level 0: slot 35 holds the  deadline  07 12 35   (one tick)
//! ```
//!
//! Two facts follow, and everything else from them:
//!
//! 1. *Where a timer stands depends on the base and its deadline alone.* So timers with equal
//!    deadlines always share a list, in the order of their insertion; and a timer is found for
//!    removal without being told its slot.
//! 2. *The lowest slot of the lowest occupied level holds the earliest timers*: all deadlines at a
//!    lower level share the base's digit above it, where those of higher levels are greater.
//!
//! Moving the base within the gap before the next occupied slot changes no timer's place. When the
//! base reaches a slot, the slot's list is spread anew (a cascade), in its order. Each timer
//! moves down at least a level in a cascade, so it is moved at most ten times in its life, however
//! far the base jumps.
//!
//! Timers are entries of a slab, linked by index, with a free list through the vacant ones; what
//! walks read lies apart from what timers carry, four entries to a cache line. A [`Key`] carries the
//! generation of its entry, so that a key to a timer that is gone finds nothing, for ever: an entry
//! whose generations are used up (2^32) is retired.

mod tick;

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

pub use tick::Tick;

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
/// Levels: eleven digits hold 66 bits.
const LEVELS: usize = 11;
/// "No entry", in links.
const NIL: u32 = u32::MAX;
/// How many timers [`Wheel::next_turn`] looks at before it is content with a slot's beginning.
const LOOK: usize = 32;

/// Timers in the order of their deadlines, equal deadlines in the order of insertion.
///
/// Generic over what a timer carries, and over what the time is told in: by default `u64`s, which are
/// what the caller says they are; any is a valid deadline, `u64::MAX` included. [`Tick`] has others,
/// and the way to coarser ones.
///
/// Use a `BinaryHeap` where timers are few and never removed; use this where most are removed
/// before they expire. Insertion and removal are O(1) and allocate nothing once the wheel has held
/// as many timers before.
///
/// # Examples
///
/// ```
/// use pirn_timer::wheel::Wheel;
///
/// let mut wheel = Wheel::new();
/// let dial = wheel.insert(300, "dial again");
/// wheel.insert(20, "send a ping");
/// wheel.insert(u64::MAX, "the end of time");
///
/// assert_eq!(wheel.next_deadline(), Some(20));
/// assert_eq!(wheel.pop_expired(19), None);
/// assert_eq!(wheel.pop_expired(1_000_000).as_ref(), Some(&"send a ping"));
/// assert_eq!(wheel.remove(dial), Some("dial again"));
/// assert_eq!(wheel.pop_expired(1_000_000), None);
/// assert_eq!(wheel.len(), 1);
/// ```
pub struct Wheel<T, I = u64> {
    /// The tick the wheel was advanced to. No timer's deadline is earlier.
    base: u64,
    /// Timers alive.
    len: usize,
    /// The first vacant entry, linked by `next`.
    free: u32,
    nodes: Vec<Node>,
    /// As many as `nodes`.
    cells: Vec<Cell<T>>,
    /// One bit per level that is not empty.
    occupied: u16,
    levels: [Level; LEVELS],
    told: PhantomData<fn(I) -> I>,
}

/// A timer in a [`Wheel`]: stays valid, and finds nothing, after the timer is gone.
///
/// Belongs to the wheel that gave it; another wheel may have a timer of its own under an equal key.
///
/// # Examples
///
/// ```
/// use pirn_timer::wheel::{Key, Wheel};
///
/// let mut wheel = Wheel::new();
/// let old: Key = wheel.insert(1, 'a');
/// assert_eq!(wheel.pop_expired(1), Some('a'));
/// let new = wheel.insert(2, 'b');
/// assert_ne!(old, new);
/// assert_eq!(wheel.remove(old), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

/// The half of an entry that says when and where.
#[derive(Clone, Copy)]
struct Node {
    /// The deadline, not before the base. Meaningless in a vacant entry.
    at: u64,
    prev: u32,
    /// In a vacant entry, the next vacant one.
    next: u32,
}

/// The half of an entry that says what.
struct Cell<T> {
    /// Goes up when the entry falls vacant.
    generation: u32,
    /// `None` in a vacant entry.
    payload: Option<T>,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy)]
struct Level {
    /// One bit per slot that is not empty.
    occupied: u64,
    slots: [List; SLOTS],
}

/// A level and a slot of it.
#[derive(Clone, Copy)]
struct Place {
    level: usize,
    slot: usize,
}

impl<T> Wheel<T> {
    /// An empty wheel at tick 0, which is told ticks.
    pub fn new() -> Self {
        Wheel::with_ticks()
    }
}

impl<T, I: Tick> Wheel<T, I> {
    /// An empty wheel at tick 0, which is told something else.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use pirn_timer::wheel::Wheel;
    ///
    /// let mut wheel: Wheel<&str, Duration> = Wheel::with_ticks();
    /// wheel.insert(Duration::from_secs(3), "dial again");
    /// assert_eq!(wheel.next_deadline(), Some(Duration::from_secs(3)));
    /// assert_eq!(wheel.pop_expired(Duration::from_secs(2)), None);
    /// assert_eq!(wheel.pop_expired(Duration::from_secs(3)), Some("dial again"));
    /// ```
    pub fn with_ticks() -> Self {
        Wheel {
            base: 0,
            len: 0,
            free: NIL,
            nodes: Vec::new(),
            cells: Vec::new(),
            occupied: 0,
            levels: [Level::EMPTY; LEVELS],
            told: PhantomData,
        }
    }

    /// The tick it was advanced to by [`pop_expired`](Self::pop_expired).
    pub fn now(&self) -> I {
        I::at(self.base)
    }

    /// How many timers are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no timer is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a timer that expires at tick `at`. O(1).
    ///
    /// A tick before [`now`](Self::now) counts as `now`: the timer expires at once, after those
    /// that are already due.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 timers already.
    pub fn insert(&mut self, at: I, payload: T) -> Key {
        let key = self.claim(payload);
        self.link(key.index, at.ceil().max(self.base));
        self.len += 1;
        key
    }

    /// Takes a timer out, unless it has expired or was removed before. O(1).
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get_mut(key)?;
        self.unlink(key.index);
        self.vacate(key.index)
    }

    /// Moves a timer to tick `at`, after those that are there. False if it has expired or was
    /// removed before. O(1).
    ///
    /// As removing it and inserting it anew, but the key stays.
    pub fn reset(&mut self, key: Key, at: I) -> bool {
        if self.get_mut(key).is_none() {
            return false;
        }
        self.unlink(key.index);
        self.link(key.index, at.ceil().max(self.base));
        true
    }

    /// When the timer expires, unless it has or was removed. Never before [`now`](Self::now).
    pub fn deadline(&self, key: Key) -> Option<I> {
        let cell = self.cells.get(key.index as usize)?;
        let alive = cell.generation == key.generation && cell.payload.is_some();
        alive.then(|| I::at(self.nodes[key.index as usize].at))
    }

    /// Takes all timers out. Their keys find nothing any more.
    pub fn clear(&mut self) {
        while let Some(Place { level, slot }) = self.first() {
            let index = self.levels[level].slots[slot].head;
            self.unlink(index);
            drop(self.vacate(index));
        }
    }

    /// What the timer carries, unless it has expired or was removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let cell = self.cells.get_mut(key.index as usize)?;
        if cell.generation != key.generation {
            return None;
        }
        cell.payload.as_mut()
    }

    /// The earliest deadline, exactly.
    ///
    /// A walk over the timers of one slot, which may be all of them. A driver that asks often takes
    /// [`next_turn`](Self::next_turn).
    pub fn next_deadline(&self) -> Option<I> {
        let place = self.first()?;
        self.chain(place).map(|(_, at)| at).min().map(I::at)
    }

    /// When to call [`pop_expired`](Self::pop_expired) next, in O(1): nothing expires before.
    ///
    /// It is the earliest deadline, exactly, if at most 32 timers share its slot. Otherwise it is
    /// the beginning of the slot, at or before that deadline: a driver that sleeps until then may
    /// find nothing expired, but the turn spreads the more than 32 timers over finer slots. Such
    /// vain turns are at most 10 for every 32 timers that were inserted, and there are none among
    /// few timers.
    pub fn next_turn(&self) -> Option<I> {
        let place = self.first()?;
        let mut earliest = u64::MAX;
        for (seen, (_, at)) in self.chain(place).enumerate() {
            if seen == LOOK {
                return Some(I::at(place.start(self.base)));
            }
            earliest = earliest.min(at);
        }
        Some(I::at(earliest))
    }

    /// Takes out the next timer that has expired by tick `now`: earliest deadline first, equal
    /// deadlines in the order of insertion. At `None` the wheel has been advanced to `now`.
    ///
    /// Amortised O(1), however far `now` lies ahead. A tick before [`now`](Self::now) counts as
    /// `now`: time does not go back.
    pub fn pop_expired(&mut self, now: I) -> Option<T> {
        let now = now.floor().max(self.base);
        while let Some(place) = self.first() {
            if place.start(self.base) > now {
                break;
            }
            let index = self.levels[place.level].slots[place.slot].head;
            let Node { at, next, .. } = self.nodes[index as usize];
            // Alone in its slot and due, it is the next one without a cascade.
            let alone = next == NIL && at <= now;
            if place.level == 0 || alone {
                self.unlink(index);
                self.base = at;
                return self.vacate(index);
            }
            self.cascade(place, now);
        }
        self.base = now;
        None
    }
}

impl<T, I> Wheel<T, I> {
    /// Spreads the timers of the first slot, which `now` has reached, over the levels below.
    ///
    /// The base moves to the earliest of them, or to `now` if that comes before. Both lie within
    /// the slot, before every other, so no other timer's place changes.
    fn cascade(&mut self, place: Place, now: u64) {
        let mut index = self.levels[place.level].slots[place.slot].head;
        let earliest = self.chain(place).map(|(_, at)| at).min();
        self.base = earliest.map_or(now, |at| at.min(now));
        self.clear_slot(place);
        while index != NIL {
            let Node { at, next, .. } = self.nodes[index as usize];
            self.link(index, at);
            index = next;
        }
    }

    /// The slot with the earliest timers.
    fn first(&self) -> Option<Place> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        let slot = self.levels[level].occupied.trailing_zeros() as usize;
        Some(Place { level, slot })
    }

    /// Indices and deadlines of a slot's timers, in their order.
    fn chain(&self, place: Place) -> impl Iterator<Item = (u32, u64)> {
        let head = self.levels[place.level].slots[place.slot].head;
        let step = |index: u32| self.nodes.get(index as usize).map(|node| (index, node));
        core::iter::successors(step(head), move |(_, node)| step(node.next))
            .map(|(index, node)| (index, node.at))
    }

    /// Puts an entry that expires at `at` at the end of its list.
    #[inline]
    fn link(&mut self, index: u32, at: u64) {
        let place = Place::of(self.base, at);
        let level = &mut self.levels[place.level];
        let list = &mut level.slots[place.slot];
        let tail = core::mem::replace(&mut list.tail, index);
        if tail == NIL {
            list.head = index;
            level.occupied |= 1 << place.slot;
            self.occupied |= 1 << place.level;
        } else {
            self.nodes[tail as usize].next = index;
        }
        self.nodes[index as usize] = Node {
            at,
            prev: tail,
            next: NIL,
        };
    }

    /// Takes an entry out of its list.
    fn unlink(&mut self, index: u32) {
        let Node { at, prev, next } = self.nodes[index as usize];
        let place = Place::of(self.base, at);
        let list = &mut self.levels[place.level].slots[place.slot];
        match prev {
            NIL => list.head = next,
            _ => self.nodes[prev as usize].next = next,
        }
        match next {
            NIL => list.tail = prev,
            _ => self.nodes[next as usize].prev = prev,
        }
        if prev == NIL && next == NIL {
            self.clear_slot(place);
        }
    }

    /// Makes a slot empty.
    fn clear_slot(&mut self, place: Place) {
        let level = &mut self.levels[place.level];
        level.slots[place.slot] = List::EMPTY;
        level.occupied &= !(1 << place.slot);
        if level.occupied == 0 {
            self.occupied &= !(1 << place.level);
        }
    }

    /// Fills a vacant entry, or a new one, which is to be linked.
    #[inline]
    fn claim(&mut self, payload: T) -> Key {
        let index = self.free;
        let (Some(node), Some(cell)) = (
            self.nodes.get(index as usize),
            self.cells.get_mut(index as usize),
        ) else {
            return self.add(payload);
        };
        self.free = node.next;
        // It is vacant, which the compiler cannot know.
        core::mem::forget(cell.payload.replace(payload));
        let generation = cell.generation;
        Key { index, generation }
    }

    #[cold]
    fn add(&mut self, payload: T) -> Key {
        let index = u32::try_from(self.nodes.len()).unwrap_or(NIL);
        assert!(index != NIL, "a wheel holds at most 2^32 - 1 timers");
        self.nodes.push(Node {
            at: 0,
            prev: NIL,
            next: NIL,
        });
        let generation = 0;
        self.cells.push(Cell {
            generation,
            payload: Some(payload),
        });
        Key { index, generation }
    }

    /// Empties an entry that is in no list, and offers it for reuse while it has generations left.
    fn vacate(&mut self, index: u32) -> Option<T> {
        let cell = &mut self.cells[index as usize];
        let payload = cell.payload.take();
        if let Some(generation) = cell.generation.checked_add(1) {
            cell.generation = generation;
            self.nodes[index as usize].next = core::mem::replace(&mut self.free, index);
        }
        self.len -= 1;
        payload
    }
}

impl<T, I: Tick> Default for Wheel<T, I> {
    fn default() -> Self {
        Wheel::with_ticks()
    }
}

impl List {
    const EMPTY: List = List {
        head: NIL,
        tail: NIL,
    };
}

impl Level {
    const EMPTY: Level = Level {
        occupied: 0,
        slots: [List::EMPTY; SLOTS],
    };
}

impl Place {
    /// Where a timer stands: at the highest digit in which its deadline differs from the base.
    fn of(base: u64, at: u64) -> Place {
        // `| 1`: a deadline that is the base stands at level 0, too.
        let highest = u64::BITS - 1 - ((base ^ at) | 1).leading_zeros();
        let level = highest / BITS;
        Place {
            level: level as usize,
            slot: (at >> (level * BITS)) as usize % SLOTS,
        }
    }

    /// The slot's first tick: the base's digits above the level, the slot's own, then zeros.
    fn start(self, base: u64) -> u64 {
        let shift = self.level as u32 * BITS;
        let above = match u64::MAX.checked_shl(shift + BITS) {
            Some(mask) => base & mask,
            None => 0,
        };
        above | (self.slot as u64) << shift
    }
}

impl<T, I: Tick + fmt::Debug> fmt::Debug for Wheel<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("now", &self.now())
            .field("len", &self.len)
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
