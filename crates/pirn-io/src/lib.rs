//! Sockets, files, child processes, signals and a thread pool for asynchronous programs, on any executor.
//!
//! This is the part of pirn that talks to the system, and the only one that opens a file descriptor.
//! It can be used alone: on tokio, on a bare `block_on`, on a loop of your own. Its sockets and files
//! speak the traits of `futures-io`.
//!
//! ```
//! use futures::{AsyncReadExt, AsyncWriteExt, future::try_join};
//! use pirn_io::{TcpListener, TcpStream, fs, to_thread};
//!
//! # pirn_core::shim::block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let server = async {
//!     let (mut stream, _peer) = listener.accept().await?;
//!     let sum: u64 = to_thread(|| (1..=1000).sum()).await.unwrap(); // may block: it has a thread
//!     stream.write_all(sum.to_string().as_bytes()).await?;
//!     stream.close().await
//! };
//! let client = async {
//!     let mut answer = String::new();
//!     TcpStream::connect(listener.local_addr()).await?.read_to_string(&mut answer).await?;
//!     std::io::Result::Ok(answer)
//! };
//! let ((), answer) = try_join(server, client).await?;
//!
//! let file = std::env::temp_dir().join(format!("pirn-io-readme-{}", std::process::id()));
//! fs::write(&file, answer).await?;
//! assert_eq!(fs::read_to_string(&file).await?, "500500");
//! # fs::remove_file(&file).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! | feature | what it brings |
//! | --- | --- |
//! | `net` | `TcpListener`, `TcpStream`, `net::UdpSocket`, `lookup`; on Unix `net::{UnixListener, UnixStream, UnixDatagram}` |
//! | `fs` | `fs::{read, write, …}` and `fs::File` |
//! | `signal` | `ctrl_c`, `signal::signal` (Unix) |
//! | `process` | child processes (Unix) |
//! | `tls` | TLS for clients and servers, by rustls with ring |
//! | `blocking` | `to_thread`, `BlockingPool` |
//! | `rayon` | `blocking::{to_rayon, RayonPool}`: closures on rayon's threads, for what computes |
//! | `reactor` | `ReactorPark`, `Handle`: what a runtime drives |
//!
//! `streams` needs none: `StreamReader` and `StreamWriter` read lines and frames and write whole
//! messages over any stream of bytes, and lose nothing when a future is dropped half-way.
//!
//! The first four are on by default and bring the others.
//!
//! # What drives it
//!
//! *Sockets* belong to the reactor that was entered on the thread (`Handle::enter`); pirn's runtime
//! does that. Where there is none, the first socket starts a process-wide reactor on a thread named
//! `pirn-reactor`. *Blocking work*, which files and name lookup are, goes to the ambient pool
//! (`pirn_core::context`), or else to a process-wide one whose threads come and go.
//!
//! Each socket is registered once, for both directions, in edge mode; a task tries first and waits
//! only when the system had nothing. The module `reactor` argues why no edge is lost, and its
//! readiness cell, its sleep token and the pool are model-checked with loom.
//!
//! # Errors
//!
//! Every error says what was being done to what, and keeps the kind that the system gave:
//! `connect to 127.0.0.1:1: Connection refused (os error 111)`. `Failure::of(&error)` gives the parts.
//!
//! # Dropping a future
//!
//! It is always safe. A dropped read, accept or connect loses nothing and leaves nothing behind. A
//! dropped child process is killed and reaped, unless it was detached.
//! Work on a thread cannot be stopped once started: it runs to its end, unheard. What `to_thread` runs
//! can look whether anybody waits for it still, by `pirn_core::current_cause`.
//!
//! # What it does not do yet
//!
//! Sockets of other libraries on this reactor; several addresses of a host tried at once; seeking in files. It is tested on Linux.
//! Where the system is not Linux, timers that sleep in the reactor are up to a millisecond late;
//! never early.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
