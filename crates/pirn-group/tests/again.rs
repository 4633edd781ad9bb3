//! A combinator that is polled after it was ready says so, however it has ended, and makes nothing up.

mod support;

use pirn_core::{Cause, Scope};
use pirn_group::{
    first_ok, for_each_limit, gather, gather_results, join, map_limit, race, staggered_race,
};
use std::future::{Future, Ready, pending, ready};
use std::iter::empty;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::poll;

/// Polls to its end, in whichever way it ends, and once more, twice.
#[track_caller]
fn again<F: Future>(future: F) {
    let mut future = Box::pin(future);
    let mut once = || catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()).is_ready()));
    assert!(once().unwrap_or(true), "it ends at once");
    for _ in 0..2 {
        let payload = once().expect_err("it has given something again");
        let text = match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
        };
        assert!(text.contains("polled after it was ready"), "{text}");
    }
}

#[derive(Clone, Copy)]
enum End {
    Value,
    Error,
    Panic,
    /// Cancelled alone.
    Cancel,
}

use End::{Cancel, Error, Panic, Value};

const ALL: [End; 4] = [Value, Error, Panic, Cancel];

async fn member(end: End) -> Result<(), &'static str> {
    match end {
        Value => Ok(()),
        Error => Err("lost"),
        Panic => panic!("bug"),
        Cancel => {
            let alone = Cause::requested("alone");
            Scope::current().unwrap().cancel(alone);
            pending().await
        }
    }
}

async fn sure(end: End) {
    _ = member(end).await;
}

#[test]
fn a_gather_is_not_ready_twice() {
    for end in ALL {
        again(gather([Value, end].map(member)));
        again(gather(vec![member(end)]));
        again(gather((member(Value), member(end))));
        again(gather((member(end), member(Value))));
        again(gather_results([Value, end].map(member)));
        again(gather_results((member(Value), member(end))));
        again(join([Value, end].map(sure)));
        again(join((sure(Value), sure(end))));
    }
    again(gather(empty::<End>().map(member)));
    again(gather_results(empty::<End>().map(member)));
    again(join(empty::<End>().map(sure)));
}

#[test]
fn a_race_is_not_ready_twice() {
    for end in ALL {
        again(race([end].map(member)));
        again(race((member(end), member(end))));
        again(first_ok([end].map(member)));
        again(first_ok((member(Error), member(end))));
        again(staggered_race([end].map(member), || ready(())));
    }
    again(race(empty::<End>().map(member)));
    again(first_ok(empty::<End>().map(member)));
    again(staggered_race(empty::<End>().map(member), || ready(())));
    let delay = || -> Ready<()> { panic!("of the delay") };
    again(staggered_race([Value].map(member), delay));
}

#[test]
fn work_on_many_items_is_not_ready_twice() {
    for end in ALL {
        again(for_each_limit(1, [Value, end], member));
        again(for_each_limit(3, [Value, end], member));
        let items = [Value, end].into_iter().map(|end| match end {
            Panic => panic!("of the items"),
            end => end,
        });
        again(for_each_limit(3, items, member));
    }
    again(for_each_limit(3, empty(), member));
    for end in [Value, Error, Panic] {
        again(map_limit(3, [Value], member, async move |mut results| {
            results.next().await;
            member(end).await
        }));
        again(map_limit(3, [Cancel], member, async move |_| {
            member(end).await
        }));
    }
}
