//! Large futures: to make a child of one takes little more of the stack than to make it, also in a build
//! without optimisation, where each function that a future passes through has a copy of it.
//!
//! A stack that is too small ends the process; what is said then names the thread, which is called as
//! the way in that was tried.

use pirn_core::{Priority, TaskMeta};
use pirn_executor::{LocalExecutor, LocalHandle, ThreadPark};
use pirn_group::{
    ChildError, GroupBuilder, InTask, InTaskLocal, StartError, Started, TaskGroup, group_in_task,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

const LARGE: usize = 256 << 10;
/// Seven copies and a half. The worst way in takes six.
const STACK: usize = LARGE / 2 * 15;

struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Future for Bytes<N> {
    type Output = Result<usize, String>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(self.0.iter().map(|&byte| usize::from(byte)).sum()))
    }
}

fn large() -> Bytes<LARGE> {
    Bytes([1; LARGE])
}

type Group = TaskGroup<String, LocalHandle>;

/// Ways in, each with its name.
type Ways<T> = &'static [(&'static str, fn(&T))];

/// Calls each of them on a stack of its own.
fn fits<T: 'static>(ways: Ways<T>, around: fn(fn(&T))) {
    for &(name, way) in ways {
        let thread = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK);
        let thread = thread.spawn(move || around(way)).unwrap();
        thread.join().unwrap();
    }
}

fn poll_once(future: impl Future) {
    let mut cx = Context::from_waker(Waker::noop());
    let _ = pin!(future).poll(&mut cx);
}

const WAYS: Ways<Group> = &[
    ("spawn", |g| drop(g.spawn(large()))),
    ("spawn_named", |g| drop(g.spawn_named("large", large()))),
    ("spawn_at", |g| drop(g.spawn_at(Priority::Low, large()))),
    ("try_spawn", |g| {
        drop(g.try_spawn(TaskMeta::here(), large()));
    }),
    ("spawn_local", |g| drop(g.spawn_local(large()))),
    ("spawn_local_named", |g| {
        drop(g.spawn_local_named("large", large()));
    }),
    ("spawn_local_at", |g| {
        drop(g.spawn_local_at(Priority::Low, large()));
    }),
    ("try_spawn_local", |g| {
        drop(g.try_spawn_local(TaskMeta::here(), large()));
    }),
    ("start_local", |g| {
        poll_once(g.start_local(|_: Started<()>| large()));
    }),
    ("collect local", |g| {
        g.collect().spawn_local(large());
    }),
    ("collect", |g| {
        g.collect().spawn(large());
    }),
    ("start", |g| {
        poll_once(g.start(|_: Started<()>| large()));
    }),
];

#[test]
fn a_group_has_few_copies_of_a_large_child() {
    fits(WAYS, |way| {
        let executor = LocalExecutor::new();
        let group = GroupBuilder::on(executor.handle()).run(async |g| {
            way(&g);
            Ok(())
        });
        executor
            .run(&mut ThreadPark::new(), group)
            .unwrap()
            .unwrap();
    });
    fits(WAYS, |way| {
        let executor = LocalExecutor::new();
        let group = GroupBuilder::on(executor.handle()).open();
        way(&group);
        executor
            .run(&mut ThreadPark::new(), group.join())
            .unwrap()
            .unwrap();
    });
}

#[test]
fn gathered_children_have_few_copies_of_a_large_future() {
    fits(
        &[("gather", |_| {}), ("gather again", |_| {})],
        |_: fn(&())| {
            let executor = LocalExecutor::new();
            let group = GroupBuilder::on(executor.handle());
            let sums = group.gather((0..2).map(|_| large()));
            let sums = executor.run(&mut ThreadPark::new(), sums).unwrap();
            assert_eq!(sums.unwrap(), [LARGE, LARGE]);
            let group = GroupBuilder::on(executor.handle());
            let sums = group.gather_local((0..2).map(|_| large()));
            let sums = executor.run(&mut ThreadPark::new(), sums).unwrap();
            assert_eq!(sums.unwrap(), [LARGE, LARGE]);
        },
    );
}

const IN_TASK: Ways<TaskGroup<String, InTask<'static>>> = &[
    ("spawn in a task", |g| drop(g.spawn(large()))),
    ("try_spawn in a task", |g| {
        drop(g.try_spawn(TaskMeta::here(), large()));
    }),
    ("collect in a task", |g| {
        g.collect().spawn(large());
    }),
    ("start in a task", |g| {
        poll_once(g.start(|_: Started<()>| large()));
    }),
];

const IN_TASK_LOCAL: Ways<TaskGroup<String, InTaskLocal<'static>>> = &[
    ("spawn_local in a task", |g| drop(g.spawn_local(large()))),
    ("try_spawn_local in a task", |g| {
        drop(g.try_spawn_local(TaskMeta::here(), large()));
    }),
    ("collect, local, in a task", |g| {
        g.collect().spawn_local(large());
    }),
    ("start_local in a task", |g| {
        poll_once(g.start_local(|_: Started<()>| large()));
    }),
];

#[test]
fn a_group_in_one_task_has_few_copies_of_a_large_child() {
    fits(IN_TASK, |way| {
        let group = group_in_task(async |g| {
            way(&g);
            Ok(())
        });
        futures::executor::block_on(group).unwrap();
    });
    fits(IN_TASK_LOCAL, |way| {
        let group = group_in_task(async |g| {
            way(&g);
            Ok(())
        });
        futures::executor::block_on(group).unwrap();
    });
}

#[test]
fn a_large_child_gives_its_value_and_comes_back_if_it_is_refused() {
    let executor = LocalExecutor::new();
    let group = GroupBuilder::on(executor.handle()).run(async |g: Group| {
        assert_eq!(g.spawn(Bytes([1; 5000])).await.unwrap(), 5000);
        let started = g.start(|_: Started<()>| Bytes([1; 5000])).await;
        assert!(matches!(started, Err(StartError::NotStarted)));
        g.close();
        let back = g.try_spawn(TaskMeta::here(), Bytes([1; 5000])).unwrap_err();
        let back = g.try_spawn_local(TaskMeta::here(), back.into_future());
        let back = back.unwrap_err().into_future();
        assert!(matches!(g.spawn(back).await, Err(ChildError::Refused(_))));
        Bytes([2; 5000]).await
    });
    let ended = executor.run(&mut ThreadPark::new(), group).unwrap();
    assert_eq!(ended.unwrap(), 10_000);

    let group = group_in_task(async |g| {
        let child = g.spawn(Bytes([1; 5000]));
        assert_eq!(child.await.unwrap(), 5000);
        g.close();
        let back = g.try_spawn(TaskMeta::here(), Bytes([1; 5000])).unwrap_err();
        back.into_future().await
    });
    assert_eq!(futures::executor::block_on(group).unwrap(), 5000);
}
