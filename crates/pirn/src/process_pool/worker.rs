//! A worker process, from both sides.

use super::CallError;
use super::frame::{
    BEGUN, CALL, DONE, FORMAT, HEAD, HELLO, PANICKED, PROTOCOL, UNKNOWN, frame, head,
};
use super::job::AnyJob;
use pirn_core::Panic;
use pirn_io::process::{Child, ChildStdin, ChildStdout, spawn};
use pirn_io::streams::{ReadError, StreamReader, StreamWriter};
use pirn_timer::timeout;
use rustix::stdio::{dup2_stdin, dup2_stdout};
use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus, Stdio, exit};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The first argument of workers. A variable of the environment would reach the programs that a job
/// starts, too.
const MARK: &str = "--pirn-process-pool-worker";
/// How long a worker may take until it says that it is one.
const START: Duration = Duration::from_secs(10);

/// A process that waits for its next job. Dropping it kills it.
pub(super) struct Worker {
    child: Child,
    requests: StreamWriter<ChildStdin>,
    answers: StreamReader<ChildStdout>,
}

/// What became of a job.
pub(super) enum Ran {
    Answered(Answer),
    /// The process had ended before it began with the job.
    Unbegun(ExitStatus),
}

pub(super) enum Answer {
    Done(Vec<u8>),
    Panicked(String),
    Unknown,
    Format(String),
}

pub(super) fn is_worker() -> bool {
    env::args_os().nth(1).is_some_and(|first| first == MARK)
}

