//! 04: what can be awaited: a future, or what becomes one, as a type of your own.
//!
//! asyncio's `__await__` is `IntoFuture` here. To await anything else, as `5.await`, is an error of
//! the compiler where Python raises a `TypeError` as it runs. And the await takes what it awaits, so
//! that nothing is awaited twice.
//!
//! ```sh
//! cargo run --release --example 04_awaitable
//! ```

use pirn_examples::say;
use std::pin::Pin;
use std::time::Duration;

/// An order to the dyer: to await it is to have it done.
struct Dye {
    colour: &'static str,
    hours: u64,
}

impl Dye {
    fn slowly(self) -> Self {
        let hours = 2 * self.hours;
        Dye { hours, ..self }
    }
}

impl IntoFuture for Dye {
    type Output = String;
    type IntoFuture = Pin<Box<dyn Future<Output = String> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            pirn::sleep(Duration::from_secs(self.hours)).await; // the line
            format!("{} thread", self.colour)
        })
    }
}

pub(crate) async fn program() {
    let blue = Dye {
        colour: "blue",
        hours: 1,
    };
    let red = Dye {
        colour: "red",
        hours: 1,
    };
    say(blue.await);
    say(red.slowly().await);
}

fn main() {
    pirn::run(program());
}
