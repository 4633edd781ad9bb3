//! Memory for task cells: slots of pages, used again and again. What was not needed for a while is
//! given back when the owner rests (`rest`).
//!
//! A heap has one owner, a thread or whoever holds a lock, who takes slots and gives them back
//! without an atomic operation. Others push the slots that they free on a stack, which the owner
//! takes as a whole when it runs out.
//!
//! ```text
//! heap ── pages ──▶ page: heap, scheduler, home, size of a slot │ slot │ slot │ slot │ …
//!      └─ returned ──▶ slot ──▶ slot ──▶ ∅         a slot finds its page by its address
//! owner ── for each size ──▶ vacant slots, linked
//!                       └──▶ pages with vacant slots of their own, where they were sorted (`rest`)
//! ```
//!
//! A slot is always a [`Header`]: whether a task is in it, its state word says, also to those who
//! have no reference. So the pages are the list of a scheduler's tasks, and a task that is born or
//! ends is in no list that would have to be locked.
//!
//! # When a page may go
//!
//! Who reads a slot without a reference goes through the pages, and is counted as their visitor
//! meanwhile, under their lock. All others have a reference, or the slot itself until it is given
//! back, after which they do not touch it. So a page whose slots are all vacant and the owner's, none
//! of them in `returned`, is read by nobody while there is no visitor; and under the lock, where it is
//! taken out of the list, none can begin.
//!
//! # Who keeps whom alive
//!
//! The heap is part of its scheduler, and holds one count of it from [`Owner::new`] until the owner
//! has [retired](Owner::retire) and no slot is in use. `returned` tells what is to be done with a
//! slot that is freed by others:
//!
//! | `returned` | meaning | a slot that is freed |
//! |---|---|---|
//! | a slot, or null | there is an owner, who counts the slots in use | is pushed |
//! | `GONE` | the owner has retired; `left` counts them | is counted down; who counts the last, lets the scheduler go |

mod rest;

pub(crate) use self::rest::Rested;

use self::rest::{PART, Sweep};
use super::cell::{Header, Ref};
use pirn_core::large;
use pirn_core::shim::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
use pirn_core::shim::{Arc, IS_LOOM, Mutex, load_before_store};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Bytes of a page, and what its address is a multiple of.
const PAGE: usize = 8 << 10;
/// Slots come in multiples of this.
pub(super) const GRAIN: usize = 8;
/// The largest slot.
pub(super) const LARGEST: usize = large::LARGEST;
/// Where the first slot is.
const FIRST: usize = 64;
/// What slots may be aligned to. The size of a type is a multiple of its alignment, so that slots of
/// this size are where it asks to be, as the first one is.
pub(super) const ALIGN: usize = FIRST;

const _: () = assert!(size_of::<Page>() <= FIRST);
const _: () = assert!(align_of::<Header>() <= GRAIN && FIRST % GRAIN == 0);
const _: () = assert!(PAGE % ALIGN == 0);

const GONE: *mut () = ptr::without_provenance_mut(1);

/// What a page begins with.
pub(super) struct Page {
    heap: *const Heap,
    pub(super) scheduler: *const (),
    /// The number of the thread to which the tasks are bound; 0 if they are not.
    pub(super) home: u64,
    stride: u32,
    /// How many slots have ever been used; the others are not even headers.
    begun: AtomicU32,
    /// Its place in the list of all. This and what follows is the owner's alone.
    place: Cell<u32>,
    /// How many of its slots are sorted.
    count: Cell<u32>,
    /// Those, linked; and the next page that has any.
    sorted: Cell<*mut ()>,
    next: Cell<Linked>,
}

/// The part of a heap that others than its owner may touch.
pub(crate) struct Heap {
    returned: AtomicPtr<()>,
    left: AtomicUsize,
    pages: Mutex<Pages>,
    /// How many pages are full, of slots that were used once. Written by the owner.
    /// (`std`'s atomic on purpose: a hint, in which there is nothing for a model to explore.)
    full: std::sync::atomic::AtomicUsize,
}

#[derive(Default)]
struct Pages {
    list: Vec<PagePtr>,
    /// How many go through the list at the moment: until they are through, no page goes.
    visitors: usize,
}

/// Goes through the pages, until this is dropped.
struct Visit<'a>(&'a Heap);

#[derive(Clone, Copy)]
struct PagePtr(NonNull<Page>);

/// Pages of an owner, the first of them.
#[derive(Clone, Copy, Default)]
struct Linked(Option<PagePtr>);

