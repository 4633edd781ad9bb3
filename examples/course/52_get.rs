//! 52: pages are got by one session, which keeps its connections.
//!
//! The tutorials use `aiohttp`'s `ClientSession`; this is `pirn::http`. Awaits in a row take turns,
//! whatever one of the tutorials says of them; a gather asks at once. Text is read apart from the
//! head, and only then is the connection free for the next request: so one was enough for the first
//! two, and two were added for the three at once.
//!
//! ```sh
//! cargo run --release --example 52_get
//! ```

use pirn::http::{Error, Session};
use pirn_examples::say;
use pirn_examples::web::with_site;
use std::error;
use std::time::Duration;

async fn get(session: &Session, page: &str) -> Result<String, Error> {
    let response = session.get(format!("http://site/{page}")).send().await?;
    response.error_for_status()?.text().await
}

async fn run() -> Result<(), Box<dyn error::Error>> {
    let web = with_site(async |asked| {
        pirn::sleep(Duration::from_secs(1)).await;
        (200, format!("this is {}", asked.path))
    });
    let session = web.build()?;
    say(get(&session, "warp").await?);
    say(get(&session, "weft").await?);
    say(format!(
        "connections: {}",
        session.statistics().connections_opened
    ));

    let pages = ["warp", "weft", "hem"].map(|page| get(&session, page));
    for text in pirn::gather(pages).await? {
        say(text); // the line
    }
    say(format!(
        "connections: {}",
        session.statistics().connections_opened
    ));
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
