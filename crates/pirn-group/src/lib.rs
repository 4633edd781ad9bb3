//! Task groups that end after their children, clean-up included, on any executor.
//!
//! ```
//! use pirn_compat::TokioHandle;
//! use pirn_group::GroupBuilder;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let length = GroupBuilder::on(TokioHandle::current()?)
//!     .run(async |g| {
//!         let warp = g.spawn(async { Ok("warp".len()) });
//!         let weft = g.spawn(async { Ok("weft".len()) });
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(warp.await? + weft.await?)
//!     })
//!     .await?;
//! assert_eq!(length, 8);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! A child returns `Result<T, E>`. `g.collect()` keeps results without handles, as they come or in
//! order; `g.start(..)` waits until a child says that it is ready; `GroupBuilder::open` makes a group
//! that is kept in a struct and joined later. `GroupBuilder::gather` runs a list of futures as one group
//! and gives their values in order; `gather_results` gives how each ended. Inside a pirn runtime, `group`
//! finds the spawner itself. Children that are not `Send` go to `spawn_local`, on a
//! spawner of one thread, and likewise to `start_local`, `gather_local` and a collector's `spawn_local`.
//! `GroupBuilder::limit` bounds how many run at once.
//!
//! ## Children that borrow
//!
//! The children of `group_in_task` are no tasks: they run in the group's own future. So they may borrow
//! what was there before the group, need no executor, and, by `spawn_local`, need not be `Send`. All
//! else is as in other groups: more may be spawned at any moment, by the body and by children, the first
//! failure cancels the others, and the group ends after the last of them, clean-up included. What they
//! do not have is another thread: they are for work that waits.
//!
//! ```
//! use pirn_group::group_in_task;
//! use std::cell::Cell;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let (words, letters) = (["warp".to_owned(), "weft".to_owned()], Cell::new(0));
//! let group = group_in_task(async |g| {
//!     for word in &words {
//!         g.spawn_local(async { Ok(letters.set(letters.get() + word.len())) });
//!     }
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//! futures::executor::block_on(group)?;
//! assert_eq!(letters.get(), 8);
//! # Ok(())
//! # }
//! ```
//!
//! ## Tokens and streams
//!
//! What the tree of the code does not say, a `CancelToken` does: a switch that is thrown once, from
//! anywhere, with children, guards and `run_until_cancelled`, clean-up included. It is a scope without a
//! body.
//!
//! `stream::from_fn` makes a stream of an async closure: an async generator, whose clean-up runs when it
//! is closed, cancelled or dropped half-way.
//!
//! # The model
//!
//! Every group is a cancel scope, and so is every child in it: one tree.
//!
//! ```text
//! scope around ─┬─ group ─┬─ body          what you wrote: spawns, awaits, returns
//!               │         ├─ child "a"     a task of the executor
//!               │         └─ child "b" ─── group ─┬─ body
//!               │                                 └─ child ...
//!               └─ the group's future: ends last
//! ```
//!
//! A cancel goes down from where it was asked for, and stops at shields. An end goes up: a group ends
//! after its last child.
//!
//! **What is cancelled when?**
//!
//! | what happens | children and body | the group's end |
//! |---|---|---|
//! | a child, or the body, returns an error | cancelled | `Err`, with every error in order |
//! | a child, or the body, panics | cancelled | the panic goes on; errors are reported first |
//! | `g.cancel(..)`, the body has returned a value | cancelled | `Ok`, the value stays |
//! | `g.cancel(..)` before that, or the group's deadline | cancelled | `Err`, with the cause |
//! | the scope around is cancelled | cancelled | nothing: the body around ends there; errors win, and are returned |
//! | `child.cancel(..)` | that child alone | as if it had not been there |
//! | the executor refuses a child, or drops one that nobody had cancelled | cancelled | `Err`, with the cause |
//!
//! **What runs during clean-up?** A cancelled child is dropped where it waits, unless it is inside a
//! `shield`, or leaves a `finally`: these are polled on, up to the grace period. The group waits for
//! them. A child that had not started never does.
//!
//! **What if I drop it?** Dropping the group's future cancels its children at once. What becomes of
//! them and of their clean-up, on each executor (tried in `tests/executors.rs`, a reaper in `tests/owned.rs`):
//!
//! | executor | inside a scope | outside every scope |
//! |---|---|---|
//! | a pirn runtime | the scope ends after them | its reaper waits for them |
//! | our pool, tokio, and `futures`' pool, on threads | the same | they clean up and end at their next poll, on those threads |
//! | our local one, tokio's of one thread, `async-executor` | the same | the same, as somebody runs it again; if it is dropped instead, so are they, and the clean-up is reported |
//! | one that drops tasks | the same: the scope does the clean-up | what it drops is reported, the others end as above |
//! | one that keeps tasks and never polls them | the scope waits for it | nobody waits |
//!
//! Outside every scope the process-wide hook of `pirn_core::report` is told how many were still there.
//! Errors that nobody is left to receive go to that hook too. Nothing is detached in silence.
//!
//! A group as a value is the same: dropping it, or the future of its `join`, does what dropping a
//! group's future does.
//!
//! The children of `group_in_task` live in its future: they are dropped with it, at once, and their
//! clean-up goes to the scopes around.
//!
//! **What if two things fail at once?** Both are kept, in the order in which they occurred: `GroupError`
//! is a tree, nested groups its branches, to be iterated, shown, or split, a part for each handler, as
//! asyncio's `except*`. Of two panics the first goes on and the second is reported. An error wins over a
//! cancel that came with it.
//!
//! # On which executors
//!
//! On every one for which `pirn_core::Spawn` is implemented: pirn's own, and through `pirn-compat` tokio,
//! async-executor and those of `futures`. A child is one spawn, and is counted by a guard inside what is
//! spawned: an executor may drop a task unpolled, at shutdown or by a mistake, and the group still ends.
//! An executor that keeps a task and never polls it again keeps the group waiting, as it must.
//!
//! Case by case beside asyncio and trio, with the test that shows each:
//! [asyncio](https://docs.rs/pirn-group/latest/pirn_group/asyncio/index.html), or `docs/asyncio.md`; limits
//! in time and cancel scopes in [scopes](https://docs.rs/pirn-group/latest/pirn_group/scopes/index.html), or
//! `docs/scopes.md`.
//!
//! # Combinators
//!
//! Several futures in the task that awaits them: nothing is spawned, so they may borrow, need be neither
//! `Send` nor `'static`, and need no particular executor. Each has a cancel scope of its own, made when it
//! asks for one; each is polled only when it was woken, and one that sleeps costs nothing, but for the
//! members of a `gather` or `join` of a tuple, which share the task's waker. None of these returns before
//! what it cancelled has ended, clean-up included.
//!
//! | to | take |
//! |---|---|
//! | have all values, in order | `gather`; of what cannot fail, `join` |
//! | have every outcome, failures too | `gather_results` |
//! | have the first value, whatever it is | `race` |
//! | have the first success | `first_ok`; with a head start for each, `staggered_race` |
//! | wait for some, and go on with the rest | `WaitSet` and `wait` |
//! | have each outcome as it comes | `as_completed` |
//! | work on many items, so many at once | `for_each_limit`; with a body that takes the results, `map_limit` |
//! | spawn more as they come, all in this task, borrowing from it | `group_in_task` |
//! | run each as a task, on all threads | `GroupBuilder::gather`, or a group |
//!
//! They take a tuple of up to twelve different futures, an array, a vector or an iterator. Between two waits
//! the members of a `WaitSet` or of `as_completed` stand still; what `map_limit` runs goes on beside its body.
//! `docs/combinators.md` compares them with asyncio's, case by case.
//!
//! **What if one is dropped half-way**, by a `timeout` around it, say? Its futures are dropped with it. Of
//! what had ended by then and was not given:
//!
//! | | `gather`, `join`, `for_each_limit` | `first_ok`, `staggered_race` | `race` | `gather_results`, `WaitSet`, `as_completed`, `map_limit` |
//! |---|---|---|---|---|
//! | a panic | reported | reported | reported | reported |
//! | an error | reported | reported; dropped once one has won | a value | a value |
//! | a value | dropped | dropped | dropped | dropped |
//!
//! Reports go to `pirn_core::report`, as those of a group do whose future is dropped. Where any output is a
//! result, a `Result` is a value as any other. Values and futures are dropped one by one: if the destructor
//! of one panics, that is reported, and keeps no other from it.

mod ambient;
#[cfg(doc)]
#[doc = include_str!("../docs/asyncio.md")]
pub mod asyncio {}
mod branches;
mod catch;
mod error;
mod gather;
mod group;
mod known;
mod limited;
mod race;
#[cfg(doc)]
#[doc = include_str!("../docs/scopes.md")]
pub mod scopes {}
mod several;
pub mod stream;
mod tally;
mod token;
mod untaken;
mod wait;

pub use ambient::Ambient;
pub use error::{BoxedError, ChildError, Failure, GroupError};
pub use gather::{Gather, GatherResults, gather, gather_results, join};
pub use group::{
    Child, Collector, GroupBuilder, InTask, InTaskLocal, OwnedGroup, StartError, Started,
    TaskGroup, Within, group, group_in_task,
};
pub use limited::{ForEachLimit, Items, MapLimit, Results, for_each_limit, map_limit};
pub use race::{FirstOk, Race, StaggeredRace, first_ok, race, staggered_race};
pub use several::{Several, form};
pub use token::{CancelGuard, CancelToken};
pub use wait::{AsCompleted, Done, WaitSet, When, as_completed, wait};
