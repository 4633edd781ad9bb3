#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
// With a feature off, what it alone uses is dead.
#![cfg_attr(
    not(all(
        feature = "net",
        feature = "fs",
        feature = "signal",
        feature = "process"
    )),
    allow(dead_code, unused_imports)
)]

#[cfg(feature = "blocking")]
pub mod blocking;
mod error;
#[cfg(feature = "fs")]
pub mod fs;
#[cfg(all(unix, any(feature = "signal", feature = "process")))]
mod listener;
#[cfg(feature = "net")]
pub mod net;
#[cfg(all(unix, feature = "process"))]
pub mod process;
#[cfg(feature = "reactor")]
pub mod reactor;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
pub mod streams;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "blocking")]
pub use blocking::to_thread;
pub use error::{Action, Failure};
#[cfg(feature = "net")]
pub use net::{TcpListener, TcpStream, lookup};
#[cfg(feature = "reactor")]
pub use reactor::{Entered, Handle, ReactorPark, ReactorUnpark};
#[cfg(all(unix, feature = "signal"))]
pub use signal::ctrl_c;
