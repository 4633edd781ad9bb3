//! A server that echoes, one thread of it, under 64 connections of a client that is the same for
//! all: tokio's current-thread runtime on the measuring thread. The CPU column is the server's.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    thread,
};

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use monoio::{Buildable, Driver, IoUringDriver, LegacyDriver};
use pirn_executor::LocalExecutor;
use pirn_io::ReactorPark;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    harness::{Contender, Row},
    hosts::{has_io_uring, tokio_one},
};

/// Connections at once.
const CONNECTIONS: u64 = 64;
/// Bytes per message.
const MESSAGE: usize = 128;
/// Bytes a server may read at once.
const BUFFER: usize = 4096;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new(
        "echo.64",
        "128 bytes there and back, 64 connections",
        || {
            let mut all = vec![
                against("pirn", pirn),
                against("tokio", tokio),
                against("monoio-legacy", monoio::<LegacyDriver>),
            ];
            if has_io_uring() {
                all.push(against("monoio-uring", monoio::<IoUringDriver>));
            }
            all
        },
    )]
}

/// Runs a server on a thread of its own, until the process ends, and the client against it.
fn against(name: &'static str, serve: fn(TcpListener) -> io::Result<()>) -> Contender {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || serve(listener));
    let runtime = tokio_one();
    let mut streams = runtime.block_on(connect(address));
    Contender::served(name, move |count| {
        let each = count.div_ceil(CONNECTIONS);
        let taken = std::mem::take(&mut streams);
        streams = runtime.block_on(async move {
            let mut clients = JoinSet::new();
            for stream in taken {
                clients.spawn(exchange(stream, each));
            }
            clients.join_all().await
        });
    })
}

async fn connect(address: SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a socket has options");
        streams.push(stream);
    }
    streams
}

async fn exchange(mut stream: TcpStream, times: u64) -> TcpStream {
    let sent = [7; MESSAGE];
    let mut received = [0; MESSAGE];
    for _ in 0..times {
        stream.write_all(&sent).await.expect("the server lives");
        stream
            .read_exact(&mut received)
            .await
            .expect("the server echoes");
        assert_eq!(sent, received);
    }
    stream
}

fn pirn(listener: TcpListener) -> io::Result<()> {
    let mut park = ReactorPark::new(pirn_timer::now)?;
    let _entered = park.handle().enter();
    let executor = LocalExecutor::new();
    let spawner = executor.handle();
    let serve = async {
        let listener = pirn_io::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let echo = spawner.spawn_local(async move {
                let mut buffer = [0; BUFFER];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
            });
            echo.detach();
        }
    };
    executor.run(&mut park, serve).expect("the reactor works")
}

fn tokio(listener: TcpListener) -> io::Result<()> {
    tokio_one().block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let mut buffer = [0; BUFFER];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    })
}

fn monoio<D: Driver + Buildable>(listener: TcpListener) -> io::Result<()> {
    use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};
    let mut runtime = Buildable::build(monoio::RuntimeBuilder::<D>::new())?;
    runtime.block_on(async {
        // Not for the ring, which would give up at once.
        listener.set_nonblocking(monoio::utils::is_legacy())?;
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            monoio::spawn(async move {
                let mut buffer = Vec::with_capacity(BUFFER);
                loop {
                    let (read, filled) = stream.read(buffer).await;
                    if !matches!(read, Ok(1..)) {
                        break;
                    }
                    let (written, emptied) = stream.write_all(filled).await;
                    if written.is_err() {
                        break;
                    }
                    buffer = emptied;
                    buffer.clear();
                }
            });
        }
    })
}
