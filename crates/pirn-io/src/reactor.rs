//! The reactor: the system's events, turned into wakes.
//!
//! # How it works
//!
//! Each source is registered **once, for both directions, in edge mode**, and never re-armed. A
//! task tries its system call first; only when the system has nothing does the task wait for the
//! next edge. A read that gave less than was asked for has emptied the socket, so the readiness is
//! cleared there and then and the try that would find nothing is saved. That makes two system
//! calls for a message there and back (a read and a write), plus a share of one wait.
//!
//! # Why mio
//!
//! Measured side by side (echo, 64 and 256 connections), mio, `polling` in edge mode and bare
//! epoll cost the same processor time for each message. mio knows edge mode only and adds no
//! system call of its own to a wait, where `polling` re-arms its own notifier; one-shot mode costs
//! 12 to 21 % more. io_uring saved nearly all system calls and at most a tenth of the processor
//! time, at the price of buffers that the kernel owns; it can come later behind the same interface.
//! The price of mio is a wait in whole milliseconds, rounded up. On Linux an alarm, a timer
//! of the system's among the sources, ends it where it should end.
//!
//! # Who drives it
//!
//! A runtime makes a [`ReactorPark`], gives it to its executor as the innermost
//! [`Park`], and [enters](Handle::enter) the [`Handle`] on each of its threads. Where no handle
//! was entered, a process-wide reactor on a thread of its own, named `pirn-reactor`, is started,
//! so sockets work on any executor.
//!
//! # Edges, argued
//!
//! * *An edge between a try and the clearing after it:* see [`readiness`].
//! * *Data, then the end, in one edge:* the event says so (`EPOLLRDHUP`, `EPOLLHUP`), the side is
//!   marked closed, and a short read no longer clears it: the next read finds the end. If the end
//!   comes after the short read, that is an edge of its own.
//! * *Errors* wake both directions, and the next try of either receives the error.
//! * *A try that finds nothing* always clears: whatever comes after it is a new edge.
//! * *A short read of a Unix stream* says nothing: it may have ended at a message that carried a
//!   descriptor, with more behind it. So such a stream is read until the system has nothing.
//! * *A short write* means a full buffer; the system then owes an edge when there is room.
//! * *Urgent (out-of-band) data* makes a read stop short at its mark with more behind it. Such a
//!   peer is served again at its next packet; nobody else is affected.

#[cfg_attr(
    any(target_os = "linux", target_os = "android"),
    path = "reactor/alarm/fine.rs"
)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "reactor/alarm/coarse.rs"
)]
mod alarm;
mod ambient;
#[doc(hidden)]
pub mod doorbell;
#[doc(hidden)]
pub mod readiness;
#[doc(hidden)]
pub mod slab;
mod source;

pub use ambient::Entered;
pub(crate) use source::{Gave, Source};

use alarm::Alarm;
use doorbell::Doorbell;
use mio::{Events, Poll, Token, Waker};
use pirn_core::shim::Mutex;
use pirn_core::{Instant, Park, ParkError, Unpark, Until};
use readiness::{Edges, Readiness};
use slab::Slab;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The token of the waker; no slab key is as large.
const WAKER: Token = Token(usize::MAX);
/// The token of the alarm, likewise.
const ALARM: Token = Token(usize::MAX - 1);
/// How many events one wait takes.
const EVENTS: usize = 512;

/// A [`Park`] that sleeps in the system's wait for events, and delivers them.
///
/// The sources of a `ReactorPark` that was dropped fail with an error that says so.
///
/// # Examples
///
/// ```
/// use pirn_core::{Instant, Park, Unpark, Until};
/// use pirn_io::ReactorPark;
/// use std::time::Duration;
///
/// let start = std::time::Instant::now();
/// let mut park = ReactorPark::new(move || Instant::EPOCH + start.elapsed())?;
/// park.unparker().unpark();
/// park.park(Until::Woken)?; // the token was there: no sleep
/// park.park(Until::At(Instant::EPOCH + Duration::from_millis(2)))?;
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReactorPark {
    poll: Poll,
    events: Events,
    alarm: Alarm,
    now: Box<dyn Fn() -> Instant + Send>,
    due: Vec<(Arc<Readiness>, Edges)>,
    shared: Arc<Shared>,
}

/// A reactor, to make sockets on. Cheap to clone.
///
/// # Examples
///
/// ```
/// use pirn_core::Instant;
/// use pirn_io::{Handle, ReactorPark};
///
/// let park = ReactorPark::new(|| Instant::EPOCH)?;
/// let entered = park.handle().enter(); // sockets made here belong to `park`
/// assert_eq!(Handle::current()?.sources(), 0);
/// # drop(entered);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// Ends the sleep of a [`ReactorPark`].
///
/// An unpark costs a system call only if the reactor sleeps and nobody woke it yet.
///
/// # Examples
///
/// ```
/// use pirn_core::{Instant, Park, Unpark, Until};
/// use pirn_io::{ReactorPark, ReactorUnpark};
///
/// let mut park = ReactorPark::new(|| Instant::EPOCH)?;
/// let unpark: ReactorUnpark = park.unparker();
/// let thread = std::thread::spawn(move || unpark.unpark());
/// assert!(park.park(Until::Woken).is_ok());
/// # thread.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ReactorUnpark(Arc<Shared>);

