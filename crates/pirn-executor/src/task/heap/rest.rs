//! What a heap gives back while its owner has nothing else to do.
//!
//! Pages that are full, of slots that were used once, and now empty: as long as there are more than
//! [`KEEP`] full ones. To find them the vacant slots are sorted by their pages, which takes as long
//! as it took to free them. So an owner looks only where more than half of its slots are vacant, at
//! each [`PATIENCE`]th rest of that kind: who has the same many tasks again and again, with a rest
//! in between, pays little. After a look that brought little, because a task is left in most pages,
//! twice as many rests go by before the next one, at last [`SELDOM`]; until there are twice as many
//! pages as it left.
//!
//! # Part by part
//!
//! To look through a million slots takes ten milliseconds, and more where they lie scattered: too
//! long for a timer to wait. So a look is a *sweep* over many rests, each of which does a part, of
//! [`PART`] slots or [`PAGES`] pages, and says whether there is more. Then the owner sees to what
//! else there is, does not sleep, and rests again.
//!
//! | sweep | what a rest does |
//! |---|---|
//! | `None` | counts, and begins one if it is time |
//! | `Sort` | moves vacant slots to the lists of their pages, as many as there were when it began |
//! | `Empty` | takes pages out that are empty, and frees them; passes over the others |
//!
//! Between two parts the owner may do as ever. A slot that is freed is vacant, wherever its page is.
//! Who finds no vacant one gets those of a page that has sorted ones, before a page is begun. So
//! there is nothing to be undone: what was sorted stays so until it is needed, and the next sweep
//! finds it sorted. A sweep stands still while more than half of the slots are in use, and where they
//! were, what it brings says little about the next one.
//!
//! A heap whose owner never rests, since a foreign loop looks for tasks time and again and never asks
//! to be woken, keeps what it has. One that never had more than [`KEEP`] full pages pays a load and a
//! comparison for each rest, and nothing is paid where a task is made or ends.

use super::{Heap, Linked, Owner, PAGE_LAYOUT, PagePtr, Pages};
use pirn_core::shim::{IS_LOOM, choose};
use std::alloc::dealloc;
use std::mem;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

/// How many full pages stay in any case.
const KEEP: usize = choose(64, 0);
/// How many rests go by before a look.
const PATIENCE: u32 = choose(16, 1) as u32;
/// How many at most, where looks bring little.
const SELDOM: u32 = 1 << 12;
/// How many slots one rest takes back, and how many it sorts. If each is a miss of the cache, that is
/// some 130 µs.
pub(super) const PART: usize = choose(512, 2);
/// How many pages one rest looks at.
const PAGES: usize = choose(64, 1);

/// What a rest came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Rested {
    /// There is nothing more to be done until the owner has done something else.
    Wholly,
    /// As `Wholly`, and memory was given back, now or by the rests before.
    Gave,
    /// There is more: to be done soon, since nobody will say so.
    Partly,
}

/// Where an owner is in a sweep.
#[derive(Clone, Copy, Default)]
pub(super) enum Sweep {
    #[default]
    None,
    /// At the vacant slots of this size; so many are left, those of the larger sizes among them.
    Sort { class: usize, left: usize },
    /// At the pages of this size, having found so many empty ones.
    Empty { class: usize, found: usize },
}

/// When the owner looks next.
pub(super) struct Rests {
    since: u32,
    patience: u32,
    /// How many full pages the last look left.
    left: usize,
    /// More than half of the slots were in use since the sweep began: what it finds says little.
    needed: bool,
}

impl Default for Rests {
    fn default() -> Self {
        Rests {
            since: 0,
            patience: PATIENCE,
            left: 0,
            needed: false,
        }
    }
}

impl Rests {
    /// Counts one rest. True if it is time to look through so many full pages.
    fn is_time(&mut self, full: usize) -> bool {
        if self.patience > PATIENCE && full > 2 * self.left {
            // What the last look brought says nothing of them.
            (self.since, self.patience) = (0, PATIENCE);
        }
        self.since += 1;
        let is_time = self.since >= self.patience;
        if is_time {
            (self.since, self.needed) = (0, false);
        }
        is_time
    }

    /// Notes how many pages, of those that were full, a look has found to be given back.
    fn looked(&mut self, found: usize, full: usize) {
        self.left = full - found;
        self.patience = match found >= full / 4 {
            true => PATIENCE,
            false if self.needed => self.patience,
            false => (self.patience * 2).min(SELDOM),
        };
    }
}

impl Heap {
    /// True if there may be something to give back: for who has to lock before [`Owner::rest`].
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        // Ordering: Relaxed, a hint; or the owner's own.
        self.full.load(Relaxed) > KEEP
    }
}

impl<S> Owner<S> {
    /// To be called when the owner has nothing to do: gives memory back that was not needed for a
    /// while, or does a part of that.
    #[inline]
    pub(crate) fn rest(&mut self) -> Rested {
        match self.heap().is_large() {
            true => self.look(),
            false => Rested::Wholly,
        }
    }

    #[cold]
    fn look(&mut self) -> Rested {
        self.take_back();
        if !self.back.is_null() {
            return Rested::Partly;
        }
        if self.is_needed() {
            return Rested::Wholly;
        }
        match self.sweep {
            Sweep::None => {
                // Ordering: Relaxed, only the owner writes it.
                if !self.rests.is_time(self.heap().full.load(Relaxed)) {
                    return Rested::Wholly;
                }
                self.sort(0, self.begun - self.used)
            }
            Sweep::Sort { class, left } => self.sort(class, left),
            Sweep::Empty { class, found } => self.take_empty(class, found),
        }
    }

