//! TCP and name lookup.

mod address;
mod listener;
mod split;
mod stream;

pub use address::{ToAddress, lookup};
pub use listener::{Accept, Incoming, TcpListener};
pub use split::{ReadHalf, WriteHalf};
pub use stream::TcpStream;
