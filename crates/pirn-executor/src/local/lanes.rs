//! The lanes of a current-thread executor.

use super::order::Chooser;
use crate::priority::{Lane, Turns, Waiting};
use crate::task::Runnable;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Two queues, of the tasks that are more or less urgent than others.
#[derive(Default)]
pub(super) struct Lanes {
    /// How many tasks there are in both.
    waiting: Cell<usize>,
    high: RefCell<VecDeque<Runnable>>,
    low: RefCell<VecDeque<Runnable>>,
    turns: Turns,
}

impl Lanes {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.get() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.get()
    }

    pub(super) fn push(&self, lane: Lane, task: Runnable) {
        self.of(lane).borrow_mut().push_back(task);
        self.waiting.set(self.waiting.get() + 1);
    }

    /// Takes the next task of the lane that has its turn, if one has.
    #[cold]
    pub(super) fn take_first(&self, chooser: &mut Chooser) -> Option<Runnable> {
        let waiting = Waiting {
            high: self.high.borrow().len(),
            low: self.low.borrow().len(),
        };
        let lane = self.turns.whose(waiting)?;
        self.take(lane, chooser)
    }

    /// Takes the next task there is, since there are no others.
    #[cold]
    pub(super) fn take_any(&self, chooser: &mut Chooser) -> Option<Runnable> {
        self.take(Lane::High, chooser)
            .or_else(|| self.take(Lane::Low, chooser))
    }

    fn take(&self, lane: Lane, chooser: &mut Chooser) -> Option<Runnable> {
        let task = chooser.take(&mut self.of(lane).borrow_mut())?;
        self.waiting.set(self.waiting.get() - 1);
        self.turns.took(lane);
        Some(task)
    }

    /// Takes everything.
    pub(super) fn clear(&self) -> [VecDeque<Runnable>; 2] {
        self.waiting.set(0);
        [self.high.take(), self.low.take()]
    }

    fn of(&self, lane: Lane) -> &RefCell<VecDeque<Runnable>> {
        match lane {
            Lane::High => &self.high,
            Lane::Low => &self.low,
        }
    }
}
