//! 21: what cannot be interrupted is late, and its value wins over the timeout.
//!
//! In asyncio that happens where a function swallows its cancel. Here it happens where it says so,
//! by a `shield`: that part is run to its end, and if the function then has its value without waiting
//! again, it gives it.
//!
//! ```sh
//! cargo run --release --example 21_late_value
//! ```

use pirn_examples::say;
use std::time::Duration;

async fn pay(then_receipt: bool) -> &'static str {
    let payment = async {
        pirn::sleep(Duration::from_secs(3)).await;
        say("the money has changed hands");
    };
    pirn::shield(payment).await; // the line
    if then_receipt {
        pirn::sleep(Duration::from_secs(1)).await;
    }
    "paid"
}

pub(crate) async fn program() {
    let limit = Duration::from_secs(1);
    let late = pirn::timeout(limit, pay(false)).await;
    say(format!("{late:?}"));
    let interrupted = pirn::timeout(limit, pay(true)).await;
    say(format!("{interrupted:?}"));
}

fn main() {
    pirn::run(program());
}
