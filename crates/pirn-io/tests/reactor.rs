//! The reactor as a `Park`, its handle, its end.
#![cfg(not(loom))]

mod util;

use futures::{AsyncReadExt, AsyncWriteExt};
use pirn_core::{Instant, Park, Unpark, Until};
use pirn_io::reactor::readiness::{Direction, Edges, Readiness, Waiter};
use pirn_io::{Handle, ReactorPark, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;
use util::{Count, on_own_reactor};

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    const fn send<T: Send>() {}
    const fn unpin<T: Unpin>() {}
    send::<ReactorPark>();
    send_sync::<Handle>();
    send_sync::<pirn_io::ReactorUnpark>();
    send_sync::<TcpListener>();
    send_sync::<TcpStream>();
    send_sync::<pirn_io::net::ReadHalf>();
    send_sync::<pirn_io::net::WriteHalf>();
    send_sync::<pirn_io::net::UdpSocket>();
    #[cfg(unix)]
    send_sync::<pirn_io::net::UnixStream>();
    #[cfg(unix)]
    send_sync::<pirn_io::net::UnixListener>();
    send::<pirn_io::fs::File>();
    send::<pirn_io::blocking::ToThread<u8>>();
    send_sync::<pirn_io::blocking::BlockingPool>();
    unpin::<TcpStream>();
    unpin::<pirn_io::fs::File>();
    unpin::<pirn_io::blocking::ToThread<std::marker::PhantomPinned>>();
};

fn park() -> (ReactorPark, impl Fn() -> Instant + Copy) {
    let start = std::time::Instant::now();
    let now = move || Instant::EPOCH + start.elapsed();
    (ReactorPark::new(now).unwrap(), now)
}

#[test]
fn an_unpark_before_the_sleep_ends_it_at_once_and_counts_once() {
    let (mut park, now) = park();
    park.unparker().unpark();
    park.unparker().unpark();
    park.park(Until::Woken).unwrap();
    let until = now() + Duration::from_millis(5);
    park.park(Until::At(until)).unwrap();
    assert!(now() >= until, "the second unpark counted too");
}

#[test]
fn looking_leaves_the_token() {
    let (mut park, _) = park();
    park.unparker().unpark();
    park.park(Until::Now).unwrap();
    park.park(Until::Woken).unwrap(); // would sleep for ever otherwise
}

#[test]
fn an_unpark_from_elsewhere_ends_the_sleep_and_shows_what_was_written_before() {
    let (mut park, _) = park();
    let unpark = park.unparker();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        sender.send(1).unwrap();
        unpark.unpark();
    });
    park.park(Until::Woken).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    thread.join().unwrap();
}

#[test]
fn a_sleep_until_an_instant_never_ends_early_and_does_not_spin() {
    let (mut park, now) = park();
    for nanos in [1, 999, 1_000_000, 1_000_001, 2_500_000] {
        let until = now() + Duration::from_nanos(nanos);
        let mut rounds = 0;
        while now() < until {
            park.park(Until::At(until)).unwrap();
            rounds += 1;
        }
        assert!(rounds <= 1, "{nanos} ns took {rounds} sleeps");
    }
    park.park(Until::At(Instant::EPOCH)).unwrap(); // long past: only a look
}

#[test]
fn a_limit_that_was_given_up_for_a_later_one_ends_one_sleep_too_early_at_most() {
    let (mut park, now) = park();
    park.unparker().unpark();
    let given_up = now() + Duration::from_millis(2);
    park.park(Until::At(given_up)).unwrap(); // ends at once
    let unpark = park.unparker();
    let thread = std::thread::spawn(move || unpark.unpark());
    park.park(Until::At(given_up)).unwrap();
    thread.join().unwrap();
    let until = now() + Duration::from_millis(6);
    let mut rounds = 0;
    while now() < until {
        park.park(Until::At(until)).unwrap();
        rounds += 1;
    }
    assert!(rounds <= 2, "{rounds} sleeps");
}

#[test]
fn an_earlier_limit_replaces_a_later_one() {
    let (mut park, now) = park();
    let unpark = park.unparker();
    let thread = std::thread::spawn(move || unpark.unpark());
    let far = now() + Duration::from_secs(3600);
    park.park(Until::At(far)).unwrap();
    thread.join().unwrap();
    let until = now() + Duration::from_micros(300);
    park.park(Until::At(until)).unwrap();
    assert!((until..far).contains(&now()));
}