impl Worker {
    /// Starts one, and waits until it says that it is one.
    pub(super) async fn start() -> Result<Worker, CallError> {
        let program = env::current_exe()?;
        let mut child = spawn(
            Command::new(program)
                .arg(MARK)
                // A Ctrl-C is the program's to answer.
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        )?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("its pipes are gone").into());
        };
        let mut worker = Worker {
            child,
            requests: StreamWriter::new(stdin),
            answers: StreamReader::new(stdout),
        };
        match timeout(START, worker.hello()).await {
            Ok(Ok(true)) => Ok(worker),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(false)) | Err(_) => Err(io::Error::other(NOT_SERVING).into()),
        }
    }

    /// Reads its greeting as far as it is right: a program that does not serve may say anything.
    async fn hello(&mut self) -> io::Result<bool> {
        for expected in frame(HELLO, &[PROTOCOL])? {
            match self.answers.read_exact(1).await {
                Ok(byte) if byte[0] == expected => {}
                Ok(_) | Err(ReadError::Ended { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a job and waits for its answer.
    pub(super) async fn run(&mut self, job: &str, arguments: &[u8]) -> Result<Ran, CallError> {
        let length = u8::try_from(job.len()).map_err(|_| {
            CallError::Format(format!("the job's name is longer than 255 bytes: `{job}`"))
        })?;
        let request = frame(CALL, &[&[length], job.as_bytes(), arguments])?;
        let mut begun = false;
        let answered = async {
            self.requests.write(&request).await?;
            self.requests.flush().await?;
            begun = self.answers.read_exact(1).await? == [BEGUN];
            let bytes = self.answers.read_exact(HEAD).await?;
            let mut start = [0; HEAD];
            start.copy_from_slice(&bytes);
            let (kind, length) = head(start);
            Ok::<_, io::Error>((kind, self.answers.read_exact(length).await?))
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match answered.await {
            Ok((DONE, bytes)) => Ok(Ran::Answered(Answer::Done(bytes))),
            Ok((PANICKED, bytes)) => Ok(Ran::Answered(Answer::Panicked(text(bytes)))),
            Ok((UNKNOWN, _)) => Ok(Ran::Answered(Answer::Unknown)),
            Ok((FORMAT, bytes)) => Ok(Ran::Answered(Answer::Format(text(bytes)))),
            Ok((kind, _)) => {
                let what = format!("it answered with a frame of the kind {kind}");
                Err(io::Error::new(io::ErrorKind::InvalidData, what).into())
            }
            // It has closed its pipes: it ends, or has closed them on purpose and is killed.
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                    let status = self.child.kill().await?;
                    match begun {
                        true => Err(CallError::Crashed(status)),
                        false => Ok(Ran::Unbegun(status)),
                    }
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Lets it end by itself.
    pub(super) async fn end(self) -> io::Result<()> {
        let Worker {
            mut child,
            requests,
            answers,
        } = self;
        drop(requests);
        child.wait().await?;
        drop(answers);
        Ok(())
    }
}

const NOT_SERVING: &str = "it is not a worker: call `process_pool::serve` first of all in `main`";

impl From<ReadError> for CallError {
    fn from(error: ReadError) -> Self {
        CallError::Io(error.into())
    }
}

/// Runs jobs, if this process is a worker, and ends it after the last; otherwise does nothing.
///
/// A worker ends with the program that started it, however that ends: a job that runs is ended, too.
///
/// To be called first of all in `main`: what comes before runs in every worker too.
///
/// # Panics
///
/// If two jobs have the same name.
///
/// # Examples
///
/// ```
/// use pirn::process_pool::{Job, serve};
///
/// const DOUBLE: Job<i64, i64> = Job::new("double", |n| 2 * n);
///
/// fn main() {
///     serve(&[&DOUBLE]);
///     // The program itself comes here; a worker does not.
///     assert_eq!(DOUBLE.name(), "double");
/// }
/// ```
#[track_caller]
pub fn serve(jobs: &[&dyn AnyJob]) {
    for (at, job) in jobs.iter().enumerate() {
        let same = jobs[..at].iter().any(|other| other.name() == job.name());
        assert!(!same, "two jobs have the name `{}`", job.name());
    }
    if is_worker() {
        let ended = work(jobs);
        exit(i32::from(ended.is_err()));
    }
}

fn work(jobs: &[&dyn AnyJob]) -> io::Result<()> {
    // The frames keep the pipes for themselves: jobs find no input, what they print goes elsewhere,
    // and a program that one starts and leaves behind does not keep them open.
    let mut requests = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let mut answers = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?);
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    answers.write_all(&frame(HELLO, &[PROTOCOL])?)?;
    let (sends, received) = mpsc::channel();
    // Beside the jobs, so that one which runs ends with the program that wants it.
    let reads = move || {
        let ended = read_requests(&mut requests, &sends);
        // The program that started it is gone, or has let it go.
        exit(i32::from(ended.is_err()));
    };
    let reader = thread::Builder::new().name(String::from("pirn-requests"));
    reader.spawn(reads)?;
    for request in received {
        answers.write_all(&[BEGUN])?;
        answers.write_all(&answer(jobs, &request)?)?;
    }
    Ok(())
}

/// Reads requests to their end.
fn read_requests(requests: &mut File, sends: &mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut start = [0; HEAD];
        match requests.read_exact(&mut start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let (_, length) = head(start);
        let mut request = vec![0; length];
        requests.read_exact(&mut request)?;
        if sends.send(request).is_err() {
            return Ok(());
        }
    }
}

fn answer(jobs: &[&dyn AnyJob], request: &[u8]) -> io::Result<Vec<u8>> {
    let (length, rest) = request.split_first().ok_or(io::ErrorKind::InvalidData)?;
    let (name, arguments) = rest
        .split_at_checked(usize::from(*length))
        .ok_or(io::ErrorKind::InvalidData)?;
    let Some(job) = jobs.iter().find(|job| job.name().as_bytes() == name) else {
        return frame(UNKNOWN, &[]);
    };
    match catch_unwind(AssertUnwindSafe(|| job.run(arguments))) {
        Ok(Ok(result)) => frame(DONE, &[&result]),
        Ok(Err(error)) => frame(FORMAT, &[error.as_bytes()]),
        Err(payload) => {
            let message = Panic::from(payload).message();
            frame(PANICKED, &[message.as_bytes()])
        }
    }
}