    /// True, and noted, if more than half of the slots are in use.
    fn is_needed(&mut self) -> bool {
        let needed = self.used > self.begun / 2;
        self.rests.needed |= needed;
        needed
    }

    /// Counts full pages.
    pub(super) fn count_full(&self, change: isize) {
        let full = &self.heap().full;
        // Ordering: Relaxed, only the owner writes it.
        full.store(full.load(Relaxed).wrapping_add_signed(change), Relaxed);
    }

    /// Puts vacant slots into the lists of their pages.
    fn sort(&mut self, mut class: usize, left: usize) -> Rested {
        let part = left.min(PART);
        let mut sorted = 0;
        while sorted < part && class < self.sizes.len() {
            let Some(slot) = self.pop(class) else {
                class += 1;
                continue;
            };
            sorted += 1;
            // SAFETY: the slot is the owner's, and vacant; so its page has a slot that is not sorted.
            unsafe {
                let page = PagePtr::of(slot);
                let header = page.0.as_ref();
                let before = header.sorted.replace(slot.as_ptr().cast_mut());
                slot.header().join.set_link(before);
                if header.count.replace(header.count.get() + 1) == 0 {
                    self.sizes[class].sorted.push(page);
                }
            }
        }
        self.sweep = match sorted < left && class < self.sizes.len() {
            true => Sweep::Sort {
                class,
                left: left - sorted,
            },
            false => Sweep::Empty { class: 0, found: 0 },
        };
        Rested::Partly
    }

    /// Makes the sorted slots of a page vacant ones again, where there is none of that size. False if
    /// no page has any.
    pub(super) fn unsort(&mut self, class: usize) -> bool {
        let size = &mut self.sizes[class];
        debug_assert!(size.vacant.is_null(), "those would be lost");
        // Those that were passed over are in use, as far as it is known.
        let Some(page) = size.passed.pop().or_else(|| size.sorted.pop()) else {
            return false;
        };
        // SAFETY: pages that are linked live.
        let header = unsafe { page.0.as_ref() };
        header.count.set(0);
        size.vacant = header.sorted.replace(ptr::null_mut());
        self.is_needed();
        true
    }

    /// Takes empty pages out of the heap, but for those that are kept, and frees them.
    fn take_empty(&mut self, mut class: usize, mut found: usize) -> Rested {
        let heap = self.heap();
        let mut empty = Linked::default();
        let mut pages = heap.pages.lock();
        let stay = pages.visitors > 0;
        let mut looked = 0;
        // Where the heap is large no more, there are few pages, and the end is near.
        while looked < PAGES || !heap.is_large() {
            let Some(page) = self.next_sorted(&mut class) else {
                break;
            };
            looked += 1;
            // SAFETY: pages that are linked live.
            let header = unsafe { page.0.as_ref() };
            let count = header.count.get();
            // Ordering: Relaxed, only the owner writes it.
            let is_empty = header.is_full() && header.begun.load(Relaxed) == count;
            if is_empty && !stay && heap.is_large() {
                self.count_full(-1);
                self.begun -= count as usize;
                found += 1;
                let page = pages.take_out(header.place.get());
                // SAFETY: it was just unlinked.
                unsafe { empty.push(page) };
            } else {
                // SAFETY: it was just unlinked.
                unsafe { self.sizes[class].passed.push(page) };
            }
        }
        let ended = class == self.sizes.len();
        if ended && found > 0 {
            let len = pages.list.len();
            pages.list.shrink_to(2 * len);
        }
        drop(pages);
        while let Some(page) = empty.pop() {
            // SAFETY: nobody else has anything of a page that was taken out.
            unsafe { self.free(page) };
        }
        if !ended {
            self.sweep = Sweep::Empty { class, found };
            return Rested::Partly;
        }
        self.sweep = Sweep::None;
        // Ordering: Relaxed, only the owner writes it.
        self.rests.looked(found, heap.full.load(Relaxed) + found);
        match found {
            0 => Rested::Wholly,
            _ => Rested::Gave,
        }
    }

    /// The next page of this size, or else of a larger one, to which it then moves on.
    fn next_sorted(&mut self, class: &mut usize) -> Option<PagePtr> {
        loop {
            let size = self.sizes.get_mut(*class)?;
            match size.sorted.pop() {
                Some(page) => return Some(page),
                None => size.sorted = mem::take(&mut size.passed),
            }
            *class += 1;
        }
    }

    /// # Safety
    ///
    /// The page is the caller's, with all its slots, which are vacant.
    unsafe fn free(&self, page: PagePtr) {
        // SAFETY: passed on; `grow` allocated it so.
        unsafe {
            if IS_LOOM {
                page.check_unused();
            }
            dealloc(page.0.as_ptr().cast(), PAGE_LAYOUT);
        }
    }
}

impl Pages {
    /// Takes the page at that place out of the list; the last one moves there.
    fn take_out(&mut self, place: u32) -> PagePtr {
        let page = self.list.swap_remove(place as usize);
        if let Some(moved) = self.list.get(place as usize) {
            // SAFETY: a page in the list lives.
            unsafe { moved.0.as_ref() }.place.set(place);
        }
        page
    }
}

impl PagePtr {
    /// For models: whoever had a slot of it, or looked at one, is done.
    ///
    /// # Safety
    ///
    /// As [`free`](Owner::free).
    unsafe fn check_unused(self) {
        // SAFETY: passed on; the slots are within the page.
        unsafe {
            // Ordering: Relaxed, only the owner writes it.
            for number in 0..self.0.as_ref().begun.load(Relaxed) {
                self.slot(number as usize).check_unused();
            }
        }
    }
}
