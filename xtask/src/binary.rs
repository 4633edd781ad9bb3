//! Test binaries: building one, and running one for a limited time.

use std::{
    io,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, process};

/// What `cargo test --no-run` built.
#[derive(Debug)]
pub struct Built {
    /// The test binary.
    pub executable: PathBuf,
    /// The libraries that were compiled, and not found up to date, as cargo names their targets.
    pub compiled: Vec<String>,
}

/// Builds with a `cargo test --no-run` command, and finds the binary of the test target `name`.
/// What the compiler says goes to `errors`.
///
/// # Errors
///
/// When it does not build.
pub fn build(command: &mut Command, name: &str, errors: Stdio) -> Result<Built> {
    command.arg("--message-format=json-render-diagnostics");
    let messages = process::capture_beside(command, errors)?;
    let messages: Vec<Value> = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let executable = messages
        .iter()
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo names no binary for the test `{name}`"))?;
    let compiled = messages.iter().filter(|message| message["fresh"] == false);
    Ok(Built {
        executable,
        compiled: compiled
            .filter_map(|message| message["target"]["name"].as_str().map(Into::into))
            .collect(),
    })
}

/// Waits until `child` ends. If that takes longer than `limit`, or `stop` says so before, kills it:
/// `None`.
///
/// # Errors
///
/// When the system does not let it be waited for or killed.
pub fn wait(
    child: &mut Child,
    limit: Duration,
    stop: impl Fn() -> bool,
) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit || stop() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = Duration::from_millis(50).min(pause * 2);
    }
}
