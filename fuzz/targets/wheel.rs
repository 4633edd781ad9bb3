//! The timing wheel against a sorted map: `cargo +nightly fuzz run wheel`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pirn_timer::wheel::{Key, Wheel};
use std::collections::BTreeMap;

/// Reads operations from the fuzzer's bytes; at their end there are only zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// A tick: from the present on, the edge of a slot, or any at all.
    fn tick(&mut self, now: u64) -> u64 {
        let (kind, length) = (self.byte(), u64::from(self.byte()));
        let shift = u32::from(kind & 63);
        match kind >> 6 {
            0 => now.saturating_add(length << (shift & 31)),
            1 => (now >> shift).wrapping_add(1) << shift,
            2 => now.saturating_sub(length),
            _ => u64::MAX >> shift,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut wheel = Wheel::new();
    let mut keys: Vec<(Key, (u64, u32))> = Vec::new();
    let mut model = BTreeMap::new();
    let (mut now, mut number) = (0, 0u32);
    while !bytes.0.is_empty() {
        let op = bytes.byte();
        number += 1;
        match op % 5 {
            0 | 1 => {
                let at = bytes.tick(now);
                keys.push((wheel.insert(at, number), (at.max(now), number)));
                model.insert((at.max(now), number), number);
            }
            2 if !keys.is_empty() => {
                let (key, place) = keys[usize::from(bytes.byte()) % keys.len()];
                assert_eq!(wheel.remove(key), model.remove(&place));
            }
            3 if !keys.is_empty() => {
                let which = usize::from(bytes.byte()) % keys.len();
                let (key, place) = &mut keys[which];
                let at = bytes.tick(now);
                let item = model.remove(place);
                assert_eq!(wheel.reset(*key, at), item.is_some());
                if let Some(item) = item {
                    *place = (at.max(now), number);
                    model.insert(*place, item);
                }
            }
            _ => {
                let to = bytes.tick(now).max(now);
                loop {
                    let expected = model.first_entry().filter(|first| first.key().0 <= to);
                    let expected = expected.map(|first| first.remove_entry());
                    now = expected.map_or(to, |((at, _), _)| at);
                    assert_eq!(wheel.pop_expired(to), expected.map(|(_, item)| item));
                    assert_eq!(wheel.now(), now);
                    if expected.is_none() || op & 0x80 != 0 {
                        break;
                    }
                }
            }
        }
        let next = model.first_key_value().map(|(&(at, _), _)| at);
        assert_eq!(wheel.len(), model.len());
        assert_eq!(wheel.next_deadline(), next);
        assert!(wheel.next_turn() <= next);
    }
});
