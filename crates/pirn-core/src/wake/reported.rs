//! The boundary to code of users, where panics are caught.

use crate::report::{Report, report};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`; a panic goes to the hook.
#[inline]
pub(super) fn call(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}
