//! The spawner of the runtime around.

mod support;

use pirn_core::context::Handles;
use pirn_core::{LocalBoxTask, Refused, Spawn, SpawnLocal, TaskMeta};
use pirn_group::{Ambient, GroupBuilder};
use std::cell::Cell;
use std::future::{Future, pending};
use std::rc::Rc;
use std::sync::Arc;
use support::{Hand, Log, yield_now};

/// Takes nothing, and gives back what it is given; or not even that.
struct Full {
    drops: bool,
}

impl SpawnLocal for Full {
    fn spawn_local<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
    where
        F: Future<Output = ()> + 'static,
    {
        if self.drops {
            drop(f);
            return Ok(());
        }
        Err(Refused::new("there is no room", f))
    }
}

fn with<R>(hand: &Hand, local: Full, f: impl FnOnce(Ambient) -> R) -> R {
    let mut handles = Handles::default();
    handles.spawner = Some(Arc::new(hand.clone()));
    handles.local_spawner = Some(Rc::new(local));
    let _entered = Rc::new(handles).enter();
    f(Ambient::current().unwrap())
}

#[test]
fn what_the_runtime_refuses_is_given_back_untouched() {
    let (hand, log) = (Hand::default(), Log::default());
    with(&hand, Full { drops: false }, |ambient| {
        hand.refuse();
        let dropped = log.on_drop("dropped");
        let task = async move {
            dropped.is_there();
        };
        let refused = ambient.spawn(TaskMeta::here(), task).unwrap_err();
        assert_eq!(refused.reason(), "the hand is full");
        assert!(log.said().is_empty());
        hand.finish(refused.into_future());
        assert_eq!(log.said(), ["dropped"]);
        // The same for a task that is a box already, and one that stays on its thread.
        let boxed: LocalBoxTask = Box::pin(pending());
        let refused = ambient.spawn_local(TaskMeta::here(), boxed).unwrap_err();
        assert_eq!(refused.reason(), "there is no room");
        let count = Rc::new(Cell::new(0));
        let counts = Rc::clone(&count);
        let task = async move { counts.set(1) };
        let refused = ambient.spawn_local(TaskMeta::here(), task).unwrap_err();
        hand.finish(refused.into_future());
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn a_group_gives_back_what_the_runtime_refuses() {
    let hand = Hand::default();
    with(&hand, Full { drops: false }, |_| {
        let group = GroupBuilder::ambient().unwrap().open::<&str>();
        hand.refuse();
        let refused = group.try_spawn(TaskMeta::here(), async { Ok(3) });
        assert_eq!(group.live(), 0);
        assert_eq!(hand.finish(refused.unwrap_err().into_future()), Ok(3));
        let child = group.spawn_local(async { Ok(4) });
        assert!(
            hand.finish(child)
                .unwrap_err()
                .to_string()
                .contains("there is no room")
        );
        let error = hand.finish(group.join()).unwrap_err();
        assert!(error.to_string().contains("there is no room"));
    });
}

#[test]
fn a_runtime_that_drops_what_it_refuses_has_ended_it() {
    let hand = Hand::default();
    with(&hand, Full { drops: true }, |_| {
        let group = GroupBuilder::ambient().unwrap().open::<&str>();
        let child = group.spawn_local(async { Ok(()) });
        assert!(hand.finish(child).unwrap_err().is_cancelled());
        assert!(hand.finish(group.join()).unwrap_err().cause().is_some());
    });
}

#[test]
fn tasks_run_as_on_the_runtimes_own_spawner() {
    let hand = Hand::default();
    let ended = with(&hand, Full { drops: false }, |ambient| {
        hand.finish(GroupBuilder::on(ambient).run(async |g| {
            let child = g.spawn(async {
                yield_now().await;
                Ok::<_, &str>(5)
            });
            Ok(child.await.unwrap())
        }))
    });
    assert_eq!((ended.unwrap(), hand.held()), (5, 0));
}
