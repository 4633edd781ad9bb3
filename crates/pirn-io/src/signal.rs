//! Signals of the system (Unix).

use crate::error::needs_system;
use crate::listener::Listener;
use futures_core::Stream;
use signal_hook::consts;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A signal, by its number.
///
/// # Examples
///
/// ```
/// use pirn_io::signal::Signal;
///
/// assert_eq!(Signal::INTERRUPT.to_string(), "SIGINT");
/// assert_eq!(Signal::new(2), Signal::INTERRUPT);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// The terminal, or who started the program, is gone; servers read their settings anew.
    pub const HANGUP: Signal = Signal(consts::SIGHUP);
    /// Ctrl-C.
    pub const INTERRUPT: Signal = Signal(consts::SIGINT);
    /// Ctrl-\.
    pub const QUIT: Signal = Signal(consts::SIGQUIT);
    /// The polite request to end: `kill` without more, service managers.
    pub const TERMINATE: Signal = Signal(consts::SIGTERM);
    /// For the program's own use.
    pub const USER1: Signal = Signal(consts::SIGUSR1);
    /// For the program's own use.
    pub const USER2: Signal = Signal(consts::SIGUSR2);
    /// A child process has ended or stopped.
    pub const CHILD: Signal = Signal(consts::SIGCHLD);
    /// The terminal has another size.
    pub const WINDOW_CHANGE: Signal = Signal(consts::SIGWINCH);
    /// Ends a process at once; cannot be waited for.
    pub const KILL: Signal = Signal(consts::SIGKILL);

    /// The signal with this number.
    pub const fn new(number: i32) -> Signal {
        Signal(number)
    }

    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_hook::low_level::signal_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Waits for Ctrl-C: short for [`signal`] and [`Signal::INTERRUPT`].
///
/// # Errors
///
/// As [`signal`].
///
/// # Cancel safety
///
/// As [`signal`].
///
/// # Examples
///
/// ```
/// use pirn_io::ctrl_c;
/// use signal_hook::{consts::SIGINT, low_level::raise};
///
/// # pirn_core::shim::block_on(async {
/// let mut interrupted = ctrl_c();
/// raise(SIGINT)?; // the user types Ctrl-C
/// (&mut interrupted).await?;
/// raise(SIGINT)?; // and once more
/// assert!(interrupted.await.is_ok());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn ctrl_c() -> Signals {
    signal(Signal::INTERRUPT)
}

/// Waits for a signal.
///
/// From the first call on, **the default action for this signal, often ending the program, is
/// replaced for good**: one that nobody waits for does nothing. To be told more than once, keep the
/// [`Signals`]; what comes between two calls of this function goes unseen.
///
/// # Errors
///
/// The future fails if the signal is one that cannot be waited for
/// ([`KILL`](Signal::KILL), and those of faults of the program itself), if the system has no
/// descriptors left, or the reactor ended; in a simulation, which has no signals.
///
/// # Cancel safety
///
/// Dropping the future takes its registration back. A signal that came but was not yet received
/// is forgotten.
///
/// # Examples
///
/// A program that is asked to end:
///
/// ```
/// use pirn_io::signal::{Signal, signal};
///
/// # pirn_core::shim::block_on(async {
/// let asked = signal(Signal::TERMINATE);
/// # signal_hook::low_level::raise(Signal::TERMINATE.number())?;
/// asked.await?;
/// assert!(signal(Signal::KILL).await.is_err());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn signal(signal: Signal) -> Signals {
    let refused = consts::FORBIDDEN.contains(&signal.0);
    let listener = match refused {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{signal} cannot be waited for"),
        )),
        false => needs_system("signal").and_then(|()| Listener::new(signal.0)),
    };
    Signals {
        signal,
        listener: listener.map_err(Some),
    }
}

/// The future of [`signal`], which may be awaited again and again, and a stream that never ends.
///
/// Signals that come before it is polled count as one.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use pirn_io::signal::{Signal, Signals, signal};
///
/// let mut reloads: Signals = signal(Signal::HANGUP);
/// # pirn_core::shim::block_on(async {
/// signal_hook::low_level::raise(Signal::HANGUP.number()).unwrap();
/// assert!(reloads.next().await.is_some());
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Signals {
    signal: Signal,
    listener: Result<Listener, Option<io::Error>>,
}

impl Future for Signals {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let signal = self.signal;
        match &mut self.listener {
            Ok(listener) => listener.poll(cx),
            Err(error) => {
                let gone = || io::Error::other(format!("{signal} is not watched"));
                Poll::Ready(Err(error.take().unwrap_or_else(gone)))
            }
        }
    }
}

impl Stream for Signals {
    type Item = io::Result<()>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.poll(cx))))
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("signal", &self.signal)
            .field("watched", &self.listener.is_ok())
            .finish()
    }
}
