//! `cargo xtask test`: the README's test command. Stable Rust and nothing else.

use lexopt::prelude::*;

use crate::{
    Result, bench, interop, loom,
    metadata::Workspace,
    process,
    steps::{Outcome, Steps},
    usage, weaken,
};

/// The packages that hold most of our unsafe code.
const UNSAFE_PACKAGES: [&str; 4] = ["pirn-core", "pirn-executor", "pirn-group", "pirn-sync"];
/// What ThreadSanitizer is quiet about: packages, and of their tests those with several threads.
const TSAN: [(&str, &[&str]); 3] = [
    ("pirn-core", &["block_on", "loom", "rooted", "spin"]),
    ("pirn-timer", &["driver", "loom", "own", "sleep", "timeout"]),
    (
        "pirn-sync",
        &[
            "block_on",
            "capacity_limiter",
            "condition",
            "lock",
            "loom",
            "queue",
            "rwlock",
            "semaphore",
        ],
    ),
];
/// The tests that run programs by seed: package and name.
const SEEDED: [(&str, &str); 3] = [
    ("pirn-group", "programs"),
    ("pirn-group", "seeds"),
    ("pirn", "sim"),
];
/// With `--deep`: seconds per model at bound 3.
const DEEP_CAP: u32 = 60;

/// The command.
///
/// # Errors
///
/// When a step fails.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    let mut deep = false;
    while let Some(argument) = arguments.next().map_err(usage)? {
        match argument {
            Long("deep") => deep = true,
            other => return Err(usage(other.unexpected())),
        }
    }
    let mut steps = Steps::default();
    steps.run("tests and doctests", || {
        process::run(process::cargo().args(["test", "--no-fail-fast"]))?;
        Ok(Outcome::Done)
    });
    steps.run("loom models", || {
        loom::explore(&loom::Options::default())?;
        Ok(Outcome::Done)
    });
    if deep {
        steps.run("ten thousand seeds", || {
            for (package, test) in SEEDED {
                let mut command = process::cargo();
                command.args(["test", "-p", package, "--test", test]);
                process::run(command.env("PIRN_SEEDS", "10000"))?;
            }
            Ok(Outcome::Done)
        });
        steps.run("ten million operations on the wheel", || {
            let mut command = process::cargo();
            command.args(["test", "-p", "pirn-timer", "--release", "--test", "wheel"]);
            process::run(command.env("PIRN_STRESS", "50"))?;
            Ok(Outcome::Done)
        });
        steps.run("locked instructions on one thread", locked_instructions);
        steps.run("AddressSanitizer", address_sanitizer);
        steps.run("ThreadSanitizer", thread_sanitizer);
        interop::add_steps(&mut steps);
        steps.run("weaken", || {
            weaken::weaken(&weaken::Options::default())?;
            Ok(Outcome::Done)
        });
        steps.run("loom models without a bound, where that ends", || {
            let options = loom::Options {
                bound: Some("none".into()),
                remembered: true,
                ..loom::Options::default()
            };
            loom::explore(&options)?;
            Ok(Outcome::Done)
        });
        steps.run("loom models at bound 3, where that ends", || {
            let options = loom::Options {
                bound: Some("3".into()),
                remembered: true,
                ..loom::Options::default()
            };
            loom::explore(&options)?;
            Ok(Outcome::Done)
        });
        steps.run("loom models at bound 3, a minute each", || {
            let options = loom::Options {
                bound: Some("3".into()),
                cap: Some(DEEP_CAP),
                ..loom::Options::default()
            };
            loom::explore(&options)?;
            Ok(Outcome::Done)
        });
    }
    steps.finish()
}

/// Counts locked instructions where there are to be none.
fn locked_instructions() -> Result<Outcome> {
    if !cfg!(target_arch = "x86_64") {
        return Ok(Outcome::Skipped("counted on x86-64 only".into()));
    }
    if !process::is_there("valgrind") {
        return Ok(Outcome::Skipped("valgrind is not installed".into()));
    }
    bench::check_locked()?;
    Ok(Outcome::Done)
}

/// Runs the tests of the packages with unsafe code under AddressSanitizer and its leak check.
pub(crate) fn address_sanitizer() -> Result<Outcome> {
    let mut command = match process::nightly_cargo() {
        Ok(command) => command,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let host = process::host()?;
    if host != "x86_64-unknown-linux-gnu" {
        return Ok(Outcome::Skipped(format!(
            "set up for Linux on x86-64, this is {host}"
        )));
    }
    // Doctests are left out: they are short, and each would be linked anew.
    command.args(["test", "--lib", "--tests", "--no-fail-fast"]);
    command.args(["--target", &host, "--target-dir", "target/asan"]);
    for package in UNSAFE_PACKAGES {
        command.args(["--package", package]);
    }
    // Two million programs of scopes, in which there is no unsafe code, and which take minutes here.
    command.args(["--", "--skip", "_end_as_the_table_says"]);
    process::add_rustflags(&mut command, &["-Zsanitizer=address"]);
    process::run(&mut command)?;
    Ok(Outcome::Done)
}

/// Runs tests with several threads, and the models as they run on real ones, under ThreadSanitizer.
fn thread_sanitizer() -> Result<Outcome> {
    if let Err(why) = process::nightly_cargo() {
        return Ok(Outcome::Skipped(why));
    }
    let host = process::host()?;
    if host != "x86_64-unknown-linux-gnu" {
        return Ok(Outcome::Skipped(format!(
            "set up for Linux on x86-64, this is {host}"
        )));
    }
    // What is suppressed is found by name.
    let names = ["llvm-symbolizer", "addr2line"];
    if !names.into_iter().any(process::is_there) {
        return Ok(Outcome::Skipped(
            "neither llvm-symbolizer nor addr2line is installed".into(),
        ));
    }
    let list = Workspace::load()?.root.join("xtask/thread-sanitizer.txt");
    let options = format!("suppressions={} history_size=7", list.display());
    for (package, tests) in TSAN {
        let mut command = process::nightly_cargo()?;
        command.args(["test", "--no-fail-fast", "--target", &host]);
        command.args(["--target-dir", "target/tsan", "--package", package]);
        for test in tests {
            command.args(["--test", test]);
        }
        // One at a time: the harness then hands less from thread to thread, which is not seen.
        command.args(["--", "--test-threads=1"]);
        // Not optimised: what is merged hides races. Lines are enough for the reports.
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        command.env("TSAN_OPTIONS", &options);
        let flags = [
            "-Zsanitizer=thread",
            "-Cunsafe-allow-abi-mismatch=sanitizer",
            "--cfg",
            "pirn_tsan",
        ];
        process::add_rustflags(&mut command, &flags);
        process::run(&mut command)?;
    }
    Ok(Outcome::Done)
}
