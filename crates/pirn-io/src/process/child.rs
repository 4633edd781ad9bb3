//! One child process.

use super::exit::Exit;
use super::pipes::{ChildStderr, ChildStdin, ChildStdout};
use crate::blocking::ToThread;
use crate::error::{Action, explain};
use crate::signal::Signal;
use futures_io::AsyncRead;
use pirn_core::TaskMeta;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll, ready};

/// A running program, and its end.
///
/// **Dropping it kills the program**, as dropping a task cancels that; [`detach`](Self::detach)
/// lets it run on. In either case it is reaped, so that no zombie stays.
///
/// # Examples
///
/// To end a program politely, and then for good:
///
/// ```
/// use pirn_io::{process, signal::Signal};
/// use std::process::Command;
///
/// # async fn timeout<F: Future>(_limit: u64, future: F) -> Result<F::Output, ()> { Ok(future.await) }
/// # pirn_core::shim::block_on(async {
/// let mut server = process::spawn(Command::new("sleep").arg("1000"))?;
/// server.signal(Signal::TERMINATE)?;
/// let status = match timeout(10, server.wait()).await {
///     Ok(ended) => ended?,
///     Err(_) => server.kill().await?,
/// };
/// assert!(!status.success());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct Child {
    /// Its standard input, if that is piped, until it is taken. [`wait`](Self::wait) drops it.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that is piped, until it is taken.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is piped, until it is taken.
    pub stderr: Option<ChildStderr>,
    process: Process,
    exit: Exit,
    program: String,
}

/// A process that is killed and reaped when this is dropped.
struct Process {
    /// None once it was let go.
    child: Option<std::process::Child>,
    status: Option<ExitStatus>,
}

impl Child {
    pub(super) fn new(child: std::process::Child, program: &str) -> io::Result<Child> {
        let mut process = Process {
            child: Some(child),
            status: None,
        };
        let made = (|| {
            let child = process.child();
            let exit = Exit::of(child)?;
            let (stdin, stdout, stderr) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take());
            Ok((
                exit,
                stdin
                    .map(|pipe| ChildStdin::new(pipe, program))
                    .transpose()?,
                stdout
                    .map(|pipe| ChildStdout::new(pipe, program))
                    .transpose()?,
                stderr
                    .map(|pipe| ChildStderr::new(pipe, program))
                    .transpose()?,
            ))
        })();
        let (exit, stdin, stdout, stderr) =
            made.map_err(|error| explain(Action::Start, program, error))?;
        Ok(Child {
            stdin,
            stdout,
            stderr,
            process,
            exit,
            program: program.to_owned(),
        })
    }

    /// Watches for the end as systems without descriptors of processes do. For tests.
    #[doc(hidden)]
    pub fn by_signal(self) -> io::Result<Child> {
        let exit = Exit::by_signal()?;
        Ok(Child { exit, ..self })
    }

    /// The system's number of the process, until its end was seen.
    pub fn id(&self) -> Option<u32> {
        match (&self.process.child, self.process.status) {
            (Some(child), None) => Some(child.id()),
            _ => None,
        }
    }

    /// Sends a signal, if the end was not seen yet.
    ///
    /// # Errors
    ///
    /// If the signal does not exist, or the program has become another user's.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.process
            .signal(signal)
            .map_err(|error| explain(Action::Signal, &self.program, error))
    }

    /// Kills the program and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// Once polled it is killed; dropping the future then gives up the wait alone.
    pub async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.wait().await
    }

    /// How it ended, if it has; does not wait.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let program = &self.program;
        let process = &mut self.process;
        if process.status.is_none() {
            let looked = process.child().try_wait();
            process.status = looked.map_err(|error| explain(Action::Wait, program, error))?;
        }
        Ok(process.status)
    }

    /// Waits until it ends; drops `stdin` first, so that a program which reads to the end gets
    /// there. Any number of times.
    ///
    /// A program that writes more than a pipe holds waits for its reader: read what is piped
    /// meanwhile, or use [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// If the system does not tell, or the reactor ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        poll_fn(|cx| self.poll_wait(cx)).await
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        if let Some(status) = self.process.status {
            return Poll::Ready(Ok(status));
        }
        let ended = ready!(self.exit.poll(self.process.child(), cx));
        let status = ended.map_err(|error| explain(Action::Wait, &self.program, error))?;
        self.process.status = Some(status);
        Poll::Ready(Ok(status))
    }

    /// Waits until it ends, and reads what it writes to the pipes that were not taken, to their ends:
    /// a program that it started, and that has them too, is waited for as well.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), or if a pipe cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the program.
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_io::process;
    /// use std::process::{Command, Stdio};
    ///
    /// # pirn_core::shim::block_on(async {
    /// let child = process::spawn(Command::new("echo").arg("hello").stdout(Stdio::piped()))?;
    /// let output = child.wait_with_output().await?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        self.stdin = None;
        let (mut stdout, mut stderr) = (self.stdout.take(), self.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        poll_fn(|cx| {
            // All of them at each poll: none of them may keep another from its end.
            let first = poll_drain(&mut stdout, &mut out, cx)?;
            let second = poll_drain(&mut stderr, &mut err, cx)?;
            match (first, second) {
                (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(io::Result::Ok(())),
                _ => Poll::Pending,
            }
        })
        .await?;
        let status = poll_fn(|cx| self.poll_wait(cx)).await?;
        Ok(Output {
            status,
            stdout: out,
            stderr: err,
        })
    }

    /// Lets the program run on, unwatched; a thread of its own waits for its end, to reap it.
    ///
    /// Pipes that were not taken are closed: a program that goes on to write to one is ended by that,
    /// unless it takes care (`SIGPIPE`).
    ///
    /// # Errors
    ///
    /// If the system starts no thread. The program runs on all the same, and stays a zombie after
    /// its end until this program ends.
    pub fn detach(mut self) -> io::Result<()> {
        match (self.process.child.take(), self.process.status) {
            (Some(child), None) => reap_by_thread(child),
            _ => Ok(()),
        }
    }
}

