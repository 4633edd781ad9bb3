//! What the report of a simulation that cannot go on says of those who wait for groups.

use pirn_core::Scope;
use pirn_group::{CancelToken, GroupBuilder, Started, group, group_in_task, map_limit};
use pirn_sim::Sim;
use std::future::{Future, pending};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Never = Result<(), Error>;

/// What the main future waits for, and no other one.
fn main_waits_for<F: Future>(main: F) -> Vec<String> {
    let Err(deadlock) = Sim::new().try_run(main) else {
        panic!("it goes on");
    };
    deadlock.tasks()[0].waits_for().to_vec()
}

#[test]
fn a_group_waits_for_its_children() {
    let main = group(async |g| {
        g.spawn(pending::<Never>());
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["the children of its group"]);
    let main = async {
        let group = GroupBuilder::ambient().unwrap().open::<Error>();
        group.spawn(pending::<Never>());
        group.join().await
    };
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn a_body_waits_for_a_child() {
    let main = group(async |g| {
        let child = g.spawn(pending::<Never>());
        Ok::<_, Error>(child.await?)
    });
    assert_eq!(main_waits_for(main), ["the end of a child of its group"]);
    let main = group(async |g| {
        let mut results = g.collect();
        results.spawn(pending::<Never>());
        results.next().await;
        Ok::<_, Error>(())
    });
    let waits = ["the results of its group's children"];
    assert_eq!(main_waits_for(main), waits);
    let main = group(async |g| {
        let starts = async |_started: Started<()>| pending::<Never>().await;
        drop(g.start(starts).await);
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["a child that is not ready yet"]);
    let main = async {
        GroupBuilder::ambient()
            .unwrap()
            .gather([pending::<Never>()])
            .await
    };
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn who_borrows_waits_for_the_group_too() {
    let main = group_in_task(async |g| {
        g.spawn(pending::<Never>());
        Ok::<_, Error>(())
    });
    assert_eq!(main_waits_for(main), ["the children of its group"]);
}

#[test]
fn a_child_waits_for_a_slot() {
    let main = async {
        let group = GroupBuilder::ambient().unwrap().limit(1);
        let run = group.run(async |g| {
            g.spawn(pending::<Never>());
            g.spawn(pending::<Never>());
            Ok::<_, Error>(())
        });
        run.await
    };
    let Err(deadlock) = Sim::new().try_run(main) else {
        panic!("it goes on");
    };
    let waits: Vec<_> = deadlock.tasks()[1..]
        .iter()
        .map(|t| t.waits_for())
        .collect();
    assert!(
        waits.contains(&&["a slot of its group".to_owned()][..]),
        "{waits:?}"
    );
}

#[test]
fn others_wait_for_a_cancel_and_for_results() {
    let cancel = ["the cancel of a scope"];
    assert_eq!(
        main_waits_for(async { CancelToken::new().cancelled().await }),
        cancel
    );
    assert_eq!(
        main_waits_for(async { Scope::new().cancelled().await }),
        cancel
    );
    let main = map_limit(
        1,
        0..1,
        |_| pending::<()>(),
        async |mut results| {
            results.next().await;
        },
    );
    assert_eq!(main_waits_for(main), ["a result of `map_limit`"]);
}
