//! The wheel against what it promises, and against a naive model.
#![cfg(not(loom))]

use pirn_timer::wheel::{Key, Tick, Wheel};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

fn drain<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
    std::iter::from_fn(|| wheel.pop_expired(now)).collect()
}

#[test]
fn timers_expire_in_the_order_of_their_deadlines() {
    let mut wheel = Wheel::new();
    for at in [70, 5, 4096, 64, 0, 63, 300_000] {
        wheel.insert(at, at);
    }
    assert_eq!(drain(&mut wheel, 64), [0, 5, 63, 64]);
    assert_eq!(drain(&mut wheel, u64::MAX), [70, 4096, 300_000]);
    assert!(wheel.is_empty());
}

#[test]
fn equal_deadlines_expire_in_the_order_of_insertion_across_cascades() {
    let mut wheel = Wheel::new();
    let at = 64 * 64 * 5 + 64 * 7 + 9;
    for (n, early) in [0, 64 * 64 * 5, 64 * 64 * 5 + 64 * 7, at - 1]
        .into_iter()
        .enumerate()
    {
        assert_eq!(wheel.pop_expired(early), None);
        wheel.insert(at, 2 * n);
        wheel.insert(at, 2 * n + 1);
    }
    assert_eq!(drain(&mut wheel, at), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_timer_never_expires_before_its_deadline() {
    let mut wheel = Wheel::new();
    for at in 0..5000u64 {
        wheel.insert(at * 37, at * 37);
    }
    for now in (0..5000 * 37).step_by(11) {
        for at in drain(&mut wheel, now) {
            assert!(at <= now && at + 11 > now, "{at} expired at {now}");
        }
    }
}

#[test]
fn a_removed_timer_does_not_expire_and_its_key_finds_nothing() {
    let mut wheel = Wheel::new();
    let first = wheel.insert(10, "first");
    let second = wheel.insert(10, "second");
    assert_eq!(wheel.remove(first), Some("first"));
    assert_eq!(wheel.remove(first), None);
    let third = wheel.insert(10, "third");
    assert_eq!(wheel.get_mut(first), None);
    assert_eq!(wheel.get_mut(third), Some(&mut "third"));
    assert_eq!(drain(&mut wheel, 10), ["second", "third"]);
    assert_eq!(wheel.remove(second), None);
}

#[test]
fn a_timer_that_is_reset_keeps_its_key_and_goes_behind_its_equals() {
    let mut wheel = Wheel::new();
    let moved = wheel.insert(10, "moved");
    wheel.insert(500, "there before");
    assert!(wheel.reset(moved, 500));
    assert_eq!(wheel.deadline(moved), Some(500));
    assert_eq!(drain(&mut wheel, 499), [""; 0]);
    assert!(wheel.reset(moved, 500), "to where it is");
    wheel.insert(500, "there after");
    assert!(wheel.reset(moved, 3), "to before the present");
    assert_eq!(wheel.deadline(moved), Some(499));
    assert_eq!(drain(&mut wheel, 499), ["moved"]);
    assert!(!wheel.reset(moved, 1000));
    assert_eq!(wheel.deadline(moved), None);
    assert_eq!(drain(&mut wheel, 500), ["there before", "there after"]);
}

#[test]
fn a_wheel_that_was_cleared_is_as_new_but_for_its_time() {
    let mut wheel = Wheel::new();
    assert_eq!(wheel.pop_expired(77), None);
    let keys: Vec<Key> = (0..100u64).map(|n| wheel.insert(n * n * n, n)).collect();
    wheel.clear();
    assert!(wheel.is_empty());
    assert_eq!((wheel.now(), wheel.next_turn()), (77, None));
    assert!(keys.iter().all(|&key| wheel.remove(key).is_none()));
    wheel.insert(80, 1);
    assert_eq!(drain(&mut wheel, 80), [1]);
}

#[test]
fn a_destructor_that_panics_during_a_clear_leaves_a_wheel_that_works() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "boom");
        }
    }
    let mut wheel = Wheel::new();
    let keys = [1, 2, 3].map(|at| wheel.insert(at, Bomb(at == 2)));
    let clear = std::panic::AssertUnwindSafe(|| wheel.clear());
    assert!(std::panic::catch_unwind(clear).is_err());
    assert_eq!(wheel.len(), 1);
    assert_eq!(wheel.deadline(keys[2]), Some(3));
    assert!(wheel.pop_expired(3).is_some());
}

