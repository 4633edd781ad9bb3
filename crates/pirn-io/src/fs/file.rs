//! An open file, read and written in pieces.

use super::on_path;
use crate::blocking::ToThread;
use crate::error::{Action, explain};
use futures_io::{AsyncRead, AsyncWrite};
use pirn_core::budget::poll_spend;
use pirn_core::report::{Report, report};
use pirn_core::{JoinError, TaskMeta};
use std::fmt;
use std::fs::OpenOptions;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How much one trip to the pool moves.
const PIECE: usize = 64 * 1024;

/// An open file, read and written in pieces, through the traits of `futures-io`.
///
/// Use [`fs::read`](super::read) and [`fs::write`](super::write) for what fits into memory.
///
/// **A write returns when its bytes are on their way**, not when they are written: it may only
/// wait for the one before it. An error of a write is given by the next write, `flush` or `close`.
/// So end with `flush` or `close`; the error of a file dropped without goes to the
/// [hook](pirn_core::report::set_hook).
///
/// # Cancel safety
///
/// A read that is dropped loses nothing: what it had asked for is given to the next. A write that
/// returned is carried out, whatever is dropped afterwards; one that did not return has taken
/// nothing.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_io::fs::{self, File};
///
/// # pirn_core::shim::block_on(async {
/// let path = std::env::temp_dir().join(format!("pirn-doc-file-{}", std::process::id()));
/// let mut file = File::create(&path).await?;
/// file.write_all(b"piece by ").await?;
/// file.write_all(b"piece").await?;
/// file.close().await?;
///
/// let mut text = String::new();
/// File::open(&path).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "piece by piece");
/// # fs::remove_file(&path).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct File {
    file: Arc<std::fs::File>,
    path: Arc<Path>,
    state: State,
    /// The error of a write that was already said to be done.
    failed: Option<io::Error>,
}

/// | state | meaning | arrows |
/// | --- | --- | --- |
/// | `Idle` | nothing is on its way; the buffer may hold bytes that were read ahead | `start_read` → `Reading`, `start_write` → `Writing` |
/// | `Reading`, `Writing` | a thread has the buffer | `poll_idle` → `Idle` |
/// | `Lost` | in passing, or the pool lost the buffer | |
enum State {
    Idle(Buffer),
    Reading(ToThread<(Buffer, io::Result<()>)>),
    Writing(ToThread<(Buffer, Outcome)>),
    Lost,
}

/// Bytes from the file that nobody has read yet: `bytes[start..]`.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

/// What became of a write. An error that nobody takes is reported.
struct Outcome(Option<io::Error>);

impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(error) = self.0.take() {
            report(Report::Error {
                task: None,
                error: Box::new(error),
            });
        }
    }
}

