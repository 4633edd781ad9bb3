//! Which task is next.

use crate::task::{Runnable, TaskId};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// Which of the tasks that are ready runs next.
///
/// # Examples
///
/// ```
/// use pirn_executor::{LocalExecutor, Order};
/// use std::{cell::RefCell, rc::Rc};
///
/// let run = |order| {
///     let executor = LocalExecutor::with_order(order);
///     let ran = Rc::new(RefCell::new(Vec::new()));
///     for i in 0..6 {
///         let ran = ran.clone();
///         executor.spawn(async move { ran.borrow_mut().push(i) }).detach();
///     }
///     while executor.try_tick() {}
///     ran.take()
/// };
/// assert_eq!(run(Order::Fifo), [0, 1, 2, 3, 4, 5]);
/// assert_eq!(run(Order::Seeded(7)), run(Order::Seeded(7)));
/// assert!((0..20).any(|seed| run(Order::Seeded(seed)) != run(Order::Fifo)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The one that has been ready for longest.
    #[default]
    Fifo,
    /// Any of them, by a sequence of random numbers that this seed determines: for simulation.
    Seeded(u64),
    /// The one of the highest rank. A task gets a random rank when it is first ready, and one that runs
    /// gets another now and then: for simulation. The seed determines all of it.
    ///
    /// One task may run long before another has its first turn, which hardly ever occurs where any
    /// task may be next. So this finds what goes wrong only if somebody is very late, as does the
    /// *probabilistic concurrency testing* of Burckhardt and others, from which it is taken (ASPLOS
    /// 2010).
    Ranked(u64),
    /// The order in which so many workers might poll them, each of which has a queue of its own and
    /// steals from the others when that is empty: for simulation, on one thread. The seed determines
    /// whose turn it is, whom it steals from, and which woken task goes before the others.
    ///
    /// A worker may be far behind another one, while each of their queues keeps its order: that
    /// hardly ever occurs where any task may be next.
    Stealing {
        /// What the random numbers begin with.
        seed: u64,
        /// How many workers; none counts as one.
        workers: usize,
    },
}

/// How the next task is chosen.
pub(super) enum Chooser {
    Fifo,
    Seeded(Random),
    Ranked(Ranks),
    Stealing(Crew),
}

impl Chooser {
    pub(super) fn new(order: Order) -> Self {
        match order {
            Order::Fifo => Chooser::Fifo,
            Order::Seeded(seed) => Chooser::Seeded(Random(seed)),
            Order::Ranked(seed) => Chooser::Ranked(Ranks::new(Random(seed))),
            Order::Stealing { seed, workers } => Chooser::Stealing(Crew {
                random: Random(seed),
                queues: (0..workers.max(1)).map(|_| VecDeque::new()).collect(),
                now: 0,
            }),
        }
    }

    /// Takes the next task, out of those in `queue` and those that were taken over from there.
    #[inline]
    pub(super) fn next(&mut self, queue: &mut VecDeque<Runnable>) -> Option<Runnable> {
        match self {
            Chooser::Fifo => queue.pop_front(),
            other => other.choose(queue),
        }
    }

    #[cold]
    #[inline(never)]
    fn choose(&mut self, queue: &mut VecDeque<Runnable>) -> Option<Runnable> {
        match self {
            Chooser::Fifo => queue.pop_front(),
            Chooser::Seeded(random) => {
                let index = random.below(queue.len());
                queue.swap_remove_back(index)
            }
            Chooser::Ranked(ranks) => ranks.next(queue),
            Chooser::Stealing(crew) => crew.next(queue),
        }
    }

    /// Takes the next task out of `lane`.
    pub(super) fn take(&mut self, lane: &mut VecDeque<Runnable>) -> Option<Runnable> {
        let random = match self {
            Chooser::Fifo => return lane.pop_front(),
            Chooser::Seeded(random) => random,
            Chooser::Ranked(ranks) => return ranks.next(lane),
            Chooser::Stealing(crew) => &mut crew.random,
        };
        let index = random.below(lane.len());
        lane.swap_remove_back(index)
    }

    /// How many tasks were taken over.
    pub(super) fn held(&self) -> usize {
        match self {
            Chooser::Fifo | Chooser::Seeded(_) | Chooser::Ranked(_) => 0,
            Chooser::Stealing(crew) => crew.queues.iter().map(VecDeque::len).sum(),
        }
    }

    /// Gives those up.
    pub(super) fn take_held(&mut self) -> Vec<Runnable> {
        match self {
            Chooser::Fifo | Chooser::Seeded(_) | Chooser::Ranked(_) => Vec::new(),
            Chooser::Stealing(crew) => crew.queues.iter_mut().flat_map(mem::take).collect(),
        }
    }
}

/// The tasks' ranks.
pub(super) struct Ranks {
    random: Random,
    ranks: BTreeMap<TaskId, usize>,
    /// One poll in so many gives the task that is polled another rank.
    change: usize,
}

/// How many ranks are remembered at most. (Those of tasks that have ended are among them; once in
/// a while all are drawn anew.)
const RANKS: usize = 1 << 12;

impl Ranks {
    fn new(mut random: Random) -> Self {
        let change = [2, 8, 32, 128][random.below(4)];
        Ranks {
            random,
            ranks: BTreeMap::new(),
            change,
        }
    }

    fn next(&mut self, queue: &mut VecDeque<Runnable>) -> Option<Runnable> {
        if self.ranks.len() > RANKS {
            self.ranks.clear();
        }
        let Ranks { random, ranks, .. } = self;
        let mut draw = || random.below(usize::MAX);
        let ranked = queue
            .iter()
            .map(|task| *ranks.entry(task.id()).or_insert_with(&mut draw));
        let (first, _) = ranked.enumerate().max_by_key(|(_, rank)| *rank)?;
        let task = queue.remove(first)?;
        if random.below(self.change) == 0 {
            ranks.insert(task.id(), random.below(usize::MAX));
        }
        Some(task)
    }
}

/// The simulated workers.
pub(super) struct Crew {
    random: Random,
    queues: Vec<VecDeque<Runnable>>,
    /// Whose turn it is: what is woken meanwhile comes into its queue.
    now: usize,
}

impl Crew {
    fn next(&mut self, arrived: &mut VecDeque<Runnable>) -> Option<Runnable> {
        for task in arrived.drain(..) {
            // Some are run before what is in the queue, as by a worker that runs what it woke last.
            match self.random.below(4) {
                0 => self.queues[self.now].push_front(task),
                _ => self.queues[self.now].push_back(task),
            }
        }
        if self.queues.iter().all(VecDeque::is_empty) {
            return None;
        }
        // A worker goes on for a while before the others come to their turn.
        if self.random.below(2) == 0 {
            self.now = self.random.below(self.queues.len());
        }
        if self.queues[self.now].is_empty() {
            self.steal();
        }
        self.queues[self.now].pop_front()
    }

    /// Moves the older half of another queue, rounded up, to that of the worker whose turn it is.
    /// There is one.
    fn steal(&mut self) {
        let full = self.queues.iter().filter(|queue| !queue.is_empty());
        let victim = self.random.below(full.count());
        let mut full = self.queues.iter_mut().filter(|queue| !queue.is_empty());
        if let Some(victim) = full.nth(victim) {
            let half = victim.len().div_ceil(2);
            self.queues[self.now] = victim.drain(..half).collect();
        }
    }
}

/// SplitMix64: written out here, so that a seed means the same schedule for ever.
pub(super) struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }
}