// SAFETY: a page is shared memory; what is not atomic in it is written before it is shared, or is the
// owner's alone.
unsafe impl Send for PagePtr {}

/// The owner's part of a heap that is part of an `S`.
pub(crate) struct Owner<S> {
    /// Counted once.
    scheduler: *const S,
    heap: *const Heap,
    home: u64,
    /// Slots in use, those among them that lie in `returned` or `back`.
    used: usize,
    /// Slots that were ever used, of the pages that there are.
    begun: usize,
    sizes: Vec<Size>,
    /// Slots that were in `returned` and are still to be taken back, linked.
    back: *mut (),
    rests: rest::Rests,
    sweep: Sweep,
}

// SAFETY: vacant slots and pages, which belong to whoever has this, and a count of what is shared
// by threads.
unsafe impl<S: Send + Sync> Send for Owner<S> {}

#[derive(Clone, Copy)]
struct Size {
    vacant: *mut (),
    /// The page that still has slots that were never used.
    page: Option<PagePtr>,
    /// Pages that have sorted slots.
    sorted: Linked,
    /// As well, those that the sweep has passed over.
    passed: Linked,
}

impl Heap {
    pub(crate) fn new() -> Heap {
        Heap {
            returned: AtomicPtr::new(ptr::null_mut()),
            left: AtomicUsize::new(0),
            pages: Mutex::default(),
            full: Default::default(),
        }
    }

    /// Takes back a slot from somebody who is not the owner. True if it was the last, and the
    /// heap's count of the scheduler is now the caller's to let go: nothing of it may be used.
    ///
    /// # Safety
    ///
    /// The slot is of this heap, vacant, and nobody else's.
    #[must_use]
    pub(super) unsafe fn give_back(heap: *const Heap, slot: Ref) -> bool {
        // Not `&self`: as soon as the slot is given back others may free the heap, within this call.
        // SAFETY: the slot keeps the heap alive until then.
        let (returned, left) = unsafe { (&(*heap).returned, &(*heap).left) };
        // Ordering: Relaxed, a guess that the exchange checks; `GONE` is only compared. See `retire`.
        let mut head = load_before_store(returned, Relaxed);
        loop {
            // For models also where it is no link: so the slot is used before it is counted down.
            // SAFETY: the slot is the caller's.
            unsafe { slot.header().join.set_link(head) };
            if head == GONE {
                // Ordering: AcqRel, pairs with itself, and with the Acquire in `retire`: all use of the scheduler
                // by those who freed slots has been when it is let go.
                return left.fetch_sub(1, AcqRel) == 1;
            }
            let next = slot.as_ptr().cast_mut();
            // Ordering: Release, pairs with the Acquire in `reclaim`; publishes the link, and every
            // use of the slot. Failure Relaxed: only a better guess.
            match returned.compare_exchange_weak(head, next, Release, Relaxed) {
                Ok(_) => return false,
                Err(actual) => head = actual,
            }
        }
    }

    /// Visits every slot that has ever been used: a task may be in it, or not. Those that are begun
    /// meanwhile are visited, or not.
    pub(super) fn for_each(&self, mut visit: impl FnMut(Ref)) {
        let _visit = Visit::begin(self);
        let page = |number: usize| self.pages.lock().list.get(number).copied();
        for page in (0..).map_while(page) {
            // SAFETY: the page was in the list, where it stays while there is a visitor.
            let header = unsafe { page.0.as_ref() };
            // Ordering: Acquire, pairs with the Release in `begin`; the slots are headers.
            for number in 0..header.begun.load(Acquire) {
                // SAFETY: the slot is within the page, as one of those begun.
                visit(unsafe { page.slot(number as usize) });
            }
        }
    }
}

impl<'a> Visit<'a> {
    fn begin(heap: &'a Heap) -> Self {
        heap.pages.lock().visitors += 1;
        Visit(heap)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.pages.lock().visitors -= 1;
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        if IS_LOOM {
            // For models: whoever freed a slot is done.
            // SAFETY: nobody has a slot any more.
            self.for_each(|slot| unsafe { slot.header().join.set_link(ptr::null_mut()) });
        }
        for page in self.pages.lock().list.drain(..) {
            // SAFETY: `grow` allocated it so. Nobody has a slot any more: the scheduler, whose part
            // this heap is, is held until the last is free.
            unsafe { dealloc(page.0.as_ptr().cast(), PAGE_LAYOUT) }
        }
    }
}

const PAGE_LAYOUT: Layout = match Layout::from_size_align(PAGE, PAGE) {
    Ok(layout) => layout,
    Err(_) => panic!("a page has a layout"),
};

