//! 55: a hundred URLs, twenty at once, and for each a result or an error.
//!
//! The semaphore is the tutorials' way; `map_limit`, `for_each_limit` and a group's `limit` do the
//! same without one, and take the next URL only when there is room for it.
//!
//! ```sh
//! cargo run --release --example 55_hundred_urls
//! ```

use pirn::gather_results;
use pirn::http::{Error, Session};
use pirn::sync::Semaphore;
use pirn_examples::say;
use pirn_examples::web::{Answer, Asked, with_site};
use std::time::Duration;

/// The site's side: each page takes a second, and each tenth is gone.
async fn answer(asked: Asked) -> Answer {
    pirn::sleep(Duration::from_secs(1)).await;
    match asked.path.ends_with('7') {
        true => (410, "gone".to_owned()),
        false => (200, asked.path),
    }
}

async fn get(session: &Session, places: &Semaphore, url: &str) -> Result<usize, Error> {
    let _place = places.acquire().await; // the line
    let response = session.get(url).send().await?;
    Ok(response.error_for_status()?.text().await?.len())
}

pub(crate) async fn program() {
    let Ok(session) = with_site(answer).build() else {
        return say("there is no session");
    };
    let places = Semaphore::new(20);
    let urls: Vec<_> = (0..100).map(|n| format!("http://site/{n:02}")).collect();
    let results = gather_results(urls.iter().map(|url| get(&session, &places, url))).await;

    let mut bytes = 0;
    for (url, result) in urls.iter().zip(results) {
        match result {
            Ok(Ok(length)) => bytes += length,
            Ok(Err(error)) => say(format!("{url}: {}", error.kind())),
            Err(panic) => say(format!("{url}: {panic}")),
        }
    }
    say(format!("{bytes} bytes"));
    let most = session.statistics().max_requests_in_flight;
    say(format!("{most} at once at most"));
}

fn main() {
    pirn::run(program());
}