#[test]
fn a_deadline_in_the_past_counts_as_the_present() {
    let mut wheel = Wheel::new();
    wheel.insert(1000, "due");
    assert_eq!(wheel.pop_expired(999), None);
    wheel.insert(0, "past");
    assert_eq!(wheel.next_deadline(), Some(999));
    assert_eq!(wheel.pop_expired(999), Some("past"));
    assert_eq!(wheel.now(), 999);
    wheel.insert(1000, "later");
    assert_eq!(drain(&mut wheel, 1000), ["due", "later"]);
    assert_eq!(drain(&mut wheel, 3), [""; 0]);
    assert_eq!(wheel.now(), 1000, "time does not go back");
}

#[test]
fn the_ends_of_the_range_are_ordinary_ticks() {
    let mut wheel = Wheel::new();
    let late = wheel.insert(u64::MAX, "last");
    wheel.insert(u64::MAX - 1, "last but one");
    wheel.insert(0, "first");
    assert_eq!(wheel.pop_expired(0), Some("first"));
    assert_eq!(wheel.pop_expired(u64::MAX - 2), None);
    assert_eq!(wheel.next_deadline(), Some(u64::MAX - 1));
    assert_eq!(wheel.pop_expired(u64::MAX - 1), Some("last but one"));
    assert_eq!(wheel.pop_expired(u64::MAX - 1), None);
    assert_eq!(wheel.remove(late), Some("last"));
    wheel.insert(u64::MAX, "again");
    assert_eq!(drain(&mut wheel, u64::MAX), ["again"]);
    wheel.insert(0, "and again");
    wheel.insert(u64::MAX, "for ever");
    assert_eq!(drain(&mut wheel, u64::MAX), ["and again", "for ever"]);
}

#[test]
fn the_next_turn_is_exact_among_few_timers_and_never_late_among_many() {
    let mut wheel = Wheel::new();
    for n in 0..32 {
        wheel.insert((1 << 40) + 1000 + n, ());
    }
    assert_eq!(wheel.next_turn(), Some((1 << 40) + 1000));
    wheel.insert((1 << 40) + 2000, ());
    assert_eq!(wheel.next_turn(), Some(1 << 40), "the slot's beginning");
    assert_eq!(wheel.next_deadline(), Some((1 << 40) + 1000));

    let mut vain = 0;
    let mut expired = 0;
    while let Some(turn) = wheel.next_turn() {
        let before = expired;
        expired += drain(&mut wheel, turn).len();
        vain += usize::from(expired == before);
    }
    assert_eq!((expired, vain), (33, 1));
}

#[test]
fn vain_turns_are_rare_among_many_timers() {
    let mut wheel = Wheel::new();
    let mut random = 1u64;
    for _ in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        wheel.insert(random >> 20, ());
    }
    let (mut vain, mut expired) = (0, 0);
    while let Some(turn) = wheel.next_turn() {
        let before = expired;
        expired += drain(&mut wheel, turn).len();
        vain += usize::from(expired == before);
    }
    assert_eq!(expired, 20_000);
    assert!(vain <= 20_000 * 10 / 32, "{vain} vain turns");
}

#[test]
fn a_million_timers_come_and_go_twice() {
    let mut wheel = Wheel::new();
    for round in 0..2u64 {
        let keys: Vec<Key> = (0..1_000_000u64)
            .map(|n| wheel.insert(round * (1 << 30) + (n * 7_919) % (1 << 30), n))
            .collect();
        assert_eq!(wheel.len(), 1_000_000);
        for key in keys.iter().step_by(2) {
            assert!(wheel.remove(*key).is_some());
        }
        let mut count = 0;
        while wheel.pop_expired((round + 1) * (1 << 30)).is_some() {
            count += 1;
        }
        assert_eq!((count, wheel.len()), (500_000, 0));
    }
}

#[test]
fn a_jump_of_hours_expires_what_is_due_and_nothing_else() {
    let mut wheel = Wheel::new();
    let hour = 3_600_000_000_000;
    wheel.insert(hour, "in an hour");
    wheel.insert(3 * hour, "in three");
    wheel.insert(100 * hour, "in a hundred");
    assert_eq!(drain(&mut wheel, 5 * hour), ["in an hour", "in three"]);
    assert_eq!(wheel.now(), 5 * hour);
    assert_eq!(wheel.next_turn(), Some(100 * hour));
}

