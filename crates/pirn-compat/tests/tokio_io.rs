//! Streams between `futures-io` and tokio: what reaches the stream inside, and who gives way when.

use futures_io::AsyncWrite as _;
use pirn_compat::{ForTokio, FromTokio};
use pirn_core::shim::block_on;
use pirn_core::{Cause, Scope, budget, shield, yield_now};
use pirn_io::{TcpListener, TcpStream};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncReadExt, AsyncWrite as _, AsyncWriteExt, ReadBuf};

/// Always ready, of either kind; says what it was asked for.
#[derive(Default)]
struct Tap {
    reads: u32,
    writes: u32,
    pieces: Vec<usize>,
    lies: bool,
}

impl futures_io::AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads += 1;
        buf.fill(1);
        Poll::Ready(Ok(buf.len() + usize::from(self.lies)))
    }
}

impl futures_io::AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes += 1;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pieces.push(bufs.len());
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        buf.put_slice(&[1]);
        Poll::Ready(Ok(()))
    }
}

/// Never ready.
struct Dry;

impl tokio::io::AsyncRead for Dry {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Ready once it is opened.
struct Gate(Rc<Cell<bool>>);

impl tokio::io::AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0.get() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Reads one byte by the trait of `futures-io`.
fn read<T: tokio::io::AsyncRead + Unpin>(stream: &mut FromTokio<T>) -> Poll<io::Result<usize>> {
    futures_io::AsyncRead::poll_read(Pin::new(stream), &mut noop(), &mut [0])
}

#[test]
fn bytes_pass_our_socket_to_tokios_and_back() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = bytes.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let received = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = async {
            let mut theirs = FromTokio::new(listener.accept().await.unwrap().0);
            let mut bytes = Vec::new();
            futures::AsyncReadExt::read_to_end(&mut theirs, &mut bytes)
                .await
                .unwrap();
            futures::AsyncWriteExt::write_all(&mut theirs, &bytes)
                .await
                .unwrap();
            futures::AsyncWriteExt::close(&mut theirs).await.unwrap();
        };
        let client = async {
            let mut ours = ForTokio::new(TcpStream::connect(address).await.unwrap());
            ours.write_all(&sent).await.unwrap();
            ours.shutdown().await.unwrap();
            let mut bytes = Vec::new();
            ours.read_to_end(&mut bytes).await.unwrap();
            bytes
        };
        futures::join!(echo, client).1
    });
    assert!(received == bytes);
}

#[test]
fn a_write_of_several_pieces_reaches_the_stream_as_one() {
    let pieces = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    let mut ours = ForTokio::new(Tap::default());
    assert!(ours.is_write_vectored());
    let written = Pin::new(&mut ours).poll_write_vectored(&mut noop(), &pieces);
    assert!(matches!(written, Poll::Ready(Ok(8))));
    assert_eq!(ours.get_ref().pieces, [2]);
    // There and back again.
    let mut back = FromTokio::new(ours);
    let written = Pin::new(&mut back).poll_write_vectored(&mut noop(), &pieces);
    assert!(matches!(written, Poll::Ready(Ok(8))));
    assert_eq!(back.into_inner().into_inner().pieces, [2, 2]);
}

#[test]
fn a_stream_that_claims_to_have_read_too_much_is_an_error() {
    let mut lies = ForTokio::new(Tap {
        lies: true,
        ..Tap::default()
    });
    let error = block_on(lies.read_u8()).unwrap_err();
    assert_eq!(error.to_string(), "more was read than asked for");
}

#[test]
fn a_stream_that_is_always_ready_gives_way_in_a_tokio_task() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut reads, mut writes) =
            (ForTokio::new(Tap::default()), ForTokio::new(Tap::default()));
        let mut for_ever = Box::pin(async {
            loop {
                reads.read_u8().await.unwrap();
                writes.write_u8(1).await.unwrap();
            }
        });
        let first = poll_fn(|cx| Poll::Ready(for_ever.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "or else it had never come back");
        drop(for_ever);
        // It is woken, and goes on.
        let mut goes_on = ForTokio::new(Tap::default());
        for _ in 0..1000 {
            goes_on.read_u8().await.unwrap();
        }
        // tokio's bound, shared by both.
        assert_eq!(reads.get_ref().reads + writes.get_ref().writes, 128);
    });
}

#[test]
fn a_stream_of_tokios_spends_the_budget_of_our_task() {
    let mut tap = FromTokio::new(Tap::default());
    let _refilled = budget::refill();
    for _ in 0..budget::BUDGET {
        assert!(read(&mut tap).is_ready());
    }
    assert!(read(&mut tap).is_pending());
    assert_eq!(
        tap.get_ref().reads,
        budget::BUDGET,
        "asked only where it may give"
    );
}

#[test]
fn streams_that_are_asked_in_vain_spend_once() {
    let mut dry = FromTokio::new(Dry);
    let mut tap = FromTokio::new(Tap::default());
    let _refilled = budget::refill();
    for _ in 0..1000 {
        assert!(read(&mut dry).is_pending());
    }
    assert!(read(&mut tap).is_ready());
}

#[test]
fn in_a_cancelled_body_a_stream_of_tokios_stays_pending_outside_regions() {
    let (scope, mut reads) = (Scope::detached(), 0);
    let mut outside = FromTokio::new(Tap::default());
    let mut inside = FromTokio::new(Tap::default());
    {
        let mut run = pin!(scope.run(async {
            let mut clean_up = pin!(shield(async {
                // Twice: once before the cancel, and once after.
                let _ = poll_fn(|_| read(&mut inside)).await;
                yield_now().await;
                let _ = poll_fn(|_| read(&mut inside)).await;
                pending::<()>().await;
            }));
            poll_fn(|cx| {
                reads += u32::from(read(&mut outside).is_ready());
                clean_up.as_mut().poll(cx)
            })
            .await
        }));
        assert!(run.as_mut().poll(&mut noop()).is_pending());
        scope.cancel(Cause::requested("enough"));
        assert!(run.as_mut().poll(&mut noop()).is_pending());
    }
    assert_eq!(reads, 1, "not after the cancel");
    assert_eq!(outside.get_ref().reads, 1);
    assert_eq!(inside.get_ref().reads, 2, "a region goes on");
}

#[test]
fn nor_does_one_give_there_what_it_was_asked_for_before_the_cancel() {
    let scope = Scope::detached();
    let open = Rc::new(Cell::new(false));
    let mut gate = FromTokio::new(Gate(Rc::clone(&open)));
    let mut gave = Vec::new();
    let mut run = Box::pin(scope.run(async {
        let mut clean_up = pin!(shield(pending::<()>()));
        poll_fn(|cx| {
            gave.push(read(&mut gate).is_ready());
            clean_up.as_mut().poll(cx)
        })
        .await
    }));
    assert!(run.as_mut().poll(&mut noop()).is_pending());
    open.set(true);
    scope.cancel(Cause::requested("enough"));
    assert!(run.as_mut().poll(&mut noop()).is_pending());
    drop(run);
    assert_eq!(gave, [false, false]);
}

#[test]
fn closing_tells_the_peer_that_no_more_will_come() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = ForTokio::new(TcpStream::connect(listener.local_addr()).await.unwrap());
        let mut server = ForTokio::new(listener.accept().await.unwrap().0);
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        server.write_all(b"still").await.unwrap();
        let mut bytes = [0; 5];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"still");
    });
}
