//! `cargo xtask bench [ROW] [--instructions]`: builds the benchmarks in release and hands the arguments on.
//! `cargo xtask bench --locked`: counts the locked instructions of rows that are to take none, or few.

use std::process::Command;

use crate::{Result, process};

/// Rows of one thread, and how many locked instructions one operation takes there: in the first three
/// none at all, in the others as many as the row itself does, with counts and channels of its own.
const LOCKED: [(&str, f64); 5] = [
    ("executor.spawn_join.1", 0.0),
    ("executor.chained_spawn.1", 0.0),
    ("executor.yield.1", 0.0),
    ("executor.spawn_detached.1", 3.0),
    ("executor.ping_pong.1", 8.0),
];

/// The command.
///
/// # Errors
///
/// When the benchmarks do not build, or no row has that name; with `--locked`, when a row takes more
/// than it should, or nothing can be counted.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    let rest: Vec<_> = arguments.raw_args().map_err(crate::usage)?.collect();
    if rest.len() == 1 && rest[0] == "--locked" {
        return check_locked();
    }
    process::run(benchmarks().args(rest))
}

/// Counts what pirn executes in the rows of [`LOCKED`], under valgrind, which a busy machine does not
/// change.
pub(crate) fn check_locked() -> Result {
    let mut wrong = Vec::new();
    for (row, most) in LOCKED {
        let mut command = benchmarks();
        command.args([row, "--instructions", "--only", "pirn"]);
        let printed = process::capture(&mut command)?;
        match too_many(&printed, row, most) {
            None => println!("{row}: {most} locked instructions, as it should be"),
            Some(why) => wrong.push(why),
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// What is wrong with the figures of `row`, each of them as `714 (0.0)`, if there must be at most so many
/// in brackets.
pub fn too_many(printed: &str, row: &str, most: f64) -> Option<String> {
    let name = format!("| {row} |");
    let Some(line) = printed.lines().find(|line| line.starts_with(&name)) else {
        return Some(format!("{row}: there is no such row"));
    };
    let brackets = line
        .split('(')
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let counts: Vec<f64> = brackets
        .filter_map(|(count, _)| count.parse().ok())
        .collect();
    if counts.is_empty() {
        return Some(format!("{row}: no locked instructions were counted"));
    }
    counts
        .iter()
        .any(|&count| count > most)
        .then(|| format!("{row}: {most} locked instructions at most, not as in {line}"))
}

fn benchmarks() -> Command {
    let mut command = process::cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "pirn-benches",
        "--",
    ]);
    command
}
