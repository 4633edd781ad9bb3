//! `cargo xtask COMMAND`: picks the command and prints its error.

use std::process::ExitCode;

use xtask::{
    Result, alone, audit, bench, book, ci, course, interop, loom, release, test, tidy, weaken,
};

const HELP: &str = "\
cargo xtask COMMAND

  test [--deep]     the tests of every default crate, doctests and loom models included;
                    --deep adds ten thousand seeds, `bench --locked`, AddressSanitizer and ThreadSanitizer (with a
                    nightly toolchain), interop, weaken, and loom at bound 3 and without a bound
  loom [CRATE]      explores the loom models, one process each, and prints what each explored
       --list         only lists them, as crate::file::model
       --filter X     only models whose name contains X
       --bound N      preemption bound: a number, or `none` (default 2)
       --cap S        stops each model after S seconds, and says so
       --json         a machine-readable report
       --record       writes the counts into xtask/loom-baseline.txt, or for another bound into
                      a file of its own, which has what was explored to its end
       --remembered   only the models of that file
  weaken [CRATE]    makes one ordering, wake or hand-over weaker at a time, and runs the tests and
                    models of the file's name: one must notice. Without CRATE, those enrolled
       --list         only lists them, as file:line:kind:what
       --file NAME    only files of this name, or in a folder of this name
       --only KIND    only `ordering`, `wake` or `hand-over`
       --changed[=B]  only files that changed since B (default HEAD~1), or whose tests did
       --limit S      each test or model may take S seconds (default 40), a model explores for half
       --fresh        forgets what target/weaken/results knows
       --json         a machine-readable report
  alone             the low crates outside the workspace: doctests, tokio, a bare thread, loom
  audit             what each published crate costs, beside its peers, and whether it can be picked alone:
                    dependencies that were looked at, documentation, manifest, README, each combination of
                    features, the oldest Rust
       --quick        without the last two
       --time         builds each crate, and each peer, from nothing, one at a time
       --record       writes the READMEs and the table of crates; with --time benches/RESULTS.md as well
       --json         a machine-readable report
  interop           other people's clients and servers with pirn; real servers are fetched where there is apt
  course            takes from each program of the course the line that it is about: its test must fail
  tidy              house rules: crate arrows, comments that carry proof, unsafe's homes; what the guide names
  ci                everything above as CI runs it, with formatting, clippy, docs and the README
  book              the guide in docs/ as a book, if mdbook is installed; else how to install it
  bench [ROW]       the benchmarks beside their peers; ROW is the beginning of a row's name, or `sync`
       --rounds N     rounds per row (default 11, at least 9 for figures that are recorded)
       --only NAME    only contenders whose names begin with NAME
       --list         only lists the rows
       --instructions instructions per operation instead, counted by valgrind: the rows of one thread
       --locked       fails if spawning, waking and joining on one thread take a locked instruction
  release COMMAND   plan, apply, publish, verify, rehearse; see `cargo xtask release help`
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let rest = lexopt::Parser::from_args(arguments);
    match command.to_str() {
        Some("test") => test::run(rest),
        Some("loom") => loom::run(rest),
        Some("weaken") => weaken::run(rest),
        Some("alone") => alone::run(rest),
        Some("audit") => audit::run(rest),
        Some("interop") => interop::run(rest),
        Some("course") => course::run(rest),
        Some("tidy") => tidy::run(rest),
        Some("ci") => ci::run(rest),
        Some("bench") => bench::run(rest),
        Some("release") => release::run(rest),
        Some("book") => book::run(rest),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!(
            "no command is called `{}`; there are test, loom, weaken, alone, audit, interop, course, tidy, ci, bench, book, release and help",
            command.to_string_lossy()
        )),
    }
}
