//! 26: the errors of one group, each kind to its handler, and the rest passed on.
//!
//! Python's `except*`, of which several take their parts of one group: `split` gives the errors of a
//! type, and what is left. What no handler takes goes on as an error.
//!
//! The first failure cancels the others; without the shield around their first step it would be the
//! only one. (In asyncio those that fail in the same turn of the loop are all in the group.)
//!
//! ```sh
//! cargo run --release --example 26_by_kind
//! ```

use pirn::GroupError;
use pirn_examples::say;
use std::error::Error;
use std::num::{ParseFloatError, ParseIntError};
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;

async fn order(text: &'static str) -> Result<(), Boxed> {
    pirn::shield(pirn::sleep(Duration::from_secs(1))).await;
    let (length, price) = text.split_once(' ').ok_or("not an order")?;
    length.parse::<u32>()?;
    price.parse::<f64>()?;
    Ok(())
}

async fn orders() -> Result<(), GroupError<Boxed>> {
    pirn::group(async |g| {
        for text in ["seven 4.5", "7 cheap", "7 4.5", "linen", "x 1"] {
            g.spawn_named(text, order(text));
        }
        Ok(())
    })
    .await
}

async fn handled() -> Result<(), GroupError<Boxed>> {
    let Err(error) = orders().await else {
        return Ok(());
    };
    let (lengths, rest) = error.split::<ParseIntError>();
    for failure in lengths.iter().flatten() {
        let order = failure.task().name().unwrap_or_default();
        say(format!("no length: {order}")); // the line
    }
    let (prices, rest) = rest.map_or((None, None), GroupError::split::<ParseFloatError>);
    for failure in prices.iter().flatten() {
        let order = failure.task().name().unwrap_or_default();
        say(format!("no price: {order}"));
    }
    rest.map_or(Ok(()), Err)
}

pub(crate) async fn program() {
    for error in handled().await.unwrap_err().into_errors() {
        say(format!("left: {error}"));
    }
}

fn main() {
    pirn::run(program());
}