#[test]
fn as_many_turns_lead_to_the_timers_however_far_they_are() {
    let turns = |length: u64, timers: u64| {
        let mut wheel = Wheel::new();
        for n in 0..timers {
            wheel.insert(length - n * (length / timers), ());
        }
        let (mut turns, mut expired) = (0, 0);
        while let Some(turn) = wheel.next_turn() {
            expired += drain(&mut wheel, turn).len() as u64;
            turns += 1;
        }
        assert_eq!(expired, timers);
        turns
    };
    let hour = 3_600_000_000_000;
    for length in [10_000, hour, 100_000 * hour, u64::MAX] {
        // Each has a turn of its own; where many share a slot, there are some more.
        assert_eq!(turns(length, 30), 30, "{length} ns");
        assert!(turns(length, 1000) <= 1000 + 1000 * 10 / 32, "{length} ns");
    }
}

/// One operation on the wheel and on the model.
#[derive(Clone, Debug)]
enum Op {
    Insert(Ticks),
    /// Removes the n-th key ever given, alive or not.
    Remove(usize),
    /// Moves it.
    Reset(usize, Ticks),
    Advance(Ticks),
    /// Takes out one timer, without advancing all the way.
    PopOne(Ticks),
    Look,
}

/// A tick relative to the present, or absolute.
#[derive(Clone, Debug)]
enum Ticks {
    After(u64),
    Before(u64),
    At(u64),
    /// The digits of the present, with one replaced: the edges of slots.
    Edge {
        shift: u32,
        add: i64,
    },
    ToNext,
}

impl Ticks {
    fn from(&self, now: u64, next: Option<u64>) -> u64 {
        match *self {
            Ticks::After(ticks) => now.saturating_add(ticks),
            Ticks::Before(ticks) => now.saturating_sub(ticks),
            Ticks::At(tick) => tick,
            Ticks::Edge { shift, add } => {
                let edge = ((now >> shift).wrapping_add(1)) << shift;
                edge.saturating_add_signed(add)
            }
            Ticks::ToNext => next.unwrap_or(now),
        }
    }
}

fn ticks() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        4 => (0u64..200).prop_map(Ticks::After),
        3 => (0u32..64, 0u64..3).prop_map(|(s, n)| Ticks::After((1 << s) + n)),
        1 => (0u64..100).prop_map(Ticks::Before),
        1 => prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()]
            .prop_map(Ticks::At),
        3 => (0u32..64, -2i64..3).prop_map(|(shift, add)| Ticks::Edge { shift, add }),
        2 => Just(Ticks::ToNext),
    ]
}

/// Advances stay small more often than deadlines, or the end of time comes at once.
fn steps() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        8 => (0u64..200).prop_map(Ticks::After),
        4 => (0u32..40).prop_map(|s| Ticks::After(1 << s)),
        6 => Just(Ticks::ToNext),
        2 => (0u32..40, -2i64..3).prop_map(|(shift, add)| Ticks::Edge { shift, add }),
        1 => ticks(),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => ticks().prop_map(Op::Insert),
        3 => any::<usize>().prop_map(Op::Remove),
        3 => (any::<usize>(), ticks()).prop_map(|(n, at)| Op::Reset(n, at)),
        3 => steps().prop_map(Op::Advance),
        2 => steps().prop_map(Op::PopOne),
        1 => Just(Op::Look),
    ]
}

/// A wheel, and beside it timers in a sorted map by deadline and number.
#[derive(Default)]
struct Both {
    wheel: Wheel<u64>,
    keys: Vec<(Key, (u64, u64))>,
    model: BTreeMap<(u64, u64), u64>,
    /// Numbers given out, one to each insertion and move.
    numbers: u64,
    now: u64,
}

impl Both {
    fn pop(&mut self, to: u64) -> bool {
        let to = to.max(self.now);
        let expected = match self.model.first_key_value() {
            Some((&(at, _), &item)) if at <= to => {
                self.model.pop_first();
                self.now = at;
                Some(item)
            }
            _ => {
                self.now = to;
                None
            }
        };
        assert_eq!(self.wheel.pop_expired(to), expected);
        assert_eq!(self.wheel.now(), self.now);
        expected.is_some()
    }

    /// Where the model puts a timer that is set now.
    fn place(&mut self, at: u64) -> (u64, u64) {
        self.numbers += 1;
        (at.max(self.now), self.numbers)
    }

    /// Forgets the keys but the last ones.
    fn forget(&mut self, kept: usize) {
        let from = self.keys.len().saturating_sub(kept);
        self.keys.drain(..from);
    }

