//! hyper's runtime traits on pirn.
//!
//! [`Session`](crate::Session) uses these itself. They are public so that the rest of hyper runs on
//! pirn too: its clients, HTTP/2 by [`Executor`], and its servers above all. A server that ends in
//! order, and one for axum or tower, are among the recipes of pirn-compat.
//!
//! ```
//! use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
//! use pirn_http::{Session, rt};
//! use pirn_io::TcpListener;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
//!     Ok(Response::new("hello".to_owned()))
//! }
//!
//! # pirn_core::shim::block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}/", listener.local_addr());
//! let server = async {
//!     let (stream, _peer) = listener.accept().await?;
//!     let connection = http1::Builder::new()
//!         .timer(rt::Timer::new())
//!         .serve_connection(rt::Io::new(stream), service_fn(hello));
//!     connection.await.map_err(std::io::Error::other)
//! };
//! let client = async {
//!     let response = Session::new().get(&url).send().await.unwrap();
//!     assert_eq!(response.text().await.unwrap(), "hello");
//!     Ok(())
//! };
//! futures::future::try_join(server, client).await?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

mod executor;
mod io;
mod timer;

pub use executor::Executor;
pub use io::Io;
pub use timer::Timer;
