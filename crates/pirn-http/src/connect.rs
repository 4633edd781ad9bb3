//! How a session reaches a host: the one place where it touches the network.

use futures_io::{AsyncRead, AsyncWrite};
use pirn_io::TcpStream;
use std::future::Future;
use std::io;
use std::pin::Pin;

/// A stream of bytes, both ways, that a [`Connect`] makes. Implemented for whatever can be one.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// What [`Connect::connect`] returns.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send + 'a>>;

/// Makes connections for a session. TCP, unless another is given to
/// [`SessionBuilder::connect_with`](crate::SessionBuilder::connect_with): an in-memory network, a
/// Unix socket, a tunnel.
///
/// It makes plain connections: TLS, where the URL wants it, is laid over it by the session.
///
/// # Examples
///
/// Every host is at one address, whatever its name:
///
/// ```
/// use pirn_http::{Connect, Connecting, Session, Transport};
/// use pirn_io::TcpStream;
/// use std::net::SocketAddr;
///
/// struct At(SocketAddr);
/// impl Connect for At {
///     fn connect<'a>(&'a self, _host: &'a str, _port: u16) -> Connecting<'a> {
///         Box::pin(async move {
///             let stream = TcpStream::connect(self.0).await?;
///             Ok(Box::new(stream) as Box<dyn Transport>)
///         })
///     }
/// }
///
/// # use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
/// # pirn_core::shim::block_on(async {
/// # let listener = pirn_io::TcpListener::bind("127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr();
/// # let server = async {
/// #     let (stream, _) = listener.accept().await.unwrap();
/// #     let host = service_fn(|request: Request<Incoming>| async move {
/// #         let host = request.headers()["host"].to_str().unwrap().to_owned();
/// #         Ok::<_, hyper::Error>(Response::new(host))
/// #     });
/// #     http1::Builder::new().serve_connection(pirn_http::rt::Io::new(stream), host).await.unwrap();
/// # };
/// # let client = async {
/// let session = Session::builder().connect_with(At(address)).build()?;
/// let response = session.get("http://example.org/").send().await?;
/// assert_eq!(response.text().await?, "example.org"); // it sends back the `Host` that it got
/// # drop(session);
/// # Ok::<(), pirn_http::Error>(()) };
/// # let (result, ()) = futures::future::join(client, server).await; result }).unwrap();
/// ```
pub trait Connect: Send + Sync + 'static {
    /// Connects to `port` at `host`, which is a name, an IPv4 address or an IPv6 address in
    /// brackets. A name is looked up here.
    ///
    /// # Errors
    ///
    /// Of kind [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if the host refuses.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any point, by a timeout for one; it then gives the connection
    /// up.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a>;
}

/// TCP, by `pirn-io`.
pub(crate) struct Tcp;

impl Connect for Tcp {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            // A request is written in one piece; what the system would gather only comes later.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}