    fn apply(&mut self, op: &Op) {
        self.apply_unseen(op);
        self.compare();
    }

    /// Without the comparison after it.
    fn apply_unseen(&mut self, op: &Op) {
        let next = self.model.first_key_value().map(|(&(at, _), _)| at);
        match op {
            Op::Insert(at) => {
                let item = self.numbers;
                let at = at.from(self.now, next);
                let key = self.wheel.insert(at, item);
                let place = self.place(at);
                self.keys.push((key, place));
                self.model.insert(place, item);
            }
            Op::Remove(n) if !self.keys.is_empty() => {
                let (key, place) = self.keys[n % self.keys.len()];
                let expected = self.model.remove(&place);
                assert_eq!(self.wheel.get_mut(key).copied(), expected);
                assert_eq!(self.wheel.remove(key), expected);
            }
            Op::Reset(n, at) if !self.keys.is_empty() => {
                let n = n % self.keys.len();
                let at = at.from(self.now, next);
                let (key, place) = self.keys[n];
                let item = self.model.remove(&place);
                let expected = item.map(|_| place.0);
                assert_eq!(self.wheel.deadline(key), expected);
                assert_eq!(self.wheel.reset(key, at), item.is_some());
                if let Some(item) = item {
                    let place = self.place(at);
                    self.keys[n].1 = place;
                    self.model.insert(place, item);
                }
            }
            Op::Remove(_) | Op::Reset(..) => {}
            Op::Advance(to) => {
                let to = to.from(self.now, next);
                while self.pop(to) {}
            }
            Op::PopOne(to) => {
                self.pop(to.from(self.now, next));
            }
            Op::Look => {}
        }
    }

    fn compare(&self) {
        let next = self.model.first_key_value().map(|(&(at, _), _)| at);
        assert_eq!(self.wheel.next_deadline(), next);
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.next_turn().is_some(), next.is_some());
        assert!(self.wheel.next_turn() <= next);
        if self.model.len() <= 32 {
            assert_eq!(self.wheel.next_turn(), next);
        }
    }
}

/// Sixteen of these are a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fine(u64);

impl Tick for Fine {
    fn ceil(self) -> u64 {
        self.0.div_ceil(16)
    }

    fn floor(self) -> u64 {
        self.0 / 16
    }

    fn at(tick: u64) -> Self {
        Fine(tick * 16)
    }
}

#[test]
fn a_wheel_of_coarse_ticks_is_late_by_less_than_a_tick_and_fires_what_is_near_together() {
    let mut wheel = Wheel::with_ticks();
    let first = wheel.insert(Fine(17), 'a');
    wheel.insert(Fine(32), 'b');
    wheel.insert(Fine(20), 'c');
    wheel.insert(Fine(33), 'd');
    assert_eq!(wheel.deadline(first), Some(Fine(32)));
    assert_eq!(wheel.next_turn(), Some(Fine(32)));
    let expired = |wheel: &mut Wheel<char, Fine>, now| {
        std::iter::from_fn(|| wheel.pop_expired(Fine(now))).collect::<String>()
    };
    assert_eq!(expired(&mut wheel, 31), "");
    assert_eq!(wheel.now(), Fine(16));
    assert_eq!(expired(&mut wheel, 32), "abc");
    assert_eq!(expired(&mut wheel, 47), "");
    assert_eq!(expired(&mut wheel, 48), "d");
}

