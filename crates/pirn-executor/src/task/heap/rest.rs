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
//! A heap whose owner never rests, since a foreign loop looks for tasks time and again and never asks
//! to be woken, keeps what it has. One that never had more than [`KEEP`] full pages pays a load and a
//! comparison for each rest, and nothing is paid where a task is made or ends.

use super::{Heap, Owner, PAGE_LAYOUT, Page, PagePtr};
use crate::task::cell::Ref;
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

/// Of a page, while its heap's owner looks which are empty: its vacant slots, linked.
#[derive(Clone, Copy)]
pub(super) struct Sorted {
    count: u32,
    first: *mut (),
    last: *mut (),
}

impl Default for Sorted {
    fn default() -> Self {
        Sorted {
            count: 0,
            first: ptr::null_mut(),
            last: ptr::null_mut(),
        }
    }
}

/// When the owner looks next.
pub(super) struct Rests {
    since: u32,
    patience: u32,
    /// How many full pages the last look left.
    left: usize,
}

impl Default for Rests {
    fn default() -> Self {
        Rests {
            since: 0,
            patience: PATIENCE,
            left: 0,
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
            self.since = 0;
        }
        is_time
    }

    /// Notes how many pages, of those that were full, a look has found to be given back.
    fn looked(&mut self, found: usize, full: usize) {
        self.left = full - found;
        self.patience = match found >= full / 4 {
            true => PATIENCE,
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
    /// while. True if there was any.
    #[inline]
    pub(crate) fn rest(&mut self) -> bool {
        self.heap().is_large() && self.look()
    }

    #[cold]
    fn look(&mut self) -> bool {
        self.take_back();
        // Ordering: Relaxed, only the owner writes it.
        let full = self.heap().full.load(Relaxed);
        if self.used > self.begun / 2 || !self.rests.is_time(full) {
            return false;
        }
        self.sort();
        let empty = self.take_empty();
        self.rests.looked(empty.len(), full);
        for &page in &empty {
            // SAFETY: nobody else has anything of a page that was taken out.
            unsafe { self.free(page) };
        }
        !empty.is_empty()
    }

    /// Counts full pages.
    pub(super) fn count_full(&self, change: isize) {
        let full = &self.heap().full;
        // Ordering: Relaxed, only the owner writes it.
        full.store(full.load(Relaxed).wrapping_add_signed(change), Relaxed);
    }

    /// Puts all vacant slots into the lists of their pages.
    fn sort(&mut self) {
        for size in &mut self.sizes {
            let mut list = mem::replace(&mut size.vacant, ptr::null_mut());
            while !list.is_null() {
                // SAFETY: the list holds vacant slots, which are the owner's.
                unsafe {
                    let slot = Ref::from_ptr(list);
                    list = slot.header().join.link();
                    let sorted = &Page::of(slot).sorted;
                    let before = sorted.get();
                    slot.header().join.set_link(before.first);
                    let first = slot.as_ptr().cast_mut();
                    sorted.set(Sorted {
                        count: before.count + 1,
                        first,
                        last: if before.count == 0 {
                            first
                        } else {
                            before.last
                        },
                    });
                }
            }
        }
    }

    /// Takes the empty pages out of the heap, but for those that are kept; of the others, the vacant
    /// slots are to be had again.
    fn take_empty(&mut self) -> Vec<PagePtr> {
        let heap = self.heap();
        let mut empty = Vec::new();
        let mut pages = heap.pages.lock();
        let stay = pages.visitors > 0;
        pages.list.retain(|&page| {
            // SAFETY: a page in the list lives.
            let header = unsafe { page.0.as_ref() };
            let sorted = header.sorted.take();
            // Ordering: Relaxed, only the owner writes it.
            let is_empty = header.is_full() && header.begun.load(Relaxed) == sorted.count;
            if is_empty && !stay && heap.is_large() {
                self.count_full(-1);
                self.begun -= sorted.count as usize;
                empty.push(page);
                return false;
            }
            if sorted.count > 0 {
                let size = &mut self.sizes[header.stride as usize / super::GRAIN];
                // SAFETY: the slots are vacant, and the owner's.
                unsafe {
                    Ref::from_ptr(sorted.last)
                        .header()
                        .join
                        .set_link(size.vacant)
                };
                size.vacant = sorted.first;
            }
            true
        });
        if !empty.is_empty() {
            let len = pages.list.len();
            pages.list.shrink_to(2 * len);
        }
        empty
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
