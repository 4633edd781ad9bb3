//! Sources by number.
//!
//! A key is an index and the index's generation, packed into the word that the system hands back
//! with each event. An event that was collected before its source left, and is looked up after
//! another took the index, has the old generation and finds nothing.

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// Values under keys that are never mistaken for one another.
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<usize>,
}

struct Entry<T> {
    generation: usize,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// The new key, or the value if there is no room.
    pub(super) fn insert(&mut self, value: T) -> Result<usize, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            // The last index of the last generation would be the waker's token.
            None if self.entries.len() >= INDEX_MASK => return Err(value),
            None => {
                self.entries.push(Entry {
                    generation: 0,
                    value: None,
                });
                self.entries.len() - 1
            }
        };
        let entry = &mut self.entries[index];
        entry.value = Some(value);
        Ok(entry.generation << INDEX_BITS | index)
    }

    pub(super) fn get(&self, key: usize) -> Option<&T> {
        let entry = self.entries.get(key & INDEX_MASK)?;
        if entry.generation != key >> INDEX_BITS {
            return None;
        }
        entry.value.as_ref()
    }

    pub(super) fn remove(&mut self, key: usize) -> Option<T> {
        self.get(key)?;
        let index = key & INDEX_MASK;
        let entry = &mut self.entries[index];
        entry.generation = entry.generation.wrapping_add(1) & INDEX_MASK;
        self.free.push(index);
        entry.value.take()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.free.clear();
        self.entries.drain(..).filter_map(|entry| entry.value)
    }
}
