//! What the conformance kit finds in the primitives of others, as of the versions that the lock file
//! names: which properties hold, and which do not. `docs/conformance.md` has the table.
#![cfg(not(loom))]

use pirn_sim::conformance::{Exam, Property, Rules, Subject};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

mod async_locks;
mod tokios;

/// Which properties do not hold. Whether all are served in their order is looked at apart, so that it
/// hides nothing else.
fn lacks<S: Subject>(name: &str, rules: Rules, make: impl Fn() -> S) -> Vec<Property> {
    let exam = Exam::new(name, rules);
    let in_order = exam.clone().shallower(1).seeds(300).run(&make);
    let rest = exam.without(Property::InOrder, "looked at apart");
    let rest = rest.run(&make);
    let is_lacking = |property: &Property| match property {
        Property::InOrder => !in_order.holds(Property::InOrder),
        other => !rest.holds(*other),
    };
    let lacking: Vec<_> = Property::ALL.into_iter().filter(is_lacking).collect();
    // Seen where a test fails.
    println!("{name}: {lacking:?}");
    for failure in rest.failures().chain(in_order.failures()) {
        println!("{failure}");
    }
    lacking
}

const ALL_HOLD: [Property; 0] = [];

fn poll_now<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What is given back by a step of a script.
type Outside<G> = RefCell<Option<G>>;

/// A guard of either kind.
enum Side<R, W> {
    Read(R),
    Write(W),
}

/// How many readers there can be, in the rules.
const READERS: usize = 16;

fn some_write(who: usize) -> usize {
    if who % 2 == 0 { READERS } else { 1 }
}

/// A writer is in, and writers and readers wait in turn.
fn writers_and_readers() -> Rules {
    Rules::permits(1).gives(READERS).takes(some_write)
}

/// Two, one, three, and again.
fn sizes(who: usize) -> usize {
    [2, 1, 3][who % 3]
}

/// How many meet at a barrier.
const PARTIES: usize = 12;

const LEFT_COUNTS: &str = "all went on before all had come: one who left counts";

trait Meeting {
    fn meet(&self) -> impl Future<Output = ()>;
}

/// A barrier of which nothing can be seen from outside: those who wait are counted here.
struct ByBarrier<B> {
    barrier: B,
    /// How often all have come, and how many wait for the next time.
    waiting: Cell<(usize, usize)>,
}

impl<B: Meeting> ByBarrier<B> {
    fn of(barrier: B) -> Self {
        let waiting = Cell::new((0, 0));
        ByBarrier { barrier, waiting }
    }
}

/// One who waits, as long as it does.
struct Counted<'a>(&'a Cell<(usize, usize)>, usize);

impl<'a> Counted<'a> {
    fn new(waiting: &'a Cell<(usize, usize)>) -> Self {
        let (times, count) = waiting.get();
        waiting.set((times, count + 1));
        Counted(waiting, times)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let (times, count) = self.0.get();
        if times == self.1 {
            self.0.set((times, count - 1));
        }
    }
}

impl<B: Meeting> Subject for ByBarrier<B> {
    type Held<'a>
        = ()
    where
        B: 'a;

    async fn wait(&self, _: usize) {
        let _counted = Counted::new(&self.waiting);
        self.barrier.meet().await;
    }

    fn serve(&self, _: usize) {
        // As many come as are missing, who left not being there.
        let (times, count) = self.waiting.get();
        let mut comers: Vec<_> = (count..PARTIES)
            .map(|_| Box::pin(self.barrier.meet()))
            .collect();
        let mut last = comers.pop().unwrap();
        for comer in &mut comers {
            let early = poll_now(comer.as_mut()).is_ready();
            assert!(!early, "{LEFT_COUNTS}");
        }
        assert!(poll_now(last.as_mut()).is_ready());
        self.waiting.set((times + 1, 0));
    }
}
