//! 31: what is read, awaited and written back needs a lock.
//!
//! Between two awaits nothing comes in between, so a counter needs no lock in asyncio, nor here among
//! the futures of one task. But across an await it does: the careless deposits below both read 0. A
//! lock of threads would be the wrong one, since who waits for it stops its whole thread.
//!
//! ```sh
//! cargo run --release --example 31_lock
//! ```

use pirn::sync::Lock;
use pirn_examples::say;
use std::cell::Cell;
use std::time::Duration;

async fn bank() {
    pirn::sleep(Duration::from_secs(1)).await;
}

async fn careless(balance: &Cell<u32>, amount: u32) {
    let before = balance.get();
    bank().await;
    balance.set(before + amount);
}

async fn careful(balance: &Lock<u32>, amount: u32) {
    let mut balance = balance.lock().await;
    let before = *balance;
    bank().await;
    *balance = before + amount; // the line
    say(format!("{before} was read, {} is there", *balance));
}

pub(crate) async fn program() {
    let balance = Cell::new(0);
    pirn::join((careless(&balance, 10), careless(&balance, 20))).await;
    say(format!("without a lock: {}", balance.get()));

    let balance = Lock::new(0);
    pirn::join((careful(&balance, 10), careful(&balance, 20))).await;
    say(format!("with one: {}", balance.into_inner()));
}

fn main() {
    pirn::run(program());
}