impl PagePtr {
    /// The page of a slot.
    ///
    /// # Safety
    ///
    /// The slot is kept alive.
    #[inline]
    unsafe fn of(slot: Ref) -> PagePtr {
        let page = slot.as_ptr().cast_mut().map_addr(|addr| addr & !(PAGE - 1));
        // SAFETY: slots lie in pages, whose addresses are multiples of their size, and were made
        // from a pointer to the whole page.
        PagePtr(unsafe { NonNull::new_unchecked(page.cast()) })
    }

    /// # Safety
    ///
    /// The slot is within the page.
    unsafe fn slot(self, number: usize) -> Ref {
        // SAFETY: the page lives, and the slot is within it.
        unsafe {
            let stride = self.0.as_ref().stride as usize;
            Ref::from_ptr(
                self.0
                    .as_ptr()
                    .cast::<u8>()
                    .add(FIRST + number * stride)
                    .cast(),
            )
        }
    }
}

impl Linked {
    /// # Safety
    ///
    /// The page is the owner's, lives until it is popped, and is not linked.
    unsafe fn push(&mut self, page: PagePtr) {
        // SAFETY: it lives.
        unsafe { page.0.as_ref() }.next.set(*self);
        self.0 = Some(page);
    }

    fn pop(&mut self) -> Option<PagePtr> {
        let page = self.0?;
        // SAFETY: what was pushed lives until now.
        *self = unsafe { page.0.as_ref() }.next.get();
        Some(page)
    }
}

impl Page {
    /// The page of a slot.
    ///
    /// # Safety
    ///
    /// The slot is kept alive for as long as the result is used.
    #[inline]
    pub(super) unsafe fn of<'a>(slot: Ref) -> &'a Page {
        // SAFETY: passed on; the page lives as long as its slots.
        unsafe { &*PagePtr::of(slot).0.as_ptr() }
    }

    /// True if it has no room for a slot that was never used. For the owner.
    fn is_full(&self) -> bool {
        // Ordering: Relaxed, only the owner writes it.
        let begun = self.begun.load(Relaxed) as usize;
        FIRST + (begun + 1) * self.stride as usize > PAGE
    }

    /// # Safety
    ///
    /// The scheduler is kept alive for as long as the result is used.
    pub(super) unsafe fn heap<'a>(&self) -> &'a Heap {
        // SAFETY: the heap is part of the scheduler.
        unsafe { &*self.heap }
    }
}

impl<S> Owner<S> {
    /// The owner of a heap of `scheduler`, for tasks that are bound to the thread of the number
    /// `home`, or to none if that is 0. There is one for each heap.
    pub(crate) fn new(scheduler: Arc<S>, heap: impl FnOnce(&S) -> &Heap, home: u64) -> Self {
        Owner {
            heap: heap(&scheduler),
            scheduler: Arc::into_raw(scheduler),
            home,
            used: 0,
            begun: 0,
            sizes: Vec::new(),
            back: ptr::null_mut(),
            rests: rest::Rests::default(),
            sweep: Sweep::default(),
        }
    }

    /// A slot for a cell of `size` bytes, at most [`LARGEST`], a multiple of what it is aligned to, at
    /// most [`ALIGN`].
    #[inline]
    pub(super) fn take(&mut self, size: usize) -> Ref {
        let class = size.div_ceil(GRAIN);
        self.used += 1;
        match self.pop(class) {
            Some(slot) => slot,
            None => self.take_other(class),
        }
    }

    /// Takes a slot back.
    ///
    /// # Safety
    ///
    /// The slot is of this owner's heap, vacant, and nobody else's.
    #[inline]
    pub(super) unsafe fn give_back(&mut self, slot: Ref) {
        self.used -= 1;
        // SAFETY: passed on.
        unsafe { self.push(slot) }
    }

    #[inline]
    fn pop(&mut self, class: usize) -> Option<Ref> {
        let size = self.sizes.get_mut(class)?;
        if size.vacant.is_null() {
            return None;
        }
        // SAFETY: the list holds slots, which are the owner's.
        unsafe {
            let slot = Ref::from_ptr(size.vacant);
            size.vacant = slot.header().join.link();
            Some(slot)
        }
    }

    #[inline]
    unsafe fn push(&mut self, slot: Ref) {
        // SAFETY: the slot is the owner's.
        unsafe {
            let class = Page::of(slot).stride as usize / GRAIN;
            let size = &mut self.sizes[class];
            slot.header().join.set_link(size.vacant);
            size.vacant = slot.as_ptr().cast_mut();
        }
    }

