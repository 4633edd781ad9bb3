//! How a session reaches a host: the one place where it touches the network.

use futures_io::{AsyncRead, AsyncWrite};
use pirn_io::TcpStream;
use std::future::Future;
use std::io;
use std::pin::Pin;

/// A stream of bytes, both ways. Implemented for whatever can be one.
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
/// A network of one host that gives everybody the same answer:
///
/// ```
/// use pirn_http::{Connect, Connecting, Session, Transport};
/// use std::io;
///
/// struct Canned;
/// impl Connect for Canned {
///     fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
///         Box::pin(async move {
///             assert_eq!((host, port), ("example.org", 80));
///             let answer = futures::io::Cursor::new("HTTP/1.1 200 OK\r\n\r\nhello");
///             let stream = futures::io::AllowStdIo::new(Both(answer));
///             Ok(Box::new(stream) as Box<dyn Transport>)
///         })
///     }
/// }
/// # struct Both(futures::io::Cursor<&'static str>);
/// # impl io::Read for Both {
/// #     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
/// #         let mut rest = &self.0.get_ref().as_bytes()[self.0.position() as usize..];
/// #         let read = rest.read(buf)?;
/// #         self.0.set_position(self.0.position() + read as u64);
/// #         Ok(read)
/// #     }
/// # }
/// # impl io::Write for Both {
/// #     fn write(&mut self, buf: &[u8]) -> io::Result<usize> { Ok(buf.len()) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
///
/// # pirn_core::shim::block_on(async {
/// let session = Session::builder().connect_with(Canned).build()?;
/// let response = session.get("http://example.org/").send().await?;
/// assert_eq!(response.text().await?, "hello");
/// # Ok::<(), pirn_http::Error>(()) }).unwrap();
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
