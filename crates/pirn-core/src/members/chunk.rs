//! The memory of some members: their futures, and what their wakers point to.
//!
//! ```text
//! ┌ header ──────────────────────────────────┬ slots ───────┐
//! │ marks: 0 1 2 …  woken  refs  bell  …     │ F  F  F  …   │
//! └──────────▲───────────────────────────────┴──────────────┘
//!            └ the waker of member 1
//! ```
//!
//! A waker is a pointer to its member's mark, whose value is its index: so it finds the header, and
//! the same bit of `woken`. The memory is freed by whoever gives up the last of `refs`; the futures
//! in it are dropped by the owner of the [`Chunk`], who alone comes near them.
//!
//! # States
//!
//! | `Header` | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `woken`, bit i | member i is to be polled | its waker, `wake_by_ref` | `take_woken` |
//! | `poller` | the thread that polls members of this chunk | `begin`, that thread | `end`, that thread |
//! | `woken_here`, bit i | the same as in `woken`, by the poller, who tells the task itself | `wake_by_ref` | `end` |
//! | `refs` | one for the owner, one for each waker that was cloned | `new`, `clone` | `release` |
//!
//! | `Chunk` | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `live`, bit i | slot i holds a future, pinned | `fill` | `remove`, before it is dropped |
//! | `due`, bit i | member i is to be polled in this pass | `fill`, `take_woken`, `end` | `poll` |
//!
//! Who finds a bit of `woken` clear, and sets the first, rings the bell; the others have set theirs
//! before that one is taken. So in a pass a look at the word is enough where it is empty: whose ring the
//! pass has answered is in it, and who comes later rings for the next. A waker that outlives its member may wake the next one in its slot,
//! which is polled once in vain.

use super::CHUNK;
use super::bell::Bell;
use super::here::here;
use crate::shim::atomic::{AtomicUsize, Ordering, fence};
use crate::shim::{Arc, UnsafeCell};
use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, align_of, size_of};
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// `marks` comes first: see [`Header::of`].
#[repr(C)]
struct Header {
    marks: [u8; CHUNK],
    woken: AtomicUsize,
    /// The thread that polls members of this chunk now, as `here` names it, or 0.
    poller: AtomicUsize,
    /// As `woken`, of those who were woken by that thread meanwhile.
    woken_here: AtomicUsize,
    refs: AtomicUsize,
    /// Read by wakers, dropped with the header: in a cell so that the models see that order.
    bell: UnsafeCell<Arc<Bell>>,
    /// Which chunk of its group this is.
    place: usize,
    /// Of all the memory.
    layout: Layout,
}

/// Some members, in memory that their wakers share.
pub(super) struct Chunk<F> {
    header: NonNull<Header>,
    slots: usize,
    live: usize,
    pub(super) due: usize,
    _futures: PhantomData<F>,
}

impl<F> Chunk<F> {
    /// Where the slots begin.
    const OFFSET: usize = size_of::<Header>().next_multiple_of(align_of::<F>());

