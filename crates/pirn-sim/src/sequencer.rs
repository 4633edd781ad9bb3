//! Steps of several tasks, in an order that a test chooses.

use pirn_core::budget;
use pirn_core::shim::{Arc, Mutex};
use pirn_core::wake::{discard, wake};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Lets the steps of several tasks run one after the other, by their numbers from zero.
///
/// A step begins when the one before it has ended, that is, when the guard of that was dropped. With
/// it a test fixes one interleaving that matters, whatever the schedule. trio's `Sequencer`. Clones
/// are the same sequence; it works on any executor.
///
/// | `State` | meaning | changed by |
/// |---|---|---|
/// | `next` | the step that is under way, or may begin | `Turn::drop` |
/// | `waiting` | those whose step has not come, each with its waker until it is woken | `Step::poll`, `Step::drop`; `Turn::drop` takes the next one's waker |
/// | `begun` | the step `next` is under way | `Step::poll`; `Turn::drop` |
/// | `broken` | one was dropped before its turn, so that those after it never come | `Step::drop` |
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sequencer, check};
///
/// check(50, || async {
///     let steps = Sequencer::new();
///     let (tell, told) = std::sync::mpsc::channel();
///     let other = pirn_executor::spawn({
///         let (steps, tell) = (steps.clone(), tell.clone());
///         async move {
///             {
///                 let _turn = steps.step(0).await;
///                 tell.send("other").unwrap();
///             }
///             let _turn = steps.step(2).await;
///             tell.send("other again").unwrap();
///         }
///     });
///     {
///         let _turn = steps.step(1).await;
///         tell.send("main").unwrap();
///     }
///     other.await.unwrap();
///     assert_eq!(told.try_iter().collect::<Vec<_>>(), ["other", "main", "other again"]);
/// });
/// ```
#[derive(Clone, Default)]
pub struct Sequencer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: usize,
    begun: bool,
    waiting: BTreeMap<usize, Option<Waker>>,
    broken: Option<usize>,
}

/// The future of [`Sequencer::step`].
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sequencer, Step};
///
/// let steps = Sequencer::new();
/// let step: Step = steps.step(0);
/// let turn = pirn_core::shim::block_on(step);
/// assert_eq!(turn.number(), 0);
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Step {
    sequencer: Sequencer,
    number: usize,
    place: Place,
}

/// Where a step is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Never polled.
    Outside,
    Waiting,
    /// Its turn has come, or never will.
    Over,
}

/// A step is under way, until this is dropped: [`Sequencer::step`] gives it.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sequencer, Turn};
///
/// let steps = Sequencer::new();
/// let first: Turn = pirn_core::shim::block_on(steps.step(0));
/// drop(first);
/// pirn_core::shim::block_on(steps.step(1));
/// ```
#[must_use = "the step ends when the turn is dropped"]
pub struct Turn {
    sequencer: Sequencer,
    number: usize,
}

impl Sequencer {
    /// A sequence that begins with step 0.
    pub fn new() -> Self {
        Sequencer::default()
    }

    /// Waits until all steps with smaller numbers have ended; then this one is under way, until the
    /// guard is dropped.
    ///
    /// # Panics
    ///
    /// The future: if there was a step of this number already; or if one before it was dropped
    /// before its turn, so that this one would never come.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future while it waits breaks the sequence: those after it panic.
    ///
    /// # Examples
    ///
    /// ```
    /// let steps = pirn_sim::Sequencer::new();
    /// let turn = pirn_core::shim::block_on(steps.step(0));
    /// assert_eq!(turn.number(), 0);
    /// ```
    pub fn step(&self, number: usize) -> Step {
        Step {
            sequencer: self.clone(),
            number,
            place: Place::Outside,
        }
    }
}

impl Turn {
    /// Which step it is.
    pub fn number(&self) -> usize {
        self.number
    }
}

/// What a step finds.
enum Look {
    Begin,
    Wait,
    Used,
    Broken(usize),
}

impl State {
    fn look(&self, number: usize, place: Place) -> Look {
        let is_taken = place == Place::Outside && self.waiting.contains_key(&number);
        match self.broken {
            _ if number < self.next || is_taken || (number == self.next && self.begun) => {
                Look::Used
            }
            Some(broken) if broken < number => Look::Broken(broken),
            _ if number == self.next => Look::Begin,
            _ => Look::Wait,
        }
    }
}

impl Future for Step {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let (number, mut waker) = (self.number, Some(cx.waker().clone()));
        let mut state = self.sequencer.0.lock();
        let look = state.look(number, self.place);
        let former = match look {
            Look::Wait => state.waiting.insert(number, waker.take()),
            Look::Begin => {
                state.begun = true;
                state.waiting.remove(&number)
            }
            Look::Used => None,
            Look::Broken(_) => state.waiting.remove(&number),
        };
        drop(state);
        discard(former.flatten());
        discard(waker);
        self.place = match look {
            Look::Wait => Place::Waiting,
            _ => Place::Over,
        };
        match look {
            Look::Wait => {
                budget::inspect::say("its turn in a `Sequencer`");
                Poll::Pending
            }
            Look::Begin => Poll::Ready(Turn {
                sequencer: self.sequencer.clone(),
                number,
            }),
            Look::Used => panic!("step {number} of a sequence was there before"),
            Look::Broken(broken) => panic!(
                "step {number} of a sequence never comes: step {broken} was dropped before its turn"
            ),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.place != Place::Waiting {
            return;
        }
        let mut state = self.sequencer.0.lock();
        let own = state.waiting.remove(&self.number);
        let broken = state
            .broken
            .map_or(self.number, |broken| broken.min(self.number));
        state.broken = Some(broken);
        let woken = state.waiting.split_off(&broken);
        drop(state);
        discard(own.flatten());
        woken.into_values().flatten().for_each(wake);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.sequencer.0.lock();
        state.next = self.number + 1;
        state.begun = false;
        let next = state.next;
        // Its place stays, so that another one with its number is found out; its poll takes that.
        let next = state.waiting.get_mut(&next).and_then(Option::take);
        drop(state);
        next.into_iter().for_each(wake);
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        let (next, waiting) = (state.next, state.waiting.keys().copied());
        let waiting: Vec<_> = waiting.collect();
        drop(state);
        f.debug_struct("Sequencer")
            .field("next", &next)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Step").field(&self.number).finish()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.number).finish()
    }
}
