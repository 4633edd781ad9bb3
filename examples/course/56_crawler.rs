//! 56: a crawler: pages lead to pages, three are got at once, and each once.
//!
//! What is left to do lies in a queue, since nobody knows beforehand how much that is. A page counts
//! as done when the links on it have been put in; so when all are done nothing can come any more, and
//! the queue is closed. This is what the course was about: a session, a queue, a gather, and errors
//! that stay with their page.
//!
//! ```sh
//! cargo run --release --example 56_crawler
//! ```

use pirn::gather;
use pirn::http::{Error, Session};
use pirn::sync::{PutError, Queue};
use pirn_examples::say;
use pirn_examples::web::{Answer, Asked, with_site};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// The site's side: a page is the list of its links.
async fn answer(asked: Asked) -> Answer {
    pirn::sleep(Duration::from_secs(1)).await;
    let links = match &*asked.path {
        "/" => "/cloth /tools",
        "/cloth" => "/ /linen /wool /silk",
        "/tools" => "/loom /cloth",
        "/linen" | "/wool" | "/loom" => "/",
        _ => return (404, "no such page".to_owned()),
    };
    (200, links.to_owned())
}

type Ended = Result<(), PutError<String>>;

struct Crawl {
    session: Session,
    queue: Queue<String>,
    seen: RefCell<BTreeSet<String>>,
}

impl Crawl {
    async fn find(&self, path: &str) -> Ended {
        if self.seen.borrow_mut().insert(path.to_owned()) {
            self.queue.put(path.to_owned()).await?;
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<String, Error> {
        let url = format!("http://site{path}");
        let response = self.session.get(url).send().await?;
        response.error_for_status()?.text().await
    }

    async fn work(&self) -> Ended {
        while let Ok(path) = self.queue.get_item().await {
            match self.get(&path).await {
                Ok(links) => {
                    say(format!("{} leads to {links}", *path));
                    for link in links.split(' ') {
                        self.find(link).await?;
                    }
                }
                Err(error) => say(format!("{}: {}", *path, error.kind())),
            }
        }
        Ok(())
    }

    async fn end(&self) -> Ended {
        self.queue.join().await; // the line
        self.queue.close();
        Ok(())
    }
}

pub(crate) async fn program() {
    let Ok(session) = with_site(answer).build() else {
        return say("there is no session");
    };
    let crawl = Crawl {
        session,
        queue: Queue::unbounded(),
        seen: RefCell::default(),
    };
    if crawl.find("/").await.is_ok() {
        match gather((crawl.work(), crawl.work(), crawl.work(), crawl.end())).await {
            Ok(_) => say(format!("{} pages", crawl.seen.borrow().len())),
            Err(error) => say(error),
        }
    }
}

fn main() {
    pirn::run(program());
}
