//! The connections that a session keeps, and how many it may have.
//!
//! # States of a connection
//!
//! | state | where it is | who enters it | who leaves it |
//! | --- | --- | --- | --- |
//! | used | in a [`Lease`] | `Lease::use_new`, `Lease::use_idle` | `Lease::release`; its drop closes it |
//! | idle | in `State::idle` | `Pool::keep` | `Pool::find`; `State::expire`, `State::make_room` and `Pool::close_idle` close it |
//!
//! A lease holds a permit of its host, so a host has at most as many used connections as permits.
//! A new one is opened only when none is idle, so the idle ones do not add to that.

use crate::address::Address;
use crate::connection::Connection;
use pirn_core::Instant;
use pirn_core::shim::Mutex;
use pirn_sync::{OwnedPermit, Semaphore};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) per_host: usize,
    pub(crate) idle: usize,
    pub(crate) idle_per_host: usize,
    pub(crate) idle_timeout: Option<Duration>,
}

pub(crate) struct Pool {
    capacity: Capacity,
    state: Mutex<State>,
}

/// What a session has done and is doing; a snapshot from
/// [`Session::statistics`](crate::Session::statistics).
///
/// # Examples
///
/// ```
/// use pirn_http::{Session, Statistics};
///
/// assert_eq!(Session::new().statistics(), Statistics::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many connections were opened. Requests beyond that went over one that was open.
    pub connections_opened: u64,
    /// How many connections are open and unused.
    pub connections_idle: usize,
    /// How many requests have, or are getting, a connection: until their body has been read to
    /// its end, or was dropped.
    pub requests_in_flight: usize,
    /// How many requests were in flight at once, at most.
    pub max_requests_in_flight: usize,
}

struct State {
    hosts: HashMap<Box<str>, Arc<Semaphore>>,
    /// At that many hosts, those are forgotten that have neither connections nor requests.
    crowded: usize,
    /// In the order in which they became idle.
    idle: VecDeque<Idle>,
    opened: u64,
    in_flight: usize,
    max_in_flight: usize,
}

struct Idle {
    /// Its host's permits, which tell the hosts apart.
    host: Arc<Semaphore>,
    expires: Instant,
    connection: Box<Connection>,
}

impl Pool {
    pub(crate) fn new(capacity: Capacity) -> Pool {
        Pool {
            capacity,
            state: Mutex::new(State {
                hosts: HashMap::new(),
                crowded: 64,
                idle: VecDeque::new(),
                opened: 0,
                in_flight: 0,
                max_in_flight: 0,
            }),
        }
    }

    /// Waits, first come, first served, until the host may have one more request.
    pub(crate) async fn lease(self: &Arc<Pool>, address: &Address) -> Lease {
        let host = self
            .state
            .lock()
            .host(address.origin(), self.capacity.per_host);
        let Ok(permit) = host.acquire_owned().await else {
            unreachable!("the permits of a host are never closed");
        };
        let mut state = self.state.lock();
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        drop(state);
        Lease {
            pool: Arc::downgrade(self),
            connection: None,
            permit,
            is_counted: true,
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.state.lock();
        Statistics {
            connections_opened: state.opened,
            connections_idle: state.idle.len(),
            requests_in_flight: state.in_flight,
            max_requests_in_flight: state.max_in_flight,
        }
    }

    /// Closes all that is idle.
    pub(crate) fn close_idle(&self) {
        let closed = std::mem::take(&mut self.state.lock().idle);
        drop(closed);
    }

    /// The host's connection that was used last, of those that are idle, whether it still works
    /// or not.
    fn find(&self, host: &Arc<Semaphore>) -> Option<Box<Connection>> {
        let now = self.now();
        let mut state = self.state.lock();
        let expired = state.expire(now);
        let last = state
            .idle
            .iter()
            .rposition(|idle| Arc::ptr_eq(&idle.host, host));
        let found = last.and_then(|index| state.idle.remove(index));
        drop(state);
        drop(expired);
        found.map(|idle| idle.connection)
    }

    /// Keeps the connection of a request that has ended.
    fn keep(&self, host: &Arc<Semaphore>, connection: Box<Connection>) {
        let now = self.now();
        let mut state = self.state.lock();
        state.in_flight -= 1;
        let expired = state.expire(now);
        state.idle.push_back(Idle {
            host: Arc::clone(host),
            expires: match self.capacity.idle_timeout {
                Some(after) => now + after,
                None => Instant::NEVER,
            },
            connection,
        });
        let surplus = state.make_room(host, &self.capacity);
        drop(state);
        drop((expired, surplus));
    }

    fn now(&self) -> Instant {
        match self.capacity.idle_timeout {
            Some(_) => pirn_timer::now(),
            None => Instant::EPOCH,
        }
    }
}

impl State {
    fn host(&mut self, origin: &str, permits: usize) -> Arc<Semaphore> {
        if let Some(host) = self.hosts.get(origin) {
            return Arc::clone(host);
        }
        if self.hosts.len() >= self.crowded {
            // A host that is of use to anybody is held by that one too.
            self.hosts.retain(|_, host| Arc::strong_count(host) > 1);
            self.crowded = (2 * self.hosts.len()).max(64);
        }
        let host = Arc::new(Semaphore::new(permits));
        self.hosts.insert(origin.into(), Arc::clone(&host));
        host
    }

