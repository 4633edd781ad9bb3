//! What tasks share between awaits without a lock stays on one thread.

use std::cell::Cell;
use std::rc::Rc;

fn main() {
    pirn::run(async {
        let stock = Rc::new(Cell::new(0));
        let task = pirn::spawn(async move { stock.set(1) });
        task.await.unwrap();
    });
}
