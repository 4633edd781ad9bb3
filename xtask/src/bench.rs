//! `cargo xtask bench [ROW] [--instructions]`: builds the benchmarks in release and hands the arguments on.

use crate::{Result, process};

/// The command.
///
/// # Errors
///
/// When the benchmarks do not build, or no row has that name.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    let rest = arguments.raw_args().map_err(crate::usage)?;
    let mut command = process::cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "pirn-benches",
        "--",
    ]);
    process::run(command.args(rest))
}
