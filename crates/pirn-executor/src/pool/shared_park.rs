//! One driver for many workers.
//!
//! # Who is in the driver while others poll
//!
//! | who comes out of it | and then polls for long | who goes to the driver |
//! |---|---|---|
//! | a worker | is watched, as `watch` says | one that watches, within some milliseconds |
//! | an unwatched share | is not known to the pool | one of those beside, which is woken at once |
//!
//! So while an unwatched share is elsewhere, either nobody sleeps beside the driver, or somebody is in
//! it, or a worker was woken to go there or has it for a look. The driver is put back, and the one that
//! is woken chosen, under one lock: who comes to sleep before that is chosen, who comes after it finds
//! the driver. Workers are chosen first. An unwatched share that is chosen may have been woken for
//! something else as well, and poll for long before it goes to the driver: so it wakes the next.

use crate::{ThreadPark, ThreadUnpark};
use pirn_core::shim::{Arc, Mutex};
use pirn_core::{Park, ParkError, Unpark, Until};
use std::fmt;

/// A [`Park`] that several workers share: one that sleeps holds it, the others sleep as threads.
///
/// [`park`](Self::park) gives each worker its own [`SharedPark`]. A busy worker that looks
/// ([`Until::Now`]) does so if nobody holds the driver at that moment. A share that is dropped while
/// nobody holds the driver ends the sleep of another one, which then is in the driver when it sleeps
/// again. [`park_unwatched`](Self::park_unwatched) is for a thread that is none of the pool's.
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_executor::{SharedDriver, ThreadPark};
///
/// let driver = SharedDriver::new(ThreadPark::new());
/// let mut parks: Vec<_> = (0..2).map(|_| driver.park()).collect();
/// let unparkers: Vec<_> = parks.iter().map(|park| park.unparker()).collect();
/// let sleeper = std::thread::spawn(move || parks.iter_mut().try_for_each(|p| p.park(Until::Woken)));
/// unparkers.iter().for_each(|unparker| unparker.unpark());
/// assert!(sleeper.join().unwrap().is_ok());
/// ```
pub struct SharedDriver<P: Park> {
    inner: P::Unpark,
    driver: Slot<P>,
}

/// What all shares have in common.
type Slot<P> = Arc<Mutex<Common<P>>>;

struct Common<P: Park> {
    /// The driver, while nobody holds it.
    driver: Option<Box<P>>,
    /// Who sleep as threads, since somebody held it: the last is woken first. Those that nobody watches
    /// are before all others.
    beside: Vec<SharedUnpark<P::Unpark>>,
}

/// One worker's share of a [`SharedDriver`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Until};
/// use pirn_executor::{SharedDriver, SharedPark, ThreadPark};
///
/// let mut park: SharedPark<ThreadPark> = SharedDriver::new(ThreadPark::new()).park();
/// assert!(park.park(Until::Now).is_ok());
/// ```
pub struct SharedPark<P: Park> {
    driver: Slot<P>,
    thread: ThreadPark,
    unpark: SharedUnpark<P::Unpark>,
    /// When it comes out of the driver, another one is to go there.
    relieved: bool,
}

/// Ends the sleep of a [`SharedPark`].
///
/// # Examples
///
/// ```
/// use pirn_core::{Park, Unpark, Until};
/// use pirn_executor::{SharedDriver, SharedUnpark, ThreadPark, ThreadUnpark};
///
/// let mut park = SharedDriver::new(ThreadPark::new()).park();
/// let unparker: SharedUnpark<ThreadUnpark> = park.unparker();
/// unparker.unpark();
/// assert!(park.park(Until::Woken).is_ok()); // at once
/// ```
pub struct SharedUnpark<U> {
    inner: U,
    thread: ThreadUnpark,
    place: Arc<Mutex<Place>>,
}

/// Where the worker is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Awake, or asleep as a thread: the thread's token will do.
    Thread,
    /// In the driver, or on its way.
    Driver,
    /// As `Driver`, and woken.
    Woken,
}

impl<P: Park> SharedDriver<P> {
    /// Shares `driver`.
    pub fn new(driver: P) -> Self {
        SharedDriver {
            inner: driver.unparker(),
            driver: Arc::new(Mutex::new(Common {
                driver: Some(Box::new(driver)),
                beside: Vec::new(),
            })),
        }
    }

    /// A share for one worker.
    pub fn park(&self) -> SharedPark<P> {
        self.share(false)
    }

    /// A share for a thread that is no worker of the pool: for an executor of its own beside that.
    ///
    /// When a worker comes out of the driver, and a poll of its tasks takes long, the others notice, and
    /// one of them goes there. Nobody looks after this share so. Instead it wakes one of those that sleep
    /// beside the driver, whenever it comes out of it; that one is in the driver then. This
    /// costs a wake-up, so for a worker [`park`](Self::park) is better.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_executor::{LocalExecutor, SharedDriver, ThreadPark};
    ///
    /// let driver = SharedDriver::new(ThreadPark::new());
    /// let executor = LocalExecutor::new();
    /// let task = executor.spawn(async { 5 });
    /// assert_eq!(executor.run(&mut driver.park_unwatched(), task)?.unwrap(), 5);
    /// # Ok::<(), pirn_core::ParkError>(())
    /// ```
    pub fn park_unwatched(&self) -> SharedPark<P> {
        self.share(true)
    }

    fn share(&self, relieved: bool) -> SharedPark<P> {
        let thread = ThreadPark::new();
        SharedPark {
            driver: self.driver.clone(),
            unpark: SharedUnpark {
                inner: self.inner.clone(),
                thread: thread.unparker(),
                place: Arc::new(Mutex::new(Place::Thread)),
            },
            thread,
            relieved,
        }
    }
}