#[test]
fn a_clock_that_jumps_ahead_shortens_the_next_sleep() {
    let (start, jumped) = (std::time::Instant::now(), Arc::new(AtomicU64::new(0)));
    let ahead = Arc::clone(&jumped);
    let now = move || Instant::from_nanos(ahead.load(SeqCst)) + start.elapsed();
    let mut park = ReactorPark::new(now).unwrap();
    let unpark = park.unparker();
    let thread = std::thread::spawn(move || unpark.unpark());
    let hour = Duration::from_secs(3600);
    park.park(Until::At(Instant::EPOCH + hour)).unwrap();
    thread.join().unwrap();
    jumped.store(3_599_900_000_000, SeqCst);
    park.park(Until::At(Instant::EPOCH + hour)).unwrap(); // not for an hour
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn a_sleep_is_not_rounded_to_milliseconds() {
    let (mut park, now) = park();
    // The best of many: a machine that is busy adds to one or the other.
    let late = (0..50).map(|_| {
        let until = now() + Duration::from_micros(100);
        park.park(Until::At(until)).unwrap();
        now().saturating_since(until)
    });
    let least = late.min().unwrap();
    assert!(least < Duration::from_micros(500), "late by {least:?}");
}

#[test]
fn never_is_for_ever_and_an_event_still_ends_it() {
    let (mut park, _) = park();
    let unpark = park.unparker();
    let thread = std::thread::spawn(move || unpark.unpark());
    park.park(Until::At(Instant::NEVER)).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_dropped_source_is_deregistered() {
    on_own_reactor(async {
        let reactor = Handle::current().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr()).await.unwrap();
        assert_eq!(reactor.sources(), 2);
        drop(client);
        drop(listener);
        assert_eq!(reactor.sources(), 0);
    });
}

#[test]
fn entering_nests_and_the_guard_restores() {
    let (outer, inner) = (park().0, park().0);
    let guard = outer.handle().enter();
    {
        let _guard = inner.handle().enter();
        let _listener = pirn_core::shim::block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        assert_eq!((outer.handle().sources(), inner.handle().sources()), (0, 1));
    }
    let _listener = pirn_core::shim::block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    assert_eq!((outer.handle().sources(), inner.handle().sources()), (1, 0));
    drop(guard);
}

#[test]
fn the_sources_of_a_dropped_reactor_fail_and_say_why() {
    let (park, _) = park();
    let handle = park.handle();
    let entered = handle.enter();
    let listener = pirn_core::shim::block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut accept = pin!(listener.accept());
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    drop(park);
    assert_eq!(count.get(), 1);
    match accept.poll(&mut cx) {
        Poll::Ready(Err(error)) => assert!(error.to_string().contains("reactor"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(handle.is_gone());
    let error = pirn_core::shim::block_on(TcpListener::bind("127.0.0.1:0")).unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    drop(entered);
}

#[test]
fn without_a_reactor_a_thread_of_the_crate_drives_one() {
    pirn_core::shim::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut client, accepted) =
            futures::future::try_join(TcpStream::connect(listener.local_addr()), listener.accept())
                .await
                .unwrap();
        let (mut server, _) = accepted;
        let mut buffer = [0; 2];
        let (read, written) =
            futures::future::join(server.read_exact(&mut buffer), client.write_all(b"hi")).await;
        assert!(read.is_ok() && written.is_ok());
    });
}

#[test]
fn a_source_is_ready_until_a_try_finds_nothing() {
    let readiness = Readiness::new();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut waiter = Waiter::Poller;
    let mut poll = || readiness.poll_ready(Direction::Read, &mut waiter, &mut cx);
    let Poll::Ready(Ok(tick)) = poll() else {
        panic!("ready to begin with")
    };
    readiness.exhausted(Direction::Read, tick);
    assert!(poll().is_pending());
    let edge = Edges {
        read: true,
        ..Edges::default()
    };
    readiness.deliver(edge);
    assert_eq!(count.get(), 1);
    assert!(poll().is_ready());
    readiness.exhausted(Direction::Read, tick);
    assert!(poll().is_ready(), "an edge came since that tick");
}

#[test]
fn a_short_read_of_a_closed_side_stays_ready_for_the_end() {
    let readiness = Readiness::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut waiter = Waiter::Poller;
    let mut poll = || readiness.poll_ready(Direction::Read, &mut waiter, &mut cx);
    readiness.deliver(Edges {
        read: true,
        read_closed: true,
        ..Edges::default()
    });
    let Poll::Ready(Ok(tick)) = poll() else {
        panic!("ready")
    };
    readiness.drained(Direction::Read, tick);
    assert!(poll().is_ready());
    readiness.exhausted(Direction::Read, tick);
    assert!(poll().is_pending(), "nothing found is always believed");
}

#[test]
fn a_future_that_leaves_is_not_woken() {
    let readiness = Readiness::new();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let (mut one, mut two) = (Waiter::Fresh, Waiter::Fresh);
    let Poll::Ready(Ok(tick)) = readiness.poll_ready(Direction::Read, &mut one, &mut cx) else {
        panic!("ready")
    };
    readiness.exhausted(Direction::Read, tick);
    for waiter in [&mut one, &mut two] {
        let polled = readiness.poll_ready(Direction::Read, waiter, &mut cx);
        assert!(polled.is_pending());
    }
    assert_ne!(one, two);
    readiness.leave(Direction::Read, &mut one);
    assert_eq!(one, Waiter::Fresh);
    readiness.deliver(Edges {
        read: true,
        ..Edges::default()
    });
    assert_eq!(count.get(), 1, "the one that stayed");
}