    /// Takes out what has been idle for too long. They all stay equally long, so these are the
    /// first. To be dropped without the lock.
    #[must_use]
    fn expire(&mut self, now: Instant) -> Vec<Idle> {
        let expired = self.idle.iter().take_while(|idle| idle.expires <= now);
        let count = expired.count();
        if count == 0 {
            return Vec::new();
        }
        self.idle.drain(..count).collect()
    }

    /// Takes out what is too much after `host` got one more: the oldest. To be dropped without the
    /// lock.
    #[must_use]
    fn make_room(&mut self, host: &Arc<Semaphore>, capacity: &Capacity) -> Option<Idle> {
        if self.idle.len() <= capacity.idle.min(capacity.idle_per_host) {
            return None;
        }
        let is_hosts = |idle: &Idle| Arc::ptr_eq(&idle.host, host);
        let of_host = self.idle.iter().filter(|idle| is_hosts(idle)).count();
        if of_host > capacity.idle_per_host {
            let oldest = self.idle.iter().position(is_hosts)?;
            return self.idle.remove(oldest);
        }
        if self.idle.len() > capacity.idle {
            return self.idle.pop_front();
        }
        None
    }
}

/// The right to one request at a host, with the connection that it uses.
///
/// Dropping it closes the connection.
pub(crate) struct Lease {
    /// The session may be gone before the response.
    pool: Weak<Pool>,
    /// Boxed: it is large, and moves with the response.
    connection: Option<Box<Connection>>,
    permit: OwnedPermit,
    /// Its request is in flight, by the pool's count.
    is_counted: bool,
}

impl Lease {
    /// Uses an idle connection, if there is one that works.
    pub(crate) fn use_idle(&mut self) -> Option<&mut Connection> {
        let pool = self.pool.upgrade()?;
        loop {
            let mut connection = pool.find(self.permit.semaphore())?;
            if connection.is_reusable() {
                return Some(self.connection.insert(connection));
            }
        }
    }

    /// Uses a new connection.
    pub(crate) fn use_new(&mut self, connection: Box<Connection>) -> &mut Connection {
        if let Some(pool) = self.pool.upgrade() {
            pool.state.lock().opened += 1;
        }
        self.connection.insert(connection)
    }

    /// The connection, while there is one.
    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut()
    }

    /// Closes the connection, and keeps the right.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    /// Gives the connection back, to be used by others if it can be.
    pub(crate) fn release(mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !connection.is_reusable() {
            return;
        }
        if let Some(pool) = self.pool.upgrade() {
            self.is_counted = false;
            pool.keep(self.permit.semaphore(), connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection = None;
        if !self.is_counted {
            return;
        }
        if let Some(pool) = self.pool.upgrade() {
            pool.state.lock().in_flight -= 1;
        }
    }
}
