//! Values that come once.

use super::*;
use pirn_sync::{OnceCell, oneshot};
use std::cell::Cell;
use std::sync::Arc;

struct ByCell(OnceCell<usize>);

impl Subject for ByCell {
    type Held<'a> = &'a usize;

    async fn wait(&self, _: usize) -> &usize {
        self.0.wait().await
    }

    fn serve(&self, number: usize) {
        assert_eq!(self.0.set(number).is_ok(), number == 0);
    }
}

#[test]
fn a_value_reaches_the_others_whoever_is_cancelled() {
    examine("OnceCell::wait", Rules::gate(), || ByCell(OnceCell::new()));
}

/// One makes the value and does not end; the others would make it.
struct ByTurn {
    cell: Arc<OnceCell<usize>>,
    making: Outside<Boxed<()>>,
    tell: Cell<Option<oneshot::Sender<()>>>,
    fails: bool,
}

impl ByTurn {
    fn new(fails: bool) -> Self {
        let cell = Arc::new(OnceCell::new());
        let (tell, told) = oneshot::channel();
        let mut making: Boxed<()> = Box::pin({
            let cell = Arc::clone(&cell);
            async move {
                let init = || async {
                    told.await.unwrap();
                    if fails { Err(()) } else { Ok(7) }
                };
                assert_eq!(cell.get_or_try_init(init).await.is_err(), fails);
            }
        });
        assert!(poll_now(making.as_mut()).is_pending());
        ByTurn {
            cell,
            making: RefCell::new(Some(making)),
            tell: Cell::new(Some(tell)),
            fails,
        }
    }
}

impl Subject for ByTurn {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        // In its turn it fails, and hands it on.
        let made = self.cell.get_or_try_init(|| async { Err(()) }).await;
        assert_eq!(made, if self.fails { Err(()) } else { Ok(&7) });
    }

    fn serve(&self, _: usize) {
        if let Some(tell) = self.tell.take() {
            tell.send(()).unwrap();
        }
        if let Some(making) = self.making.take() {
            now(making);
        }
    }
}

/// As `ByTurn`, where the one who makes the value is cancelled.
struct ByTurnCancelled(ByTurn);

impl Subject for ByTurnCancelled {
    type Held<'a> = ();

    async fn wait(&self, who: usize) {
        self.0.wait(who).await;
    }

    fn serve(&self, _: usize) {
        self.0.making.take();
    }
}

#[test]
fn the_turn_to_make_a_value_goes_on_whoever_is_cancelled() {
    let turn = || Rules::permits(1).keeps(|_| 0);
    examine("OnceCell::get_or_try_init, failed", turn(), || {
        ByTurn::new(true)
    });
    examine("OnceCell::get_or_init, cancelled", turn(), || {
        ByTurnCancelled(ByTurn::new(true))
    });
    let made = Rules::gate();
    examine("OnceCell::get_or_init", made, || ByTurn::new(false));
}
