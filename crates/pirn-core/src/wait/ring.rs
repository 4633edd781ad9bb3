//! Rings of nodes that lie elsewhere, doubly linked; and the one list that its only node may leave
//! without the lock.
//!
//! # The word of the granted list
//!
//! | word | meaning | set by | left by |
//! | --- | --- | --- | --- |
//! | null | nobody was granted anything | `unpin`; `take_sole` | `unpin` |
//! | a node and `SOLE` | this node alone is in the list; its owner may take it out | `unpin` | `take_sole`, without the lock; `pin` |
//! | a node | the first of a ring, all of which stay while the lock is held | `pin`, `unpin` | `unpin` |

use super::Node;
use crate::shim::atomic::{AtomicPtr, Ordering};
use crate::shim::{self, UnsafeCell};
use core::ptr;

/// The two neighbours in a ring. Touched only with the lock held.
pub(super) struct Links {
    prev: UnsafeCell<*const Links>,
    next: UnsafeCell<*const Links>,
}

/// A ring, by its first node; null if empty.
pub(super) struct Head(*const Links);

/// The granted list.
pub(super) struct Granted(AtomicPtr<Links>);

/// In the word of [`Granted`], beside the node.
const SOLE: usize = 1;

impl Links {
    pub(super) fn new() -> Self {
        Links {
            prev: UnsafeCell::new(ptr::null()),
            next: UnsafeCell::new(ptr::null()),
        }
    }

    /// True for a door that never had two wakers. Only that door writes to an unused ring.
    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        // SAFETY: the door holds the lock.
        self.next.with(|next| unsafe { (*next).is_null() })
    }

    /// The ring around this fixed node, made if there is none.
    pub(super) fn as_ring(&self) -> Head {
        let link = ptr::from_ref(self);
        if self.is_unused() {
            // SAFETY: the node is in no ring, so nobody else knows it.
            unsafe { join(link, link) };
        }
        Head(link)
    }

    /// The first node after the fixed node of a ring.
    pub(super) fn after<'n, W>(&self) -> Option<&'n Node<W>> {
        let link = ptr::from_ref(self);
        // SAFETY: the door holds the lock, and its ring's nodes are alive.
        let after = unsafe { next(link) };
        // SAFETY: every other node of the ring is the `Links` of a `Node<W>`, alive while it is in
        // the ring, which it does not leave without the lock.
        (after != link).then(|| unsafe { &*after.cast() })
    }
}

impl Head {
    pub(super) const EMPTY: Head = Head(ptr::null());

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// The first node. The caller holds the lock and lets go of the node before it.
    #[inline]
    pub(super) fn first<'n, W>(&mut self) -> Option<&'n Node<W>> {
        // SAFETY: null, or the `Links` of a `Node<W>` that is alive while it is in the list, which
        // it does not leave without the lock.
        unsafe { self.0.cast::<Node<W>>().as_ref() }
    }

    /// All nodes, the last one first. The caller holds the lock and changes nothing meanwhile.
    pub(super) fn backwards<'n, W: 'n>(&self) -> impl Iterator<Item = &'n Node<W>> + use<'n, W> {
        let first = self.0;
        let mut link = first;
        let mut done = first.is_null();
        core::iter::from_fn(move || {
            if done {
                return None;
            }
            // SAFETY: the caller holds the lock, and all nodes of a list are alive.
            link = unsafe { prev(link) };
            done = link == first;
            // SAFETY: as in `first`.
            Some(unsafe { &*link.cast::<Node<W>>() })
        })
    }

    /// # Safety
    ///
    /// The lock is held; `link` is in no list and stays in place until it is removed.
    pub(super) unsafe fn push_back(&mut self, link: *const Links) {
        // SAFETY: both are alive, by the contract and as nodes of this ring.
        unsafe {
            if self.0.is_null() {
                join(link, link);
                self.0 = link;
            } else {
                join(prev(self.0), link);
                join(link, self.0);
            }
        }
    }

    /// # Safety
    ///
    /// As `push_back`.
    pub(super) unsafe fn push_front(&mut self, link: *const Links) {
        // SAFETY: the caller's contract. In a ring the place after the last is the one before the
        // first.
        unsafe { self.push_back(link) };
        self.0 = link;
    }