    /// Room for `slots` members, at most [`CHUNK`].
    pub(super) fn new(slots: usize, place: usize, bell: &Arc<Bell>) -> Self {
        assert!(0 < slots && slots <= CHUNK);
        let size = size_of::<F>()
            .checked_mul(slots)
            .and_then(|size| size.checked_add(Self::OFFSET));
        let align = align_of::<Header>().max(align_of::<F>());
        let layout = size
            .and_then(|size| Layout::from_size_align(size, align).ok())
            .expect("futures this large do not fit in memory");
        // SAFETY: the layout's size is not zero, the header being in it.
        let memory = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(memory.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        let fresh = Header {
            marks: core::array::from_fn(|index| index as u8),
            woken: AtomicUsize::new(0),
            poller: AtomicUsize::new(0),
            woken_here: AtomicUsize::new(0),
            refs: AtomicUsize::new(1),
            bell: UnsafeCell::new(Arc::clone(bell)),
            place,
            layout,
        };
        // SAFETY: the memory is new, large enough, and aligned for a header, which it begins with.
        unsafe { header.write(fresh) };
        Chunk {
            header,
            slots,
            live: 0,
            due: 0,
            _futures: PhantomData,
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// The first free slot.
    pub(super) fn vacancy(&mut self) -> Option<Vacancy<'_, F>> {
        let index = (!self.live).trailing_zeros() as usize;
        match index < self.slots {
            true => Some(Vacancy { chunk: self, index }),
            false => None,
        }
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Of this chunk in the words of its group.
    pub(super) fn bit(&self) -> usize {
        1 << self.header().place
    }

    fn header(&self) -> &Header {
        // SAFETY: it was written in `new`, and this chunk's own share of `refs` keeps it. Nobody
        // makes a `&mut` of it.
        unsafe { self.header.as_ref() }
    }

    fn slot(&self, index: usize) -> *mut F {
        let slots = self.header.as_ptr().wrapping_byte_add(Self::OFFSET);
        slots.cast::<F>().wrapping_add(index)
    }

    /// The member in slot `index`.
    pub(super) fn get(&mut self, index: usize) -> Option<Pin<&mut F>> {
        if index >= self.slots || self.live & (1 << index) == 0 {
            return None;
        }
        // SAFETY: `live` says that a future is there, `&mut self` that nobody else has it: wakers
        // touch the header alone. It does not move before `remove` drops it: pinned.
        Some(unsafe { Pin::new_unchecked(&mut *self.slot(index)) })
    }

    /// Drops the member in slot `index`. False if there is none.
    pub(super) fn remove(&mut self, index: usize) -> bool {
        if index >= self.slots || self.live & (1 << index) == 0 {
            return false;
        }
        self.live &= !(1 << index);
        self.due &= !(1 << index);
        // SAFETY: `live` said that a future is there, and was cleared: it is dropped once, where it
        // was pinned, even if its destructor panics.
        unsafe { ptr::drop_in_place(self.slot(index)) };
        true
    }

    /// Adds those who were woken to those who are due.
    pub(super) fn take_woken(&mut self) {
        // Ordering: Relaxed. Whoever rang before the bell was answered has set a bit that is seen here;
        // who sets one after this look rings for the next pass.
        if self.header().woken.load(Ordering::Relaxed) == 0 {
            return;
        }
        // Ordering: AcqRel. Acquire, pairs with the Release in `wake_by_ref`; what was done before
        // the wake is visible to the poll. Release, pairs with the Acquire there: who finds the
        // word clear rings after the bell was answered.
        let woken = self.header().woken.swap(0, Ordering::AcqRel);
        self.due |= woken & self.live;
    }
}

/// A free slot.
pub(super) struct Vacancy<'a, F> {
    chunk: &'a mut Chunk<F>,
    index: usize,
}

impl<F> Vacancy<'_, F> {
    /// True if the chunk has no other.
    pub(super) fn is_last(&self) -> bool {
        let live = self.chunk.live | 1 << self.index;
        live.trailing_ones() as usize == self.chunk.slots
    }

    /// Puts a member there, to be polled in the next pass: its index.
    #[inline]
    pub(super) fn fill(self, future: F) -> usize {
        let Vacancy { chunk, index } = self;
        // SAFETY: the slot lies in the chunk's memory and is aligned, by `OFFSET` and the layout;
        // nothing is in it, as `live` said when this was made, which has the chunk since.
        unsafe { chunk.slot(index).write(future) };
        chunk.live |= 1 << index;
        chunk.due |= 1 << index;
        index
    }
}

impl<F> Chunk<F> {
    /// This thread polls members from now on: what it wakes meanwhile needs no exchange.
    #[inline]
    pub(super) fn begin(&self) {
        // Ordering: Relaxed, read for what it is by this thread alone; others find that it is not
        // theirs, whatever they find.
        let name = here().map_or(0, NonZeroUsize::get);
        self.header().poller.store(name, Ordering::Relaxed);
    }

    /// It has polled. Members that it woke meanwhile are due from now on.
    #[inline]
    pub(super) fn end(&mut self) {
        let header = self.header();
        // Ordering: Relaxed, as in `begin`; only this thread sets and clears the bits.
        header.poller.store(0, Ordering::Relaxed);
        let woken = header.woken_here.load(Ordering::Relaxed);
        if woken != 0 {
            // Ordering: as above.
            header.woken_here.store(0, Ordering::Relaxed);
            self.due |= woken & self.live;
        }
    }
}

impl<F: Future> Chunk<F> {
    /// Polls the member in slot `index` with a waker of its own, which costs nothing until it is
    /// cloned.
    #[inline]
    pub(super) fn poll(&mut self, index: usize) -> Poll<F::Output> {
        self.due &= !(1 << index);
        let mark = self.header.as_ptr().cast::<u8>().wrapping_add(index);
        // SAFETY: the vtable's functions take a pointer to a mark, as long as the waker has a share
        // of `refs`. This one borrows the owner's, and so is neither dropped nor woken by value.
        let waker = unsafe { Waker::new(mark.cast::<()>(), &VTABLE) };
        let waker = ManuallyDrop::new(waker);
        match self.get(index) {
            Some(member) => member.poll(&mut Context::from_waker(&waker)),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Chunk<F> {
    fn drop(&mut self) {
        /// Drops the others if one of the destructors panics; a second panic aborts.
        struct Rest<'a, F>(&'a mut Chunk<F>);
        impl<F> Rest<'_, F> {
            fn clear(&mut self) {
                while self.0.live != 0 {
                    self.0.remove(self.0.live.trailing_zeros() as usize);
                }
            }
        }
        impl<F> Drop for Rest<'_, F> {
            fn drop(&mut self) {
                self.clear();
            }
        }
        /// Gives up the owner's share at the very end.
        struct Share(NonNull<Header>);
        impl Drop for Share {
            fn drop(&mut self) {
                // SAFETY: the owner's share, given up once, by the destructor.
                unsafe { Header::release(self.0) };
            }
        }
        let _share = Share(self.header);
        Rest(self).clear();
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, discard);

impl Header {
    /// The header of a waker's mark, and the index of its member.
    ///
    /// # Safety
    ///
    /// `mark` points to a mark of a header that was not freed, with the right to all its memory.
    unsafe fn of(mark: *const ()) -> (NonNull<Header>, usize) {
        let mark = mark.cast::<u8>().cast_mut();
        // SAFETY: the caller's word; a mark is written once, before there is a waker.
        let index = usize::from(unsafe { mark.read() });
        let header = mark.wrapping_sub(index).cast::<Header>();
        // SAFETY: marks are the header's first field, and the value of each is its index: so this
        // is where the header begins, which is not null.
        (unsafe { NonNull::new_unchecked(header) }, index)
    }

