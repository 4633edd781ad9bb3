//! What all hosts of a network share.

use super::address::Address;
use super::conditions::Conditions;
use super::datagrams::Inbox;
use super::listener::Backlog;
use super::pipe::Pipe;
use crate::random::Random;
use pirn_core::Instant;
use pirn_core::wake::{discard, wake};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// The first of the ports for those who do not care which; the others come after it.
const FIRST_FREE: u16 = 49152;
const FREE: usize = (u16::MAX - FIRST_FREE) as usize + 1;

/// How long one waits at most before a segment that was lost is sent again: Linux's `TCP_RTO_MAX`
/// (include/net/tcp.h). Of something slower at once, as long as that.
const RETRANSMISSION_MAX: Duration = Duration::from_secs(120);
/// How often it is sent again before the connection is given up: Linux's `net.ipv4.tcp_retries2`
/// (Documentation/networking/ip-sysctl.rst), which with 200 ms at first takes 924.6 s.
const RETRIES: u32 = 15;

/// A segment was lost as often as it was sent, and is not sent again: from that time on.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenUp(pub(super) Instant);

/// The network, for all handles.
pub(super) struct Shared(Mutex<State>);

pub(super) struct State {
    random: Random,
    conditions: Conditions,
    between: BTreeMap<(Arc<str>, Arc<str>), Conditions>,
    parted: Vec<[BTreeSet<Arc<str>>; 2]>,
    /// When the line from one host to another has sent what it was given.
    lines: BTreeMap<(Arc<str>, Arc<str>), Instant>,
    /// When a stream was last used.
    pub(super) latest: Instant,
    /// Each with the next port for one who connects.
    pub(super) hosts: BTreeMap<Arc<str>, u16>,
    pub(super) backlogs: BTreeMap<Address, Backlog>,
    pub(super) inboxes: BTreeMap<Address, Inbox>,
    pub(super) connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// From where somebody connects, or has connected.
    outgoing: BTreeSet<Address>,
    /// Who waits until hosts are not parted any more.
    hopeful: Vec<Waker>,
}

/// A connection, until both ends are gone. `pipes[side]` is written by that side.
pub(super) struct Connection {
    pub(super) ends: [Address; 2],
    pub(super) pipes: [Pipe; 2],
    pub(super) gone: [bool; 2],
}

/// What is done once the network is unlocked: wakers are called and dropped.
#[derive(Default)]
pub(super) struct Later {
    /// Of one who may have to wait, until it is kept.
    own: Option<Waker>,
    wakes: Vec<Waker>,
    drops: Vec<Waker>,
}

impl Later {
    pub(super) fn wake(&mut self, waiting: &mut Option<Waker>) {
        self.wakes.extend(waiting.take());
    }

    pub(super) fn wake_all(&mut self, waiting: &mut Vec<Waker>) {
        self.wakes.append(waiting);
    }

    /// Keeps the waker of who waits where another may have been.
    pub(super) fn keep(&mut self, place: &mut Option<Waker>) {
        if let Some(own) = self.own.take() {
            self.drops.extend(place.replace(own));
        }
    }

    /// Keeps it among others, unless it is there.
    pub(super) fn join(&mut self, waiting: &mut Vec<Waker>) {
        let is_new = |own: &mut Waker| !waiting.iter().any(|other| other.will_wake(own));
        if let Some(own) = self.own.take_if(is_new) {
            waiting.push(own);
        }
    }

    /// Nobody has to be woken any more.
    pub(super) fn forget_all(&mut self, waiting: &mut Vec<Waker>) {
        self.drops.append(waiting);
    }

    /// A connection is no more.
    fn forget(&mut self, connection: Connection) {
        for pipe in connection.pipes {
            self.drops.extend(pipe.reader);
            self.drops.extend(pipe.writer);
        }
    }
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Shared(Mutex::new(State {
            random: Random::new(seed),
            conditions: Conditions::new(),
            between: BTreeMap::new(),
            parted: Vec::new(),
            lines: BTreeMap::new(),
            latest: Instant::default(),
            hosts: BTreeMap::new(),
            backlogs: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            outgoing: BTreeSet::new(),
            hopeful: Vec::new(),
        }))
    }

    /// Looks at the network or changes it, and then wakes whom that concerns.
    pub(super) fn enter<R>(&self, act: impl FnOnce(&mut State, &mut Later) -> R) -> R {
        self.enter_as(None, act)
    }

    /// As `enter`, for one who may have to wait: then `act` keeps its waker.
    pub(super) fn enter_as<R>(
        &self,
        own: Option<Waker>,
        act: impl FnOnce(&mut State, &mut Later) -> R,
    ) -> R {
        let mut later = Later {
            own,
            ..Later::default()
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut state, &mut later);
        drop(state);
        later.wakes.into_iter().for_each(wake);
        later.drops.into_iter().for_each(discard);
        discard(later.own);
        result
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Of those who have given up since; all others keep the network.
        self.hopeful.drain(..).for_each(discard);
    }
}

