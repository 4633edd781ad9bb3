//! A host: listens, connects.

use super::address::Address;
use super::datagrams::Datagrams;
use super::listener::{BACKLOG, Listener};
use super::state::{GivenUp, Shared, doubled};
use super::stream::Stream;
use pirn_core::Instant;
use pirn_timer::{sleep, sleep_until};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

/// A host in a [`Network`](super::Network), by its name. Made by
/// [`Network::host`](super::Network::host); clone it for more tasks on it.
///
/// # Examples
///
/// See [`Listener`].
#[derive(Clone)]
pub struct Host {
    network: Arc<Shared>,
    name: Arc<str>,
}

/// What comes of asking a host for a connection.
enum Answer {
    Made(Stream),
    Refused,
    /// It does not answer, and may do so later.
    None,
}

impl Host {
    pub(super) fn new(network: &Arc<Shared>, name: &str) -> Host {
        let name: Arc<str> = name.into();
        network.enter(|state, _| state.add_host(&name));
        Host {
            network: Arc::clone(network),
            name,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes connections at `port`; at 0, at one that is free.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse), if somebody listens there;
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable), if none is free.
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        Listener::new(&self.network, self.at(port)?)
    }

    /// Sends and receives datagrams at `port`; at 0, at one that is free.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse), if somebody does so there;
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable), if none is free.
    pub fn bind(&self, port: u16) -> io::Result<Datagrams> {
        Datagrams::new(&self.network, self.at(port)?)
    }

    /// Connects to a port of a host.
    ///
    /// That takes as long as it takes a word to get there and back. While the hosts are parted, or
    /// more connections wait there than the host keeps, it tries again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound), if the network has no such host;
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), if nobody listens there;
    /// [`TimedOut`](io::ErrorKind::TimedOut), if there was no answer for as long as the
    /// [patience](super::Conditions::patience) lasts, or each try was [lost](super::Conditions::loss);
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable), if this host has no free port: it has
    /// 16,384, from 49152 on, and each is in use until both ends of its connection are gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the connection up; the other side may find one that ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::{Sim, net::Network};
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    ///
    /// Sim::new().run(async {
    ///     let network = Network::new(1);
    ///     let (client, server) = (network.host("client"), network.host("server"));
    ///     let refused = client.connect(("server", 80)).await.unwrap_err();
    ///     assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    ///     // Nobody listened for the millisecond there and the millisecond back.
    ///     assert_eq!(pirn_timer::now().as_nanos(), 2_000_000);
    ///
    ///     let _listener = server.listen(80).unwrap();
    ///     let stream = client.connect(("server", 80)).await.unwrap();
    ///     assert_eq!(stream.peer_addr().to_string(), "server:80");
    /// });
    /// ```
    pub async fn connect(&self, to: impl Into<Address>) -> io::Result<Stream> {
        let to = to.into();
        let patience = self.network.enter(|state, _| {
            let conditions = state.conditions(&self.name, &to.host);
            state.has_host(&to.host).then_some(conditions.patience)
        });
        let failed = |kind, why: &str| {
            let name = &self.name;
            io::Error::new(kind, format!("{name} could not connect to {to}: {why}"))
        };
        let Some(patience) = patience else {
            return Err(failed(io::ErrorKind::NotFound, "there is no such host"));
        };
        let mut trying = pin!(self.try_connect(&to));
        let mut waited = sleep(patience);
        let made = poll_fn(|cx| match trying.as_mut().poll(cx) {
            Poll::Ready(made) => Poll::Ready(made),
            Poll::Pending => {
                let waited = Pin::new(&mut waited).poll(cx);
                waited.map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        });
        made.await.map_err(|error| match error.kind() {
            kind @ io::ErrorKind::TimedOut => failed(kind, "there is no answer"),
            kind @ io::ErrorKind::ConnectionRefused => failed(kind, "nobody listens there"),
            kind => failed(kind, &error.to_string()),
        })
    }

    async fn try_connect(&self, to: &Address) -> io::Result<Stream> {
        let (here, there) = (&self.name, &to.host);
        let (local, mut again) = self.network.enter(|state, _| {
            let again = state.conditions(here, there).retransmission;
            (state.take_port(here), again)
        });
        let mut port = Port {
            network: &self.network,
            local: local?,
            is_connected: false,
        };
        loop {
            self.word(here, there).await?;
            let answer = self.ask(&mut port, to);
            if matches!(answer, Answer::None) {
                sleep(again).await;
                again = doubled(again);
                continue;
            }
            self.word(there, here).await?;
            return match answer {
                Answer::Made(stream) => Ok(stream),
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            };
        }
    }

    /// Waits until a word that is sent as soon as the hosts are not parted has arrived.
    async fn word(&self, from: &Arc<str>, to: &Arc<str>) -> io::Result<()> {
        let arrives = poll_fn(|cx| {
            let now = pirn_timer::now();
            let own = Some(cx.waker().clone());
            self.network
                .enter_as(own, |state, later| match state.arrives(from, to, 0, now) {
                    Ok(Instant::NEVER) => {
                        state.hope(later);
                        Poll::Pending
                    }
                    arrives => Poll::Ready(arrives),
                })
        });
        match arrives.await {
            Ok(at) => sleep_until(at).await,
            Err(GivenUp(at)) => {
                sleep_until(at).await;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// A word has arrived there that asks for a connection.
    fn ask(&self, port: &mut Port<'_>, to: &Address) -> Answer {
        self.network.enter(|state, later| {
            let local = &port.local;
            if state.are_parted(&local.host, &to.host) {
                return Answer::None;
            }
            let Some(backlog) = state.backlogs.get(to) else {
                return Answer::Refused;
            };
            if backlog.waiting.len() >= BACKLOG {
                return Answer::None;
            }
            let id = state.add_connection([local.clone(), to.clone()]);
            port.is_connected = true;
            let theirs = Stream::new(&self.network, id, 1, [to, local]);
            if let Some(backlog) = state.backlogs.get_mut(to) {
                backlog.waiting.push_back(theirs);
                later.wake_all(&mut backlog.acceptors);
            }
            Answer::Made(Stream::new(&self.network, id, 0, [local, to]))
        })
    }

    fn at(&self, port: u16) -> io::Result<Address> {
        let host = self.name.clone();
        match port {
            0 => self.network.enter(|state, _| state.free_port(&host)),
            port => Ok(Address { host, port }),
        }
    }
}

/// Of one who connects: given back, unless a connection has it by then.
struct Port<'a> {
    network: &'a Shared,
    local: Address,
    is_connected: bool,
}

impl Drop for Port<'_> {
    fn drop(&mut self) {
        if !self.is_connected {
            self.network.enter(|state, _| state.give_back(&self.local));
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}
