//! Wakers are code of users: those here call back into what keeps them, or panic as they are dropped.

use futures::{AsyncRead, AsyncWrite, FutureExt};
use pirn_sim::net::{Datagrams, Host, Listener, Network, Stream};
use pirn_sim::{
    LockstepStream, Sequencer, Sim, Step, hold, lockstep_pair, random, wait_all_blocked,
};
use pirn_timer::sleep;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr::null;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

type Call = Rc<dyn Fn(Op)>;

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Clone,
    Wake,
    Drop,
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
    /// How many clones there are.
    static CLONES: Cell<isize> = const { Cell::new(0) };
}

fn call(op: Op, clones: isize) {
    CLONES.set(CLONES.get() + clones);
    if let Some(call) = CALL.with_borrow(Clone::clone) {
        call(op);
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        call(Op::Clone, 1);
        RawWaker::new(data, &VTABLE)
    },
    |_| call(Op::Wake, -1),
    |_| call(Op::Wake, 0),
    |_| call(Op::Drop, -1),
);

/// Runs `program` on a thread of its own, twice: with a waker whose clones call `back` as they are made,
/// woken and dropped, and with one whose clones panic as they are dropped. None may be left.
fn with_hostile_wakers<T: 'static>(make: fn() -> T, back: fn(&T), program: fn(&T, &Waker)) {
    let both = move || {
        let subject = Rc::new(make());
        let called = Rc::clone(&subject);
        run(Rc::new(move |_| back(&called)), subject, program);
        let panics = |op| assert!(op != Op::Drop, "a waker that panics as it is dropped");
        run(Rc::new(panics), Rc::new(make()), program);
    };
    let (tell, told) = channel();
    let thread = thread::spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(both));
        // What is left is dropped without it.
        CALL.take();
        tell.send(()).unwrap();
        ended.unwrap_or_else(|payload| resume_unwind(payload));
    });
    // Who waits for a lock that it has itself does so for ever.
    let mut waits = (0..100).map(|_| told.recv_timeout(100 * MS));
    let hangs = waits.all(|waited| waited == Err(RecvTimeoutError::Timeout));
    assert!(!hangs, "a waker was called under a lock");
    thread
        .join()
        .unwrap_or_else(|payload| resume_unwind(payload));
}

fn run<T: 'static>(call: Call, subject: Rc<T>, program: fn(&T, &Waker)) {
    // SAFETY: no function of the vtable looks at the data.
    let waker = ManuallyDrop::new(unsafe { Waker::new(null(), &VTABLE) });
    CALL.set(Some(call));
    program(&subject, &waker);
    let call = CALL.take();
    drop((call, subject));
    assert_eq!(CLONES.get(), 0, "each clone is woken or dropped");
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls a future that waits, which has the waker by then, once more.
fn waits<F: Future + ?Sized>(mut future: Pin<&mut F>, waker: &Waker) {
    assert!(poll(future.as_mut(), waker).is_pending());
    assert!(poll(future.as_mut(), waker).is_pending());
    // And with another in between.
    assert!(poll(future.as_mut(), Waker::noop()).is_pending());
    assert!(poll(future, waker).is_pending());
}

fn ready<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> F::Output {
    match poll(future, waker) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Two hosts, of which one listens and receives.
struct Hosts {
    network: Network,
    client: Host,
    server: Host,
    listener: RefCell<Option<Listener>>,
    inbox: RefCell<Option<Datagrams>>,
}

impl Hosts {
    fn new() -> Hosts {
        let network = Network::new(1);
        let (client, server) = (network.host("client"), network.host("server"));
        let listener = RefCell::new(Some(server.listen(80).unwrap()));
        let inbox = RefCell::new(Some(server.bind(80).unwrap()));
        Hosts {
            network,
            client,
            server,
            listener,
            inbox,
        }
    }

    /// Uses the network.
    fn look(&self) {
        drop(self.network.host("another"));
    }

    async fn pair(&self) -> (Stream, Stream) {
        let listener = self.listener.take().unwrap();
        let client = self.client.connect(("server", 80)).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        *self.listener.borrow_mut() = Some(listener);
        (client, server)
    }
}

/// Reads once.
async fn read(stream: &mut (impl AsyncRead + Unpin), buf: &mut [u8]) -> io::Result<usize> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf)).await
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await
}