impl Buffer {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let count = self.unread().len().min(into.len());
        into[..count].copy_from_slice(&self.unread()[..count]);
        self.start += count;
        count
    }

    /// Reads one piece, replacing what is there.
    fn fill(&mut self, mut file: &std::fs::File) -> io::Result<()> {
        self.bytes.resize(PIECE, 0);
        self.start = 0;
        let read = loop {
            match file.read(&mut self.bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        read.map(|_| ())
    }

    /// Puts the file's position back by what was read ahead, and forgets that.
    fn unread_into(&mut self, mut file: &std::fs::File) -> io::Result<()> {
        let ahead = self.unread().len();
        self.start = self.bytes.len();
        if ahead > 0 {
            file.seek(SeekFrom::Current(-(ahead as i64)))?;
        }
        Ok(())
    }
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// If it is not there or may not be read; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing open.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::open_with(OpenOptions::new().read(true), path).await
    }

    /// Opens a file to write it, making it if it is not there and emptying it if it is.
    ///
    /// # Errors
    ///
    /// If it may not be written, or its folder is not there; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing open; the file may have been made or emptied.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        let mut options = OpenOptions::new();
        File::open_with(options.write(true).create(true).truncate(true), path).await
    }

    /// Opens a file in the way that `options` say.
    ///
    /// # Errors
    ///
    /// If it cannot be opened in that way; the error names it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing open; the file may have been made or emptied.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{AsyncReadExt, AsyncWriteExt};
    /// use pirn_io::fs::File;
    /// use std::fs::OpenOptions;
    ///
    /// # pirn_core::shim::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("pirn-io-open-with-{}", std::process::id()));
    /// # std::fs::write(&path, "one ")?;
    /// let mut file = File::open_with(OpenOptions::new().append(true), &path).await?;
    /// file.write_all(b"two").await?;
    /// file.close().await?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "one two");
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> io::Result<File> {
        let options = options.clone();
        let path: PathBuf = path.as_ref().to_owned();
        let file = on_path(Action::Open, &path, move |path| options.open(path)).await?;
        Ok(File {
            file: Arc::new(file),
            path: path.into(),
            state: State::Idle(Buffer::default()),
            failed: None,
        })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until nothing is on its way. The error of a write is kept for who writes next; the
    /// error of a read is given here.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Buffer>> {
        let (buffer, read) = match &mut self.state {
            State::Idle(_) => (None, Ok(())),
            State::Reading(job) => {
                let (buffer, read) = settle(ready!(Pin::new(job).poll(cx)), &mut self.state)?;
                (Some(buffer), read)
            }
            State::Writing(job) => {
                let done = settle(ready!(Pin::new(job).poll(cx)), &mut self.state);
                let (buffer, mut outcome) = done?;
                self.failed = self.failed.take().or(outcome.0.take());
                (Some(buffer), Ok(()))
            }
            State::Lost => return Poll::Ready(Err(lost())),
        };
        if let Some(buffer) = buffer {
            self.state = State::Idle(buffer);
        }
        read.map_err(|error| explain(Action::Read, self.path.display(), error))?;
        match &mut self.state {
            State::Idle(buffer) => Poll::Ready(Ok(buffer)),
            _ => unreachable!("set above"),
        }
    }

    fn take_buffer(&mut self) -> Buffer {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(buffer) => buffer,
            _ => unreachable!("only called when idle"),
        }
    }

    fn start_read(&mut self) {
        let mut buffer = self.take_buffer();
        let file = Arc::clone(&self.file);
        self.state = State::Reading(on_thread(move || {
            let read = buffer.fill(&file);
            (buffer, read)
        }));
    }

    /// Takes as much of `bytes` as one piece holds.
    fn start_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.take_buffer();
        let count = bytes.len().min(PIECE);
        let piece = bytes[..count].to_vec();
        let (file, path) = (Arc::clone(&self.file), Arc::clone(&self.path));
        // If the pool drops the job unrun, that is the outcome.
        let mut outcome = Outcome(Some(explain(Action::Write, path.display(), lost())));
        let job = on_thread(move || {
            let written = buffer
                .unread_into(&file)
                .and_then(|()| (&*file).write_all(&piece))
                .map_err(|error| explain(Action::Write, path.display(), error));
            outcome.0 = written.err();
            (buffer, outcome)
        });
        // The bytes are taken, so their write is on its way before this returns.
        self.state = State::Writing(settle(job.start(), &mut self.state)?);
        Ok(count)
    }

    /// The error of a write that was said to be done, once.
    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

fn on_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> ToThread<T> {
    ToThread::new(TaskMeta::here().named("file operation"), None, f)
}

/// What a thread gave back; if it gave nothing, the file is lost.
fn settle<T>(joined: Result<T, JoinError>, state: &mut State) -> io::Result<T> {
    joined.map_err(|error| {
        *state = State::Lost;
        match error {
            JoinError::Panicked(panic) => panic.resume(),
            error => io::Error::other(error.to_string()),
        }
    })
}

fn lost() -> io::Error {
    io::Error::other("the blocking pool was shut down while it had the file")
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            let was_reading = matches!(self.state, State::Reading(_));
            let buffer = ready!(self.poll_idle(cx))?;
            // An empty buffer after a read is the end of the file.
            if was_reading || !buffer.unread().is_empty() {
                ready!(poll_spend(cx));
                return Poll::Ready(Ok(buffer.take(buf)));
            }
            self.start_read();
        }
    }
}

impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_idle(cx))?;
        self.check()?;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(poll_spend(cx));
        Poll::Ready(self.start_write(buf))
    }

    /// Waits until what was written is with the system.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_idle(cx))?;
        Poll::Ready(self.check())
    }

    /// As flush; the file itself is closed when it is dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(Outcome(self.failed.take())); // reported, if there is one
        if let State::Writing(job) = std::mem::replace(&mut self.state, State::Lost) {
            job.detach(); // it was said to be done
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
