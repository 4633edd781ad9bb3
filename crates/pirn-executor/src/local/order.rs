//! Which task is next.

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
}

/// How the next task is chosen.
pub(super) enum Chooser {
    Fifo,
    Seeded(Random),
}

impl Chooser {
    pub(super) fn new(order: Order) -> Self {
        match order {
            Order::Fifo => Chooser::Fifo,
            Order::Seeded(seed) => Chooser::Seeded(Random(seed)),
        }
    }
}

/// SplitMix64: written out here, so that a seed means the same schedule for ever.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }
}
