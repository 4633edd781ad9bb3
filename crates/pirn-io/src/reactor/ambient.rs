//! Which reactor a new source belongs to: the entered one, or the process-wide fallback.

use super::{Handle, ReactorPark};
use crate::error::needs_system;
use pirn_core::report::{Report, report};
use pirn_core::{Instant, Park, Until};
use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
// std's on purpose: the fallback is process-wide, and no model may hold it.
use std::sync::{Mutex, PoisonError};

thread_local! {
    static CURRENT: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The reactor of those who have none.
static FALLBACK: Mutex<Option<Handle>> = Mutex::new(None);

/// Restores the reactor that was entered before. Made by [`Handle::enter`].
#[derive(Debug)]
#[must_use = "the reactor is current until the guard is dropped"]
pub struct Entered {
    former: Option<Handle>,
    /// It belongs to its thread.
    stays: PhantomData<*const ()>,
}

impl Handle {
    /// Makes this the thread's reactor until the guard is dropped.
    pub fn enter(&self) -> Entered {
        Entered {
            former: CURRENT.replace(Some(self.clone())),
            stays: PhantomData,
        }
    }

    /// The thread's reactor, or else the process-wide one, which is started when first needed.
    ///
    /// # Errors
    ///
    /// If the process-wide one cannot be started; in a simulation, which has no sockets of the system
    /// (of kind [`Unsupported`](io::ErrorKind::Unsupported)).
    pub fn current() -> io::Result<Handle> {
        needs_system("socket")?;
        match CURRENT.try_with(|current| current.borrow().clone()) {
            Ok(Some(handle)) => Ok(handle),
            _ => fallback(),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let former = self.former.take();
        // A thread whose locals are gone has nothing to restore.
        let _ = CURRENT.try_with(|current| current.replace(former));
    }
}

fn fallback() -> io::Result<Handle> {
    let mut slot = FALLBACK.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some(handle) if !handle.is_gone() => return Ok(handle.clone()),
        _ => {}
    }
    // Its thread never asks for a time.
    let park = ReactorPark::new(|| Instant::EPOCH)?;
    let handle = park.handle();
    std::thread::Builder::new()
        .name("pirn-reactor".to_owned())
        .spawn(move || drive(park))?;
    *slot = Some(handle.clone());
    Ok(handle)
}

/// The fallback thread: until the process ends, or the system's wait is broken for good. Dropping
/// the reactor then fails its sources, and the next caller starts another.
fn drive(mut park: ReactorPark) {
    loop {
        if let Err(error) = park.park(Until::Woken) {
            report(Report::Error {
                task: None,
                error: Box::new(error),
            });
            return;
        }
    }
}
