//! 07: who computes for long gives the others a turn now and then.
//!
//! `yield_now` is asyncio's `sleep(0)`. Without it the long count would end first, and all that time
//! nothing else would run on its thread.
//!
//! ```sh
//! cargo run --release --example 07_turns
//! ```

use pirn_examples::say;

async fn count(name: &str, to: u32) {
    let mut threads = 0;
    while threads < to {
        threads += 1;
        if threads % 1_000 == 0 {
            pirn::yield_now().await; // the line
        }
    }
    say(format!("{name}: {threads} threads"));
}

pub(crate) async fn program() {
    let long = pirn::spawn_local(count("the carpet", 100_000));
    let short = pirn::spawn_local(count("the ribbon", 5_000));
    long.await.unwrap();
    short.await.unwrap();
}

fn main() {
    pirn::run(program());
}
