//! 47: a pool of connections: a semaphore, and a stack of those that are idle.
//!
//! A connection is opened when one is needed and none is idle, and there are never more than the
//! semaphore lets in. One whose query is cancelled is not put back: it may be in the middle of an
//! answer. The pool itself is a resource, which closes what is idle at the end.
//!
//! ```sh
//! cargo run --release --example 47_pool
//! ```

use pirn::sync::{Closed, Semaphore};
use pirn::{gather, sleep, with_resource};
use pirn_examples::say;
use std::cell::RefCell;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

struct Connection;

impl Connection {
    async fn open() -> Self {
        sleep(500 * MS).await;
        say("a connection is open");
        Connection
    }

    async fn query(&mut self, number: u32) -> u32 {
        sleep(100 * MS).await;
        say(format!("query {number}"));
        number * number
    }

    async fn close(self) {
        sleep(200 * MS).await;
        say("a connection is closed");
    }
}

struct Pool {
    places: Semaphore,
    idle: RefCell<Vec<Connection>>,
}

impl Pool {
    fn new(connections: usize) -> Self {
        Pool {
            places: Semaphore::new(connections),
            idle: RefCell::default(),
        }
    }

    async fn query(&self, number: u32) -> Result<u32, Closed> {
        let _place = self.places.acquire().await?; // the line
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open().await,
        };
        let answer = connection.query(number).await;
        self.idle.borrow_mut().push(connection);
        Ok(answer)
    }

    async fn close(self) {
        for connection in self.idle.into_inner() {
            connection.close().await;
        }
    }
}

pub(crate) async fn program() {
    let ask_all = async |pool: &mut Pool| {
        let pool = &*pool;
        gather((1..=5).map(|number| pool.query(number))).await
    };
    match with_resource(Pool::new(2), ask_all, Pool::close).await {
        Ok(answers) => say(format!("{answers:?}")),
        Err(error) => say(error),
    }
}

fn main() {
    pirn::run(program());
}
