//! Lines, frames and buffers over any stream of bytes, without loss when a future is dropped.
//!
//! [`StreamReader`] and [`StreamWriter`] are asyncio's, over whatever speaks the traits of
//! `futures-io`: a half of a socket, a child's pipe, a connection in memory. What `futures` offers
//! for that loses bytes if a `read_line` or `write_all` is dropped half-way, by a timeout say;
//! here what was read stays in the reader until an operation returns it, and the writer takes a
//! message whole or not at all.

mod reader;
mod writer;

pub use reader::{Lines, ReadError, StreamReader};
pub use writer::StreamWriter;

#[cfg(feature = "net")]
use crate::net::{ReadHalf, TcpStream, ToAddress, WriteHalf};

/// Connects to `address`: a reader and a writer, which two tasks may use at once.
///
/// # Errors
///
/// As [`TcpStream::connect`].
///
/// # Cancel safety
///
/// Dropping the future gives the connection up.
///
/// # Examples
///
/// ```
/// use pirn_io::{TcpListener, streams::{StreamReader, open_connection}};
///
/// # pirn_core::shim::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let (_, mut writer) = open_connection(listener.local_addr()).await?;
/// writer.write(b"hello\nworld\n").await?;
/// writer.close().await?;
///
/// let mut reader = StreamReader::new(listener.accept().await?.0);
/// assert_eq!(reader.read_line().await?.as_deref(), Some("hello"));
/// assert_eq!(reader.read_line().await?.as_deref(), Some("world"));
/// assert_eq!(reader.read_line().await?, None);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[cfg(feature = "net")]
pub async fn open_connection(
    address: impl ToAddress,
) -> std::io::Result<(StreamReader<ReadHalf>, StreamWriter<WriteHalf>)> {
    let (reader, writer) = TcpStream::connect(address).await?.into_split();
    Ok((StreamReader::new(reader), StreamWriter::new(writer)))
}
