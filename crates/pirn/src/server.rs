//! A server: connections are accepted, and a task serves each.

use pin_project_lite::pin_project;
use pirn_core::report::{Report, report};
use pirn_core::{Cause, Missing, Payload, TaskMeta};
use pirn_group::{CancelToken, GroupBuilder, OwnedGroup};
use pirn_io::net::{ReadHalf, ToAddress, WriteHalf};
use pirn_io::streams::{StreamReader, StreamWriter};
use pirn_io::{TcpListener, TcpStream};
use pirn_sync::Semaphore;
use pirn_timer::sleep;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long no connection is accepted after the system had no room for one.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens at `address`, and serves each connection by a task that runs `serve`: asyncio's
/// `start_server`. Short for [`Server::on`] and [`Server::start`].
///
/// # Errors
///
/// If the address cannot be listened at; or, of the kind [`Unsupported`](io::ErrorKind::Unsupported),
/// outside a runtime.
///
/// # Cancel safety
///
/// Dropping the future leaves nothing behind.
///
/// # Examples
///
/// A server that answers each line in capitals:
///
/// ```
/// use pirn::streams::{StreamReader, StreamWriter, open_connection};
///
/// pirn::run(async {
///     let server = pirn::start_server("127.0.0.1:0", async |mut reader: StreamReader<_>, mut writer: StreamWriter<_>| {
///         while let Some(line) = reader.read_line().await? {
///             writer.write(line.to_uppercase().as_bytes()).await?;
///             writer.write(b"\n").await?;
///             writer.flush().await?;
///         }
///         std::io::Result::Ok(())
///     })
///     .await?;
///
///     let (mut reader, mut writer) = open_connection(server.local_addr()).await?;
///     writer.write(b"hello\n").await?;
///     writer.close().await?;
///     assert_eq!(reader.read_line().await?.as_deref(), Some("HELLO"));
///     server.close().await;
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn start_server<F, Fut, E>(
    address: impl ToAddress,
    serve: F,
) -> impl Future<Output = io::Result<Running>>
where
    F: Fn(StreamReader<ReadHalf>, StreamWriter<WriteHalf>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let meta = TaskMeta::here();
    async move {
        let server = Server::on(TcpListener::bind(address).await?);
        let start = server.start_as(meta, move |stream| {
            let (reader, writer) = stream.into_split();
            serve(StreamReader::new(reader), StreamWriter::new(writer))
        });
        start.map_err(|missing| io::Error::new(io::ErrorKind::Unsupported, missing))
    }
}

/// What a server is made from.
///
/// # Examples
///
/// At most 100 connections at once; the others wait in the system's queue:
///
/// ```
/// use pirn::{Server, net::{TcpListener, TcpStream}};
///
/// # pirn::run(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let server = Server::on(listener)
///     .limit(100)
///     .start(async |stream: TcpStream| std::io::Result::Ok(drop(stream)))
///     .unwrap();
/// assert_eq!(server.connections(), 0);
/// server.close().await;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing until it is started"]
pub struct Server {
    listener: TcpListener,
    limit: usize,
}

/// A server that runs. Made by [`start_server`] and [`Server::start`].
///
/// Dropping it cancels all that it runs: each connection's task is dropped after its clean-up.
///
/// # Examples
///
/// ```
/// # pirn::run(async {
/// use pirn::streams::{StreamReader, StreamWriter};
///
/// let server = pirn::start_server("127.0.0.1:0", async |_: StreamReader<_>, _: StreamWriter<_>| {
///     std::future::pending::<std::io::Result<()>>().await
/// })
/// .await?;
/// assert_ne!(server.local_addr().port(), 0);
/// server.abort("it would never end").await;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[must_use = "dropping a server ends it"]
pub struct Running {
    group: OwnedGroup<io::Error>,
    accepting: CancelToken,
    local: SocketAddr,
}

impl Server {
    /// A server of what `listener` accepts.
    pub fn on(listener: TcpListener) -> Self {
        Server {
            listener,
            limit: usize::MAX,
        }
    }

