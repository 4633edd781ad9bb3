//! Sockets: TCP, UDP and Unix; and name lookup.

mod address;
mod connection;
mod datagram;
mod listener;
mod split;
mod stream;
mod udp;
#[cfg(unix)]
mod unix;

pub use address::{ToAddress, lookup};
pub use connection::Connection;
pub use listener::{Accept, Incoming, TcpListener};
pub use split::{ReadHalf, WriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixAccept, UnixDatagram, UnixIncoming, UnixListener, UnixStream};
