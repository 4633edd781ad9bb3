//! Instructions per operation, which a busy machine does not change.
//!
//! Each contender of a row runs in a process of its own under valgrind's callgrind, once for some
//! operations and once for twice as many. What both runs have in common, such as starting and
//! setting up, goes out of the difference.
//!
//! What is counted is what the program itself executes: not the kernel, and of the clock only the
//! call, since under valgrind that is a system call. Those that sleep do so in real time, while
//! valgrind makes them fifty times slower: more timers are due at each wake-up than otherwise.
//!
//! Behind a figure, in brackets, stands how many of those instructions lock their cache line.

use std::{
    env,
    fmt::{self, Write as _},
    fs, io,
    process::{self, Command, Stdio},
};

use crate::{
    harness::{Row, is_peer},
    locked,
};

/// Operations of the shorter run.
const COUNT: u64 = 10_000;

/// The columns of [`line`].
pub const HEADER: &str = "\
| row | pirn | tokio | pirn / tokio | best peer | | pirn / best | others |
|---|---|---|---|---|---|---|---|";

/// What a contender executes for an operation.
#[derive(PartialEq)]
struct Counted {
    name: &'static str,
    instructions: f64,
    locked: Option<f64>,
}

/// What one run found.
struct Total {
    operations: u64,
    instructions: u64,
    /// Of these.
    locked: Option<u64>,
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
            all.push(Counted::between(name, &once, &twice));
        }
    }
    all.sort_by(|a, b| a.instructions.total_cmp(&b.instructions));
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

impl Counted {
    /// The difference between two runs, per operation.
    fn between(name: &'static str, once: &Total, twice: &Total) -> Self {
        let operations = twice.operations.saturating_sub(once.operations) as f64;
        let per_operation = |once: u64, twice: u64| twice.saturating_sub(once) as f64 / operations;
        Counted {
            name,
            instructions: per_operation(once.instructions, twice.instructions),
            locked: once
                .locked
                .zip(twice.locked)
                .map(|(once, twice)| per_operation(once, twice)),
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.instructions)?;
        self.locked
            .map_or(Ok(()), |locked| write!(f, " ({locked:.1})"))
    }
}

/// Runs this program under valgrind.
fn count(row: &str, name: &str, times: u64) -> Result<Total, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let profile = format!("{}.{}.callgrind", program.display(), process::id());
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes", "--dump-line=no"])
        .args(["--compress-pos=no", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={profile}"))
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
    let locked = locked::executed(&profile);
    // It may not be there, after a failure that is told below.
    let _ = fs::remove_file(&profile);
    let total = Total {
        operations: number_after(&printed, "operations").unwrap_or(0),
        instructions: number_after(&said, "Collected :").unwrap_or(0),
        locked: locked.unwrap_or(None),
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
    let find = |prefix: &str| all.iter().find(|one| one.name.starts_with(prefix));
    // Not that of the whole runtime, which may take fewer.
    let pirn = all.iter().find(|one| one.name == "pirn").or(find("pirn"));
    let tokio = find("tokio");
    let best = all.iter().find(|one| is_peer(one.name));
    let figure = |one: Option<&Counted>| one.map_or("–".to_owned(), Counted::to_string);
    let ratio = |to: Option<&Counted>| match (pirn, to) {
        (Some(us), Some(to)) => format!("{:.2}", us.instructions / to.instructions),
        _ => "–".to_owned(),
    };
    let mut others = String::new();
    for one in all {
        if ![pirn, tokio, best].contains(&Some(one)) {
            let comma = if others.is_empty() { "" } else { ", " };
            let _ = write!(others, "{comma}{} {one}", one.name);
        }
    }
    format!(
        "| {row} | {} | {} | {} | {} | {} | {} | {others} |",
        figure(pirn),
        figure(tokio),
        ratio(tokio),
        best.map_or("–", |one| one.name),
        figure(best),
        ratio(best),
    )
}
