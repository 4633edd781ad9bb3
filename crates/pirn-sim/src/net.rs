//! A network in memory: a server and its clients in one test, under virtual time.
//!
//! A [`Network`] has hosts, by name. A [`Host`] listens at ports and connects to others, and what comes
//! of that are [`Stream`]s with the traits of `futures-io`, as pirn-io's; or it sends [`Datagrams`]. How
//! well hosts reach each other is set by [`Conditions`]: latency, loss, bandwidth, buffers. Hosts can be
//! parted and joined again, and their connections reset, in the midst of it.
//!
//! Time is that of `pirn_timer`, the virtual one in a [`Sim`](crate::Sim). Everything that is left to
//! chance follows from the network's seed and the order in which things are done, so that a run with the
//! same seeds goes the same way.
//!
//! # What it is like
//!
//! - **A stream** is like TCP: all that was written arrives, in order, or the connection ends. A writer
//!   waits while so many bytes were not read as the buffer holds; word of what was read is back at once.
//!   What is written in one piece may arrive in several.
//! - **Loss** makes a stream slow. What is lost each time, as often as Linux sends it, ends the connection
//!   for who sent it, with `TimedOut`; the other side is not told.
//! - **The end** of a direction arrives after all that was written. A reset overtakes what was not read:
//!   that is lost.
//! - **Parted hosts**: what of a stream is on the way as its hosts are parted, or is sent until they are
//!   joined again, arrives after that. Nobody is told, and no connection ends by itself: a program that
//!   would not wait needs a timeout. Who connects waits too, for as long as the patience lasts. Datagrams
//!   are lost.
//!
//! # Examples
//!
//! A client that does not wait for ever:
//!
//! ```
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use pirn_sim::{Sim, net::{Network, Stream}};
//! use pirn_timer::{sleep, timeout};
//! use std::io;
//! use std::time::Duration;
//!
//! /// Sends back what it reads.
//! async fn echo(stream: Stream) -> io::Result<u64> {
//!     let (mut reads, mut writes) = stream.into_split();
//!     futures::io::copy(&mut reads, &mut writes).await
//! }
//!
//! async fn ask(network: &Network) -> io::Result<[u8; 4]> {
//!     let mut stream = network.host("client").connect(("server", 7)).await?;
//!     stream.write_all(b"ping").await?;
//!     let mut answer = [0; 4];
//!     stream.read_exact(&mut answer).await?;
//!     Ok(answer)
//! }
//!
//! Sim::new().run(async {
//!     let network = Network::new(42);
//!     let listener = network.host("server").listen(7).unwrap();
//!     let server = async move {
//!         while let Ok((stream, _)) = listener.accept().await {
//!             pirn_executor::spawn(echo(stream)).detach();
//!         }
//!     };
//!     pirn_executor::spawn(server).detach();
//!
//!     let second = Duration::from_secs(1);
//!     assert_eq!(timeout(second, ask(&network)).await.unwrap().unwrap(), *b"ping");
//!     network.part(&["client"], &["server"]);
//!     assert!(timeout(second, ask(&network)).await.is_err());
//!     network.heal();
//!     assert_eq!(timeout(second, ask(&network)).await.unwrap().unwrap(), *b"ping");
//! });
//! ```

use state::Shared;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

mod address;
mod alarm;
mod conditions;
mod datagrams;
mod end;
mod host;
mod listener;
mod pipe;
mod state;
mod stream;

pub use address::Address;
pub use conditions::Conditions;
pub use datagrams::Datagrams;
pub use host::Host;
pub use listener::{Incoming, Listener};
pub use stream::{ReadHalf, Stream, WriteHalf};

/// A network in memory. Clone it for more handles to the same one.
///
/// # Examples
///
/// See the [module](self#examples).
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

impl Network {
    /// A network without hosts, whose chances follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Network {
            shared: Arc::new(Shared::new(seed)),
        }
    }

    /// The host of that name, which is made if there is none.
    pub fn host(&self, name: &str) -> Host {
        Host::new(&self.shared, name)
    }

    /// How hosts reach each other from now on, where nothing else is set for two of them.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.shared
            .enter(|state, later| state.set_conditions(conditions, later));
    }

    /// How these two hosts reach each other from now on, in both directions.
    pub fn set_conditions_between(&self, one: &str, other: &str, conditions: Conditions) {
        self.shared
            .enter(|state, later| state.set_between(one, other, conditions, later));
    }

    /// Parts the hosts on the left from those on the right. What this does to what is on the way is told
    /// [above](self#what-it-is-like).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{AsyncReadExt, AsyncWriteExt};
    /// use pirn_sim::{Sim, net::Network};
    /// use std::time::Duration;
    ///
    /// Sim::new().run(async {
    ///     let network = Network::new(1);
    ///     let listener = network.host("server").listen(80)?;
    ///     let mut client = network.host("client").connect(("server", 80)).await?;
    ///     let (mut server, _) = listener.accept().await?;
    ///
    ///     network.part(&["server"], &["client"]);
    ///     client.write_all(b"!").await?;
    ///     let network = network.clone();
    ///     pirn_executor::spawn(async move {
    ///         pirn_timer::sleep(Duration::from_secs(10)).await;
    ///         network.heal();
    ///     })
    ///     .detach();
    ///     server.read_exact(&mut [0]).await?;
    ///     assert!(pirn_timer::now().as_nanos() > 10_000_000_000);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn part(&self, left: &[&str], right: &[&str]) {
        let now = pirn_timer::now();
        let sets = [left, right].map(set);
        self.shared.enter(|state, _| state.part(sets, now));
    }

    /// Parts these hosts from all others that there are.
    pub fn isolate(&self, hosts: &[&str]) {
        let now = pirn_timer::now();
        self.shared.enter(|state, _| {
            let isolated = set(hosts);
            let all = state.hosts.keys().cloned();
            let others = all.filter(|host| !isolated.contains(host)).collect();
            state.part([isolated, others], now);
        });
    }

    /// Ends all partings.
    pub fn heal(&self) {
        let now = pirn_timer::now();
        self.shared.enter(|state, later| state.heal(now, later));
    }

    /// Resets the connections between the hosts on the left and those on the right, at both ends and at
    /// once, parted or not: as a host does which is started anew, or a box in between that forgets.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::AsyncReadExt;
    /// use pirn_sim::{Sim, net::Network};
    ///
    /// Sim::new().run(async {
    ///     let network = Network::new(1);
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     let mut client = network.host("client").connect(("server", 80)).await.unwrap();
    ///     network.reset(&["server"], &["client"]);
    ///     let error = client.read(&mut [0]).await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// });
    /// ```
    pub fn reset(&self, left: &[&str], right: &[&str]) {
        let now = pirn_timer::now();
        let sets = [left, right].map(set);
        self.shared
            .enter(|state, later| state.reset(&sets, now, later));
    }
}

fn set(hosts: &[&str]) -> BTreeSet<Arc<str>> {
    hosts.iter().map(|host| Arc::from(*host)).collect()
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .shared
            .enter(|state, _| state.hosts.keys().cloned().collect());
        f.debug_struct("Network")
            .field("hosts", &hosts)
            .finish_non_exhaustive()
    }
}
