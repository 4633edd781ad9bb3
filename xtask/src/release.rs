//! `cargo xtask release COMMAND`: a package of its own, `xtask/release`, which is built for it alone.

use crate::{Result, process};

/// The command.
///
/// # Errors
///
/// When the release does not build, or says no.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    let rest = arguments.raw_args().map_err(crate::usage)?;
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "xtask-release", "--"]);
    process::run(command.args(rest))
}
