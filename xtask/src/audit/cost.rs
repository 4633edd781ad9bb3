//! How long it takes to build a package from nothing.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{Result, process};

/// What a build took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Of all processors, where the system tells.
    pub cpu: Option<Duration>,
}

/// Builds a package of the workspace in `folder`, with its default features, in the folder `target`,
/// which is empty before and gone after.
///
/// # Errors
///
/// When it does not compile.
pub fn build(folder: &Path, package: &str, target: &Path) -> Result<Cost> {
    let _ = fs::remove_dir_all(target);
    let (started, before) = (Instant::now(), children());
    let mut command = process::cargo();
    command.current_dir(folder);
    command.args(["build", "--quiet", "--lib", "--package", package]);
    let built = process::run(command.arg("--target-dir").arg(target));
    let wall = started.elapsed();
    let cpu = children()
        .zip(before)
        .map(|(now, before)| now.saturating_sub(before));
    let _ = fs::remove_dir_all(target);
    built.map(|()| Cost { wall, cpu })
}

/// What this process's children have used so far, those that are waited for.
fn children() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // `cutime` and `cstime`, the 16th and 17th; the third was the first here.
    let sum = ticks(13)? + ticks(14)?;
    let a_second = process::capture(Command::new("getconf").arg("CLK_TCK")).ok()?;
    let a_second: u64 = a_second.trim().parse().ok()?;
    Some(Duration::from_millis(sum * 1000 / a_second.max(1)))
}
