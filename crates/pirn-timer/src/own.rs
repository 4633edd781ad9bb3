//! The wheel that a driver's own thread reaches without a lock.
//!
//! | where the wheel is | reached by | until |
//! |---|---|---|
//! | in the driver's state, under its lock | every thread | `Timer::lend`, by [`Timer::attach`] |
//! | with the thread that drives, here | that thread, without a lock; others leave orders | `Timer::take_back_wheel`, as the guard is dropped; `Timer::retire` |
//!
//! A thread has one wheel at most: of nested drivers the outer one's, and the inner ones lock.
//!
//! Beside the wheel lie handles to spare. Counting a handle costs as much as a lock, and a thread
//! that makes and drops timers would count up and down all the time.

use crate::driver::{Ticket, Timer};
use crate::wheel::Wheel;
use pirn_core::shim;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::task::Waker;

/// How many handles are kept.
const SPARE: usize = 32;

shim::per_thread! {
    // Never dropped, which makes reaching it cheaper; the guard of whoever is attached empties it.
    static OWN: ManuallyDrop<RefCell<Option<Own>>> = ManuallyDrop::new(RefCell::new(None));
}

/// Keeps a driver's own wheel with the thread that drives. Made by [`Timer::attach`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Until};
/// use pirn_timer::{Attached, Monotonic, ThreadPark, TimerPark};
/// use std::time::Duration;
///
/// let mut driver = TimerPark::new(ThreadPark::new(), Monotonic);
/// let attached: Attached = driver.timer().attach();
/// let sleep = driver.timer().sleep(Duration::from_secs(60)); // takes no lock
/// driver.park(Until::Now)?;
/// drop(attached);
/// assert!(!sleep.is_elapsed());
/// # Ok::<(), pirn_core::ParkError>(())
/// ```
#[must_use = "the thread is attached until the guard is dropped"]
pub struct Attached {
    /// None where another wheel was there.
    timer: Option<Timer>,
    /// It belongs to its thread.
    stays: PhantomData<*const ()>,
}

struct Own {
    timer: Timer,
    wheel: Box<Wheel<Waker>>,
    spare: Vec<Timer>,
}

impl Timer {
    /// Tells that this thread parks the driver, and nobody else does, until the guard is dropped:
    /// timers that it makes, moves, polls and drops then take no lock. They fire when it parks.
    ///
    /// For executors on one thread. Does nothing where the thread is attached already, to this
    /// driver or another.
    pub fn attach(&self) -> Attached {
        let wheel = if is_free() { self.lend() } else { None };
        let timer = wheel.map(|wheel| {
            put(self.clone(), wheel);
            self.clone()
        });
        Attached {
            timer,
            stays: PhantomData,
        }
    }
}

/// Calls `f` with what this thread has of `timer`. `f` must run no code of users.
#[inline]
fn with<R>(timer: &Timer, f: impl FnOnce(&mut Own) -> R) -> Option<R> {
    OWN.try_with(|own| match own.borrow_mut().as_mut() {
        Some(own) if own.timer.is(timer) => Some(f(own)),
        _ => None,
    })
    .ok()
    .flatten()
}

/// Calls `f` with the wheel of `timer`, if this thread has it. `f` must run no code of users.
#[inline]
pub(crate) fn with_wheel<R>(timer: &Timer, f: impl FnOnce(&mut Wheel<Waker>) -> R) -> Option<R> {
    with(timer, |own| f(&mut own.wheel))
}

/// True if this thread has no wheel yet.
pub(crate) fn is_free() -> bool {
    OWN.try_with(|own| own.borrow().is_none()).unwrap_or(false)
}

/// Gives this thread, which is free, the wheel of `timer`.
pub(crate) fn put(timer: Timer, wheel: Box<Wheel<Waker>>) {
    let own = Own {
        timer,
        wheel,
        spare: Vec::with_capacity(SPARE),
    };
    OWN.with(|slot| *slot.borrow_mut() = Some(own));
}

/// Takes the wheel of `timer` back, if this thread has it.
pub(crate) fn take(timer: &Timer) -> Option<Box<Wheel<Waker>>> {
    let own = OWN
        .try_with(|slot| {
            let mut slot = slot.borrow_mut();
            match &*slot {
                Some(own) if own.timer.is(timer) => slot.take(),
                _ => None,
            }
        })
        .ok()
        .flatten()?;
    // The handles go without the slot being borrowed: the last one drops the time's source.
    Some(own.wheel)
}

/// A handle that a timer has: one to spare, on the thread that drives.
pub(crate) struct Held(Option<Timer>);

impl Held {
    #[inline]
    pub(crate) fn new(timer: &Timer) -> Held {
        let spare = with(timer, |own| own.spare.pop()).flatten();
        Held(Some(spare.unwrap_or_else(|| timer.clone())))
    }

    /// As [`Timer::disarm`], for a timer that needs its handle no more: on the thread that drives,
    /// both are seen to at once.
    #[inline]
    pub(crate) fn disarm(&mut self, ticket: Ticket) -> Option<Waker> {
        let held = &mut self.0;
        let visit = OWN.try_with(|slot| match (slot.borrow_mut().as_mut(), &*held) {
            (Some(own), Some(timer)) if ticket.own && own.timer.is(timer) => {
                if own.spare.len() < SPARE {
                    own.spare.extend(held.take());
                }
                Some(own.wheel.remove(ticket.key))
            }
            _ => None,
        });
        match visit {
            Ok(Some(waker)) => waker,
            Ok(None) | Err(_) => Timer::disarm(self, ticket),
        }
    }
}

impl Deref for Held {
    type Target = Timer;

    #[inline]
    fn deref(&self) -> &Timer {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Held::new(self)
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if let Some(timer) = self.0.take() {
            give_back(timer);
        }
    }
}

/// Out of the way of those who were [disarmed](Held::disarm).
#[inline(never)]
fn give_back(timer: Timer) {
    let mut timer = Some(timer);
    let _ = OWN.try_with(|slot| {
        if let (Some(own), Some(held)) = (slot.borrow_mut().as_mut(), &timer) {
            if own.spare.len() < SPARE && own.timer.is(held) {
                own.spare.extend(timer.take());
            }
        }
    });
    // What is not kept is dropped here, with the slot not borrowed.
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.take_back_wheel();
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached")
            .field("timer", &self.timer)
            .finish()
    }
}
