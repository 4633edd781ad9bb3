//! Cancels whoever waits, at every moment, and looks at what is left.
//!
//! A primitive on which tasks wait has to hold up when one of them goes away: while it waits, at the
//! head of the queue, in the middle or at its end, or after it was given what it waited for and before
//! it came for it. Here a [`Subject`] is one operation of a primitive, and an [`Exam`] runs it through
//! scripts of steps: a waiter comes, is polled, asked or unasked, with its waker or another, and is
//! dropped; something is given, or taken back; somebody lets go of what it has; it is closed. After each script all who were woken
//! go on, and then:
//!
//! - whoever can be served must be done ([`Property::OthersGoOn`], [`Property::NewestWaker`]),
//! - what is left must be what was given and not used ([`Property::NothingLost`],
//!   [`Property::NothingTwice`]),
//! - whoever has to wait is not woken over and over ([`Property::WaitersRest`]),
//! - none may have overtaken another ([`Property::InOrder`]), if that is asked for.
//!
//! A few more programs have a task with two futures, which leaves the first alone after it was served
//! and polls the second ([`Property::GrantIsTheTasks`]).
//!
//! What a primitive does not promise is left out by [`Exam::without`], with the reason, and the report says
//! both.
//!
//! With up to four waiters all scripts of a few steps are run, then some thousand longer ones by seed.
//! No executor is involved: futures are polled by hand, and their wakers count. So it is about one
//! thread; for races between threads take a model checker.
//!
//! What it finds in pirn-sync and in the primitives of others stands in
//! [`docs/conformance.md`](https://docs.rs/crate/pirn-sim/latest/source/docs/conformance.md).
//!
//! # Examples
//!
//! ```
//! use pirn_sim::conformance::{Exam, Rules, Subject};
//! use pirn_sync::Queue;
//!
//! /// A queue from which items are taken.
//! struct Gets(Queue<usize>);
//!
//! impl Subject for Gets {
//!     type Held<'a> = usize;
//!     async fn wait(&self, _: usize) -> usize {
//!         self.0.get().await.unwrap()
//!     }
//!     fn serve(&self, number: usize) {
//!         self.0.try_put(number).unwrap();
//!     }
//!     fn left(&self) -> Option<usize> {
//!         Some(self.0.len())
//!     }
//!     fn numbers(&self, item: &usize) -> Vec<usize> {
//!         vec![*item]
//!     }
//! }
//!
//! let exam = Exam::new("Queue::get", Rules::items()).seeds(100);
//! exam.run(|| Gets(Queue::bounded(16))).assert();
//! ```

use std::future::Future;

mod bell;
mod exam;
mod findings;
mod model;
mod rules;
mod run;
mod script;
mod task;

pub use exam::Exam;
pub use findings::{Failure, Findings, Property};
pub use rules::Rules;

/// One operation of a primitive, as an [`Exam`] sees it. The [module](self#examples) has an example.
///
/// An exam makes a new one for each script, and calls it from one thread.
pub trait Subject {
    /// What a waiter has when it is done: a guard, a permit, an item.
    type Held<'a>
    where
        Self: 'a;

    /// Begins to wait. `who` counts those who came, from 0.
    ///
    /// # Cancel safety
    ///
    /// What dropping the future does is what an exam is about: others go on, and nothing is lost.
    fn wait<'a>(&'a self, who: usize) -> impl Future<Output = Self::Held<'a>> + 'a;

    /// Gives something to those who wait or will: unlocks, puts an item in, makes a place free. It
    /// must not wait. `number` counts the calls, from 0.
    fn serve(&self, number: usize);

    /// Ends it: nothing is given any more, and whoever waits or comes hears of that or has what was
    /// given before. Called if the [rules](Rules::closes) say so.
    fn close(&self) {}

    /// True if a waiter has nothing, and heard of the [end](Self::close).
    fn is_end(&self, held: &Self::Held<'_>) -> bool {
        let _ = held;
        false
    }

    /// Takes back something that was given and nobody has, where who gives may leave: its number.
    /// Called if the [rules](Rules::withdraws) say so.
    fn withdraw(&self) -> Option<usize> {
        None
    }

    /// Lets futures of the subject's own go on, if they were woken: of those who wait to give something.
    /// Called between scripts' ends and what is expected of them, as often as it takes.
    fn go_on(&self) {}

    /// What is there and nobody has. Called last, so that it may take it. `None` if it cannot be told.
    fn left(&self) -> Option<usize> {
        None
    }

    /// The numbers with which was given what a waiter has, where that can be told. Where it is none,
    /// a waiter has what the [rules](Rules::takes) say.
    fn numbers(&self, held: &Self::Held<'_>) -> Vec<usize> {
        let _ = held;
        Vec::new()
    }

    /// Lets go of what a waiter had; by default, drops it.
    fn let_go<'a>(&'a self, held: Self::Held<'a>) {
        drop(held);
    }
}
