//! A port at which connections are taken.

use super::address::Address;
use super::state::Shared;
use super::stream::Stream;
use futures_core::Stream as Items;
use pirn_core::budget::poll_spend;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// A port of a host at which connections are taken. Made by [`Host::listen`](super::Host::listen).
///
/// Dropping it closes the port; connections that were not accepted are
/// closed.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_sim::{Sim, net::Network};
///
/// Sim::new().run(async {
///     let network = Network::new(1);
///     let listener = network.host("server").listen(80)?;
///     pirn_executor::spawn(async move {
///         while let Ok((mut stream, peer)) = listener.accept().await {
///             let hello = format!("hello, {}", peer.host());
///             stream.write_all(hello.as_bytes()).await.unwrap();
///         }
///     })
///     .detach();
///
///     let mut stream = network.host("client").connect(("server", 80)).await?;
///     let mut heard = String::new();
///     stream.read_to_string(&mut heard).await?;
///     assert_eq!(heard, "hello, client");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct Listener {
    network: Arc<Shared>,
    local: Address,
}

/// Connections that wait to be accepted.
#[derive(Default)]
pub(super) struct Backlog {
    pub(super) waiting: VecDeque<Stream>,
    pub(super) acceptors: Vec<Waker>,
}

/// As many wait at most; the next who come try again.
pub(super) const BACKLOG: usize = 128;

impl Listener {
    pub(super) fn new(network: &Arc<Shared>, local: Address) -> io::Result<Listener> {
        network.enter(|state, _| {
            if state.backlogs.contains_key(&local) {
                let what = format!("somebody listens at {local} already");
                return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
            }
            state.backlogs.insert(local.clone(), Backlog::default());
            Ok(())
        })?;
        Ok(Listener {
            network: Arc::clone(network),
            local,
        })
    }

    /// Waits for the next connection, and gives it with the address it comes from.
    ///
    /// # Errors
    ///
    /// None so far; it gives a `Result` as that of a real socket does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes no connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::{Sim, net::Network};
    ///
    /// Sim::new().run(async {
    ///     let network = Network::new(1);
    ///     let listener = network.host("server").listen(80)?;
    ///     let client = network.host("client").connect(("server", 80)).await?;
    ///     let (server, peer) = listener.accept().await?;
    ///     assert_eq!((&peer, server.local_addr()), (client.local_addr(), client.peer_addr()));
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub async fn accept(&self) -> io::Result<(Stream, Address)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The connections, one after another, as a stream that does not end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> &Address {
        &self.local
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Address)>> {
        ready!(poll_spend(cx));
        let own = Some(cx.waker().clone());
        let next = self.network.enter_as(own, |state, later| {
            let backlog = state
                .backlogs
                .get_mut(&self.local)
                .expect("the port is open as long as there is a listener");
            let next = backlog.waiting.pop_front();
            if next.is_none() {
                later.join(&mut backlog.acceptors);
            }
            next
        });
        let stream = ready!(next.map_or(Poll::Pending, Poll::Ready));
        let peer = stream.peer_addr().clone();
        Poll::Ready(Ok((stream, peer)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waiting = self.network.enter(|state, later| {
            let mut backlog = state.backlogs.remove(&self.local)?;
            later.forget_all(&mut backlog.acceptors);
            Some(backlog.waiting)
        });
        // They look at the network as they are dropped.
        drop(waiting);
    }
}

/// The connections of a [`Listener`], as a stream.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use pirn_sim::{Sim, net::Network};
///
/// Sim::new().run(async {
///     let network = Network::new(1);
///     let listener = network.host("server").listen(80).unwrap();
///     let _client = network.host("client").connect(("server", 80)).await.unwrap();
///     let first = listener.incoming().next().await.unwrap().unwrap();
///     assert_eq!(first.peer_addr().host(), "client");
/// });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a>(&'a Listener);

impl Items for Incoming<'_> {
    type Item = io::Result<Stream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Stream>>> {
        let accepted = ready!(self.0.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.local).finish()
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(&self.0.local).finish()
    }
}
