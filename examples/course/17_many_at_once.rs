//! 17: a hundred pages, twenty at once, a result or an error for each.
//!
//! In asyncio that is a semaphore, and a hundred tasks of which eighty wait for it. Here the next
//! page is begun when there is room for it.
//!
//! ```sh
//! cargo run --release --example 17_many_at_once
//! ```

use pirn_examples::say;
use std::cell::Cell;
use std::time::Duration;

pub(crate) async fn program() {
    let (now, most) = (Cell::new(0), Cell::new(0));
    let fetch = async |page: u32| {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        pirn::sleep(Duration::from_millis(100)).await; // the line
        now.set(now.get() - 1);
        match page % 40 {
            13 => Err(format!("page {page} is missing")),
            _ => Ok(page),
        }
    };

    let pages = pirn::map_limit(20, 0..100, fetch, async |mut results| {
        let mut pages = 0;
        while let Some((_place, page)) = results.next().await {
            match page.unwrap() {
                Ok(_) => pages += 1,
                Err(error) => say(error),
            }
        }
        pages
    })
    .await;
    say(format!("{pages} pages, {} at once", most.get()));
}

fn main() {
    pirn::run(program());
}
