//! Streams from async closures, one poll at a time.
#![cfg(not(loom))]

mod support;

use futures::stream::FusedStream;
use futures::{Stream, StreamExt};
use pirn_core::{
    Cause, Grace, Rooted, Scope, budget, current_cause, finally, finally_in_place, shield,
    yield_now,
};
use pirn_group::CancelToken;
use pirn_group::stream::{FromFn, TryFromFn, Yielder, from_fn, try_from_fn};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::poll;

fn next<S: Stream>(stream: &mut Pin<&mut S>) -> Poll<Option<S::Item>> {
    stream
        .as_mut()
        .poll_next(&mut Context::from_waker(Waker::noop()))
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn say(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn said(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn on_drop(&self, what: &'static str) -> impl Drop + Send + use<> {
        struct OnDrop(Log, &'static str);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.say(self.1);
            }
        }
        OnDrop(self.clone(), what)
    }
}

/// Yields for ever, and cleans up in two steps, the second of which waits for `gate`.
fn endless(log: &Log, gate: &CancelToken) -> FromFn<u32, impl Future<Output = ()> + Send + use<>> {
    let (log, gate) = (log.clone(), gate.clone());
    from_fn(async move |yielder: &mut Yielder<u32>| {
        let last = log.clone();
        let work = async {
            let _dropped = log.on_drop("dropped");
            for n in 0.. {
                yielder.yield_(n).await;
            }
        };
        finally(work, async move || {
            last.say("cleaning");
            gate.cancelled().await;
            last.say("cleaned");
        })
        .await;
    })
}

#[test]
fn nothing_runs_before_it_is_asked_for_and_nothing_beside() {
    let log = Log::default();
    let said = log.clone();
    let mut stream = pin!(from_fn(async move |yielder| {
        for n in 0..3 {
            said.say("makes");
            yielder.yield_(n).await;
        }
        said.say("ends");
    }));
    assert_eq!(log.said(), [""; 0]);
    for n in 0..3 {
        assert_eq!(next(&mut stream), Poll::Ready(Some(n)));
        assert_eq!(log.said(), ["makes"]);
        assert!(!stream.is_terminated());
    }
    for _ in 0..3 {
        assert_eq!(next(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated());
    }
    assert_eq!(log.said(), ["ends"]);
}

#[test]
fn what_the_generator_waits_for_wakes_the_consumer() {
    let gate = CancelToken::new();
    let opened = gate.clone();
    let mut stream = pin!(from_fn(async move |yielder| {
        opened.cancelled().await;
        yielder.yield_("item").await;
    }));
    let (flag, waker) = support::Flag::new();
    let mut cx = Context::from_waker(&waker);
    assert!(stream.as_mut().poll_next(&mut cx).is_pending());
    assert!(!flag.take());
    gate.cancel("open");
    assert!(flag.take());
    assert_eq!(stream.poll_next(&mut cx), Poll::Ready(Some("item")));
}

#[test]
fn a_generator_may_borrow_and_need_not_be_send() {
    let mut seen = vec![1, 2, 3];
    let count = std::rc::Rc::new(Cell::new(0));
    {
        let mut stream = pin!(from_fn(async |yielder| {
            for n in &mut seen {
                count.set(count.get() + 1);
                yielder.yield_(*n).await;
                *n += 10;
            }
        }));
        let mut sum = 0;
        while let Poll::Ready(Some(n)) = next(&mut stream) {
            sum += n;
        }
        assert_eq!(sum, 6);
    }
    assert_eq!((seen, count.get()), (vec![11, 12, 13], 3));
}

#[test]
fn a_stream_of_what_is_send_is_send() {
    fn is_send<T: Send>(t: T) -> T {
        t
    }
    let stream = is_send(endless(&Log::default(), &CancelToken::new()));
    let first = std::thread::spawn(|| next(&mut pin!(stream)));
    assert_eq!(first.join().unwrap(), Poll::Ready(Some(0)));
}

#[test]
fn an_error_is_the_last_item() {
    let mut stream = pin!(try_from_fn(async |yielder| {
        yielder.yield_(1).await;
        Err("that was all")
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Err("that was all"))));
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert!(stream.is_terminated());
}

// A yield that is not simply awaited.

#[test]
fn an_item_whose_yield_was_dropped_after_its_poll_is_given() {
    let mut stream = pin!(from_fn(async |yielder| {
        let mut yielding = Box::pin(yielder.yield_(1));
        poll_fn(|cx| Poll::Ready(yielding.as_mut().poll(cx).is_pending())).await;
        drop(yielding);
        drop(yielder.yield_(2));
        yielder.yield_(3).await;
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(next(&mut stream), Poll::Ready(Some(3)));
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn an_item_that_was_left_at_the_end_is_given_before_it() {
    let mut stream = pin!(from_fn(async |yielder| {
        let mut yielding = Box::pin(yielder.yield_(1));
        poll_fn(|cx| Poll::Ready(yielding.as_mut().poll(cx).is_pending())).await;
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert!(!stream.is_terminated());
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn a_yield_beside_another_future_keeps_the_item_until_it_is_taken() {
    let gate = CancelToken::new();
    let opened = gate.clone();
    let mut stream = pin!(from_fn(async move |yielder| {
        futures::join!(yielder.yield_(1), opened.cancelled());
        yielder.yield_(2).await;
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(next(&mut stream), Poll::Pending);
    gate.cancel("open");
    assert_eq!(next(&mut stream), Poll::Ready(Some(2)));
}

#[test]
fn two_yielders_that_were_swapped_yield_to_each_others_streams() {
    let mut outer = pin!(from_fn(async |outer: &mut Yielder<u8>| {
        let mut inner = pin!(from_fn(async |inner: &mut Yielder<u8>| {
            std::mem::swap(outer, inner);
            inner.yield_(1).await;
        }));
        inner.next().await;
        unreachable!("the inner stream has no item");
    }));
    assert_eq!(next(&mut outer), Poll::Ready(Some(1)));
    let went_on = catch_unwind(AssertUnwindSafe(|| next(&mut outer)));
    assert!(went_on.is_err());
}

#[test]
fn one_generator_may_consume_another() {
    let stream = from_fn(async |yielder| {
        let mut inner = pin!(from_fn(async |yielder| {
            for n in 0..4 {
                yielder.yield_(n).await;
            }
        }));
        while let Some(n) = inner.next().await {
            if n % 2 == 1 {
                yielder.yield_(n).await;
            }
        }
    });
    let Poll::Ready(all) = poll(pin!(stream.collect::<Vec<_>>())) else {
        panic!("nothing waits")
    };
    assert_eq!(all, [1, 3]);
}

// The end.

#[test]
fn closing_awaits_the_clean_up() {
    let (log, gate) = (Log::default(), CancelToken::new());
    let mut stream = pin!(endless(&log, &gate));
    assert_eq!(next(&mut stream), Poll::Ready(Some(0)));
    {
        let mut closing = pin!(stream.as_mut().close());
        assert!(poll(closing.as_mut()).is_pending());
        assert_eq!(log.said(), ["dropped", "cleaning"]);
        gate.cancel("open");
        assert!(poll(closing.as_mut()).is_ready());
    }
    assert_eq!(log.said(), ["cleaned"]);
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert!(poll(pin!(stream.as_mut().close())).is_ready(), "again");
}

#[test]
fn closing_that_is_given_up_is_gone_on_with() {
    let (log, gate) = (Log::default(), CancelToken::new());
    let mut stream = pin!(endless(&log, &gate));
    assert_eq!(next(&mut stream), Poll::Ready(Some(0)));
    assert!(poll(pin!(stream.as_mut().close())).is_pending());
    assert_eq!(next(&mut stream), Poll::Pending);
    gate.cancel("open");
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert_eq!(log.said(), ["dropped", "cleaning", "cleaned"]);
}

#[test]
fn closing_before_the_first_poll_drops_the_generator() {
    let log = Log::default();
    let held = log.on_drop("dropped");
    let mut stream = pin!(from_fn(async move |_: &mut Yielder<()>| {
        let _held = held;
        panic!("it ran");
    }));
    assert!(poll(pin!(stream.as_mut().close())).is_ready());
    assert_eq!(log.said(), ["dropped"]);
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn what_a_shield_yields_while_it_is_closed_is_dropped() {
    let log = Log::default();
    let said = log.clone();
    let mut stream = pin!(from_fn(async move |yielder| {
        shield(async {
            for n in 0..3 {
                yielder.yield_(n).await;
            }
            said.say("shielded");
        })
        .await;
        yielder.yield_(3).await;
        said.say("went on");
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(0)));
    assert!(poll(pin!(stream.as_mut().close())).is_ready());
    assert_eq!(log.said(), ["shielded"]);
}

#[test]
fn a_shield_that_yields_for_ever_gives_the_thread_back_as_it_is_closed() {
    let yields = Cell::new(0);
    let mut stream = pin!(from_fn(async |yielder| {
        shield(async {
            loop {
                yields.set(yields.get() + 1);
                assert!(yields.get() < 10_000, "the thread is not given back");
                yielder.yield_(()).await;
            }
        })
        .await
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(())));
    let (flag, waker) = support::Flag::new();
    let mut close = pin!(stream.as_mut().close());
    for _ in 0..3 {
        let before = yields.get();
        let polled = close.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending() && flag.take());
        assert!(yields.get() > before);
    }
}

#[test]
fn a_shield_that_yields_as_it_is_closed_goes_on_in_a_cancelled_body() {
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut stream = pin!(from_fn(async |yielder| {
            let yields = async {
                for _ in 0..200 {
                    yielder.yield_(()).await;
                }
            };
            shield(yields).await
        }));
        poll_fn(|cx| stream.as_mut().poll_next(cx)).await;
        stream.as_mut().close().await;
    }));
    let (flag, waker) = support::Flag::new();
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    scope.cancel(Cause::requested("stop"));
    // Each poll drops as many items as there would be budget for.
    for _ in 0..=200 / budget::BUDGET {
        assert!(flag.take(), "nobody wakes it");
        if run.as_mut().poll(&mut cx).is_ready() {
            return;
        }
    }
    panic!("it does not end");
}

#[test]
fn a_generator_that_fails_as_it_is_closed_tells_so() {
    let mut stream: Pin<&mut TryFromFn<u8, _>> = pin!(try_from_fn(async |yielder| {
        shield(yielder.yield_(1)).await;
        Err("too late")
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    assert_eq!(poll(pin!(stream.close())), Poll::Ready(Err("too late")));
}

#[test]
fn a_stream_that_is_dropped_half_way_hands_its_clean_up_to_the_scope_around() {
    let (log, gate) = (Log::default(), CancelToken::new());
    let (said, opened) = (log.clone(), gate.clone());
    let mut task = pin!(Rooted::new(async move {
        {
            let mut stream = pin!(endless(&said, &opened));
            assert_eq!(stream.next().await, Some(0));
        }
        said.say("body ends");
    }));
    assert!(poll(task.as_mut()).is_pending());
    assert_eq!(log.said(), ["dropped", "body ends", "cleaning"]);
    gate.cancel("open");
    assert!(poll(task).is_ready());
    assert_eq!(log.said(), ["cleaned"]);
}

#[test]
fn a_stream_that_is_dropped_outside_every_scope_says_what_was_lost() {
    let _ = support::reports();
    let log = Log::default();
    {
        let mut stream = pin!(endless(&log, &CancelToken::new()));
        assert_eq!(next(&mut stream), Poll::Ready(Some(0)));
    }
    assert_eq!(log.said(), ["dropped"]);
    assert_eq!(support::reports().len(), 1);
}

#[test]
fn a_cancel_around_the_consumer_awaits_the_clean_up() {
    let (log, gate, scope) = (Log::default(), CancelToken::new(), Scope::detached());
    let (said, opened) = (log.clone(), gate.clone());
    let mut run = pin!(scope.run(async move {
        let mut stream = pin!(from_fn(async move |yielder: &mut Yielder<u8>| {
            let work = async {
                yielder.yield_(0).await;
                pending::<()>().await
            };
            finally(work, async move || {
                said.say(if current_cause().is_some() {
                    "cancelled"
                } else {
                    "not"
                });
                opened.cancelled().await;
            })
            .await
        }));
        while stream.next().await.is_some() {}
        panic!("it went on");
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["cancelled"]);
    gate.cancel("open");
    assert!(matches!(poll(run), Poll::Ready(Err::<(), _>(cause)) if cause.text() == "stop"));
}

#[test]
fn a_cancelled_consumer_is_given_no_item_and_a_shielded_yield_ends() {
    let (scope, log) = (Scope::detached(), Log::default());
    let (inside, said) = (scope.clone(), log.clone());
    let mut run = pin!(scope.run(async move {
        let mut stream = pin!(from_fn(async move |yielder: &mut Yielder<u8>| {
            shield(async {
                yielder.yield_(0).await;
                yield_now().await;
                for n in 1..4 {
                    yielder.yield_(n).await;
                }
                said.say("shielded");
            })
            .await;
        }));
        while let Some(n) = stream.next().await {
            assert_eq!(n, 0);
            inside.cancel(Cause::requested("stop"));
        }
        panic!("it went on");
    }));
    let (flag, waker) = support::Flag::new();
    let ended = loop {
        if let Poll::Ready(ended) = run.as_mut().poll(&mut Context::from_waker(&waker)) {
            break ended;
        }
        assert!(flag.take(), "whoever waits is woken");
    };
    assert_eq!(ended.unwrap_err().text(), "stop");
    assert_eq!(log.said(), ["shielded"]);
}

#[test]
fn a_panic_goes_on_and_ends_the_stream() {
    let mut stream = pin!(from_fn(async |yielder| {
        yielder.yield_(1).await;
        panic!("oh");
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert!(catch_unwind(AssertUnwindSafe(|| next(&mut stream))).is_err());
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

/// Yields, and panics before it is asked for more.
async fn yields_and_panics(yielder: &mut Yielder<u8>) {
    let mut yielding = pin!(yielder.yield_(1));
    poll_fn(|cx| Poll::Ready(yielding.as_mut().poll(cx).is_pending())).await;
    panic!("oh");
}

#[test]
fn what_was_yielded_before_a_panic_comes_before_it() {
    let mut stream = pin!(from_fn(yields_and_panics));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert!(!stream.is_terminated(), "the panic is still to come");
    assert!(catch_unwind(AssertUnwindSafe(|| next(&mut stream))).is_err());
    assert!(stream.is_terminated());
    assert_eq!(next(&mut stream), Poll::Ready(None));
    let mut stream = pin!(try_from_fn(async |yielder: &mut Yielder<u8>| {
        yields_and_panics(yielder).await;
        Err("not reached")
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    assert!(catch_unwind(AssertUnwindSafe(|| next(&mut stream))).is_err());
    assert!(stream.is_terminated());
}

#[test]
fn a_panic_goes_on_where_the_item_before_it_is_not_given() {
    // The stream is closed before it is asked for more.
    let mut stream = pin!(from_fn(yields_and_panics));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    let close = || poll(pin!(stream.as_mut().close()));
    assert!(catch_unwind(AssertUnwindSafe(close)).is_err());
    assert_eq!(next(&mut stream), Poll::Ready(None));
    // The item is one that is dropped by the close.
    let shielded = async |yielder: &mut Yielder<u8>| {
        shield(async {
            yielder.yield_(0).await;
            yields_and_panics(yielder).await;
        })
        .await
    };
    let mut stream = pin!(from_fn(shielded));
    assert_eq!(next(&mut stream), Poll::Ready(Some(0)));
    let close = || poll(pin!(stream.as_mut().close()));
    assert!(catch_unwind(AssertUnwindSafe(close)).is_err());
    assert!(stream.is_terminated());
    // The body around is cancelled.
    let scope = Scope::detached();
    let mut run = pin!(scope.run(async {
        let mut stream = pin!(from_fn(shielded));
        while stream.next().await.is_some() {
            scope.cancel(Cause::requested("stop"));
        }
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(run.as_mut()))).is_err());
}

#[test]
fn a_panic_behind_the_last_item_that_is_taken_is_reported() {
    let _ = support::reports();
    {
        let mut stream = pin!(from_fn(yields_and_panics));
        assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    }
    let reports = support::reports();
    assert!(
        reports.len() == 1 && reports[0].contains("oh"),
        "{reports:?}"
    );
}

#[test]
fn a_generator_that_cancels_itself_ends_the_stream() {
    let mut stream = pin!(from_fn(async |yielder| {
        yielder.yield_(1).await;
        Scope::current().unwrap().cancel(Cause::requested("enough"));
        yielder.yield_(2).await;
        panic!("it went on");
    }));
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    // The item was there in the poll that cancelled.
    assert_eq!(next(&mut stream), Poll::Ready(Some(2)));
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn a_clean_up_in_place_may_use_what_the_work_used() {
    let mut log = Vec::new();
    {
        let mut stream = pin!(from_fn(async |yielder: &mut Yielder<u8>| {
            finally_in_place(yielder.yield_(1), async || log.push("closed")).await;
        }));
        assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
        assert!(poll(pin!(stream.as_mut().close())).is_ready());
    }
    assert_eq!(log, ["closed"]);
}

#[test]
fn a_stream_that_is_always_ready_gives_the_thread_back_and_loses_nothing() {
    let stream = from_fn(async |yielder| {
        for n in 0..1000 {
            yielder.yield_(n).await;
        }
    });
    let mut all = pin!(stream.collect::<Vec<u32>>());
    let mut polls = 0;
    let collected = loop {
        let _budget = budget::refill();
        polls += 1;
        if let Poll::Ready(all) = poll(all.as_mut()) {
            break all;
        }
    };
    assert!(polls > 1000 / budget::BUDGET);
    assert!(collected.into_iter().eq(0..1000));
}

#[test]
fn ready_is_the_only_thing_a_generator_without_items_needs() {
    let stream = from_fn(async |_: &mut Yielder<()>| ready(()).await);
    assert_eq!(poll(pin!(stream.collect::<Vec<_>>())), Poll::Ready(vec![]));
}

#[test]
fn a_yield_in_a_future_that_is_polled_only_when_it_was_woken_goes_on() {
    let mut numbers = pin!(from_fn(async |yielder: &mut Yielder<u32>| {
        let mut set = futures::stream::FuturesUnordered::new();
        set.push(async move {
            for n in 0..3 {
                yielder.yield_(n).await;
            }
        });
        while set.next().await.is_some() {}
    }));
    for n in 0..3 {
        assert_eq!(next(&mut numbers), Poll::Ready(Some(n)));
    }
    assert_eq!(next(&mut numbers), Poll::Ready(None));
}

#[test]
fn a_yield_that_is_polled_with_the_streams_own_waker_wakes_nobody() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let count = Arc::new(Count(0.into()));
    let waker = Waker::from(Arc::clone(&count));
    let mut numbers = pin!(from_fn(async |yielder: &mut Yielder<u32>| {
        for n in 0..100 {
            yielder.yield_(n).await;
        }
    }));
    for n in 0..100 {
        let polled = numbers.as_mut().poll_next(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Ready(Some(n)));
    }
    assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 0);
}

// Places.

/// A clean-up that does not end.
async fn stuck(yielder: &mut Yielder<u8>) {
    finally_in_place(yielder.yield_(1), pending).await;
}

#[test]
fn a_clean_up_that_outlasts_its_grace_as_a_stream_is_closed_names_the_close() {
    let _ = support::reports();
    let line = pirn_sim::Sim::new().run(async {
        let scope = Scope::current().unwrap();
        scope.set_grace(Grace::After(Duration::from_secs(1)));
        let mut stream = pin!(from_fn(stuck));
        assert_eq!(stream.next().await, Some(1));
        stream.as_mut().close().await;
        assert_eq!(stream.cause().unwrap().at().line(), line!() - 1);
        line!() - 2
    });
    let place = format!("the stream was closed (at {}:{line}:", file!());
    let reports = support::reports();
    assert!(
        reports.len() == 1 && reports[0].contains(&place),
        "{reports:?}"
    );
}

#[test]
fn clean_up_that_is_lost_with_a_stream_names_the_place_where_it_was_made() {
    let _ = support::reports();
    let made = line!() + 1;
    let mut stream = Box::pin(from_fn(stuck));
    assert_eq!(next(&mut stream.as_mut()), Poll::Ready(Some(1)));
    drop(stream);
    let place = format!("the stream was dropped (at {}:{made}:", file!());
    let reports = support::reports();
    assert!(
        reports.len() == 1 && reports[0].contains(&place),
        "{reports:?}"
    );
    // And one of a generator that may fail.
    let made = line!() + 1;
    let mut stream = Box::pin(try_from_fn(async |yielder| {
        stuck(yielder).await;
        Ok::<(), ()>(())
    }));
    assert_eq!(next(&mut stream.as_mut()), Poll::Ready(Some(Ok(1))));
    drop(stream);
    let place = format!("(at {}:{made}:", file!());
    assert!(support::reports()[0].contains(&place));
}

// A scope around one wait that ends before the stream does.

/// Polls `future` in a scope of its own, and cancels that.
async fn cut(future: impl Future) {
    let limit = Scope::new();
    let ended = limit.run(async {
        let mut future = pin!(future);
        poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            limit.cancel(Cause::requested("time is up"));
            Poll::<()>::Pending
        })
        .await;
    });
    assert_eq!(ended.await.unwrap_err().text(), "time is up");
}

/// Runs `body`, which waits for nothing that it does not do itself.
fn in_a_scope(body: impl Future<Output = ()>) {
    assert!(matches!(
        poll(pin!(Scope::detached().run(body))),
        Poll::Ready(Ok(()))
    ));
}

/// Gives 0 to 2, each when `gate` of that number is open; says how it ends.
fn gated(log: &Log, gates: &[CancelToken; 3]) -> FromFn<u32, impl Future<Output = ()> + use<>> {
    let (log, gates) = (log.clone(), gates.clone());
    from_fn(async move |yielder: &mut Yielder<u32>| {
        let last = log.clone();
        let work = async {
            let _held = log.on_drop("released");
            for (n, gate) in (0..).zip(&gates) {
                gate.cancelled().await;
                yielder.yield_(n).await;
            }
        };
        finally_in_place(work, async || last.say("cleaned")).await;
    })
}

#[test]
fn a_scope_that_ends_around_one_wait_neither_cancels_the_generator_nor_loses_an_item() {
    let (log, gates) = (Log::default(), [(); 3].map(|()| CancelToken::new()));
    in_a_scope(async {
        let mut stream = pin!(gated(&log, &gates));
        for n in 0..3 {
            // The first poll of all is among them.
            cut(stream.next()).await;
            cut(async {
                shield(cut(stream.next())).await;
                pending::<()>().await;
            })
            .await;
            assert_eq!(log.said(), [""; 0], "what it holds, it keeps");
            gates[n as usize].cancel("open");
            assert_eq!(stream.next().await, Some(n));
        }
        assert_eq!(stream.next().await, None);
        assert!(stream.cause().is_none());
        assert_eq!(log.said(), ["released", "cleaned"]);
    });
}

#[test]
fn so_do_a_timeout_and_a_lost_race() {
    let ms = std::time::Duration::from_millis;
    pirn_sim::Sim::new().run(async move {
        let mut ticks = pin!(from_fn(async |yielder| {
            for n in 0..3 {
                pirn_timer::sleep(ms(10)).await;
                yielder.yield_(n).await;
            }
        }));
        assert!(pirn_timer::timeout(ms(3), ticks.next()).await.is_err());
        assert_eq!(ticks.next().await, Some(0));
        assert_eq!(pirn_timer::now().as_nanos(), 10_000_000, "it went on");
        let late = async {
            pirn_timer::sleep(ms(3)).await;
            Some(9)
        };
        let won = pirn_group::race((ticks.next(), late)).await;
        assert_eq!(won.unwrap(), Some(9));
        assert_eq!(ticks.next().await, Some(1));
        let ended = pirn_timer::move_on_after(ms(3), async |_| ticks.next().await).await;
        assert_eq!(ended, None);
        assert_eq!(ticks.next().await, Some(2));
        assert_eq!(ticks.next().await, None);
    });
}

#[test]
fn a_shield_in_a_generator_that_is_not_cancelled_does_not_hold_up_who_gives_up() {
    let (log, gate) = (Log::default(), CancelToken::new());
    in_a_scope(async {
        let mut stream = pin!(from_fn(async |yielder| {
            shield(gate.cancelled()).await;
            yielder.yield_("item").await;
        }));
        cut(stream.next()).await;
        log.say("gave up");
        gate.cancel("open");
        assert_eq!(stream.next().await, Some("item"));
    });
    assert_eq!(log.said(), ["gave up"]);
}

#[test]
fn an_item_that_was_left_for_want_of_budget_is_there_after_a_cut() {
    in_a_scope(async {
        // One that has ended is left as well.
        for last in [false, true] {
            let mut stream = pin!(from_fn(async |yielder: &mut Yielder<u32>| {
                let mut yielding = Box::pin(yielder.yield_(1));
                poll_fn(|cx| Poll::Ready(yielding.as_mut().poll(cx).is_pending())).await;
                if !last {
                    yielding.await;
                }
            }));
            let _budget = budget::refill();
            poll_fn(|cx| {
                while budget::poll_spend(cx).is_ready() {}
                Poll::Ready(())
            })
            .await;
            cut(stream.next()).await;
            let _budget = budget::refill();
            assert_eq!(stream.next().await, Some(1));
            assert_eq!(stream.next().await, None);
        }
    });
}

#[test]
fn a_cancel_of_the_scope_it_was_made_in_awaits_the_clean_up_through_an_inner_one() {
    let (log, gate, scope) = (Log::default(), CancelToken::new(), Scope::detached());
    let mut run = pin!(scope.run(async {
        let mut stream = pin!(from_fn(async |_: &mut Yielder<u8>| {
            finally_in_place(pending::<()>(), async || {
                log.say("cleaning");
                gate.cancelled().await;
                log.say("cleaned");
            })
            .await;
        }));
        cut(stream.next()).await;
        let _ = Scope::new().run(stream.next()).await;
        panic!("it went on");
    }));
    assert!(poll(run.as_mut()).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["cleaning"]);
    gate.cancel("open");
    assert!(matches!(poll(run), Poll::Ready(Err::<(), _>(cause)) if cause.text() == "stop"));
    assert_eq!(log.said(), ["cleaned"]);
}

#[test]
fn who_goes_on_as_the_generator_is_cancelled_is_told_why_it_ended() {
    let (log, scope) = (Log::default(), Scope::detached());
    let mut run = pin!(scope.run(async {
        let mut stream = pin!(endless(&log, &CancelToken::new()));
        assert_eq!(stream.next().await, Some(0));
        let mut failing = pin!(try_from_fn(async |_: &mut Yielder<u8>| {
            pending::<Result<(), &str>>().await
        }));
        shield(async {
            scope.cancel(Cause::requested("stop"));
            // The clean-up waits, and this with it: what is left is dropped with the stream.
            assert!(poll_fn(|cx| Poll::Ready(stream.as_mut().poll_next(cx).is_pending())).await);
            assert_eq!(failing.next().await, None);
            assert_eq!(failing.cause().unwrap().text(), "stop");
            log.say("told");
        })
        .await;
        panic!("it went on");
    }));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["dropped", "cleaning", "told"]);
}

#[test]
fn a_stream_that_was_given_out_of_a_scope_that_has_ended_belongs_to_the_one_around() {
    in_a_scope(async {
        let inner = Scope::new();
        let made = inner.run(async {
            from_fn(async |yielder| {
                yielder.yield_(1).await;
                pending().await
            })
        });
        let mut stream = pin!(made.await.unwrap());
        inner.cancel(Cause::requested("late"));
        cut(async {
            assert_eq!(stream.next().await, Some(1));
            stream.next().await
        })
        .await;
        assert!(!stream.is_terminated() && stream.cause().is_none());
    });
}

#[test]
fn a_stream_that_is_polled_in_another_task_cleans_up_in_the_scope_it_was_made_in() {
    let (log, gate, scope) = (Log::default(), CancelToken::new(), Scope::detached());
    let made = Cell::new(None);
    let mut maker = pin!(scope.run(async {
        made.set(Some(endless(&log, &gate)));
        pending::<()>().await;
    }));
    assert!(poll(maker.as_mut()).is_pending());
    let stream = made.take().unwrap();
    let mut task = Box::pin(Rooted::new(async move {
        let mut stream = pin!(stream);
        assert_eq!(stream.next().await, Some(0));
        cut(poll_fn(|cx| {
            let mut again = Context::from_waker(cx.waker());
            let _frozen = stream.as_mut().poll_next(&mut again);
            Poll::<()>::Pending
        }))
        .await;
        assert_eq!(stream.next().await, Some(2), "one was taken before the cut");
        pending::<()>().await;
    }));
    assert!(poll(task.as_mut()).is_pending());
    drop(task);
    assert_eq!(log.said(), ["dropped"]);
    assert!(poll(maker.as_mut()).is_pending());
    scope.cancel(Cause::requested("stop"));
    assert!(poll(maker.as_mut()).is_pending());
    assert_eq!(log.said(), ["cleaning"]);
    gate.cancel("open");
    assert!(poll(maker).is_ready());
    assert_eq!(log.said(), ["cleaned"]);
}

#[test]
fn a_cancel_where_it_was_made_ends_a_stream_that_is_polled_in_another_task() {
    let (log, gate, scope) = (Log::default(), CancelToken::new(), Scope::detached());
    let made = Cell::new(None);
    let mut maker = pin!(scope.run(async {
        made.set(Some(endless(&log, &gate)));
        pending::<()>().await;
    }));
    assert!(poll(maker.as_mut()).is_pending());
    let mut stream = pin!(made.take().unwrap());
    let mut task = pin!(Rooted::new(async {
        assert_eq!(stream.next().await, Some(0));
        gate.cancelled().await;
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.cause().unwrap().text(), "stop");
        log.say("told");
    }));
    assert!(poll(task.as_mut()).is_pending());
    scope.cancel(Cause::requested("stop"));
    gate.cancel("open");
    assert!(poll(task).is_ready());
    assert_eq!(log.said(), ["dropped", "cleaning", "cleaned", "told"]);
}

#[test]
fn a_stream_that_is_dropped_with_a_body_that_it_was_not_made_in_is_cleaned_up_after_outside() {
    let (log, gate, scope) = (Log::default(), CancelToken::new(), Scope::detached());
    let (said, opened) = (log.clone(), gate.clone());
    let mut run = pin!(scope.run(async move {
        let stream = endless(&said, &opened);
        cut(async move {
            let mut stream = pin!(stream);
            assert_eq!(stream.next().await, Some(0));
            pending::<()>().await;
        })
        .await;
        said.say("body ends");
    }));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["dropped", "body ends", "cleaning"]);
    gate.cancel("open");
    assert!(matches!(poll(run), Poll::Ready(Ok(()))));
    assert_eq!(log.said(), ["cleaned"]);
}

#[test]
fn a_stream_that_was_made_outside_every_scope_is_not_cut_either() {
    let gates = [(); 3].map(|()| CancelToken::new());
    let mut stream = pin!(gated(&Log::default(), &gates));
    in_a_scope(async {
        cut(stream.next()).await;
        gates[0].cancel("open");
        assert_eq!(stream.next().await, Some(0));
        cut(stream.next()).await;
    });
    gates[1].cancel("open");
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
}
