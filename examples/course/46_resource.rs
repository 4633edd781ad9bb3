//! 46: a resource is closed, and its closing awaited, however its use ends.
//!
//! asyncio's `async with`. A destructor cannot await, so here the closing is an argument: it runs after
//! a value, after an error, and after a cancel, as by the timeout below. Where it cannot be awaited in
//! place, after a panic say, the runtime's clean-up awaits it.
//!
//! ```sh
//! cargo run --release --example 46_resource
//! ```

use pirn::{sleep, timeout, with_resource};
use pirn_examples::say;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

struct Connection(&'static str);

impl Connection {
    async fn open(name: &'static str) -> Self {
        sleep(500 * MS).await;
        say(format!("{name} is open"));
        Connection(name)
    }

    async fn query(&mut self, seconds: u32) -> Result<u32, &'static str> {
        sleep(1000 * seconds * MS).await;
        match seconds {
            0 => Err("nothing was asked"),
            _ => Ok(seconds),
        }
    }

    async fn close(self) {
        sleep(200 * MS).await;
        say(format!("{} is closed", self.0));
    }
}

async fn ask(name: &'static str, seconds: u32) -> Result<u32, &'static str> {
    let connection = Connection::open(name).await;
    let query = async |connection: &mut Connection| connection.query(seconds).await;
    let close = |connection: Connection| async move {
        connection.close().await; // the line
    };
    with_resource(connection, query, close).await
}

pub(crate) async fn program() {
    say(format!("{:?}", ask("one", 1).await));
    say(format!("{:?}", ask("two", 0).await));
    let late = timeout(1000 * MS, ask("three", 60)).await;
    say(format!("in time: {}", late.is_ok()));
}

fn main() {
    pirn::run(program());
}
