//! Where a child of a group in a task lies: its unsafe code.
//!
//! A child with a handle lies beside the slot that it shares with that, in one allocation, which is there
//! until both are gone; any other in a box of its own. It stays where it is, and so is pinned.

use crate::group::child::{Link, Member, Sink};
use crate::group::slot::{Hold, Vacant};
use pin_project_lite::pin_project;
use pirn_core::large::Large;
use pirn_core::{Carried, Locals};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

/// A child, in the memory that it lies in.
pub(super) struct House<C: ?Sized> {
    /// Initialised, and this one's alone.
    child: NonNull<C>,
    /// Of memory beside a slot. Without it, that of a box. Dropped after the child.
    hold: ManuallyDrop<Option<Hold<Link>>>,
    _child: PhantomData<C>,
}

pin_project! {
    /// A child, and the task-locals that stood around who spawned it, if there were any.
    #[project = Projected]
    pub(super) enum Resident<M> {
        Bare { #[pin] member: M },
        Carried { #[pin] member: Carried<M> },
    }
}

impl<M: Future> Vacant<Resident<M>, Link> {
    // Always: the member is then made where it lies.
    #[inline(always)]
    pub(super) fn fill(self, member: M) -> House<Resident<M>> {
        let locals = Locals::current();
        match locals.is_empty() {
            true => self.write(Resident::Bare { member }),
            false => self.fill_carried(locals, member),
        }
    }

    #[cold]
    fn fill_carried(self, locals: Locals, member: M) -> House<Resident<M>> {
        let member = locals.carry(member);
        self.write(Resident::Carried { member })
    }

    #[inline(always)]
    fn write(self, child: Resident<M>) -> House<Resident<M>> {
        // SAFETY: the hold keeps this memory, which is large enough and aligned for a child, and nobody
        // else has it.
        unsafe { self.place.as_ptr().write(MaybeUninit::new(child)) };
        House::of(self.place.cast(), Some(self.hold))
    }
}

impl<M: Future> House<Resident<M>> {
    /// In a box.
    pub(super) fn boxed(member: M) -> Self {
        let member = Locals::current().carry(member);
        let child = Box::leak(Box::new(Resident::Carried { member }));
        House::of(NonNull::from(child), None)
    }
}

impl<C: ?Sized> House<C> {
    #[inline]
    fn of(child: NonNull<C>, hold: Option<Hold<Link>>) -> Self {
        House {
            child,
            hold: ManuallyDrop::new(hold),
            _child: PhantomData,
        }
    }

    /// What [`of`](Self::of) makes one of.
    #[inline]
    fn parts(self) -> (NonNull<C>, Option<Hold<Link>>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: this is not dropped.
        (this.child, unsafe { ManuallyDrop::take(&mut this.hold) })
    }
}

impl<C: Future + ?Sized> Future for House<C> {
    type Output = C::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        // SAFETY: the child is there until this is dropped, this has it alone, and it does not move.
        unsafe { Pin::new_unchecked(self.child.as_mut()) }.poll(cx)
    }
}

impl<M: Future> Future for Resident<M> {
    type Output = M::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M::Output> {
        match self.project() {
            Projected::Bare { member } => member.poll(cx),
            Projected::Carried { member } => member.poll(cx),
        }
    }
}

/// What lies in the houses of a room, where a child of `F` whose result goes to `K` may be in one.
pub(super) trait Takes<F: Future, K: Sink> {
    fn house(child: House<Resident<Member<F, K>>>) -> House<Self>;
}

/// The same for a child of `F`, whether that is large or not.
pub(super) trait Houses<F: Future, K: Sink>: Takes<F, K> + Takes<Large<F>, K> {}

impl<F: Future, K: Sink, C: ?Sized + Takes<F, K> + Takes<Large<F>, K>> Houses<F, K> for C {}

impl<'env, F: Future, K: Sink> Takes<F, K> for dyn Future<Output = ()> + Send + 'env
where
    Resident<Member<F, K>>: Future<Output = ()> + Send + 'env,
{
    #[inline]
    fn house(child: House<Resident<Member<F, K>>>) -> House<Self> {
        let (child, hold) = child.parts();
        House::of(child, hold)
    }
}

impl<'env, F: Future, K: Sink> Takes<F, K> for dyn Future<Output = ()> + 'env
where
    Resident<Member<F, K>>: Future<Output = ()> + 'env,
{
    #[inline]
    fn house(child: House<Resident<Member<F, K>>>) -> House<Self> {
        let (child, hold) = child.parts();
        House::of(child, hold)
    }
}

impl<C: ?Sized> Drop for House<C> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is done once.
        match unsafe { ManuallyDrop::take(&mut self.hold) } {
            // SAFETY: the child is there, and not used again. What keeps its memory is dropped after it,
            // even if that panics.
            Some(_hold) => unsafe { ptr::drop_in_place(self.child.as_ptr()) },
            // SAFETY: it is of a box, by `boxed`, and not used again.
            None => drop(unsafe { Box::from_raw(self.child.as_ptr()) }),
        }
    }
}

/// The child does not move with it.
impl<C: ?Sized> Unpin for House<C> {}

// SAFETY: it owns the child as a box does, and the hold is `Send`.
unsafe impl<C: Send + ?Sized> Send for House<C> {}
