//! What children have of the task-locals around their spawn, which is for the executor to see to: a part
//! of `tests/executors.rs`, where `on` says how a group is made.

use super::support::yield_now;
use super::{Hand, on};
use pirn_core::TaskLocal;
use pirn_group::ChildError;

#[test]
fn a_childs_locals_are_a_copy_of_those_around_its_spawn_and_what_it_sets_is_its_own() {
    static REQUEST: TaskLocal<u32> = TaskLocal::new();
    let hand = Hand::default();
    let child = || async {
        yield_now().await;
        let seen = REQUEST.get();
        let _keep = REQUEST.set(8).unwrap();
        yield_now().await;
        assert_eq!(REQUEST.get(), Some(8));
        Ok(seen)
    };
    let seen = hand.finish(on(&hand).limit(1).run(async |g| {
        let none = g.spawn(child());
        let seven = REQUEST.scope_sync(7, || g.spawn(child()));
        let seen = (none.await?, seven.await?);
        assert_eq!(REQUEST.get(), None);
        Ok::<_, ChildError>(seen)
    }));
    assert_eq!(seen.unwrap(), (None, Some(7)));
}