impl<P: Park> Clone for SharedDriver<P> {
    fn clone(&self) -> Self {
        SharedDriver {
            inner: self.inner.clone(),
            driver: self.driver.clone(),
        }
    }
}

impl<P: Park> Park for SharedPark<P> {
    type Unpark = SharedUnpark<P::Unpark>;

    fn unparker(&self) -> Self::Unpark {
        self.unpark.clone()
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let held = Held::take(&self.driver, self.relieved);
        let driver = match (held, until) {
            (Some(mut driver), Until::Now) => return driver.park(until),
            (Some(driver), _) => driver,
            (None, Until::Now) => return self.thread.park(until),
            (None, _) => match Beside::join(&self.driver, &self.unpark, self.relieved) {
                Ok(driver) => driver,
                Err(_beside) => return self.thread.park(until),
            },
        };
        // Dropped after the driver, also by one that panics.
        let _inside = Inside::enter(&self.unpark.place);
        let mut driver = driver;
        // A token that came before is in the thread's place.
        let until = match self.thread.take_token() {
            true => Until::Now,
            false => until,
        };
        driver.park(until)
    }
}

impl<P: Park> Drop for SharedPark<P> {
    /// Nobody may be in the driver from now on, if this share was last.
    fn drop(&mut self) {
        let next = self.driver.lock().next();
        next.into_iter().for_each(|next| next.unpark());
    }
}

impl<P: Park> Common<P> {
    /// One of those beside, to be woken after unlocking: if nobody holds the driver.
    #[must_use]
    fn next(&mut self) -> Option<SharedUnpark<P::Unpark>> {
        match self.driver {
            Some(_) => self.beside.pop(),
            None => None,
        }
    }
}

/// A worker is in the driver, or on its way, until this is dropped.
struct Inside<'a>(&'a Mutex<Place>);

impl<'a> Inside<'a> {
    fn enter(place: &'a Mutex<Place>) -> Self {
        *place.lock() = Place::Driver;
        Inside(place)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0.lock() = Place::Thread;
    }
}

/// The driver while a worker holds it; goes back to its slot.
struct Held<'a, P: Park> {
    driver: Option<Box<P>>,
    slot: &'a Mutex<Common<P>>,
    relieved: bool,
}

impl<'a, P: Park> Held<'a, P> {
    fn take(slot: &'a Mutex<Common<P>>, relieved: bool) -> Option<Self> {
        let driver = Some(slot.lock().driver.take()?);
        // Only with a driver: what is dropped without one would empty the slot of who was faster.
        Some(Held {
            driver,
            slot,
            relieved,
        })
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        self.driver
            .as_mut()
            .map_or(Ok(()), |driver| driver.park(until))
    }
}

impl<P: Park> Drop for Held<'_, P> {
    fn drop(&mut self) {
        let next = {
            let mut common = self.slot.lock();
            common.driver = self.driver.take();
            match self.relieved {
                true => common.next(),
                false => None,
            }
        };
        next.into_iter().for_each(|next| next.unpark());
    }
}

/// A share is among those beside the driver, until this is dropped.
struct Beside<'a, P: Park> {
    slot: &'a Mutex<Common<P>>,
    share: &'a SharedUnpark<P::Unpark>,
    relieved: bool,
}

impl<'a, P: Park> Beside<'a, P> {
    /// Joins those beside the driver; or takes it, if it has become free.
    fn join(
        slot: &'a Mutex<Common<P>>,
        share: &'a SharedUnpark<P::Unpark>,
        relieved: bool,
    ) -> Result<Held<'a, P>, Self> {
        // An `Unpark` of the user's is cloned, and dropped, with nothing locked.
        let clone = share.clone();
        let mut common = slot.lock();
        match common.driver.take() {
            Some(driver) => Ok(Held {
                driver: Some(driver),
                slot,
                relieved,
            }),
            None => {
                let place = if relieved { 0 } else { common.beside.len() };
                common.beside.insert(place, clone);
                Err(Beside {
                    slot,
                    share,
                    relieved,
                })
            }
        }
    }
}

impl<P: Park> Drop for Beside<'_, P> {
    fn drop(&mut self) {
        let place = &self.share.place;
        let mut common = self.slot.lock();
        let at = common
            .beside
            .iter()
            .position(|other| Arc::ptr_eq(&other.place, place));
        let share = at.map(|at| common.beside.remove(at));
        // It was chosen to go to the driver, and nobody sees if it does not.
        let next = match share {
            None if self.relieved => common.next(),
            _ => None,
        };
        drop(common);
        drop(share);
        next.into_iter().for_each(|next| next.unpark());
    }
}

impl<U: Unpark> Unpark for SharedUnpark<U> {
    fn unpark(&self) {
        let in_driver = {
            let mut place = self.place.lock();
            match *place {
                // Under the lock, so that the worker finds the token if it goes to the driver next.
                Place::Thread => self.thread.unpark(),
                Place::Driver | Place::Woken => {}
            }
            let in_driver = *place == Place::Driver;
            if in_driver {
                *place = Place::Woken;
            }
            in_driver
        };
        if in_driver {
            self.inner.unpark();
        }
    }
}

impl<U: Clone> Clone for SharedUnpark<U> {
    fn clone(&self) -> Self {
        SharedUnpark {
            inner: self.inner.clone(),
            thread: self.thread.clone(),
            place: self.place.clone(),
        }
    }
}

impl<P: Park> fmt::Debug for SharedDriver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedDriver").finish_non_exhaustive()
    }
}

impl<P: Park> fmt::Debug for SharedPark<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedPark").finish_non_exhaustive()
    }
}

impl<U> fmt::Debug for SharedUnpark<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedUnpark").finish_non_exhaustive()
    }
}