    /// Member `index` was woken, and not by the thread that polls it now.
    #[inline(never)]
    fn wake(&self, index: usize) {
        // Ordering: AcqRel. Release, pairs with the Acquire in `take_woken`; what was done before the
        // wake is visible to the poll. Acquire, pairs with the Release there: who finds the word clear
        // rings after the bell was answered.
        if self.woken.fetch_or(1 << index, Ordering::AcqRel) == 0 {
            // SAFETY: the bell is written only by whoever frees the header, which a share keeps.
            self.bell.with(|bell| unsafe { (*bell).ring(self.place) });
        }
    }

    /// Gives up a share, and frees the memory with the last.
    ///
    /// # Safety
    ///
    /// The caller has a share, and does not use the header after.
    unsafe fn release(header: NonNull<Header>) {
        // SAFETY: the caller's share keeps it until here.
        let refs = unsafe { &header.as_ref().refs };
        // Ordering: Release, pairs with the fence below: what was done with the header comes before
        // it is freed.
        if refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Ordering: Acquire, pairs with the Release above of everybody who gave up a share.
        fence(Ordering::Acquire);
        // SAFETY: that was the last share, so nobody else has the header. The futures are gone: the
        // owner drops them before it gives up its share. The layout is that of the allocation.
        unsafe {
            let layout = header.as_ref().layout;
            // Nothing but a sign for the models: from here on nobody reads it.
            header.as_ref().bell.with_mut(|_| ());
            ptr::drop_in_place(header.as_ptr());
            dealloc(header.as_ptr().cast(), layout);
        }
    }
}

// SAFETY (contract of the four): `mark` is that of a waker that has a share of its header's `refs`,
// or of one that `Chunk::poll` lends, which is only cloned and woken by reference.

unsafe fn clone(mark: *const ()) -> RawWaker {
    // SAFETY: the contract above.
    let (header, _) = unsafe { Header::of(mark) };
    // SAFETY: a share keeps it.
    let refs = unsafe { &header.as_ref().refs };
    // Ordering: Relaxed, a share is made from one that is held, which keeps the header.
    if refs.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
        overflow();
    }
    RawWaker::new(mark, &VTABLE)
}

unsafe fn wake(mark: *const ()) {
    // SAFETY: the contract above; the share of a waker that is woken by value ends here, and the
    // header is not used after.
    unsafe {
        wake_by_ref(mark);
        discard(mark);
    }
}

unsafe fn wake_by_ref(mark: *const ()) {
    // SAFETY: the contract above.
    let (header, index) = unsafe { Header::of(mark) };
    // SAFETY: a share keeps it.
    let header = unsafe { header.as_ref() };
    // Ordering: Relaxed. Only this thread puts its own name there, for the time of a pass, in which it
    // is now if it finds it; and then nobody else touches the other word.
    let poller = header.poller.load(Ordering::Relaxed);
    if poller != 0 && here().is_some_and(|here| here.get() == poller) {
        // Ordering: Relaxed, as above.
        let woken = header.woken_here.load(Ordering::Relaxed) | 1 << index;
        header.woken_here.store(woken, Ordering::Relaxed);
        return;
    }
    header.wake(index);
}

unsafe fn discard(mark: *const ()) {
    // SAFETY: the contract above; the waker's share ends here.
    unsafe { Header::release(Header::of(mark).0) };
}

/// So many wakers were forgotten that they cannot be counted. Aborts.
#[cold]
fn overflow() -> ! {
    struct Twice;
    impl Drop for Twice {
        fn drop(&mut self) {
            panic!("too many wakers");
        }
    }
    let _twice = Twice;
    panic!("too many wakers");
}

// SAFETY: the owner's side of a chunk owns its futures as a vector does. What it shares with wakers
// on other threads is atomic, or not written while they are there.
unsafe impl<F: Send> Send for Chunk<F> {}
// SAFETY: as above; a shared chunk gives no access to its futures.
unsafe impl<F> Sync for Chunk<F> {}
