//! 06: what stands between two awaits happens as one step; what is read before an await may be old
//! after it.
//!
//! As in asyncio, for tasks of one thread, which `spawn_local` makes. Those of `spawn` may run on
//! several at once; there the compiler refuses a `Cell` that they share, and a `Lock` is for that.
//!
//! ```sh
//! cargo run --release --example 06_between_awaits
//! ```

use pirn_examples::say;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

type Stock = Rc<Cell<u32>>;

async fn deliver_late(stock: Stock) {
    let before = stock.get();
    pirn::sleep(Duration::from_secs(1)).await; // the line
    stock.set(before + 1);
}

async fn deliver(stock: Stock) {
    pirn::sleep(Duration::from_secs(1)).await;
    let before = stock.get();
    stock.set(before + 1);
}

async fn five_of<F: Future<Output = ()> + 'static>(work: fn(Stock) -> F) -> u32 {
    let stock = Stock::default();
    let tasks = [(); 5].map(|()| pirn::spawn_local(work(Rc::clone(&stock))));
    for task in tasks {
        task.await.unwrap();
    }
    stock.get()
}

pub(crate) async fn program() {
    let late = five_of(deliver_late).await;
    say(format!("an await in between: {late} of 5 arrived"));
    let whole = five_of(deliver).await;
    say(format!("no await in between: {whole} of 5 arrived"));
}

fn main() {
    pirn::run(program());
}