    fn heap<'a>(&self) -> &'a Heap {
        // SAFETY: the heap is part of the scheduler, which is counted for it.
        unsafe { &*self.heap }
    }

    #[cold]
    fn take_other(&mut self, class: usize) -> Ref {
        if self.sizes.len() <= class {
            let none = Size {
                vacant: ptr::null_mut(),
                page: None,
                sorted: Linked::default(),
                passed: Linked::default(),
            };
            self.sizes.resize(class + 1, none);
        }
        loop {
            let some = self.take_back();
            if let Some(slot) = self.pop(class) {
                return slot;
            }
            if !some && !self.unsort(class) {
                return self.begin(class);
            }
        }
    }

    /// Takes some of what others freed back. False if there is nothing.
    fn take_back(&mut self) -> bool {
        if self.back.is_null() {
            let returned = &self.heap().returned;
            // Ordering: Relaxed, a hint; what comes now will be found next time.
            if returned.load(Relaxed).is_null() {
                return false;
            }
            // Ordering: Acquire, pairs with the Release in `give_back`.
            self.back = returned.swap(ptr::null_mut(), Acquire);
        }
        self.back = self.reclaim(self.back, PART);
        true
    }

    /// Takes slots that others gave back, at most so many. Gives those that are left.
    fn reclaim(&mut self, mut list: *mut (), most: usize) -> *mut () {
        for _ in 0..most {
            if list.is_null() {
                break;
            }
            // SAFETY: the list holds vacant slots, which are now the owner's.
            unsafe {
                let slot = Ref::from_ptr(list);
                list = slot.header().join.link();
                self.give_back(slot);
            }
        }
        list
    }

    /// Makes a slot of memory that was never used.
    fn begin(&mut self, class: usize) -> Ref {
        let stride = class * GRAIN;
        let page = match self.sizes[class].page {
            Some(page) => page,
            None => self.grow(stride),
        };
        // SAFETY: a page with room is kept; the slot is within it.
        unsafe {
            // Ordering: Relaxed, only the owner writes it.
            let begun = page.0.as_ref().begun.load(Relaxed);
            let slot = page.slot(begun as usize);
            Header::begin(slot);
            // Ordering: Release, pairs with the Acquire in `slot`; publishes the header.
            page.0.as_ref().begun.store(begun + 1, Release);
            self.begun += 1;
            let full = page.0.as_ref().is_full();
            self.sizes[class].page = (!full).then_some(page);
            if full {
                self.count_full(1);
            }
            slot
        }
    }

    fn grow(&mut self, stride: usize) -> PagePtr {
        debug_assert!(stride <= LARGEST, "larger cells are boxed");
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc(PAGE_LAYOUT) };
        let Some(page) = NonNull::new(memory.cast::<Page>()) else {
            handle_alloc_error(PAGE_LAYOUT);
        };
        let header = Page {
            heap: self.heap,
            scheduler: self.scheduler.cast(),
            home: self.home,
            stride: stride as u32,
            begun: AtomicU32::new(0),
            place: Cell::new(0),
            count: Cell::new(0),
            sorted: Cell::new(ptr::null_mut()),
            next: Cell::default(),
        };
        // SAFETY: the memory was just allocated, is large enough, and aligned.
        unsafe { page.write(header) };
        let list = &mut self.heap().pages.lock().list;
        // SAFETY: it was just written.
        unsafe { page.as_ref() }.place.set(list.len() as u32);
        list.push(PagePtr(page));
        PagePtr(page)
    }

    /// Owns the heap no more. The scheduler is let go when no slot is in use, now or later; the
    /// caller keeps it meanwhile, by a count of its own.
    pub(crate) fn retire(mut self) {
        let heap = self.heap();
        // Ordering: Acquire, pairs with the Release in `give_back`. (Those who find `GONE` count
        // down `left`, which orders what is to be ordered.)
        let list = heap.returned.swap(GONE, Acquire);
        self.reclaim(self.back, usize::MAX);
        self.reclaim(list, usize::MAX);
        // Ordering: Acquire, pairs with the AcqRel in `give_back`. What was done here is ordered by
        // the caller's count.
        let before = heap.left.fetch_add(self.used, Acquire);
        if before.wrapping_add(self.used) == 0 {
            // SAFETY: it came from `into_raw`, and the count is the heap's, which needs it no more.
            drop(unsafe { Arc::from_raw(self.scheduler) });
        }
    }
}