/// Reads all that a pipe gives, to its end, which drops it.
fn poll_drain<R: AsyncRead + Unpin>(
    pipe: &mut Option<R>,
    read: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> io::Result<Poll<()>> {
    let mut buf = [0; 8192];
    while let Some(reader) = pipe {
        match Pin::new(reader).poll_read(cx, &mut buf) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(count) => match count? {
                0 => *pipe = None,
                count => read.extend_from_slice(&buf[..count]),
            },
        }
    }
    Ok(Poll::Ready(()))
}

impl Process {
    /// Only `detach` lets it go, with the whole.
    fn child(&mut self) -> &mut std::process::Child {
        self.child.as_mut().expect("the process was let go")
    }

    /// The process is not reaped before its end was seen, so that its number is its own.
    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        let (Some(child), None) = (&self.child, self.status) else {
            return Ok(());
        };
        let number = rustix::process::Pid::from_child(child);
        match rustix::process::Signal::from_named_raw(signal.number()) {
            Some(signal) => Ok(rustix::process::kill_process(number, signal)?),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{signal} cannot be sent"),
            )),
        }
    }
}

impl Drop for Process {
    /// Kills and reaps what has not ended.
    fn drop(&mut self) {
        let (Some(mut child), None) = (self.child.take(), self.status) else {
            return;
        };
        if child.kill().is_err() {
            // It is another user's by now, and ends when it likes. Without a thread it stays a zombie
            // after that.
            let _ = reap_by_thread(child);
            return;
        }
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        // The end of what was killed takes the system a moment, which is not spent here.
        let reaps = Reaps(child);
        let meta = TaskMeta::here().named("reap");
        if let Ok(job) = ToThread::new(meta, None, move || drop(reaps)).start() {
            job.detach();
        }
    }
}

/// Reaps a process that was killed, as it is dropped: also by a pool that ends before its job runs.
struct Reaps(std::process::Child);

impl Drop for Reaps {
    fn drop(&mut self) {
        // It fails only where somebody else reaped it.
        let _ = self.0.wait();
    }
}

/// Reaps a process that may run for long.
fn reap_by_thread(mut child: std::process::Child) -> io::Result<()> {
    let reaper = std::thread::Builder::new().name(String::from("pirn-detached"));
    reaper.spawn(move || child.wait()).map(drop)
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("program", &self.program)
            .field("id", &self.id())
            .field("status", &self.process.status)
            .finish_non_exhaustive()
    }
}
