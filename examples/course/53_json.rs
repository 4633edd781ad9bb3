//! 53: JSON there and back, with a header that says who asks.
//!
//! What is sent and what comes are types; an answer that is not of that type is an error with the
//! place where it is not. In the tutorials they are dictionaries, and a missing key is found later.
//!
//! ```sh
//! cargo run --release --example 53_json
//! ```

use pirn_examples::say;
use pirn_examples::web::{Answer, Asked, with_site};
use serde::{Deserialize, Serialize};
use std::error::Error;

#[derive(Serialize, Deserialize)]
struct Order {
    cloth: String,
    metres: u32,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    number: u32,
    price: u32,
}

/// The site's side.
async fn sell(asked: Asked) -> Answer {
    if asked
        .headers
        .get("authorization")
        .is_none_or(|who| who != "Bearer ada")
    {
        return (401, "who are you?".to_owned());
    }
    let receipt = serde_json::from_str(&asked.body).and_then(|order: Order| {
        serde_json::to_string(&Receipt {
            number: 1,
            price: 12 * order.metres,
        })
    });
    match receipt {
        Ok(receipt) => (200, receipt),
        Err(error) => (400, error.to_string()),
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let session = with_site(sell).build()?;
    let order = Order {
        cloth: "linen".to_owned(),
        metres: 3,
    };
    let response = session
        .post("http://site/orders")
        .bearer_auth("ada") // the line
        .json(&order)
        .send()
        .await?;
    let receipt: Receipt = response.error_for_status()?.json().await?;
    say(format!("number {}: {}", receipt.number, receipt.price));

    let nobody = session
        .post("http://site/orders")
        .json(&order)
        .send()
        .await?;
    say(format!("without a token: {}", nobody.status()));
    Ok(())
}

pub(crate) async fn program() {
    if let Err(error) = run().await {
        say(error);
    }
}

fn main() {
    pirn::run(program());
}