struct Shared {
    registry: mio::Registry,
    waker: Waker,
    doorbell: Doorbell,
    sources: Mutex<Sources>,
}

struct Sources {
    slab: Slab<Arc<Readiness>>,
    /// The `ReactorPark` was dropped.
    gone: bool,
}

impl ReactorPark {
    /// A reactor. `now` is the runtime's clock, to which [`Until::At`] refers.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors or memory left for it.
    pub fn new(now: impl Fn() -> Instant + Send + 'static) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKER)?;
        let alarm = Alarm::new(&registry, ALARM)?;
        Ok(ReactorPark {
            poll,
            events: Events::with_capacity(EVENTS),
            alarm,
            now: Box::new(now),
            due: Vec::new(),
            shared: Arc::new(Shared {
                registry,
                waker,
                doorbell: Doorbell::new(),
                sources: Mutex::new(Sources {
                    slab: Slab::new(),
                    gone: false,
                }),
            }),
        })
    }

    /// The handle to register sources with.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Asks the system what is ready.
    fn look(&mut self) -> io::Result<()> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))
    }

    /// Sleeps in the system's wait, for so long at most.
    fn sleep(&mut self, left: Option<Duration>) -> io::Result<()> {
        // Without an alarm, rounded up to whole milliseconds.
        let limit = left.filter(|left| !self.alarm.set(*left));
        self.poll.poll(&mut self.events, limit)
    }

    /// How long the system may sleep: `None` is for ever.
    fn limit(&self, until: Until) -> Option<Duration> {
        match until {
            Until::Now => Some(Duration::ZERO),
            Until::Woken | Until::At(Instant::NEVER) => None,
            Until::At(at) => Some(at.saturating_since((self.now)())),
        }
    }

    /// Hands what the system reported to the sources that still live.
    fn deliver(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let sources = self.shared.sources.lock();
        for event in &self.events {
            // The tokens of the waker and the alarm find nothing.
            if let Some(readiness) = sources.slab.get(event.token().0) {
                self.due.push((Arc::clone(readiness), edges(event)));
            }
        }
        drop(sources);
        for (readiness, edges) in self.due.drain(..) {
            readiness.deliver(edges);
        }
    }
}

fn edges(event: &mio::event::Event) -> Edges {
    let read_closed = event.is_read_closed() || event.is_error();
    let write_closed = event.is_write_closed() || event.is_error();
    Edges {
        read: event.is_readable() || read_closed,
        read_closed,
        write: event.is_writable() || write_closed,
        write_closed,
    }
}

impl Park for ReactorPark {
    type Unpark = ReactorUnpark;

    fn unparker(&self) -> ReactorUnpark {
        ReactorUnpark(Arc::clone(&self.shared))
    }

    /// As the trait says. [`Until::Now`] leaves an unpark's token for the next sleep.
    fn park(&mut self, until: Until) -> Result<(), ParkError> {
        let limit = self.limit(until);
        let looked = if limit == Some(Duration::ZERO) || !self.shared.doorbell.lie_down() {
            self.look()
        } else {
            let looked = self.sleep(limit);
            self.shared.doorbell.rise();
            looked
        };
        match looked {
            Ok(()) => {
                self.deliver();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(ParkError::new("reactor", error)),
        }
    }
}

impl Unpark for ReactorUnpark {
    fn unpark(&self) {
        if self.0.doorbell.ring() {
            // It cannot fail while `Shared` holds the descriptor; if it does, the driver's own
            // wait fails too and says so.
            let _ = self.0.waker.wake();
        }
    }
}

impl Drop for ReactorPark {
    fn drop(&mut self) {
        let mut sources = self.shared.sources.lock();
        sources.gone = true;
        let left: Vec<_> = sources.slab.drain().collect();
        drop(sources);
        for readiness in left {
            readiness.abandon();
        }
    }
}

impl Handle {
    /// How many sources are registered.
    pub fn sources(&self) -> usize {
        self.0.sources.lock().slab.len()
    }

    /// True if the [`ReactorPark`] was dropped, so that nothing can be registered any more.
    pub fn is_gone(&self) -> bool {
        self.0.sources.lock().gone
    }
}

/// What an operation fails with when its reactor is gone.
pub(crate) fn gone() -> io::Error {
    io::Error::other("the reactor of this source ended: its runtime was shut down")
}

impl fmt::Debug for ReactorPark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorPark")
            .field("handle", &self.handle())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("sources", &self.sources())
            .field("gone", &self.is_gone())
            .finish()
    }
}

impl fmt::Debug for ReactorUnpark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorUnpark")
            .field("doorbell", &self.0.doorbell)
            .finish()
    }
}