async fn flush(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

#[test]
fn who_accepts_may_have_any_waker() {
    with_hostile_wakers(Hosts::new, Hosts::look, |hosts, waker| {
        Sim::new().run(async {
            let listener = hosts.listener.take().unwrap();
            {
                let mut accept = pin!(listener.accept());
                waits(accept.as_mut(), waker);
                let client = hosts.client.connect(("server", 80)).await.unwrap();
                let (_server, from) = ready(accept, waker).unwrap();
                assert_eq!(from, *client.local_addr());
            }
            // It goes away before anybody comes.
            waits(pin!(listener.accept()), waker);
            drop(listener);
        });
    });
}

#[test]
fn who_connects_may_have_any_waker() {
    with_hostile_wakers(Hosts::new, Hosts::look, |hosts, waker| {
        Sim::new().run(async {
            hosts.network.part(&["client"], &["server"]);
            {
                let mut connect = pin!(hosts.client.connect(("server", 80)));
                waits(connect.as_mut(), waker);
                hosts.network.heal();
                assert!(poll(connect.as_mut(), waker).is_pending());
                sleep(MS).await;
                assert!(poll(connect.as_mut(), waker).is_pending());
                sleep(MS).await;
                assert!(ready(connect.as_mut(), waker).is_ok());
            }
            // It gives up while they are parted, for ever.
            hosts.network.part(&["client"], &["server"]);
            waits(pin!(hosts.client.connect(("server", 80))), waker);
            hosts.listener.take();
            hosts.inbox.take();
        });
    });
}

#[test]
fn the_last_handle_of_a_network_takes_the_wakers_with_it() {
    with_hostile_wakers(
        || (),
        |()| (),
        |(), waker| {
            Sim::new().run(async {
                let hosts = Hosts::new();
                hosts.network.part(&["client"], &["server"]);
                waits(pin!(hosts.client.connect(("server", 80))), waker);
                drop(hosts);
            });
        },
    );
}

#[test]
fn who_reads_and_writes_may_have_any_waker() {
    with_hostile_wakers(Hosts::new, Hosts::look, |hosts, waker| {
        Sim::new().run(async {
            let (mut client, mut server) = hosts.pair().await;
            let mut buf = [0; 70_000];
            {
                let mut reads = pin!(read(&mut server, &mut buf));
                waits(reads.as_mut(), waker);
                assert_eq!(ready(pin!(write(&mut client, b"abc")), waker).unwrap(), 3);
                sleep(MS).await;
                assert_eq!(ready(reads, waker).unwrap(), 3);
            }
            // Until the buffer is full, which the other side empties.
            assert!(ready(pin!(write(&mut client, &[1; 100_000])), waker).is_ok());
            {
                let mut writes = pin!(write(&mut client, b"more"));
                waits(writes.as_mut(), waker);
                sleep(MS).await;
                assert!(ready(pin!(read(&mut server, &mut buf)), waker).is_ok());
                assert!(ready(writes, waker).is_ok());
            }
            // Ends go away, and what they wait for with them.
            waits(pin!(read(&mut client, &mut buf)), waker);
            assert!(ready(pin!(write(&mut client, &[1; 100_000])), waker).is_ok());
            waits(pin!(write(&mut client, b"more")), waker);
            drop(client);
            sleep(MS).await;
            while ready(pin!(read(&mut server, &mut buf)), waker).is_ok_and(|count| count > 0) {}
            drop(server);
        });
    });
}

#[test]
fn who_receives_may_have_any_waker() {
    with_hostile_wakers(Hosts::new, Hosts::look, |hosts, waker| {
        Sim::new().run(async {
            let inbox = hosts.inbox.take().unwrap();
            let (mut buf, sender) = ([0; 8], hosts.server.bind(0).unwrap());
            {
                let mut received = pin!(inbox.recv_from(&mut buf));
                waits(received.as_mut(), waker);
                sender.send_to(b"abc", ("server", 80)).await.unwrap();
                sleep(MS).await;
                assert_eq!(ready(received, waker).unwrap().0, 3);
            }
            waits(pin!(inbox.recv_from(&mut buf)), waker);
            drop(inbox);
        });
    });
}

#[test]
fn who_waits_until_all_are_blocked_may_have_any_waker() {
    let back = |_: &()| drop(hold());
    with_hostile_wakers(
        || (),
        back,
        |(), waker| {
            // The calls find the run around them.
            Sim::new().run(async {
                let mut blocked = pin!(wait_all_blocked());
                waits(blocked.as_mut(), waker);
                // The clock is the last to move.
                sleep(MS).await;
                ready(blocked, waker);
                let mut gives_up = Box::pin(wait_all_blocked());
                waits(gives_up.as_mut(), waker);
                drop(gives_up);
                random();
            });
        },
    );
}

#[test]
fn whose_step_has_not_come_may_have_any_waker() {
    let look = |steps: &Sequencer| drop(format!("{steps:?}"));
    with_hostile_wakers(Sequencer::new, look, |steps, waker| {
        let at = |number| -> Pin<Box<Step>> { Box::pin(steps.step(number)) };
        let first = ready(at(0).as_mut(), waker);
        let mut second = at(1);
        waits(second.as_mut(), waker);
        drop(first);
        let again = AssertUnwindSafe(|| poll(at(1).as_mut(), waker));
        let again = catch_unwind(again).map(|polled| polled.is_ready());
        let payload = again.unwrap_err();
        assert!(pirn_core::panic_message(&*payload).contains("was there before"));
        let turn = ready(second.as_mut(), waker);
        assert_eq!(turn.number(), 1);
        // One is dropped before its turn, and one after it is told.
        let (mut third, mut fourth) = (at(2), at(3));
        waits(third.as_mut(), waker);
        waits(fourth.as_mut(), waker);
        drop(third);
        drop(fourth);
    });
}

type Ends = [RefCell<Option<LockstepStream>>; 2];

/// Uses the ends that nobody uses, in both directions.
fn look(ends: &Ends) {
    for end in ends {
        if let Ok(Some(end)) = end.try_borrow_mut().as_deref_mut() {
            let _ = flush(end).now_or_never();
            let _ = read(end, &mut []).now_or_never();
        }
    }
}

#[test]
fn who_reads_and_writes_in_lockstep_may_have_any_waker() {
    let make = || -> Ends {
        let (here, there) = lockstep_pair();
        [here, there].map(Some).map(RefCell::new)
    };
    with_hostile_wakers(make, look, |ends, waker| {
        let mut buf = [0; 8];
        let with = |end: usize| {
            std::cell::RefMut::map(ends[end].borrow_mut(), |end| end.as_mut().unwrap())
        };
        waits(pin!(read(&mut *with(1), &mut buf)), waker);
        assert_eq!(ready(pin!(write(&mut *with(0), b"abc")), waker).unwrap(), 3);
        waits(pin!(flush(&mut *with(0))), waker);
        assert_eq!(
            ready(pin!(read(&mut *with(1), &mut buf)), waker).unwrap(),
            3
        );
        assert!(ready(pin!(flush(&mut *with(0))), waker).is_ok());
        waits(pin!(write(&mut *with(0), b"abc")), waker);
        waits(pin!(read(&mut *with(0), &mut buf)), waker);
        let (here, there) = (ends[0].take(), ends[1].take());
        drop(here);
        drop(there);
    });
}
