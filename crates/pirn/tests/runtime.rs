//! The runtime: run, what is left at the end, and what is refused.

use pirn::{
    Cause, JoinError, Kind, Priority, RunError, Runtime, Scope, TaskInfo, TaskMeta, block_in_place,
    finally, spawn, spawn_at, spawn_local, spawn_local_at, tasks, try_spawn, try_spawn_eager,
    try_spawn_local,
};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn runtimes() -> Vec<Runtime> {
    vec![
        Runtime::builder().current_thread().build().unwrap(),
        Runtime::builder().workers(1).build().unwrap(),
        Runtime::builder().workers(3).build().unwrap(),
    ]
}

#[test]
fn a_run_gives_the_value_of_its_main_future_which_may_borrow() {
    for mut runtime in runtimes() {
        let mut text = String::from("borrowed");
        let length = runtime.run(async {
            text.push_str(" and changed");
            text.len()
        });
        assert_eq!(length.unwrap(), text.len());
    }
}

#[test]
fn a_run_inside_a_run_is_an_error_that_names_the_way_out() {
    for mut runtime in runtimes() {
        let text = runtime
            .run(async {
                let Err(RunError::Nested) = Runtime::new().unwrap().run(async {}) else {
                    panic!("it ran")
                };
                spawn(async {
                    let run = || pirn::run(async {});
                    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
                    payload.downcast_ref::<String>().unwrap().clone()
                })
                .await
                .unwrap()
            })
            .unwrap();
        assert!(text.contains("use `.await`"), "{text}");
    }
}

#[test]
fn a_run_on_a_thread_for_what_blocks_is_allowed() {
    for mut runtime in runtimes() {
        let nested = runtime.run(async { pirn::to_thread(|| pirn::run(async { 5 })).await });
        assert_eq!(nested.unwrap().unwrap(), 5);
    }
}

#[test]
fn two_runs_of_one_runtime_share_their_tasks() {
    for mut runtime in runtimes() {
        let (tell, told) = futures::channel::oneshot::channel();
        let mut task = None;
        runtime.run(async { task = Some(spawn(told)) }).unwrap();
        let heard = runtime.run(async {
            tell.send(8).unwrap();
            task.unwrap().await
        });
        assert_eq!(heard.unwrap().unwrap(), Ok(8));
    }
}

#[test]
fn a_task_that_is_left_at_the_end_is_cancelled_and_cleans_up() {
    for mut runtime in runtimes() {
        let (say, said) = mpsc::channel();
        runtime
            .run(async move {
                let cleanup = move || async move {
                    pirn::sleep(MS).await;
                    say.send("clean").unwrap();
                };
                let (began, begun) = futures::channel::oneshot::channel();
                let work = async move {
                    began.send(()).unwrap();
                    pending::<()>().await
                };
                spawn(finally(work, cleanup)).detach();
                begun.await.unwrap();
            })
            .unwrap();
        runtime.shutdown().unwrap();
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["clean"]);
    }
}

#[test]
fn a_clean_up_that_outlasts_the_grace_is_counted() {
    for builder in [
        Runtime::builder().current_thread(),
        Runtime::builder().workers(2),
    ] {
        let mut runtime = builder.grace(MS).build().unwrap();
        runtime
            .run(async {
                let (began, begun) = futures::channel::oneshot::channel();
                let work = async move {
                    began.send(()).unwrap();
                    pending::<()>().await
                };
                let meta = TaskMeta::here().named("hangs");
                let task = try_spawn(meta, finally(work, pending::<()>)).unwrap();
                task.detach();
                begun.await.unwrap();
            })
            .unwrap();
        let unended = runtime.shutdown().unwrap_err();
        assert_eq!(unended.tasks.len(), 1);
        assert_eq!(unended.tasks[0].name(), Some("hangs"));
        let text = unended.to_string();
        assert!(
            text.contains("1 tasks were dropped (task `hangs` spawned at"),
            "{text}"
        );
    }
}

