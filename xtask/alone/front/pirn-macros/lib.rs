//! A user of pirn-macros: `main`, by the macro's own crate.

#![cfg(test)]

#[pirn_macros::main]
async fn run() -> usize {
    pirn::spawn(async { 7 }).await.unwrap()
}

#[test]
fn on_pirn() {
    assert_eq!(run(), 7);
}
