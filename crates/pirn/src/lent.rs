//! A driver that several sleep by in turn, on one thread.

use pirn_core::{Park, ParkError, Until};
use std::cell::RefCell;
use std::rc::Rc;

/// Shares a driver among the runs of one thread, which are inside one another: the innermost sleeps.
/// It may be taken out, to sleep elsewhere.
pub(crate) struct Lent<P: Park> {
    driver: Rc<RefCell<Option<P>>>,
    unparker: P::Unpark,
}

impl<P: Park> Lent<P> {
    pub(crate) fn new(driver: P) -> Self {
        Lent {
            unparker: driver.unparker(),
            driver: Rc::new(RefCell::new(Some(driver))),
        }
    }

    /// True if it is not elsewhere.
    pub(crate) fn is_home(&self) -> bool {
        self.driver
            .try_borrow()
            .is_ok_and(|driver| driver.is_some())
    }

    /// Takes the driver out; `None` if it is out, or sleeps.
    pub(crate) fn take(&self) -> Option<P> {
        self.driver.try_borrow_mut().ok()?.take()
    }

    /// Brings it back.
    pub(crate) fn put_back(&self, driver: P) {
        *self.driver.borrow_mut() = Some(driver);
    }
}

impl<P: Park> Clone for Lent<P> {
    fn clone(&self) -> Self {
        Lent {
            driver: Rc::clone(&self.driver),
            unparker: self.unparker.clone(),
        }
    }
}

impl<P: Park> Park for Lent<P> {
    type Unpark = P::Unpark;

    fn unparker(&self) -> P::Unpark {
        self.unparker.clone()
    }

    /// As the driver's. Fails inside the driver's own sleep, where it wakes a waker that sleeps, and
    /// while the driver is out.
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        match self.driver.try_borrow_mut().as_deref_mut() {
            Ok(Some(driver)) => driver.park(until),
            Ok(None) => Err(ParkError::new("runtime", "its driver is elsewhere")),
            Err(_) => Err(ParkError::new(
                "runtime",
                "it is asleep already, and woke this",
            )),
        }
    }
}
