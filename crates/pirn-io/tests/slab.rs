//! The slab against a map that never uses a key twice.
#![cfg(not(loom))]

use pirn_io::reactor::slab::Slab;
use std::collections::HashMap;

#[test]
fn keys_find_their_own_value_and_old_keys_find_nothing() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut slab = Slab::new();
    let mut naive: HashMap<usize, u32> = HashMap::new();
    let mut old = Vec::new();
    for value in 0..20_000 {
        if random.usize(0..20) < 11 {
            let key = slab.insert(value).unwrap();
            assert_eq!(naive.insert(key, value), None, "a key was given twice");
        } else if let Some(&key) = naive.keys().next() {
            assert_eq!(slab.remove(key), naive.remove(&key));
            old.push(key);
        }
        assert_eq!(slab.len(), naive.len());
    }
    assert!(old.len() > 1000);
    for key in old {
        assert_eq!(slab.get(key), None);
        assert_eq!(slab.remove(key), None);
    }
    for (key, value) in &naive {
        assert_eq!(slab.get(*key), Some(value));
    }
    assert_eq!(slab.drain().count(), naive.len());
    assert!(slab.is_empty());
}
