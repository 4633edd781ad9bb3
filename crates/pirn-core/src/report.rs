//! What no one can receive: errors and panics without an owner.
//!
//! Nothing is lost silently. A panic of a detached task, an error that came after its group had
//! ended, a clean-up that was cut off: each goes to one process-wide [hook](set_hook), by default
//! to standard error.

use crate::error::{Cause, Payload, panic_message};
use crate::spawn::TaskMeta;
use std::boxed::Box;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Something that no one can receive: what the hook of [`set_hook`] is told.
#[non_exhaustive]
pub enum Report {
    /// A panic: of a task that nobody joins, or of a destructor or waker at our boundary.
    Panic {
        /// The task, where it is known.
        task: Option<TaskMeta>,
        /// What the panic carried.
        payload: Payload,
    },
    /// An error that had nobody left to go to.
    Error {
        /// The task that ended with it, where it is known.
        task: Option<TaskMeta>,
        /// The error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A clean-up that did not run to its end, or a shield whose grace period was over.
    CleanupLost {
        /// Why not: "its grace period was over", "no scope was there to run it".
        reason: &'static str,
        /// What had cancelled its scope, where there was one.
        cause: Option<Arc<Cause>>,
    },
    /// A group was dropped while children lived, and nothing was left to wait for them.
    Orphaned {
        /// How many.
        children: usize,
    },
    /// A poll kept its thread from other tasks for long.
    SlowPoll {
        /// The task, where it is known.
        task: Option<TaskMeta>,
        /// How long the poll took.
        took: Duration,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, task: &Option<TaskMeta>| match task {
            Some(meta) => write!(f, " of {meta}"),
            None => Ok(()),
        };
        match self {
            Report::Panic { task, payload } => {
                f.write_str("a panic")?;
                of(f, task)?;
                write!(f, " that nobody received: {}", panic_message(&**payload))
            }
            Report::Error { task, error } => {
                f.write_str("an error")?;
                of(f, task)?;
                write!(f, " that nobody received: {error}")
            }
            Report::CleanupLost { reason, cause } => {
                write!(f, "a clean-up was cut off: {reason}")?;
                match cause {
                    Some(cause) => write!(f, "; its scope was {cause}"),
                    None => Ok(()),
                }
            }
            Report::Orphaned { children } => write!(
                f,
                "a group was dropped with {children} live children and no scope to wait for them; \
                 each ends at its next poll"
            ),
            Report::SlowPoll { task, took } => {
                f.write_str("a poll")?;
                of(f, task)?;
                write!(
                    f,
                    " took {} ms, in which its thread did nothing else: what blocks or computes for \
                     long belongs on another one (`to_thread`)",
                    took.as_millis()
                )
            }
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({self})")
    }
}

// `std`'s on purpose: process-wide, set at start; there is nothing in it for a model.
type Hook = Arc<dyn Fn(&Report) + Send + Sync>;
static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets the process-wide hook for what no one can receive, and gives the former one back.
///
/// `None` restores the default, one line on standard error. The hook may be called on any thread,
/// never under a lock of ours; a panic in it is swallowed, since there is nobody left to tell.
///
/// # Examples
///
/// ```
/// use pirn_core::report::{Report, report, set_hook};
/// use std::sync::{Arc, Mutex};
///
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&seen);
/// set_hook(Some(Arc::new(move |r: &Report| sink.lock().unwrap().push(r.to_string()))));
/// report(Report::Orphaned { children: 2 });
/// assert!(seen.lock().unwrap()[0].contains("2 live children"));
/// # set_hook(None);
/// ```
pub fn set_hook(hook: Option<Hook>) -> Option<Hook> {
    let mut slot = HOOK.write().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *slot, hook)
}

/// Hands `report` to the hook.
///
/// # Examples
///
/// ```
/// use pirn_core::report::{Report, report, set_hook};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let told = Arc::new(AtomicUsize::new(0));
/// let sink = Arc::clone(&told);
/// set_hook(Some(Arc::new(move |_: &Report| {
///     sink.fetch_add(1, Ordering::Relaxed);
/// })));
/// report(Report::Orphaned { children: 1 });
/// assert_eq!(told.load(Ordering::Relaxed), 1);
/// # set_hook(None);
/// ```
pub fn report(report: Report) {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    // A panic of the hook, or of what the report drops, ends here.
    let mut ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || match hook {
        Some(hook) => hook(&report),
        None => std::eprintln!("pirn: {report}"),
    }));
    // What that panic carried may panic in its destructor too, and so on: nothing of it comes out of
    // here, where callers may be in the middle of something.
    for _ in 0..16 {
        match ended {
            Ok(()) => return,
            Err(payload) => {
                ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload)));
            }
        }
    }
    core::mem::forget(ended);
}