fn pair(one: &Arc<str>, other: &Arc<str>) -> (Arc<str>, Arc<str>) {
    (one.min(other).clone(), one.max(other).clone())
}

impl State {
    pub(super) fn set_conditions(&mut self, conditions: Conditions, later: &mut Later) {
        self.conditions = conditions;
        self.wake_writers(later);
    }

    pub(super) fn set_between(
        &mut self,
        one: &str,
        other: &str,
        conditions: Conditions,
        later: &mut Later,
    ) {
        self.between
            .insert(pair(&one.into(), &other.into()), conditions);
        self.wake_writers(later);
    }

    /// There may be more room.
    fn wake_writers(&mut self, later: &mut Later) {
        let connections = self.connections.values_mut();
        for pipe in connections.flat_map(|connection| &mut connection.pipes) {
            later.wake(&mut pipe.writer);
        }
    }

    pub(super) fn conditions(&self, one: &Arc<str>, other: &Arc<str>) -> &Conditions {
        let between = self.between.get(&pair(one, other));
        between.unwrap_or(&self.conditions)
    }

    pub(super) fn are_parted(&self, one: &Arc<str>, other: &Arc<str>) -> bool {
        self.parted.iter().any(|[left, right]| {
            (left.contains(one) && right.contains(other))
                || (left.contains(other) && right.contains(one))
        })
    }

    /// How long something takes from one host to the other.
    pub(super) fn latency(&mut self, from: &Arc<str>, to: &Arc<str>) -> Duration {
        let latency = &self.conditions(from, to).latency;
        let (least, most) = (*latency.start(), *latency.end());
        let span = u64::try_from((most - least).as_nanos()).unwrap_or(u64::MAX);
        match span {
            0 => least,
            span => least + Duration::from_nanos(self.random.below(span.saturating_add(1))),
        }
    }

    /// True if something on the way is to be lost.
    pub(super) fn loses(&mut self, from: &Arc<str>, to: &Arc<str>) -> bool {
        let loss = self.conditions(from, to).loss;
        loss > 0.0 && (self.random.next() >> 11) as f64 / ((1_u64 << 53) as f64) < loss
    }

    /// When so many bytes that are sent now have left the line, which sends what it was given before
    /// first.
    pub(super) fn departs(
        &mut self,
        from: &Arc<str>,
        to: &Arc<str>,
        bytes: usize,
        now: Instant,
    ) -> Instant {
        let Some(bandwidth) = self.conditions(from, to).bandwidth else {
            return now;
        };
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(bandwidth);
        let sending = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let key = (from.clone(), to.clone());
        let free = self.lines.entry(key).or_default();
        *free = (*free).max(now) + sending;
        *free
    }

    /// When a segment of a stream that is sent now arrives. One that is lost is sent again.
    ///
    /// # Errors
    ///
    /// [`GivenUp`], if it is lost each time.
    pub(super) fn arrives(
        &mut self,
        from: &Arc<str>,
        to: &Arc<str>,
        bytes: usize,
        now: Instant,
    ) -> Result<Instant, GivenUp> {
        if self.are_parted(from, to) {
            return Ok(Instant::NEVER);
        }
        let mut departs = self.departs(from, to, bytes, now);
        let mut again = self.conditions(from, to).retransmission;
        for _ in 0..=RETRIES {
            if !self.loses(from, to) {
                return Ok(departs + self.latency(from, to));
            }
            departs = departs + again;
            again = doubled(again);
        }
        Err(GivenUp(departs))
    }

    /// The same of word of a reset, which gets there in the end. (In truth it is sent once, and again
    /// as the answer to whatever the other side sends.)
    pub(super) fn word_arrives(&mut self, from: &Arc<str>, to: &Arc<str>, now: Instant) -> Instant {
        match self.arrives(from, to, 0, now) {
            Ok(at) | Err(GivenUp(at)) => at,
        }
    }

    pub(super) fn add_connection(&mut self, ends: [Address; 2]) -> u64 {
        let id = self.next_connection;
        self.next_connection += 1;
        let connection = Connection {
            ends,
            pipes: [Pipe::new(), Pipe::new()],
            gone: [false; 2],
        };
        self.connections.insert(id, connection);
        id
    }

