//! The memory of a [`Rooted`](super::Rooted): a body, and one word beside it.
//!
//! In an `Option`, most bodies would take a word more for the one bit that says whether they are
//! there. The word beside the body is a pointer, which has such a bit to spare.
//!
//! | `word` | body | box | next, by |
//! |---|---|---|---|
//! | null | there | none | gone, by `vacate`; boxed, by `keep` |
//! | [`GONE`] | gone | none | boxed, by `keep` |
//! | a pointer | there | there | gone, by `vacate` |
//! | a pointer and [`GONE`] | gone | there | |
//!
//! The cell's destructor, which clears it, goes from any of them to [`GONE`].
//!
//! - The body is pinned with the cell: it is never moved out, and dropped where it lies, by `vacate`
//!   or with the cell.
//! - The bit is set before the body is dropped, and stays: who comes later finds no body, even if
//!   its destructor has unwound.
//! - The box is the cell's own, and goes with it. What it holds lies elsewhere: so it may be borrowed
//!   beside the body.

use super::Place;
use pin_project_lite::pin_project;
use std::boxed::Box;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr;

/// In `word`: the body is gone.
const GONE: usize = 1;

pin_project! {
    /// A body, and at times a box.
    pub(super) struct BodyCell<F, K> {
        // Null, or from `Box::into_raw`; and the bit.
        word: *mut K,
        // Not `ManuallyDrop`: an `Unpin` cell may be moved when its body is gone, and what is left of
        // that need not be a valid one.
        #[pin]
        body: MaybeUninit<F>,
        kept: PhantomData<Box<K>>,
    }

    impl<F, K> PinnedDrop for BodyCell<F, K> {
        fn drop(this: Pin<&mut Self>) {
            if !this.is_over() {
                this.clear();
            }
        }
    }
}

// SAFETY: the cell is a body and a box, both of them its own: what it lends of them it lends as it is
// borrowed itself, shared or not. It is sent, or looked at from elsewhere, where both may be.
unsafe impl<F: Send, K: Send> Send for BodyCell<F, K> {}
// SAFETY: as above.
unsafe impl<F: Sync, K: Sync> Sync for BodyCell<F, K> {}

impl<F, K> BodyCell<F, K> {
    #[inline]
    pub(super) fn new(body: F, kept: Option<K>) -> Self {
        const { assert!(align_of::<K>() > GONE, "the pointer has no bit to spare") };
        BodyCell {
            word: kept.map_or(ptr::null_mut(), |kept| Box::into_raw(Box::new(kept))),
            body: MaybeUninit::new(body),
            kept: PhantomData,
        }
    }

    /// True if the body is there, and no box.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        self.word.is_null()
    }

    /// True if the body is gone, and there is no box.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.word.addr() == GONE
    }

    #[inline]
    fn is_gone(&self) -> bool {
        self.word.addr() & GONE != 0
    }

    #[inline]
    fn pointer(&self) -> *mut K {
        self.word.map_addr(|word| word & !GONE)
    }

    /// The body, or the place where it was.
    #[inline]
    pub(super) fn body(self: Pin<&mut Self>) -> Body<'_, F, K> {
        Body(self)
    }

    /// What is in the box.
    #[inline]
    pub(super) fn kept(self: Pin<&mut Self>) -> Option<&mut K> {
        self.split().0
    }

    #[inline]
    pub(super) fn split(self: Pin<&mut Self>) -> (Option<&mut K>, Body<'_, F, K>) {
        // SAFETY: null, or a box that is the cell's own. The cell is borrowed for as long as what is
        // returned here, and by nobody else; the `Body`, which is too, does not look into the box,
        // nor free it.
        let kept = unsafe { self.pointer().as_mut() };
        (kept, Body(self))
    }

    /// Puts something into the box, which is made if there is none.
    pub(super) fn keep(mut self: Pin<&mut Self>, kept: K) -> (&mut K, Body<'_, F, K>) {
        match self.as_mut().kept() {
            Some(place) => *place = kept,
            None => {
                let word = self.as_mut().project().word;
                let bit = word.addr();
                *word = Box::into_raw(Box::new(kept)).map_addr(|pointer| pointer | bit);
            }
        }
        let (kept, body) = self.split();
        (kept.expect("it was put there"), body)
    }

    /// Drops what is there. The box goes after the body, even if that unwinds.
    #[inline(never)]
    fn clear(mut self: Pin<&mut Self>) {
        let _kept = self.as_mut().take_box();
        self.body().vacate();
    }

    fn take_box(self: Pin<&mut Self>) -> Option<Box<K>> {
        let kept = self.pointer();
        let word = self.project().word;
        *word = ptr::without_provenance_mut(word.addr() & GONE);
        // SAFETY: it is null or from `Box::into_raw`. Nothing of it is borrowed, since the cell is
        // not, and the word has forgotten it: nobody else makes a box of it.
        (!kept.is_null()).then(|| unsafe { Box::from_raw(kept) })
    }
}

/// The body of a cell, or the place where it was.
pub(super) struct Body<'a, F, K>(Pin<&'a mut BodyCell<F, K>>);

impl<F, K> Place for Body<'_, F, K> {
    type Body = F;

    #[inline]
    fn there(&mut self) -> Option<Pin<&mut F>> {
        if self.0.is_gone() {
            return None;
        }
        let body = self.0.as_mut().project().body;
        // SAFETY: it is there, since the bit is not set, and pinned: it lies in the cell, which is
        // pinned and does not move it; `vacate` and the cell's destructor drop it in its place.
        Some(unsafe { body.map_unchecked_mut(|body| body.assume_init_mut()) })
    }

    #[inline]
    fn vacate(&mut self) {
        if self.0.is_gone() {
            return;
        }
        let cell = self.0.as_mut().project();
        *cell.word = cell.word.map_addr(|word| word | GONE);
        // SAFETY: it was there, since the bit was not set, and now that it is nobody finds it again.
        // It is dropped where it lies, and not moved.
        unsafe { cell.body.get_unchecked_mut().assume_init_drop() };
    }
}
