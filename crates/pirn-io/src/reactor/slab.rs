//! Sources by number.
//!
//! A key is an index and the index's generation, packed into the word that the system hands back
//! with each event. An event that was collected before its source left, and is looked up after
//! another took the index, has the old generation and finds nothing. (Generations wrap after 2^32
//! owners of one index; a mistaken edge would only cost a try that finds nothing.)

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// Values under keys that are never mistaken for one another.
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<usize>,
}

struct Entry<T> {
    generation: usize,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab::new()
    }
}

impl<T> Slab<T> {
    /// Empty.
    pub const fn new() -> Self {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// True if it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Takes a value in and gives its key, or the value back if there is no room.
    ///
    /// # Errors
    ///
    /// The value, if all indices are taken.
    pub fn insert(&mut self, value: T) -> Result<usize, T> {
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

    /// The value under a key, if it is there still.
    pub fn get(&self, key: usize) -> Option<&T> {
        let entry = self.entries.get(key & INDEX_MASK)?;
        if entry.generation != key >> INDEX_BITS {
            return None;
        }
        entry.value.as_ref()
    }

    /// Takes the value under a key out.
    pub fn remove(&mut self, key: usize) -> Option<T> {
        self.get(key)?;
        let index = key & INDEX_MASK;
        let entry = &mut self.entries[index];
        entry.generation = entry.generation.wrapping_add(1) & INDEX_MASK;
        self.free.push(index);
        entry.value.take()
    }

    /// Takes all values out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.free.clear();
        self.entries.drain(..).filter_map(|entry| entry.value)
    }
}
