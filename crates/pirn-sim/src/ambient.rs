//! The run around the caller.

use crate::clock::{Hold, World};
use crate::jitter::sleep_until_exactly;
use pirn_core::shim::Arc;
use std::cell::RefCell;
use std::time::Duration;

thread_local! {
    static WORLD: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
}

/// Restores the run that was around before.
pub(crate) struct Entered(Option<Arc<World>>);

pub(crate) fn enter(world: &Arc<World>) -> Entered {
    Entered(WORLD.replace(Some(Arc::clone(world))))
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = WORLD.replace(self.0.take());
        // Not while it is borrowed.
        drop(left);
    }
}

#[track_caller]
pub(crate) fn world() -> Arc<World> {
    match WORLD.with_borrow(Option::clone) {
        Some(world) => world,
        None => panic!("there is no simulation around the caller: call this inside `Sim::run`"),
    }
}

/// Keeps the clock of the run around the caller from jumping until the guard is dropped.
///
/// As [`Sim::hold`](crate::Sim::hold), for code inside the run. The guard may go to another thread.
///
/// # Panics
///
/// Outside a run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// pirn_sim::Sim::new().run(async {
///     let hold = pirn_sim::hold();
///     let (sender, receiver) = futures::channel::oneshot::channel();
///     std::thread::spawn(move || {
///         sender.send("from another thread").unwrap();
///         drop(hold);
///     });
///     let in_time = pirn_timer::timeout(Duration::from_millis(1), receiver).await;
///     assert_eq!(in_time.unwrap(), Ok("from another thread"));
/// });
/// ```
#[track_caller]
#[must_use = "the clock is held until the guard is dropped"]
pub fn hold() -> Hold {
    world().hold()
}

/// Stops the clock of the run around the caller: from now on it moves by [`advance`] alone.
///
/// Where nothing is ready then, and nobody is about to advance it, the run ends as a
/// [`Deadlock`](crate::Deadlock). Once the main future has ended it does nothing: the clean-ups of what is
/// left are waited for.
///
/// # Panics
///
/// Outside a run.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, advance, pause, resume};
/// use std::time::Duration;
///
/// Sim::new().run(async {
///     pause();
///     let task = pirn_executor::spawn(pirn_timer::sleep(Duration::from_secs(60)));
///     advance(Duration::from_secs(59)).await;
///     assert!(!task.is_finished());
///     resume();
///     task.await.unwrap(); // it jumps again
/// });
/// ```
#[track_caller]
pub fn pause() {
    world().pause();
}

/// Lets the clock of the run around the caller jump again.
///
/// # Panics
///
/// Outside a run.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// pirn_sim::Sim::new().paused().run(async {
///     pirn_sim::resume();
///     pirn_timer::sleep(Duration::from_secs(60)).await;
///     assert_eq!(pirn_timer::now().as_nanos(), 60_000_000_000);
/// });
/// ```
#[track_caller]
pub fn resume() {
    world().resume();
}

/// Moves the clock of the run around the caller on by `duration`, which may be [paused](pause).
///
/// The timers on the way fire in their order, each at its own time, and what they wake runs before
/// the clock goes on; so does what is ready. When this returns, all of that has run as far as it
/// can, and it is exactly `duration` later, also where timers are [late](crate::Sim::jitter).
///
/// # Panics
///
/// Outside a run.
///
/// # Cancel safety
///
/// Dropping the future leaves a clock that is paused free to go on as far as it was asked to.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, advance};
/// use std::time::Duration;
///
/// Sim::new().paused().run(async {
///     let task = pirn_executor::spawn(async {
///         pirn_timer::sleep(Duration::from_secs(1)).await;
///         pirn_timer::sleep(Duration::from_secs(1)).await;
///         pirn_timer::now()
///     });
///     advance(Duration::from_secs(2)).await;
///     assert_eq!(task.await.unwrap().as_nanos(), 2_000_000_000);
/// });
/// ```
pub async fn advance(duration: Duration) {
    let world = world();
    let until = world.allow(duration);
    sleep_until_exactly(until).await;
    crate::wait_all_blocked().await;
}

/// A random number, of the sequence that the seed of the run around the caller determines.
///
/// For choices of a program under test that are to be the same when the seed is.
///
/// # Panics
///
/// Outside a run.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, random};
///
/// let two = |seed| Sim::new().seed(seed).run(async { (random(), random()) });
/// assert_eq!(two(1), two(1));
/// assert_ne!(two(1), two(2));
/// ```
#[track_caller]
pub fn random() -> u64 {
    world().random()
}