#[test]
fn timers_fire_for_the_clean_up_of_local_tasks_when_nothing_else_is_left() {
    for mut runtime in runtimes() {
        let (sender, cleaned) = mpsc::channel();
        runtime
            .run(async move {
                let clean = move || async move {
                    pirn::sleep(MS).await;
                    sender.send("clean").unwrap();
                };
                spawn_local(finally(pending::<()>(), clean)).detach();
                pirn::sleep(MS).await;
            })
            .unwrap();
        runtime.shutdown().unwrap();
        assert_eq!(cleaned.recv(), Ok("clean"));
    }
}

#[test]
fn a_main_future_that_is_cancelled_gives_the_cause() {
    for mut runtime in runtimes() {
        let ended = runtime.run(async {
            Scope::current().unwrap().cancel(Cause::requested("enough"));
            pending::<()>().await
        });
        let Err(RunError::Cancelled(cause)) = ended else {
            panic!("it ended")
        };
        assert_eq!((cause.kind(), cause.text()), (Kind::Requested, "enough"));
    }
}

#[test]
fn a_panic_of_the_main_future_comes_out_and_the_runtime_goes_on() {
    for mut runtime in runtimes() {
        let run = AssertUnwindSafe(|| runtime.run(async { panic!("main failed") }));
        assert!(catch_unwind(run).is_err());
        assert_eq!(runtime.run(async { 3 }).unwrap(), 3);
    }
}

#[test]
fn a_local_task_shares_the_main_thread_and_a_worker_refuses_one() {
    for mut runtime in runtimes() {
        let shared = Rc::new(2);
        let (here, there) = runtime
            .run(async {
                let local = spawn_local(async move { *shared + 1 });
                let main = std::thread::current().id();
                let there = spawn(async move {
                    let elsewhere = std::thread::current().id() != main;
                    (elsewhere, spawn_local(async {}).await)
                });
                (local.await.unwrap(), there.await.unwrap())
            })
            .unwrap();
        assert_eq!(here, 3);
        let (elsewhere, refused) = there;
        assert_eq!(elsewhere, matches!(refused, Err(JoinError::Refused(_))));
    }
}

#[test]
fn timers_sockets_and_threads_work_in_tasks() {
    use futures::{AsyncReadExt, AsyncWriteExt};
    for mut runtime in runtimes() {
        let echoed = runtime.run(async {
            let listener = pirn::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr();
            let server = spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut line = [0; 5];
                stream.read_exact(&mut line).await.unwrap();
                pirn::sleep(MS).await;
                let line = pirn::to_thread(move || line.to_ascii_uppercase())
                    .await
                    .unwrap();
                stream.write_all(&line).await.unwrap();
            });
            let mut stream = pirn::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let mut line = String::new();
            stream.read_to_string(&mut line).await.unwrap();
            server.await.unwrap();
            line
        });
        assert_eq!(echoed.unwrap(), "HELLO");
    }
}

#[test]
fn outside_a_runtime_a_spawn_is_refused_and_nothing_panics() {
    let task = spawn(async { 1 });
    let ended = pirn_core::shim::block_on(task);
    assert!(matches!(ended, Err(JoinError::Refused(_))));
    assert!(!pirn::is_running());
}

#[test]
fn zero_workers_and_zero_threads_are_refused_at_the_callers_place() {
    for build in [
        || drop(Runtime::builder().workers(0)),
        || drop(Runtime::builder().max_blocking_threads(0)),
    ] {
        let payload = catch_unwind(build).unwrap_err();
        assert!(pirn_core::panic_message(&*payload).contains("at least one"));
    }
}

#[test]
fn too_many_workers_are_refused_at_the_callers_place() {
    let build = || drop(Runtime::builder().workers(1 << 15));
    let payload = catch_unwind(build).unwrap_err();
    let text = pirn_core::panic_message(&*payload);
    assert_eq!(text, "a pool has less than 2^15 workers, not 32768");
}

#[test]
fn tasks_with_a_priority_run_on_every_runtime() {
    for mut runtime in runtimes() {
        let sum = runtime.run(async {
            let mut sum = 0;
            for priority in [Priority::Low, Priority::Normal, Priority::High] {
                sum += spawn_at(priority, async { 1 }).await.unwrap();
                let local = Rc::new(2);
                sum += spawn_local_at(priority, async move { *local })
                    .await
                    .unwrap();
            }
            sum
        });
        assert_eq!(sum.unwrap(), 9);
    }
}

