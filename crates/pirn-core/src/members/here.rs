//! A name for this thread.

use core::num::NonZeroUsize;

#[cfg(feature = "std")]
#[path = "here/per_thread.rs"]
mod name;
#[cfg(not(feature = "std"))]
#[path = "here/unknown.rs"]
mod name;

/// The name of this thread, which no other has while it lives; none where it cannot be told.
#[inline]
pub(super) fn here() -> Option<NonZeroUsize> {
    name::here()
}