    /// Puts `link` where `old` was.
    ///
    /// # Safety
    ///
    /// As `push_back`; `old` is in this ring.
    pub(super) unsafe fn replace(&mut self, old: *const Links, link: *const Links) {
        // SAFETY: the caller's contract, for these and their neighbours; `link` is in the ring by
        // the time that `old` leaves it.
        unsafe {
            join(prev(old), link);
            join(link, old);
            if self.0 == old {
                self.0 = link;
            }
            self.remove(old);
        }
    }

    /// # Safety
    ///
    /// The lock is held; `link` is in this ring.
    pub(super) unsafe fn remove(&mut self, link: *const Links) {
        // SAFETY: all nodes of the ring are alive.
        unsafe {
            let after = next(link);
            if after == link {
                self.0 = ptr::null();
            } else if self.0 == link {
                self.0 = after;
            }
            unlink(link);
        }
    }
}

impl Granted {
    crate::const_unless_loom! {
        pub(super) fn new() -> Self {
            Granted(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// With the lock held: the list, whose nodes stay in it until `unpin`.
    pub(super) fn pin(&self) -> Head {
        // Ordering: Relaxed, all but `take_sole` happens with the lock held, and whoever sees what
        // that left has nothing to read.
        let mut word = shim::load_before_store(&self.0, Ordering::Relaxed);
        if word.addr() & SOLE != 0 {
            let node = word.map_addr(|addr| addr & !SOLE);
            // Ordering: Relaxed, as above.
            let pinned = self
                .0
                .compare_exchange(word, node, Ordering::Relaxed, Ordering::Relaxed);
            word = if pinned.is_ok() {
                node
            } else {
                ptr::null_mut()
            };
        }
        Head(word)
    }

    /// With the lock held, after `pin`: the list as it is now. If `unlocked`, a node that is alone
    /// in it is its owner's from here on.
    pub(super) fn unpin(&self, ring: Head, unlocked: bool) {
        let first = ring.0;
        // SAFETY: the lock is held, and nodes are alive while they are in the list.
        let sole = unlocked && !first.is_null() && unsafe { next(first) } == first;
        let word = first.cast_mut().map_addr(|addr| addr | usize::from(sole));
        // Ordering: Release, pairs with the Acquire in `take_sole`; publishes the grant in the node.
        self.0.store(word, Ordering::Release);
    }

    /// True if this node is alone in the list. It may have changed by the time this returns.
    #[inline]
    pub(super) fn is_sole(&self, link: *const Links) -> bool {
        // Ordering: Relaxed, a guess that `take_sole` checks.
        self.0.load(Ordering::Relaxed).cast_const() == link.map_addr(|addr| addr | SOLE)
    }

    /// Without the lock: takes the node out, if it is alone in the list. Then nobody else knows it.
    #[inline]
    pub(super) fn take_sole(&self, link: *const Links) -> bool {
        let word = link.cast_mut().map_addr(|addr| addr | SOLE);
        // Ordering: Acquire, pairs with the Release in `unpin`; makes the grant visible. Failure
        // Relaxed: then the lock does.
        self.0
            .compare_exchange(word, ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

/// # Safety
///
/// The lock is held and `link` is alive.
#[inline]
unsafe fn next(link: *const Links) -> *const Links {
    // SAFETY: the caller's contract.
    unsafe { (*link).next.with(|next| *next) }
}

/// # Safety
///
/// The lock is held and `link` is alive.
#[inline]
unsafe fn prev(link: *const Links) -> *const Links {
    // SAFETY: the caller's contract.
    unsafe { (*link).prev.with(|prev| *prev) }
}

/// # Safety
///
/// The lock is held and both are alive.
#[inline]
unsafe fn join(before: *const Links, after: *const Links) {
    // SAFETY: the caller's contract.
    unsafe {
        (*before).next.with_mut(|next| *next = after);
        (*after).prev.with_mut(|prev| *prev = before);
    }
}

/// # Safety
///
/// The lock is held and `link` is in a ring.
#[inline]
pub(super) unsafe fn unlink(link: *const Links) {
    // SAFETY: the neighbours in a ring are alive.
    unsafe { join(prev(link), next(link)) };
}