#[test]
fn a_wheel_counts_by_what_it_is_told() {
    let mut short = Wheel::with_ticks();
    short.insert(u32::MAX, "the end");
    short.insert(7_u32, "soon");
    assert_eq!(short.next_deadline(), Some(7));
    assert_eq!(short.pop_expired(7), Some("soon"));
    assert_eq!(short.next_turn(), Some(u32::MAX));
    assert_eq!(short.now(), 7);

    let mut long = Wheel::with_ticks();
    let never = long.insert(Duration::MAX, "never");
    let soon = long.insert(Duration::from_nanos(9), "soon");
    assert!(long.reset(soon, Duration::from_nanos(8)));
    assert_eq!(long.pop_expired(Duration::from_nanos(8)), Some("soon"));
    assert_eq!(long.deadline(never), Some(Duration::from_nanos(u64::MAX)));

    let mut instants = Wheel::with_ticks();
    instants.insert(pirn_core::Instant::from_nanos(5), ());
    assert_eq!(
        instants.next_turn(),
        Some(pirn_core::Instant::from_nanos(5))
    );
    assert_eq!(instants.pop_expired(pirn_core::Instant::NEVER), Some(()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_wheel_does_what_a_sorted_map_does(ops in prop::collection::vec(op(), 1..250)) {
        let mut both = Both::default();
        for op in &ops {
            both.apply(op);
        }
        while both.pop(u64::MAX) {}
        prop_assert!(both.wheel.is_empty());
    }

    #[test]
    fn a_wheel_of_coarse_ticks_does_what_one_of_rounded_ticks_does(
        ops in prop::collection::vec((any::<bool>(), 0u64..5000), 1..250),
    ) {
        let (mut coarse, mut exact) = (Wheel::with_ticks(), Wheel::new());
        let mut now = 0;
        for (number, &(insert, time)) in ops.iter().enumerate() {
            if insert {
                let at = now + time;
                coarse.insert(Fine(at), (at, number));
                exact.insert(at.div_ceil(16), (at, number));
                prop_assert_eq!(coarse.next_turn().map(|at| at.0 / 16), exact.next_turn());
            } else {
                now += time / 8;
                while let Some((at, number)) = coarse.pop_expired(Fine(now)) {
                    prop_assert!(at <= now);
                    prop_assert_eq!(exact.pop_expired(now / 16), Some((at, number)));
                }
                prop_assert_eq!(exact.pop_expired(now / 16), None);
                prop_assert!(coarse.next_deadline().is_none_or(|at| at > Fine(now)));
            }
        }
    }

    #[test]
    fn a_crowd_of_deadlines_comes_out_sorted_and_stable(
        deadlines in prop::collection::vec((0u32..64, 0u64..4), 1..400),
        jumps in prop::collection::vec(0u32..64, 0..6),
    ) {
        let mut wheel = Wheel::new();
        let mut expected: Vec<(u64, usize)> = Vec::new();
        for (number, (shift, add)) in deadlines.iter().enumerate() {
            let at = (1u64 << shift) + add;
            wheel.insert(at, (at, number));
            expected.push((at, number));
        }
        expected.sort();
        let mut seen = Vec::new();
        let mut jumps: Vec<u64> = jumps.iter().map(|shift| 1u64 << shift).collect();
        jumps.sort();
        for now in jumps.into_iter().chain([u64::MAX]) {
            seen.extend(drain(&mut wheel, now));
        }
        prop_assert_eq!(seen, expected);
    }
}

/// SplitMix64: the same numbers from the same seed everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A length with any number of digits.
    fn length(&mut self, bits: u64) -> u64 {
        let shift = self.below(bits);
        self.below((1 << shift) + 1)
    }

    fn ticks(&mut self, bits: u64) -> Ticks {
        match self.below(8) {
            0..4 => Ticks::After(self.length(bits)),
            4 => Ticks::Before(self.length(8)),
            5 | 6 => Ticks::Edge {
                shift: self.below(bits) as u32,
                add: self.below(5) as i64 - 2,
            },
            _ => Ticks::ToNext,
        }
    }

    fn op(&mut self) -> Op {
        match self.below(16) {
            0..7 => Op::Insert(match self.below(64) {
                0 => Ticks::At(u64::MAX - self.below(3)),
                1 => Ticks::At(self.next()),
                _ => self.ticks(48),
            }),
            7..10 => Op::Remove(self.next() as usize),
            10..13 => Op::Reset(self.next() as usize, self.ticks(48)),
            13 => Op::PopOne(self.ticks(24)),
            _ => Op::Advance(self.ticks(24)),
        }
    }
}

/// With `PIRN_STRESS=50` ten million operations: two seconds in a release build.
#[test]
fn long_random_histories_do_what_a_sorted_map_does() {
    let times = std::env::var("PIRN_STRESS").map_or(1, |times| {
        times.parse::<u64>().expect("PIRN_STRESS is a number")
    });
    for seed in 0..times {
        let (mut random, mut both) = (Random(seed), Both::default());
        // From few timers to thousands.
        let kept = 1 << (2 + 2 * (seed % 6));
        for _ in 0..200_000 {
            let op = random.op();
            both.apply_unseen(&op);
            if both.keys.len() > 2 * kept {
                both.forget(kept);
            }
            if random.below(256) == 0 {
                both.compare();
            }
        }
        while both.pop(u64::MAX) {}
        assert!(both.wheel.is_empty());
    }
}
