//! The readiness of a source: edges against tries, waits and departures.

use pirn_core::shim::atomic::AtomicUsize;
use pirn_core::shim::atomic::Ordering::{Acquire, Relaxed, Release};
use pirn_core::shim::{Arc, UnsafeCell, block_on, model, model_must_fail, thread};
use pirn_io::reactor::readiness::{Direction, Edges, Readiness, Waiter};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

const READ: Edges = Edges {
    read: true,
    read_closed: false,
    write: false,
    write_closed: false,
};

/// A socket of the model: bytes in a counter, each arrival an edge.
struct Socket {
    bytes: AtomicUsize,
    readiness: Readiness,
}

impl Socket {
    fn new() -> Arc<Socket> {
        Arc::new(Socket {
            bytes: AtomicUsize::new(0),
            readiness: Readiness::new(),
        })
    }

    /// The system: bytes first, then the edge.
    fn arrive(&self, count: usize) {
        self.bytes.fetch_add(count, Release);
        self.readiness.deliver(READ);
    }

    /// At most `most` bytes, with the discipline of the reactor's sources.
    fn poll_read(&self, waiter: &mut Waiter, most: usize, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            let polled = self.readiness.poll_ready(Direction::Read, waiter, cx);
            let tick = ready!(polled).expect("the reactor is there");
            let taken = self.bytes.fetch_update(Acquire, Relaxed, |there| {
                (there > 0).then(|| there - there.min(most))
            });
            match taken {
                Ok(there) => {
                    if there < most {
                        self.readiness.drained(Direction::Read, tick);
                    }
                    return Poll::Ready(there.min(most));
                }
                Err(_) => self.readiness.exhausted(Direction::Read, tick),
            }
        }
    }

    fn read_all(&self, mut waiter: Waiter, count: usize, most: usize) {
        let mut read = 0;
        while read < count {
            read += block_on(poll_fn(|cx| self.poll_read(&mut waiter, most, cx)));
        }
        self.readiness.leave(Direction::Read, &mut waiter);
    }
}

#[test]
fn a_reader_receives_what_comes_in_two_edges() {
    model(|| {
        let socket = Socket::new();
        let driver = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || {
                socket.arrive(1);
                socket.arrive(1);
            })
        };
        socket.read_all(Waiter::Poller, 2, 1);
        driver.join().unwrap();
    });
}

#[test]
fn a_short_read_that_clears_loses_no_later_edge() {
    model(|| {
        let socket = Socket::new();
        let driver = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || {
                socket.arrive(1);
                socket.arrive(1);
            })
        };
        socket.read_all(Waiter::Poller, 2, 4);
        driver.join().unwrap();
    });
}

#[test]
fn two_waiting_futures_share_what_comes() {
    model(|| {
        let socket = Socket::new();
        let other = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || socket.read_all(Waiter::Fresh, 1, 1))
        };
        let driver = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || socket.arrive(2))
        };
        socket.read_all(Waiter::Fresh, 1, 1);
        driver.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn one_of_two_waiting_futures_leaves_and_the_other_still_receives() {
    model(|| {
        let socket = Socket::new();
        let leaver = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || {
                let mut waiter = Waiter::Fresh;
                let mut cx = Context::from_waker(Waker::noop());
                let polled = socket.poll_read(&mut waiter, 1, &mut cx);
                socket.readiness.leave(Direction::Read, &mut waiter);
                match polled {
                    Poll::Ready(count) => count,
                    Poll::Pending => 0,
                }
            })
        };
        let driver = {
            let socket = Arc::clone(&socket);
            thread::spawn(move || socket.arrive(2))
        };
        socket.read_all(Waiter::Fresh, 1, 1);
        driver.join().unwrap();
        assert!(leaver.join().unwrap() <= 1);
    });
}

#[test]
fn reading_and_writing_wait_apart() {
    model(|| {
        let readiness = Arc::new(Readiness::new());
        for direction in [Direction::Read, Direction::Write] {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = readiness.poll_ready(direction, &mut Waiter::Poller, &mut cx);
            match polled {
                Poll::Ready(Ok(tick)) => readiness.exhausted(direction, tick),
                _ => unreachable!("ready to begin with"),
            }
        }
        let wait = |readiness: &Readiness, direction| {
            block_on(poll_fn(|cx| {
                readiness.poll_ready(direction, &mut Waiter::Poller, cx)
            }))
        };
        let writer = {
            let readiness = Arc::clone(&readiness);
            thread::spawn(move || wait(&readiness, Direction::Write).unwrap())
        };
        let driver = {
            let readiness = Arc::clone(&readiness);
            thread::spawn(move || {
                readiness.deliver(Edges {
                    write: true,
                    ..READ
                });
            })
        };
        wait(&readiness, Direction::Read).unwrap();
        writer.join().unwrap();
        driver.join().unwrap();
    });
}

#[test]
fn whoever_waits_when_the_reactor_ends_is_told() {
    model(|| {
        let readiness = Arc::new(Readiness::new());
        let driver = {
            let readiness = Arc::clone(&readiness);
            thread::spawn(move || readiness.abandon())
        };
        let told = block_on(poll_fn(|cx| {
            loop {
                let polled = readiness.poll_ready(Direction::Read, &mut Waiter::Poller, cx);
                match ready!(polled) {
                    Ok(tick) => readiness.exhausted(Direction::Read, tick),
                    Err(gone) => return Poll::Ready(gone),
                }
            }
        }));
        let _ = told;
        driver.join().unwrap();
    });
}

#[test]
fn the_shim_is_plugged_in() {
    model_must_fail(|| {
        struct Racy(UnsafeCell<u32>, AtomicUsize);
        // SAFETY: it is not safe, which loom must find.
        unsafe impl Sync for Racy {}
        // SAFETY: as above.
        unsafe impl Send for Racy {}
        let racy = Arc::new(Racy(UnsafeCell::new(0), AtomicUsize::new(0)));
        let writer = {
            let racy = Arc::clone(&racy);
            thread::spawn(move || {
                // SAFETY: the pointer is valid; the access is the race to be found.
                racy.0.with_mut(|value| unsafe { *value = 1 });
                // Ordering: too weak on purpose.
                racy.1.store(1, Relaxed);
            })
        };
        // Ordering: too weak on purpose.
        if racy.1.load(Relaxed) == 1 {
            // SAFETY: as above.
            assert_eq!(racy.0.with(|value| unsafe { *value }), 1);
        }
        writer.join().unwrap();
    });
}
