//! Instructions per operation, which a busy machine does not change.
//!
//! Each contender of a row runs in a process of its own under valgrind's callgrind, once for some
//! operations and once for twice as many. What both runs have in common, such as starting and
//! setting up, goes out of the difference.
//!
//! What is counted is what the program itself executes: not the kernel, and of the clock only the
//! call, since under valgrind that is a system call. Those that sleep do so in real time, while
//! valgrind makes them fifty times slower: more timers are due at each wake-up than otherwise.

use std::{
    env,
    fmt::Write as _,
    io,
    process::{Command, Stdio},
};

use crate::harness::{Row, is_peer};

/// Operations of the shorter run.
const COUNT: u64 = 10_000;

/// The columns of [`line`].
pub const HEADER: &str = "\
| row | pirn | tokio | pirn / tokio | best peer | | pirn / best | others |
|---|---|---|---|---|---|---|---|";

/// A contender's name and its instructions per operation.
type Counted = (&'static str, f64);

/// What one run found.
struct Total {
    operations: u64,
    instructions: u64,
}

/// Counts for each contender of `row` whose name begins with `only`, and gives a line of Markdown;
/// none where nobody has anything to count, as in the rows of several threads.
///
/// # Errors
///
/// Without valgrind, or if a run under it fails.
pub fn line(row: &Row, only: &str) -> Result<Option<String>, String> {
    if row.name.ends_with(".2") {
        return Ok(None);
    }
    let mut all: Vec<Counted> = Vec::new();
    for contender in (row.contenders)() {
        let name = contender.name();
        if contender.is_countable() && name.starts_with(only) {
            let [once, twice] = [count(&row.name, name, 1)?, count(&row.name, name, 2)?];
            let instructions = twice.instructions.saturating_sub(once.instructions);
            let operations = twice.operations.saturating_sub(once.operations);
            all.push((name, instructions as f64 / operations as f64));
        }
    }
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok((!all.is_empty()).then(|| markdown(&row.name, &all)))
}

/// What the run under valgrind does: `times` rounds of the contender of this name.
pub fn repeat(row: &Row, name: &str, times: u64) {
    for mut contender in (row.contenders)() {
        if contender.name() == name {
            println!("operations {}", contender.repeat(times, COUNT));
        }
    }
}

/// Runs this program under valgrind.
fn count(row: &str, name: &str, times: u64) -> Result<Total, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([row, "--only", name, "--repeat", &times.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "valgrind is not installed; Debian's package is `valgrind`".to_owned()
            }
            _ => format!("cannot start valgrind: {error}"),
        })?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let total = Total {
        operations: number_after(&printed, "operations").unwrap_or(0),
        instructions: number_after(&said, "Collected :").unwrap_or(0),
    };
    if !output.status.success() || total.operations == 0 || total.instructions == 0 {
        return Err(format!(
            "{row}, {name}: the run under valgrind failed\n{said}"
        ));
    }
    Ok(total)
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// `all` begins with the one that takes fewest.
fn markdown(row: &str, all: &[Counted]) -> String {
    let find = |prefix: &str| all.iter().find(|one| one.0.starts_with(prefix));
    let (pirn, tokio) = (find("pirn"), find("tokio"));
    let best = all.iter().find(|one| is_peer(one.0));
    let figure =
        |one: Option<&Counted>| one.map_or("–".to_owned(), |one| format!("{:.0}", one.1));
    let ratio = |to: Option<&Counted>| match (pirn, to) {
        (Some(us), Some(to)) => format!("{:.2}", us.1 / to.1),
        _ => "–".to_owned(),
    };
    let mut others = String::new();
    for one in all {
        if ![pirn, tokio, best].contains(&Some(one)) {
            let comma = if others.is_empty() { "" } else { ", " };
            let _ = write!(others, "{comma}{} {:.0}", one.0, one.1);
        }
    }
    format!(
        "| {row} | {} | {} | {} | {} | {} | {} | {others} |",
        figure(pirn),
        figure(tokio),
        ratio(tokio),
        best.map_or("–", |one| one.0),
        figure(best),
        ratio(best),
    )
}
