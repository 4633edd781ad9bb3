//! A small slab: values at stable keys, freed keys reused.

use std::vec::Vec;

/// How many entries it keeps when it becomes empty.
const KEPT: usize = 4;

/// Values at keys that stay until removed. Gives its memory back when it becomes empty, unless it
/// is little.
pub(super) struct Slots<T> {
    entries: Vec<Entry<T>>,
    /// First free key, `entries.len()` if there is none below.
    free: usize,
    len: usize,
}

enum Entry<T> {
    Full(T),
    /// The next free key.
    Free(usize),
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Slots {
            entries: Vec::new(),
            free: 0,
            len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One past the largest key in use.
    pub(super) fn end(&self) -> usize {
        self.entries.len()
    }

    /// The key that the next `insert` will give.
    pub(super) fn next_key(&self) -> usize {
        self.free
    }

    pub(super) fn insert(&mut self, value: T) -> usize {
        let key = self.free;
        match self.entries.get_mut(key) {
            Some(entry) => {
                if let Entry::Free(next) = *entry {
                    self.free = next;
                }
                *entry = Entry::Full(value);
            }
            None => {
                self.entries.push(Entry::Full(value));
                self.free = self.entries.len();
            }
        }
        self.len += 1;
        key
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        match self.entries.get_mut(key) {
            Some(Entry::Full(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, key: usize) -> Option<T> {
        let entry = self.entries.get_mut(key)?;
        if matches!(entry, Entry::Free(_)) {
            return None;
        }
        let Entry::Full(value) = std::mem::replace(entry, Entry::Free(self.free)) else {
            return None;
        };
        self.free = key;
        self.len -= 1;
        if self.len == 0 && self.entries.capacity() > KEPT {
            *self = Slots::new();
        }
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Full(value) => Some(value),
            Entry::Free(_) => None,
        })
    }
}
