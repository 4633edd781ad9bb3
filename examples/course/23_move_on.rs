//! 23: to be late is no error everywhere: `move_on_after` goes on with what there is.
//!
//! asyncio writes `try`, `timeout` and `except TimeoutError: pass` for that. The block moves its own
//! limit here, so that it means: a second since the last sign of life.
//!
//! ```sh
//! cargo run --release --example 23_move_on
//! ```

use pirn_examples::say;
use std::time::Duration;

pub(crate) async fn program() {
    let second = Duration::from_secs(1);
    let mut heard = Vec::new();
    let ended = pirn::move_on_after(second, async |limit| {
        for (pause, word) in [(600, "warp"), (900, "weft"), (1_500, "selvedge")] {
            pirn::sleep(Duration::from_millis(pause)).await;
            heard.push(word);
            limit.reschedule(pirn::now() + second); // the line
        }
    })
    .await;
    say(format!("all of it: {}", ended.is_some()));
    say(format!("{heard:?}"));
}

fn main() {
    pirn::run(program());
}