#[test]
fn code_that_blocks_is_refused_where_nobody_else_could_run_the_tasks() {
    assert_eq!(block_in_place(|| 1).unwrap(), 1);
    let builders = [
        Runtime::builder().current_thread(),
        Runtime::builder().workers(1),
    ];
    for builder in builders {
        let task = async {
            spawn(async { block_in_place(|| 1).is_err() })
                .await
                .unwrap()
        };
        assert!(
            builder
                .spin(Duration::ZERO)
                .build()
                .unwrap()
                .run(task)
                .unwrap()
        );
    }
}

#[test]
fn the_tasks_of_a_runtime_are_listed_without_its_own() {
    for mut runtime in runtimes() {
        let listed = runtime.run(async {
            assert!(tasks().is_empty());
            let local = spawn_local(pending::<()>());
            let task = spawn(async { tasks().iter().map(TaskInfo::id).collect::<Vec<_>>() });
            let (local, id) = (local.id(), task.id());
            let listed: Vec<_> = tasks().iter().map(TaskInfo::id).collect();
            assert!(listed.contains(&local));
            (task.await.unwrap(), id)
        });
        let (seen_by_itself, id) = listed.unwrap();
        assert!(seen_by_itself.contains(&id));
    }
    assert!(tasks().is_empty());
}

/// Runs `program` on two workers, both of which have fallen asleep for good before.
fn after_a_rest<T>(program: impl AsyncFnOnce() -> T) -> T {
    let mut runtime = Runtime::builder().workers(2).build().unwrap();
    runtime
        .run(async {
            // Longer than any watch, so that nobody watches any more.
            pirn::sleep(40 * MS).await;
            program().await
        })
        .unwrap()
}

#[test]
fn what_a_task_spawns_before_a_long_poll_runs_on_the_other_worker() {
    after_a_rest(async || {
        let (sender, receiver) = mpsc::channel();
        let long = spawn(async move {
            let inner = spawn(async move { sender.send(()).unwrap() });
            // This poll goes on until the other task has run.
            receiver.recv().unwrap();
            inner.await.unwrap();
        });
        long.await.unwrap();
    });
}

#[test]
fn timers_fire_during_a_long_poll_of_the_worker_that_was_in_the_driver() {
    after_a_rest(async || {
        let (sender, receiver) = mpsc::channel();
        let other = spawn(async move {
            pirn::sleep(20 * MS).await;
            sender.send(()).unwrap();
        });
        let long = spawn(async move {
            pirn::sleep(10 * MS).await;
            // Woken out of the driver, whose next timer ends this poll.
            receiver.recv().unwrap();
        });
        long.await.unwrap();
        other.await.unwrap();
    });
}

#[test]
fn what_is_spawned_on_this_thread_may_have_a_name_and_comes_back_where_it_is_refused() {
    let named = || TaskMeta::here().named("here");
    let alone = Rc::new(1);
    let add = {
        let alone = Rc::clone(&alone);
        async move { *alone + 1 }
    };
    let refused = try_spawn_eager(named(), add).unwrap_err();
    assert_eq!(Rc::strong_count(&alone), 2, "unpolled, and not dropped");
    let refused = try_spawn_local(named(), refused.into_future()).unwrap_err();
    assert!(refused.reason().contains("no executor"));
    assert_eq!(pirn_core::shim::block_on(refused.into_future()), 2);
    for mut runtime in runtimes() {
        let has_workers = runtime.statistics().pool.is_some();
        let ended = runtime.run(async {
            let alone = Rc::new(1);
            let local = try_spawn_local(named(), async move { *alone }).unwrap();
            assert_eq!(tasks()[0].name(), Some("here"));
            let eager = try_spawn_eager(named(), async { local.await.unwrap() + 1 }).unwrap();
            assert!(!eager.is_finished());
            assert_eq!(eager.await.unwrap(), 2);
            assert!(try_spawn_eager(named(), async {}).unwrap().is_finished());
            let there = spawn(async {
                let eager = try_spawn_eager(TaskMeta::here(), async {});
                let local = try_spawn_local(TaskMeta::here(), async {});
                (eager.is_err(), local.is_err())
            });
            there.await.unwrap()
        });
        assert_eq!(ended.unwrap(), (has_workers, has_workers));
    }
}
