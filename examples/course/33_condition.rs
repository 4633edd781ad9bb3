//! 33: a condition lets a task wait until what a lock guards has become right.
//!
//! `wait_while` gives the lock back while it waits, has it again when it returns, and looks once
//! more each time, since another may have been quicker. asyncio says the same with a `while` around
//! `wait()`, or with `wait_for`. To notify, here as there, is no use before the change.
//!
//! ```sh
//! cargo run --release --example 33_condition
//! ```

use pirn::sleep;
use pirn::sync::{Condition, Lock};
use pirn_examples::say;
use std::time::Duration;

#[derive(Default)]
struct Shop {
    loaves: Lock<u32>,
    delivered: Condition,
}

async fn buy(name: &str, shop: &Shop) {
    let loaves = shop.loaves.lock().await;
    say(format!("{name} sees {}", *loaves));
    let mut loaves = shop
        .delivered
        .wait_while(loaves, |loaves| *loaves == 0)
        .await;
    *loaves -= 1;
    say(format!("{name} takes one and leaves {}", *loaves));
}

async fn bake(shop: &Shop) {
    for loaves in [1, 2] {
        sleep(Duration::from_secs(1)).await;
        *shop.loaves.lock().await += loaves;
        say(format!("the baker brings {loaves}"));
        shop.delivered.notify_all(); // the line
    }
}

pub(crate) async fn program() {
    let shop = Shop::default();
    pirn::join((
        buy("ada", &shop),
        buy("ben", &shop),
        buy("cleo", &shop),
        bake(&shop),
    ))
    .await;
    say("sold out");
}

fn main() {
    pirn::run(program());
}
