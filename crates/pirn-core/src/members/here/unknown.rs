//! Without threads that can be told apart nobody has a name.

use core::num::NonZeroUsize;

#[inline]
pub(super) fn here() -> Option<NonZeroUsize> {
    None
}
