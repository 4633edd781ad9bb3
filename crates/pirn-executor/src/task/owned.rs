//! The set of tasks that a scheduler owns: a slab of pointers.

use super::{OwnedTask, TaskRef};

/// Marks a task that is in no set.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// A slab: a task knows its slot, so that it is taken out without a search.
///
/// A scheduler may have several, which share the numbers: each has those that leave its own
/// `offset` when divided by their `count`.
pub(crate) struct Owned {
    slots: Vec<Slot>,
    offset: u32,
    count: u32,
    /// The first vacant slot, or `slots.len()`.
    vacant: u32,
    len: usize,
}

enum Slot {
    Task(OwnedTask),
    Vacant { next: u32 },
}

impl Default for Owned {
    fn default() -> Self {
        Owned::share(0, 1)
    }
}

impl Owned {
    /// One of `count` sets that share the numbers.
    pub(crate) fn share(offset: usize, count: usize) -> Self {
        Owned {
            slots: Vec::new(),
            offset: offset as u32,
            count: count as u32,
            vacant: 0,
            len: 0,
        }
    }

    /// Which of `count` sets a slot belongs to.
    pub(crate) fn share_of(slot: u32, count: usize) -> usize {
        slot as usize % count
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes a task in and tells it its slot. Gives it back if the set is full.
    pub(crate) fn insert(&mut self, task: OwnedTask) -> Result<(), OwnedTask> {
        if self.is_full() {
            return Err(task);
        }
        let slot = self.vacant;
        task.set_slot(slot * self.count + self.offset);
        match self.slots.get_mut(slot as usize) {
            Some(place) => {
                if let Slot::Vacant { next } = *place {
                    self.vacant = next;
                }
                *place = Slot::Task(task);
            }
            None => {
                self.slots.push(Slot::Task(task));
                self.vacant = self.slots.len() as u32;
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the task out of `slot`, if it is still there.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<OwnedTask> {
        let slot = slot / self.count;
        let place = self.slots.get_mut(slot as usize)?;
        let next = self.vacant;
        match std::mem::replace(place, Slot::Vacant { next }) {
            Slot::Task(task) => {
                self.vacant = slot;
                self.len -= 1;
                Some(task)
            }
            vacant => {
                *place = vacant;
                None
            }
        }
    }

    /// Takes any task out.
    pub(crate) fn pop(&mut self) -> Option<OwnedTask> {
        if self.len == 0 {
            *self = Owned::share(self.offset as usize, self.count as usize);
            return None;
        }
        // Only on the way out, when nothing is inserted any more: what lies behind the last task is
        // forgotten, so that emptying the set is linear. Until it is empty, `insert` refuses.
        self.vacant = NO_SLOT;
        while let Some(slot) = self.slots.pop() {
            if let Slot::Task(task) = slot {
                self.len -= 1;
                return Some(task);
            }
        }
        None
    }

    /// True if no task can be taken in.
    pub(crate) fn is_full(&self) -> bool {
        self.vacant >= NO_SLOT / self.count
    }

    /// References to all tasks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskRef> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Task(task) => Some(task.share()),
            Slot::Vacant { .. } => None,
        })
    }
}
