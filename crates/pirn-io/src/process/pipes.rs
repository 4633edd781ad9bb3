//! The ends of a child's pipes.

use crate::error::{Action, explain};
use crate::reactor::readiness::{Direction, Waiter};
use crate::reactor::{Gave, Source};
use futures_io::{AsyncRead, AsyncWrite};
use mio::unix::pipe::{Receiver, Sender};
use std::fmt;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a child reads as its standard input. Dropping or closing it ends that input.
///
/// # Cancel safety
///
/// A write that is dropped has written nothing.
///
/// # Examples
///
/// ```
/// use futures::AsyncWriteExt;
/// use pirn_io::process::{ChildStdin, spawn};
/// use std::process::{Command, Stdio};
///
/// # pirn_core::shim::block_on(async {
/// let mut cat = spawn(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()))?;
/// let mut input: ChildStdin = cat.stdin.take().unwrap();
/// input.write_all(b"echo").await?;
/// input.close().await?;
/// assert_eq!(cat.wait_with_output().await?.stdout, b"echo");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct ChildStdin {
    /// None once it was closed.
    source: Option<Source<Sender>>,
    program: String,
}

/// What a child writes to its standard output.
///
/// # Cancel safety
///
/// A read that is dropped has taken nothing.
///
/// # Examples
///
/// ```
/// use futures::AsyncReadExt;
/// use pirn_io::process::{ChildStdout, spawn};
/// use std::process::{Command, Stdio};
///
/// # pirn_core::shim::block_on(async {
/// let mut echo = spawn(Command::new("echo").arg("hello").stdout(Stdio::piped()))?;
/// let mut output: ChildStdout = echo.stdout.take().unwrap();
/// let mut text = String::new();
/// output.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello\n");
/// # echo.wait().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct ChildStdout(Reading);

/// What a child writes to its standard error.
///
/// # Cancel safety
///
/// A read that is dropped has taken nothing.
///
/// # Examples
///
/// ```
/// use futures::AsyncReadExt;
/// use pirn_io::process::{ChildStderr, spawn};
/// use std::process::{Command, Stdio};
///
/// # pirn_core::shim::block_on(async {
/// let mut shell = spawn(Command::new("sh").args(["-c", "echo oh >&2"]).stderr(Stdio::piped()))?;
/// let mut errors: ChildStderr = shell.stderr.take().unwrap();
/// let mut text = String::new();
/// errors.read_to_string(&mut text).await?;
/// assert_eq!(text, "oh\n");
/// # shell.wait().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct ChildStderr(Reading);

struct Reading {
    source: Source<Receiver>,
    program: String,
}

impl ChildStdin {
    pub(super) fn new(stdin: std::process::ChildStdin, program: &str) -> io::Result<Self> {
        let sender = Sender::from(stdin);
        sender.set_nonblocking(true)?;
        Ok(ChildStdin {
            source: Some(Source::new(sender)?),
            program: program.to_owned(),
        })
    }
}

impl ChildStdout {
    pub(super) fn new(stdout: std::process::ChildStdout, program: &str) -> io::Result<Self> {
        Reading::new(Receiver::from(stdout), program).map(ChildStdout)
    }
}

impl ChildStderr {
    pub(super) fn new(stderr: std::process::ChildStderr, program: &str) -> io::Result<Self> {
        Reading::new(Receiver::from(stderr), program).map(ChildStderr)
    }
}

impl Reading {
    fn new(receiver: Receiver, program: &str) -> io::Result<Self> {
        receiver.set_nonblocking(true)?;
        Ok(Reading {
            source: Source::new(receiver)?,
            program: program.to_owned(),
        })
    }

    fn poll(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let asked = buf.len();
        self.source
            .poll_io(Direction::Read, &mut Waiter::Poller, cx, |mut io| {
                let read = io.read(buf)?;
                Ok((read, Gave::of(read, asked)))
            })
            .map_err(|error| explain(Action::Read, &self.program, error))
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(source) = &self.source else {
            let closed = io::Error::new(io::ErrorKind::BrokenPipe, "it was closed on this side");
            return Poll::Ready(Err(explain(Action::Write, &self.program, closed)));
        };
        source
            .poll_io(Direction::Write, &mut Waiter::Poller, cx, |mut io| {
                let written = io.write(buf)?;
                Ok((written, Gave::of(written, buf.len())))
            })
            .map_err(|error| explain(Action::Write, &self.program, error))
    }

    /// Nothing is kept back, so there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the child's input.
    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source = None;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ChildStdout {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, buf)
    }
}

impl AsyncRead for ChildStderr {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, buf)
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStdin").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChildStdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStdout").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChildStderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStderr").finish_non_exhaustive()
    }
}
