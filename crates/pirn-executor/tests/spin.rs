//! When a worker looks on before it sleeps.

use pirn_executor::internals::{PATIENCE, Spin};

/// How many of `times` looks are made if all end like this.
fn looks(spin: &Spin, times: u32, hit: bool) -> u32 {
    let mut looks = 0;
    for _ in 0..times {
        if spin.is_worth_it() {
            looks += 1;
            spin.looked(hit);
        }
    }
    looks
}

#[test]
fn it_looks_each_time_while_that_pays() {
    let spin = Spin::default();
    assert_eq!(looks(&spin, 1000, true), 1000);
}

#[test]
fn it_looks_each_time_if_every_second_look_pays() {
    let spin = Spin::default();
    for hit in [true, false].into_iter().cycle().take(1000) {
        assert!(spin.is_worth_it());
        spin.looked(hit);
    }
}

#[test]
fn it_gets_seldom_where_it_does_not_pay() {
    let spin = Spin::default();
    assert_eq!(looks(&spin, PATIENCE, false), PATIENCE);
    // 2 + 4 + 8 + … + 1024.
    assert_eq!(looks(&spin, 2046, false), 10);
    assert_eq!(looks(&spin, 102_400, false), 100);
}

#[test]
fn it_comes_back_after_three_looks_that_pay() {
    let spin = Spin::default();
    looks(&spin, 100_000, false);
    // 1024 at most until the first one, then fewer and fewer.
    assert!(looks(&spin, 1024 + 32, true) >= 3);
    assert_eq!(looks(&spin, 100, true), 100);
}
