//! The facade's functions, simulated under many schedules. `PIRN_SEEDS` asks for more.

#![cfg(feature = "test")]

use pirn::sim::{Sim, check, wait_all_blocked};
use pirn::sync::{Lock, Queue, Semaphore};
use pirn::{Cause, JoinError, fs, net, now, sleep, spawn, timeout, to_thread, yield_now};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

const SEEDS: u64 = 1000;
const MS: Duration = Duration::from_millis(1);

fn millis() -> u64 {
    now().as_nanos() / 1_000_000
}

#[test]
fn tasks_sleeps_and_timeouts() {
    check(SEEDS, || async {
        let tasks: Vec<_> = (1..=4)
            .map(|n| {
                spawn(async move {
                    sleep(n * MS).await;
                    n
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!((sum, millis()), (10, 4));
        assert!(timeout(MS, std::future::pending::<()>()).await.is_err());
        assert_eq!(timeout(MS, async { 3 }).await.unwrap(), 3);
        assert_eq!(millis(), 5);
    });
}

#[test]
fn a_lock_admits_one_and_forgets_nobody() {
    check(SEEDS, || async {
        let lock = Arc::new(Lock::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (lock, inside) = (lock.clone(), inside.clone());
                spawn(async move {
                    for _ in 0..3 {
                        let mut count = lock.lock().await;
                        assert_eq!(inside.fetch_add(1, Relaxed), 0);
                        yield_now().await;
                        if n == 0 {
                            sleep(MS).await;
                        }
                        *count += 1;
                        inside.fetch_sub(1, Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*lock.lock().await, 12);
    });
}

#[test]
fn a_queue_gives_each_item_once_and_in_order() {
    check(SEEDS, || async {
        let queue = Arc::new(Queue::bounded(2));
        let putters: Vec<_> = (0..2)
            .map(|n| {
                let queue = queue.clone();
                spawn(async move {
                    for item in 0..5 {
                        queue.put((n, item)).await.unwrap();
                    }
                })
            })
            .collect();
        let getters: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                spawn(async move {
                    let mut got = Vec::new();
                    while let Ok(item) = queue.get().await {
                        got.push(item);
                    }
                    got
                })
            })
            .collect();
        for putter in putters {
            putter.await.unwrap();
        }
        queue.close();
        let mut all = BTreeSet::new();
        for getter in getters {
            let got = getter.await.unwrap();
            for n in 0..2 {
                assert!(got.iter().filter(|(of, _)| *of == n).is_sorted());
            }
            for item in got {
                assert!(all.insert(item), "{item:?} came twice");
            }
        }
        assert_eq!(all.len(), 10);
    });
}

#[test]
fn a_group_outlives_its_children_and_its_first_failure_ends_them() {
    check(SEEDS, || async {
        let live = Arc::new(AtomicUsize::new(0));
        let counted = live.clone();
        struct Alive(Arc<AtomicUsize>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        let ended = pirn::group(async |g| {
            for n in 1..=4_u32 {
                counted.fetch_add(1, Relaxed);
                let alive = Alive(counted.clone());
                g.spawn(async move {
                    let _alive = alive;
                    sleep(n % 3 * MS).await;
                    match n {
                        2 => Err(n),
                        _ => Ok(()),
                    }
                });
            }
            sleep(10 * MS).await;
            Ok(())
        })
        .await;
        assert_eq!(live.load(Relaxed), 0);
        assert_eq!(ended.unwrap_err().into_errors(), [2]);
        assert_eq!(millis(), 2);
    });
}

#[test]
fn closures_for_threads_run_once_each_at_any_moment() {
    check(SEEDS, || async {
        let ran = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let ran = ran.clone();
                spawn(async move {
                    to_thread(move || {
                        ran.fetch_add(1, Relaxed);
                        n
                    })
                    .await
                    .unwrap()
                })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), n);
        }
        assert_eq!((ran.load(Relaxed), millis()), (3, 0));
        let panics = to_thread(|| panic!("out of luck")).await;
        assert!(matches!(panics, Err(JoinError::Panicked(_))));
        let unpolled = to_thread(|| unreachable!());
        drop(unpolled);
    });
}

#[test]
fn calls_keep_their_order_and_their_time() {
    check(SEEDS, || async {
        let (tell, told) = mpsc::channel();
        let say = |what: &'static str| {
            let tell = tell.clone();
            move || tell.send((what, millis())).unwrap()
        };
        pirn::call_later(2 * MS, say("later")).unwrap();
        pirn::call_later(MS, say("sooner")).unwrap();
        let cancelled = pirn::call_later(MS, say("never")).unwrap();
        pirn::call_soon(say("first")).unwrap();
        pirn::call_soon(say("second")).unwrap();
        assert!(cancelled.cancel());
        sleep(3 * MS).await;
        let said: Vec<_> = told.try_iter().collect();
        let expected = [("first", 0), ("second", 0), ("sooner", 1), ("later", 2)];
        assert_eq!(said, expected);
    });
}

#[test]
fn cancelled_waiters_lose_no_permit() {
    check(SEEDS, || async {
        let permits = Arc::new(Semaphore::new(2));
        let tasks: Vec<_> = (0..6)
            .map(|n| {
                let permits = permits.clone();
                spawn(async move {
                    let _permit = permits.acquire().await.unwrap();
                    sleep(n % 2 * MS).await;
                })
            })
            .collect();
        yield_now().await;
        for (n, task) in tasks.into_iter().enumerate() {
            let task = match n % 3 {
                0 => task.cancel(Cause::requested("enough")),
                _ => task,
            };
            let _ = task.await;
        }
        wait_all_blocked().await;
        assert_eq!(permits.available(), 2);
    });
}

#[test]
fn all_of_it_gives_the_same_trace_twice() {
    let program = || async {
        let queue = Arc::new(Queue::bounded(1));
        let puts = queue.clone();
        let worked = pirn::group(async |g| {
            g.spawn(async move {
                for n in 0..3 {
                    let item = to_thread(move || n).await.unwrap();
                    puts.put(item).await.unwrap();
                }
                Ok::<_, &str>(())
            });
            g.spawn(async {
                assert!(timeout(MS, sleep(2 * MS)).await.is_err());
                Ok(())
            });
            for _ in 0..3 {
                queue.get().await.unwrap();
            }
            Ok(())
        });
        worked.await.unwrap();
    };
    for seed in 0..100 {
        let trace = || {
            Sim::new()
                .schedule(seed)
                .run_traced(program())
                .1
                .to_string()
        };
        assert_eq!(trace(), trace());
    }
}

#[pirn::test]
async fn a_runtime_inside_is_an_error_and_one_is_said_to_run() {
    assert!(pirn::is_running());
    let error = pirn::Runtime::builder().current_thread().build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[pirn::test(seeds = 20)]
async fn closures_for_a_pool_of_ones_own_run_inline_too() {
    let pool = pirn_io::blocking::BlockingPool::default();
    let here = std::thread::current().id();
    let there = pool.run(|| std::thread::current().id()).await.unwrap();
    assert_eq!(here, there);
    assert_eq!(pool.statistics().threads, 0);
}

#[pirn::test]
async fn sockets_files_and_names_are_errors_that_say_what_to_use() {
    let connect = net::TcpStream::connect("127.0.0.1:1").await.unwrap_err();
    let listen = net::TcpListener::bind("127.0.0.1:0").await.unwrap_err();
    let read = fs::read("/etc/hosts").await.unwrap_err();
    let open = fs::File::open("/etc/hosts").await.unwrap_err();
    let lookup = net::lookup("localhost", 1).await.unwrap_err();
    let interrupt = pirn::signal::ctrl_c().await.unwrap_err();
    for error in [connect, listen, read, open, lookup, interrupt] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("in-memory"), "{error}");
        assert!(error.to_string().contains("`pirn_sim`"), "{error}");
    }
}
