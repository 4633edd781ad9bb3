//! 54: what can go wrong with a request, and how long it may take.
//!
//! A status of failure is a response like another, until `error_for_status` makes it an error, as
//! `raise_for_status()` does. The session's limit is for a whole request, body included, as
//! `ClientTimeout(total=…)`; a request may have its own.
//!
//! ```sh
//! cargo run --release --example 54_http_errors
//! ```

use pirn::http::{Error, ErrorKind, Session};
use pirn_examples::say;
use pirn_examples::web::{Answer, Asked, with_site};
use std::future::pending;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The site's side.
async fn answer(asked: Asked) -> Answer {
    match &*asked.path {
        "/page" => (200, "a page".to_owned()),
        "/broken" => (500, "sorry".to_owned()),
        "/slow" => pending().await,
        _ => (404, "no such page".to_owned()),
    }
}

async fn get(session: &Session, url: &str) -> Result<String, Error> {
    let response = session.get(url).send().await?;
    response.error_for_status()?.text().await
}

/// The page, or nothing.
async fn get_or_nothing(session: &Session, url: &str) -> Option<String> {
    match get(session, url).await {
        Ok(text) => Some(text),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::Status(status) if status.is_server_error() => "try again later",
                ErrorKind::Timeout { .. } => "try again",
                _ => "give up",
            };
            say(format!("{}: {advice}", error.kind()));
            None
        }
    }
}

pub(crate) async fn program() {
    let web = with_site(answer);
    let web = web.timeout(2 * SECOND); // the line
    let Ok(session) = web.build() else {
        return say("there is no session");
    };
    let urls = [
        "site/page",
        "site/none",
        "site/broken",
        "site/slow",
        "site:81/",
    ];
    for url in urls {
        let page = get_or_nothing(&session, &format!("http://{url}")).await;
        say(format!("{url}: {page:?}"));
    }
    if let Err(error) = get(&session, "site/page").await {
        say(error);
    }
}

fn main() {
    pirn::run(program());
}
