//! `cargo xtask interop`: pirn with other people's clients and servers, against the real thing.
//!
//! The tests are `interop/tests`. Servers that the machine has not are fetched, where there are Debian's
//! packages and a network, into `target/servers`, and are not installed; a test whose server cannot be had
//! says so and is skipped.

use crate::{
    Result, process,
    steps::{Outcome, Steps},
    usage,
};

const PACKAGE: &str = "pirn-interop";
/// What the program that finds the servers prints before one that cannot be had.
const ABSENT: &str = "absent: ";

/// The command.
///
/// # Errors
///
/// When a step fails.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let mut steps = Steps::default();
    add_steps(&mut steps);
    steps.finish()
}

/// The steps of this command, for those that run it among others.
pub(crate) fn add_steps(steps: &mut Steps) {
    steps.run("interop: real servers", || {
        let mut command = process::cargo();
        command.args(["run", "--quiet", "--package", PACKAGE]);
        let said = process::capture(&mut command)?;
        print!("{said}");
        Ok(match absent(&said) {
            none if none.is_empty() => Outcome::Done,
            some => Outcome::Skipped(format!("no {}", some.join(", no "))),
        })
    });
    steps.run("interop: tests and recipes", || {
        let tests = ["test", "--no-fail-fast", "--package", PACKAGE];
        process::run(process::cargo().args(tests))?;
        Ok(Outcome::Done)
    });
}

/// The servers that cannot be had, with the reasons, of what the program that finds them has said.
pub fn absent(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.strip_prefix(ABSENT))
        .collect()
}
