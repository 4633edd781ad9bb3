//! The virtual clock, and the driver that lets it jump.

use pirn_core::shim::{Arc, Condvar, Mutex};
use pirn_core::{Instant, Park, ParkError, Unpark, Until};
use pirn_timer::TimeSource;
use std::fmt;
use std::time::Duration;

/// What the clock, the driver and the holds share.
#[derive(Default)]
pub(crate) struct World {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    now: Instant,
    /// The sticky token of `unpark`.
    unparked: bool,
    holds: usize,
    deadlocked: bool,
}

impl World {
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        self.state.lock().holds += 1;
        Hold {
            world: Arc::clone(self),
        }
    }

    /// True once the driver found nothing to wait for.
    pub(crate) fn is_deadlocked(&self) -> bool {
        self.state.lock().deadlocked
    }
}

/// The virtual time.
pub(crate) struct VirtualTime(pub(crate) Arc<World>);

impl TimeSource for VirtualTime {
    fn now(&self) -> Instant {
        self.0.state.lock().now
    }

    fn slack(&self) -> Duration {
        Duration::ZERO
    }
}

/// The innermost driver: instead of sleeping until an instant, makes it now.
///
/// | asked for | unparked | a hold lives | else |
/// |---|---|---|---|
/// | `Now` | returns | returns | returns |
/// | `At` | returns | waits for real | jumps |
/// | `Woken` | returns | waits for real | deadlock: an error |
pub(crate) struct JumpPark(pub(crate) Arc<World>);

impl Park for JumpPark {
    type Unpark = JumpUnpark;

    fn unparker(&self) -> JumpUnpark {
        JumpUnpark(Arc::clone(&self.0))
    }

    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let mut state = self.0.state.lock();
        let at = match until {
            Until::Now => return Ok(()),
            Until::At(at) => at,
            Until::Woken => Instant::NEVER,
        };
        while !state.unparked && state.holds > 0 {
            state = self.0.changed.wait(state);
        }
        if std::mem::take(&mut state.unparked) {
            return Ok(());
        }
        if at == Instant::NEVER {
            state.deadlocked = true;
            return Err(ParkError::new(
                "virtual clock",
                "nothing is ready and no timer is left",
            ));
        }
        state.now = state.now.max(at);
        Ok(())
    }
}

/// Ends the wait of a [`JumpPark`].
#[derive(Clone)]
pub(crate) struct JumpUnpark(Arc<World>);

impl Unpark for JumpUnpark {
    fn unpark(&self) {
        self.0.state.lock().unparked = true;
        self.0.changed.notify_one();
    }
}

/// Keeps the virtual clock from jumping while it lives: for work outside the simulation.
///
/// Made by [`Sim::hold`](crate::Sim::hold). While one lives, a run that has nothing to do waits for
/// real, until it is woken or the last hold is dropped.
///
/// # Examples
///
/// ```
/// use pirn_sim::Sim;
///
/// let sim = Sim::new();
/// let hold = sim.hold();
/// let (sender, receiver) = futures::channel::oneshot::channel();
/// let worker = std::thread::spawn(move || {
///     sender.send(7).unwrap();
///     drop(hold);
/// });
/// // Without the hold this might be taken for a deadlock.
/// assert_eq!(sim.run(receiver), Ok(7));
/// worker.join().unwrap();
/// ```
pub struct Hold {
    world: Arc<World>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.world.state.lock().holds -= 1;
        self.world.changed.notify_one();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
