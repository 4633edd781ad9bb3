//! Datagrams: each arrives by itself, or does not.

use super::address::Address;
use super::alarm::Alarm;
use super::state::Shared;
use pirn_core::Instant;
use pirn_core::budget::poll_spend;
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// The most bytes of a datagram.
const LONGEST: usize = 65_507;

/// A port of a host at which datagrams are sent and received. Made by
/// [`Host::bind`](super::Host::bind).
///
/// A datagram that is sent arrives whole, once, or not at all: it may be [lost](super::Conditions::loss),
/// the hosts may be parted as it is sent or while it is on its way, nobody may receive where it goes, or
/// there may be too much there already that was not received. The sender does not learn of it. Where
/// [latencies](super::Conditions::latency) differ, a later one may arrive first.
///
/// # Examples
///
/// ```
/// use pirn_sim::{Sim, net::{Conditions, Network}};
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let arrived = Sim::new().run(async {
///     let network = Network::new(1);
///     network.set_conditions(Conditions::new().latency(ms(1)..=ms(100)).loss(0.5));
///     let (from, to) = (network.host("a").bind(9)?, network.host("b").bind(9)?);
///     for number in 0..100 {
///         from.send_to(&[number], ("b", 9)).await?;
///     }
///     let mut arrived = Vec::new();
///     let mut buf = [0; 8];
///     while let Ok(received) = pirn_timer::timeout(ms(100), to.recv_from(&mut buf)).await {
///         received?;
///         arrived.push(buf[0]);
///     }
///     std::io::Result::Ok(arrived)
/// })
/// .unwrap();
/// assert!(arrived.len() > 30 && arrived.len() < 70);
/// assert!(!arrived.is_sorted());
/// ```
pub struct Datagrams {
    network: Arc<Shared>,
    local: Address,
}

/// What has come, or will.
#[derive(Default)]
pub(super) struct Inbox {
    /// By the time of their arrival, and in the order in which they were sent.
    coming: BTreeMap<(Instant, u64), (Address, Vec<u8>)>,
    sent: u64,
    bytes: usize,
    readers: Vec<Waker>,
}

impl Inbox {
    /// Those that have not arrived from hosts that are parted from this one are lost.
    pub(super) fn lose(&mut self, now: Instant, is_parted: impl Fn(&Arc<str>) -> bool) {
        self.coming.retain(|(at, _), (from, bytes)| {
            let is_lost = *at > now && is_parted(&from.host);
            if is_lost {
                self.bytes -= bytes.len();
            }
            !is_lost
        });
    }

    fn first(&mut self, now: Instant) -> Result<(Address, Vec<u8>), Instant> {
        match self.coming.first_entry() {
            Some(first) if first.key().0 <= now => {
                let (from, bytes) = first.remove();
                self.bytes -= bytes.len();
                Ok((from, bytes))
            }
            first => Err(first.map_or(Instant::NEVER, |first| first.key().0)),
        }
    }
}

impl Datagrams {
    pub(super) fn new(network: &Arc<Shared>, local: Address) -> io::Result<Datagrams> {
        network.enter(|state, _| {
            if state.inboxes.contains_key(&local) {
                let what = format!("{local} is bound already");
                return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
            }
            state.inboxes.insert(local.clone(), Inbox::default());
            Ok(())
        })?;
        Ok(Datagrams {
            network: Arc::clone(network),
            local,
        })
    }

    /// Sends a datagram, and gives its length.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput), if it has more than 65,507 bytes;
    /// [`NotFound`](io::ErrorKind::NotFound), if the network has no such host.
    ///
    /// # Cancel safety
    ///
    /// It is sent within the poll that completes; dropped before that, it was not.
    ///
    /// # Examples
    ///
    /// See [`Datagrams`].
    pub async fn send_to(&self, bytes: &[u8], to: impl Into<Address>) -> io::Result<usize> {
        let to = to.into();
        poll_fn(poll_spend).await;
        if bytes.len() > LONGEST {
            let what = format!("a datagram of {} bytes is too long", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let now = pirn_timer::now();
        self.network.enter(|state, later| {
            let (here, there) = (&self.local.host, &to.host);
            if !state.has_host(there) {
                let what = format!(
                    "{} could not send to {to}: there is no such host",
                    self.local
                );
                return Err(io::Error::new(io::ErrorKind::NotFound, what));
            }
            let at = state.departs(here, there, bytes.len(), now) + state.latency(here, there);
            let is_lost = state.loses(here, there) || state.are_parted(here, there);
            let buffer = state.conditions(here, there).buffer;
            let Some(inbox) = state.inboxes.get_mut(&to) else {
                return Ok(bytes.len());
            };
            if !is_lost && inbox.bytes + bytes.len() <= buffer {
                let key = (at, inbox.sent);
                inbox.sent += 1;
                inbox.bytes += bytes.len();
                let datagram = (self.local.clone(), bytes.to_vec());
                inbox.coming.insert(key, datagram);
                later.wake_all(&mut inbox.readers);
            }
            Ok(bytes.len())
        })
    }

    /// Waits for the next datagram, and gives how many bytes it has put into `buf` and where they come
    /// from. What does not fit is gone.
    ///
    /// # Errors
    ///
    /// None so far; it gives a `Result` as that of a real socket does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes no datagram.
    ///
    /// # Examples
    ///
    /// See [`Datagrams`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, Address)> {
        let mut alarm = Alarm::new();
        let (from, bytes) = poll_fn(|cx| self.poll_next(&mut alarm, cx)).await;
        let count = bytes.len().min(buf.len());
        buf[..count].copy_from_slice(&bytes[..count]);
        Ok((count, from))
    }

    /// Where it sends from and receives.
    pub fn local_addr(&self) -> &Address {
        &self.local
    }

    fn poll_next(&self, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<(Address, Vec<u8>)> {
        ready!(poll_spend(cx));
        loop {
            let now = pirn_timer::now();
            let own = Some(cx.waker().clone());
            let first = self.network.enter_as(own, |state, later| {
                let inbox = state
                    .inboxes
                    .get_mut(&self.local)
                    .expect("the port is bound as long as it has a socket");
                let first = inbox.first(now);
                if first.is_err() {
                    later.join(&mut inbox.readers);
                }
                first
            });
            match first {
                Ok(datagram) => return Poll::Ready(datagram),
                Err(at) => ready!(alarm.poll_until(cx, at)),
            }
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.network.enter(|state, later| {
            let inbox = state.inboxes.remove(&self.local);
            let mut readers = inbox.map_or_else(Vec::new, |inbox| inbox.readers);
            later.forget_all(&mut readers);
        });
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Datagrams").field(&self.local).finish()
    }
}
