//! Tests of async programs that take no time, come out the same each time, and look for the schedule that breaks them. A program runs on one thread under a virtual clock: when nothing is ready, time jumps to the next timer. A seed decides who runs next. What fails comes with its seed, the last of its trace, and one line that runs it again.
//!
//! ```
//! use pirn_sim::check;
//! use pirn_sync::Queue;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! // Under a thousand schedules, some with several workers. Each takes an hour, of no time.
//! check(1000, || async {
//!     let queue = Arc::new(Queue::bounded(1));
//!     let puts = queue.clone();
//!     let putter = pirn_executor::spawn(async move {
//!         for n in 0..3 {
//!             pirn_timer::sleep(Duration::from_secs(1200)).await;
//!             puts.put(n).await.unwrap();
//!         }
//!     });
//!     let late = pirn_timer::timeout(Duration::from_secs(1199), queue.get()).await;
//!     assert!(late.is_err());
//!     for n in 0..3 {
//!         assert_eq!(queue.get().await, Ok(n));
//!     }
//!     putter.await.unwrap();
//!     assert_eq!(pirn_timer::now().as_nanos(), 3_600_000_000_000);
//! });
//! ```
//!
//! With the facade and its feature `test` it is an attribute: `#[pirn::test]`, `#[pirn::test(seeds = 1000)]`, and `pirn::sim` is this crate. The program is the one that ships: `pirn::spawn`, `sleep`, `timeout`, groups, locks, queues, `to_thread` and `call_soon` find the simulation around them.
//!
//! # What a failure looks like
//!
//! ```text
//! pirn-sim: it fails under seed 17 (2 workers); the last of its trace:
//!     …
//!     1.500000000 clock      jumps from 0.000000000
//!     1.500000000 #1 left    woken by the clock
//!     1.500000000 #1 left    poll
//!     1.500000000 main       panicked
//! pirn-sim: to run it alone: PIRN_SEED=17 cargo test -p yours two_workers_share_a_connection -- --exact
//! ```
//!
//! A run that cannot go on is a failure too, and says who waits for what:
//!
//! ```text
//! deadlock: nothing is ready, no timer is left, and 3 tasks have not ended; …
//!   main waits for the end of #1 left; polled 1 times, at 0.000000000 s last
//!   #1 left waits for `lock` 1; spawned at src/lib.rs:12:9; polled 2 times, at 1.500000000 s last, woken by the clock
//!   #2 right waits for `lock` 2; spawned at src/lib.rs:13:9; …
//! ```
//!
//! A task that only forgot to have itself woken is told apart: it "goes on if it is polled, but nobody
//! wakes it". So is a part of one, in a `gather` say, beside others that wait.
//!
//! # What you can say
//!
//! | | by default | else |
//! |---|---|---|
//! | order | tasks run in the order in which they became ready | [`Sim::seed`]: any ready one next; [`Sim::ranked`]: some are very late; [`Sim::workers`]: so many workers that steal from each other; [`check`] and `seeds = N`: all of them in turn |
//! | clock | jumps when nothing is ready | [`Sim::paused`], [`pause`]: stands still until [`advance`]; [`Sim::threshold`]: jumps after so much real rest |
//! | timers | fire exactly at their time | [`Sim::jitter`], `PIRN_JITTER=5ms`: up to so much late, as the seed says; finds races of durations |
//! | threads outside | are not waited for | [`hold`], [`Sim::hold`]: the clock waits while the [`Hold`] lives |
//! | closures for threads | run inline, in their turn | with a seed: after as many turns as it says, in any order; the clock never jumps before |
//! | sockets, files, processes, signals | are errors, which say what to use instead | streams in memory, such as [`lockstep_pair`]; what the text of the error names |
//! | how many schedules | as the test says | `PIRN_SEEDS=10000` |
//! | which one | all | `PIRN_SEED=17` |
//! | what is kept | the last 48 events before the end, and 16 after it | [`Sim::trace`], [`Sim::run_traced`]: all, byte for byte the same for the same seed |
//!
//! # For tests of interleavings
//!
//! - [`wait_all_blocked`] instead of "sleep for long enough": goes on when all others wait; with a cushion, when they have for so long.
//! - [`Sequencer`]: the steps of several tasks, in the order that you number them.
//! - [`assert_checkpoints`] and [`assert_no_checkpoints`]: whether a piece of code gives way.
//! - [`lockstep_pair`]: a connection without buffers, for protocols that rely on the other side's.
//! - [`random`]: numbers for the program itself, from the run's seed.
//!
//! # Cancelling whoever waits
//!
//! [`conformance`] is for whoever makes something that tasks wait on: a lock, a channel, a pool of
//! connections. It runs one operation through thousands of scripts in which waiters are dropped at every
//! moment, before and after they were woken, and says whether a permit, an item or a wake was lost, whether
//! the others go on, and whether a task can wait for ever for what it was given already. It needs no
//! executor and takes a fraction of a second.
//!
//! ```
//! use pirn_sim::conformance::{Exam, Rules, Subject};
//! use pirn_sync::Event;
//!
//! struct Signal(Event);
//!
//! impl Subject for Signal {
//!     type Held<'a> = ();
//!     async fn wait(&self, _: usize) {
//!         self.0.wait().await;
//!     }
//!     fn serve(&self, _: usize) {
//!         self.0.set();
//!     }
//! }
//!
//! let findings = Exam::new("Event::wait", Rules::gate()).seeds(100).run(|| Signal(Event::new()));
//! findings.assert();
//! assert!(findings.scripts() > 1000);
//! ```
//!
//! A failure comes with its steps in words and the script to [`replay`](conformance::Exam::replay). What it
//! finds in pirn-sync, async-lock and tokio is told in
//! [`docs/conformance.md`](https://docs.rs/crate/pirn-sim/latest/source/docs/conformance.md).
//!
//! # A network in memory
//!
//! [`net`] has hosts by name, which listen, connect and send datagrams; its streams have the traits of
//! `futures-io`, as pirn-io's. Latency, loss, bandwidth and buffers are set for all hosts or for two of them;
//! hosts can be parted and joined again, and connections reset, while a program runs. So a server and its
//! clients run in one test, at no cost in time, and in the same way for the same seed.
//!
//! ```
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use pirn_sim::{Sim, net::{Conditions, Network}};
//! use std::time::Duration;
//!
//! let elapsed = Sim::new().run(async {
//!     let network = Network::new(7);
//!     let second = Duration::from_secs(1);
//!     network.set_conditions(Conditions::new().latency(second..=second));
//!     let listener = network.host("mars").listen(80)?;
//!     let mut here = network.host("earth").connect(("mars", 80)).await?;
//!     let (mut there, _) = listener.accept().await?;
//!     here.write_all(b"hello").await?;
//!     here.close().await?;
//!     let mut heard = String::new();
//!     there.read_to_string(&mut heard).await?;
//!     assert_eq!(heard, "hello");
//!     std::io::Result::Ok(pirn_timer::now().as_nanos())
//! });
//! assert_eq!(elapsed.unwrap(), 3_000_000_000);
//! ```
//!
//! A [`Host`](net::Host) is all that a `pirn_http` session needs to go over it: `connect_with` takes whatever
//! connects.
//!
//! # What is not the same each time
//!
//! The seed governs pirn's scheduler, clock, closures for threads and [`random`]. It does not govern
//!
//! - `HashMap` and `HashSet` of the standard library, whose order differs from one process to the next: iterate over a `BTreeMap`, or give them a hasher without random keys;
//! - other threads, even with a [`Hold`]: when they wake a task is not up to the seed; nor with a threshold;
//! - real clocks (`std::time`, and a `Sleep` that was made outside the run), random numbers of the system, addresses of memory, the environment;
//! - pools that the program starts itself, and `block_on`: they stop the one thread, and the simulation with it. A closure in `to_thread` that waits for a task hangs for the same reason.
//!
//! It is one thread: between two awaits a task is never interrupted (at one it may be, by a seed, also where it has nothing to wait for), so what goes wrong *inside* an atomic operation or a lock-free structure is not found here. loom finds that, for two or three threads; this is for whole programs, one interleaving per seed. Several workers are simulated as queues that take turns: they bring about orders, not data races.
//!
//! Closures take no virtual time, so a timeout around `to_thread` never fires before the closure has run. They find the clock and the spawner of the simulation around them, which on a thread of a real runtime's pool they would not.

#![forbid(unsafe_code)]

mod ambient;
mod blocked;
mod blocking;
mod book;
mod check;
mod checkpoints;
mod clock;
pub mod conformance;
mod deadlock;
mod event;
mod jitter;
mod lockstep;
pub mod net;
mod random;
mod sequencer;
mod sim;
mod trace;

pub use ambient::{advance, hold, pause, random, resume};
pub use blocked::{AllBlocked, wait_all_blocked};
pub use check::check;
pub use checkpoints::{assert_checkpoints, assert_no_checkpoints};
pub use clock::Hold;
pub use deadlock::{Deadlock, Waiting};
pub use lockstep::{LockstepStream, lockstep_pair};
pub use sequencer::{Sequencer, Step, Turn};
pub use sim::Sim;
pub use trace::Trace;
