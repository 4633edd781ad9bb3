//! The set of tasks that a scheduler owns: a slab of pointers.

use super::{OwnedTask, TaskRef};
use crate::pool::Word;
use std::mem::ManuallyDrop;
use std::ptr;

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

/// One word: the pointer of a task, or twice the next vacant slot plus one.
struct Slot(*mut ());

impl Slot {
    fn task(task: OwnedTask) -> Slot {
        Slot(task.into_word())
    }

    fn vacant(next: u32) -> Slot {
        Slot(ptr::without_provenance_mut(next as usize * 2 + 1))
    }

    /// The next vacant slot, if this is one.
    fn next(&self) -> Option<u32> {
        let word = self.0.addr();
        (word % 2 == 1).then_some((word / 2) as u32)
    }

    /// The task, if this holds one; it stays the slot's.
    fn get(&self) -> Option<ManuallyDrop<OwnedTask>> {
        // SAFETY: it is even, so `task` made it of a task, and it is not dropped here.
        let task = || ManuallyDrop::new(unsafe { OwnedTask::from_word(self.0) });
        self.next().is_none().then(task)
    }
}

// SAFETY: it is a task, or nothing.
unsafe impl Send for Slot where OwnedTask: Send {}

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
                self.vacant = place
                    .next()
                    .expect("the list of vacant slots holds no task");
                *place = Slot::task(task);
            }
            None => {
                self.slots.push(Slot::task(task));
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
        let task = place.get()?;
        *place = Slot::vacant(self.vacant);
        self.vacant = slot;
        self.len -= 1;
        Some(ManuallyDrop::into_inner(task))
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
            if let Some(task) = slot.get() {
                self.len -= 1;
                return Some(ManuallyDrop::into_inner(task));
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
        self.slots
            .iter()
            .filter_map(|slot| Some(slot.get()?.share()))
    }
}
