//! Child processes (Unix).
//!
//! A program is described by a [`std::process::Command`], and [`spawn`] starts it: its pipes speak
//! the traits of `futures-io`, and its end can be awaited. [`output`] does the common thing in one.
//!
//! # How an end is noticed
//!
//! On Linux by a descriptor of the process (`pidfd`), which the reactor watches as it does a
//! socket: no signal, no thread, and no other child is looked at. Where the system gives none, by
//! `SIGCHLD`, at which every child that is waited for is looked at.

mod child;
mod exit;
mod pipes;

pub use child::Child;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};

use crate::error::{Action, explain, needs_system};
use std::io;
use std::process::{Command, Output, Stdio};

/// Starts the program that `command` describes.
///
/// Streams for which `command` says [`Stdio::piped`] stand in the [`Child`] afterwards; the others
/// are as `command` says.
///
/// Starting takes the system some fraction of a millisecond, for which this blocks. A command with
/// a `pre_exec` step of its own, or one of a large program on a slow disk, better goes through
/// [`to_thread`](crate::to_thread).
///
/// # Errors
///
/// If the program cannot be started; the error names it. Or if the system has no descriptors left:
/// then what was started is killed. In a simulation nothing is started.
///
/// # Examples
///
/// A filter that is written to and read from at once:
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt, future};
/// use std::process::{Command, Stdio};
///
/// # pirn_core::shim::block_on(async {
/// let mut sort = pirn_io::process::spawn(
///     Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()),
/// )?;
/// let (mut input, mut output) = (sort.stdin.take().unwrap(), sort.stdout.take().unwrap());
/// let feeds = async move {
///     input.write_all(b"weft\nwarp\n").await // dropping the pipe ends the input
/// };
/// let mut sorted = String::new();
/// future::try_join(feeds, output.read_to_string(&mut sorted)).await?;
/// assert_eq!(sorted, "warp\nweft\n");
/// assert!(sort.wait().await?.success());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    // Before anything is started.
    needs_system("child process")?;
    let program = command.get_program().to_string_lossy().into_owned();
    match command.spawn() {
        Ok(child) => Child::new(child, &program),
        Err(error) => Err(explain(Action::Start, program, error)),
    }
}

/// Runs the program that `command` describes to its end, with all that it writes to its standard
/// output and error.
///
/// Both are piped whatever `command` says; its input is as `command` says.
///
/// # Errors
///
/// If it cannot be started or read from. That it failed is not an error here: look at
/// [`Output::status`].
///
/// # Cancel safety
///
/// Dropping the future kills the program.
///
/// # Examples
///
/// ```
/// use std::process::Command;
///
/// # pirn_core::shim::block_on(async {
/// let output = pirn_io::process::output(Command::new("echo").arg("hello")).await?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
///
/// let error = pirn_io::process::output(&mut Command::new("no-such-program")).await.unwrap_err();
/// assert!(error.to_string().starts_with("start no-such-program: "));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn output(command: &mut Command) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn(command)?.wait_with_output().await
}
