//! How the end of a process is noticed.

use crate::listener::Listener;
use signal_hook::consts::SIGCHLD;
use std::io;
use std::process::{Child, ExitStatus};
use std::task::{Context, Poll, ready};

#[cfg(any(target_os = "linux", target_os = "android"))]
use descriptor::Descriptor;

/// Wakes when a child may have ended.
pub(super) enum Exit {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descriptor(Descriptor),
    Signal(Listener),
}

impl Exit {
    pub(super) fn of(child: &Child) -> io::Result<Exit> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(descriptor) = Descriptor::of(child)? {
            return Ok(Exit::Descriptor(descriptor));
        }
        let _ = child;
        Exit::by_signal()
    }

    /// What systems without descriptors of processes do.
    pub(super) fn by_signal() -> io::Result<Exit> {
        Listener::new(SIGCHLD).map(Exit::Signal)
    }

    /// Waits until `child` has ended, and reaps it.
    pub(super) fn poll(
        &self,
        child: &mut Child,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<ExitStatus>> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Exit::Descriptor(descriptor) => descriptor.poll(child, cx),
            // First a look at the child, then one for signals: one that comes in between is seen.
            Exit::Signal(listener) => loop {
                if let Some(status) = child.try_wait()? {
                    return Poll::Ready(Ok(status));
                }
                ready!(listener.poll(cx))?;
            },
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptor {
    use crate::reactor::readiness::{Direction, Waiter};
    use crate::reactor::{Gave, Source};
    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::process::{Child, ExitStatus};
    use std::task::{Context, Poll};

    /// A descriptor that can be read once its process has ended.
    pub(crate) struct Descriptor(Source<Process>);

    struct Process(OwnedFd);

    impl Descriptor {
        /// None where the system has no such descriptors or forbids them.
        pub(super) fn of(child: &Child) -> io::Result<Option<Descriptor>> {
            match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
                Ok(fd) => Source::new(Process(fd)).map(|source| Some(Descriptor(source))),
                Err(_) => Ok(None),
            }
        }

        pub(super) fn poll(
            &self,
            child: &mut Child,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<ExitStatus>> {
            self.0
                .poll_io(Direction::Read, &mut Waiter::Poller, cx, |_| {
                    match child.try_wait()? {
                        Some(status) => Ok((status, Gave::All)),
                        None => Err(io::ErrorKind::WouldBlock.into()),
                    }
                })
        }
    }

    impl mio::event::Source for Process {
        fn register(
            &mut self,
            registry: &Registry,
            token: Token,
            _interests: Interest,
        ) -> io::Result<()> {
            let fd = self.0.as_raw_fd();
            SourceFd(&fd).register(registry, token, Interest::READABLE)
        }

        fn reregister(
            &mut self,
            registry: &Registry,
            token: Token,
            _interests: Interest,
        ) -> io::Result<()> {
            let fd = self.0.as_raw_fd();
            SourceFd(&fd).reregister(registry, token, Interest::READABLE)
        }

        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            let fd = self.0.as_raw_fd();
            SourceFd(&fd).deregister(registry)
        }
    }
}