    pub(super) fn add_host(&mut self, name: &Arc<str>) {
        self.hosts.entry(name.clone()).or_insert(FIRST_FREE);
    }

    pub(super) fn has_host(&self, name: &Arc<str>) -> bool {
        self.hosts.contains_key(name)
    }

    /// Wakes who waits once hosts are joined.
    pub(super) fn hope(&mut self, later: &mut Later) {
        later.join(&mut self.hopeful);
    }

    /// Both ends of a connection are gone.
    pub(super) fn end(&mut self, connection: Connection, later: &mut Later) {
        self.give_back(&connection.ends[0]);
        later.forget(connection);
    }

    /// A port of this host for one who does not care which.
    ///
    /// # Errors
    ///
    /// `AddrNotAvailable`, if none is free.
    pub(super) fn free_port(&mut self, host: &Arc<str>) -> io::Result<Address> {
        let next = self.hosts.entry(host.clone()).or_insert(FIRST_FREE);
        let mut address = Address {
            host: host.clone(),
            port: *next,
        };
        for _ in 0..FREE {
            let port = address.port.checked_add(1).unwrap_or(FIRST_FREE);
            let is_used = self.backlogs.contains_key(&address)
                || self.inboxes.contains_key(&address)
                || self.outgoing.contains(&address);
            if !is_used {
                *next = port;
                return Ok(address);
            }
            address.port = port;
        }
        let what = format!("{host} has no free port: its {FREE} are in use");
        Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what))
    }

    /// Such a port, for one who connects from there: taken until it is given back.
    pub(super) fn take_port(&mut self, host: &Arc<str>) -> io::Result<Address> {
        let address = self.free_port(host)?;
        self.outgoing.insert(address.clone());
        Ok(address)
    }

    /// No connection came of it, or both ends of that are gone.
    pub(super) fn give_back(&mut self, port: &Address) {
        self.outgoing.remove(port);
    }

    /// Parts two sets of hosts: what is on the way between them is held, datagrams are lost.
    pub(super) fn part(&mut self, sets: [BTreeSet<Arc<str>>; 2], now: Instant) {
        self.parted.push(sets);
        let parted = self.between_connections(true);
        for id in parted {
            let connection = self.connections.get_mut(&id).expect("it was just found");
            connection.pipes.iter_mut().for_each(|pipe| pipe.hold(now));
        }
        let mut inboxes = std::mem::take(&mut self.inboxes);
        for (address, inbox) in &mut inboxes {
            inbox.lose(now, |from| self.are_parted(from, &address.host));
        }
        self.inboxes = inboxes;
    }

    /// All hosts reach each other again; what was held is on its way.
    pub(super) fn heal(&mut self, now: Instant, later: &mut Later) {
        self.parted.clear();
        for id in self.between_connections(false) {
            let Some(mut connection) = self.connections.remove(&id) else {
                continue;
            };
            for side in [0, 1] {
                let [from, to] = connection.hosts(side);
                let pipe = &mut connection.pipes[side];
                if pipe.release(|| now + self.latency(&from, &to)) {
                    later.wake(&mut pipe.reader);
                    later.wake(&mut pipe.writer);
                }
            }
            self.connections.insert(id, connection);
        }
        later.wake_all(&mut self.hopeful);
    }

    /// Resets all connections between two sets of hosts, at once and at both ends.
    pub(super) fn reset(
        &mut self,
        sets: &[BTreeSet<Arc<str>>; 2],
        now: Instant,
        later: &mut Later,
    ) {
        for connection in self.connections.values_mut() {
            let [one, other] = connection.hosts(0);
            let [left, right] = sets;
            let concerns = (left.contains(&one) && right.contains(&other))
                || (left.contains(&other) && right.contains(&one));
            if !concerns {
                continue;
            }
            for pipe in &mut connection.pipes {
                pipe.cut(now);
                pipe.cut_writer(now);
                later.wake(&mut pipe.reader);
                later.wake(&mut pipe.writer);
            }
        }
    }

    fn between_connections(&self, parted: bool) -> Vec<u64> {
        let concerned = self.connections.iter().filter(|(_, connection)| {
            let [one, other] = connection.hosts(0);
            self.are_parted(&one, &other) == parted
        });
        concerned.map(|(id, _)| *id).collect()
    }
}

/// After what time a segment is sent again that was sent again after so long.
pub(super) fn doubled(again: Duration) -> Duration {
    again.saturating_mul(2).min(again.max(RETRANSMISSION_MAX))
}

impl Connection {
    /// The host of this side, and that of the other.
    pub(super) fn hosts(&self, side: usize) -> [Arc<str>; 2] {
        [side, 1 - side].map(|side| self.ends[side].host.clone())
    }
}