    /// Serves at most `connections` at once. Nobody is turned away: the system queues some more, and
    /// after that a client waits.
    ///
    /// # Panics
    ///
    /// If it is 0: nobody would ever be served.
    #[track_caller]
    pub fn limit(self, connections: usize) -> Self {
        assert!(
            connections > 0,
            "a server needs a limit of at least 1 connection"
        );
        Server {
            limit: connections,
            ..self
        }
    }

    /// Starts it: a task accepts, and one for each connection runs `serve`.
    ///
    /// A connection whose task fails or panics is an end for it alone; the error goes to the
    /// [hook](pirn_core::report::set_hook) for what nobody receives. When the system has no room for
    /// a connection, that is reported too, and the next is accepted after a pause.
    ///
    /// # Errors
    ///
    /// [`Missing`] outside a runtime.
    #[track_caller]
    pub fn start<F, Fut, E>(self, serve: F) -> Result<Running, Missing>
    where
        F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        self.start_as(TaskMeta::here(), serve)
    }

    fn start_as<F, Fut, E>(self, meta: TaskMeta, serve: F) -> Result<Running, Missing>
    where
        F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let group = GroupBuilder::ambient()?.open();
        let (accepting, local) = (CancelToken::new(), self.listener.local_addr());
        let (token, handle) = (accepting.clone(), (*group).clone());
        let places = Arc::new(Semaphore::new(self.limit.min(Semaphore::MAX_PERMITS)));
        let serve = Arc::new(serve);
        let accepts = async move {
            let serves = async {
                loop {
                    let place = Arc::clone(&places).acquire_owned().await;
                    let stream = match self.listener.accept().await {
                        Ok((stream, _)) => stream,
                        Err(error) => {
                            report(Report::Error {
                                task: Some(meta.clone().named("accept")),
                                error: error.into(),
                            });
                            sleep(PAUSE).await;
                            continue;
                        }
                    };
                    let (serve, meta) = (Arc::clone(&serve), meta.clone());
                    // A group that has ended refuses it: the connection is dropped with the rest.
                    let _ = handle.try_spawn(meta.clone(), async move {
                        // With what makes a box of an error, which is the user's code, too.
                        let inner = async { serve(stream).await.map_err(E::into) };
                        match (Caught { inner }).await {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => report(Report::Error {
                                task: Some(meta),
                                error,
                            }),
                            Err(payload) => report(Report::Panic {
                                task: Some(meta),
                                payload,
                            }),
                        }
                        drop(place);
                        Ok(())
                    });
                }
            };
            let _: Result<std::convert::Infallible, _> = token.run_until_cancelled(serves).await;
            Ok(())
        };
        group.spawn_named("accept", accepts);
        Ok(Running {
            group,
            accepting,
            local,
        })
    }
}

impl Running {
    /// The address that it listens at, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How many connections it serves now.
    pub fn connections(&self) -> usize {
        let accepting = usize::from(!self.accepting.is_cancelled());
        self.group.live().saturating_sub(accepting)
    }

    /// Accepts no more, and waits until all connections have been served.
    ///
    /// To set a time limit, put a [`timeout`](crate::timeout) around it: what is left is cancelled
    /// then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the server.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn::Server;
    /// use pirn::net::{TcpListener, TcpStream};
    ///
    /// # pirn::run(async {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let serve = async |stream: TcpStream| std::io::Result::Ok(drop(stream));
    /// let server = Server::on(listener).start(serve).unwrap();
    /// let address = server.local_addr();
    /// server.close().await;
    /// assert!(TcpStream::connect(address).await.is_err());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn close(self) {
        self.accepting.cancel("the server closes");
        self.end().await;
    }

    /// Accepts no more, cancels all connections' tasks, and waits for their clean-up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the server.
    #[track_caller]
    pub fn abort(self, reason: impl Into<String>) -> impl Future<Output = ()> {
        let cause = Cause::requested(reason.into());
        async move {
            self.group.cancel(cause);
            self.end().await;
        }
    }

    async fn end(self) {
        // What a connection does wrong was reported; a child fails where the executor ends, and then
        // there is nobody to be told.
        let _ = self.group.join().await;
    }
}

pin_project! {
    /// A future whose panic is its value.
    struct Caught<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Payload>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner;
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("local", &self.local)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
