//! `cargo xtask ci`: what continuous integration runs, in full, on any machine.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    Result, alone, audit, course, interop,
    metadata::Workspace,
    process,
    steps::{Outcome, Steps},
    test, tidy, usage, weaken,
};

/// The file in the target folder that names the last commit for which all of this was green.
pub const GREEN: &str = "ci-green";

/// The command.
///
/// # Errors
///
/// When a step fails.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let workspace = Workspace::load()?;
    let began = clean_commit();
    let mut steps = Steps::default();
    steps.run("format", || cargo(&["fmt", "--all", "--check"]));
    steps.run("tidy", || {
        tidy::run(lexopt::Parser::from_args(Vec::<String>::new()))?;
        Ok(Outcome::Done)
    });
    steps.run("clippy", || {
        let all = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        cargo(&all)
    });
    steps.run("clippy and rustdoc without std", without_std);
    steps.run("audit", || {
        audit::audit(audit::Options::default())?;
        Ok(Outcome::Done)
    });
    steps.run("the README's test command", || readme_step("ci:test"));
    steps.run("the README's main command", || readme_step("ci:main"));
    steps.run("rustdoc", || {
        let mut command = process::cargo();
        command
            .args(["doc", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings");
        process::run(&mut command)?;
        Ok(Outcome::Done)
    });
    steps.run("each low crate alone", || {
        alone::run(lexopt::Parser::from_args(Vec::<String>::new()))?;
        Ok(Outcome::Done)
    });
    steps.run("the course without its lines", || {
        course::run(lexopt::Parser::from_args(Vec::<String>::new()))?;
        Ok(Outcome::Done)
    });
    interop::add_steps(&mut steps);
    steps.run("weaken what changed", weaken_changed);
    steps.run("AddressSanitizer", test::address_sanitizer);
    steps.run("a release, rehearsed", rehearsal);
    steps.finish()?;
    // What was looked at must be that commit and nothing else, from beginning to end.
    match began {
        Some(commit) if clean_commit().as_ref() == Some(&commit) => {
            let path = workspace.target.join(GREEN);
            fs::write(&path, commit).map_err(|error| format!("{}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The commit that is checked out, if nothing differs from it.
fn clean_commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        process::capture_beside(git.args(arguments), Stdio::null()).ok()
    };
    let clean = git(&["status", "--porcelain"])?.is_empty();
    let head = git(&["rev-parse", "HEAD"])?;
    clean.then(|| head.trim().to_owned())
}

/// The tests of `xtask/release`, which is no default crate, and a release on the loopback.
fn rehearsal() -> Result<Outcome> {
    cargo(&["test", "--quiet", "--package", "xtask-release"])?;
    cargo(&[
        "run",
        "--quiet",
        "--package",
        "xtask-release",
        "--",
        "rehearse",
    ])
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    process::run(process::cargo().args(arguments))?;
    Ok(Outcome::Done)
}

/// Builds the crates that can do without `std`, and their pages, in a folder of their own: the other
/// pages stay as they are.
fn without_std() -> Result<Outcome> {
    let bare = |command: &str, rest: &[&str]| {
        let mut cargo = process::cargo();
        cargo.args([command, "--no-default-features"]);
        for name in ["pirn-core", "pirn-sync", "pirn-timer"] {
            cargo.args(["--package", name]);
        }
        cargo.args(["--target-dir", "target/bare"]).args(rest);
        process::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
    };
    bare("clippy", &["--", "-D", "warnings"])?;
    bare("doc", &["--no-deps"])?;
    Ok(Outcome::Done)
}

/// Weakens what the last commit changed: of a pull request, all of it, where that is merged first.
fn weaken_changed() -> Result<Outcome> {
    let mut command = Command::new("git");
    command.args(["rev-parse", "--quiet", "--verify", weaken::BASE]);
    if process::capture(&mut command).is_err() {
        return Ok(Outcome::Skipped(format!("there is no {}", weaken::BASE)));
    }
    let options = weaken::Options {
        changed: Some(weaken::BASE.into()),
        ..weaken::Options::default()
    };
    weaken::weaken(&options)?;
    Ok(Outcome::Done)
}

/// Runs the commands that follow `<!-- MARKER -->` in the README, as written.
fn readme_step(marker: &str) -> Result<Outcome> {
    let root = Workspace::load()?.root;
    let text = fs::read_to_string(root.join("README.md"))
        .map_err(|error| format!("cannot read README.md: {error}"))?;
    for line in readme_commands(&text, marker)? {
        println!("$ {line}");
        process::run(Command::new("sh").args(["-ec", &line]).current_dir(&root))?;
    }
    Ok(Outcome::Done)
}

/// The lines of the first ```` ```sh ```` block below `<!-- marker -->`.
///
/// # Errors
///
/// When the marker or the block is missing, or the block is empty.
pub fn readme_commands(text: &str, marker: &str) -> Result<Vec<String>> {
    let comment = format!("<!-- {marker} -->");
    let (_, below) = text
        .split_once(&comment)
        .ok_or_else(|| format!("README.md has no `{comment}`"))?;
    let block = below
        .split_once("```sh\n")
        .and_then(|(between, block)| between.trim().is_empty().then_some(block))
        .and_then(|block| block.split_once("```"))
        .ok_or_else(|| format!("README.md: no ```sh block follows `{comment}`"))?
        .0;
    let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
    let commands: Vec<String> = lines.map(str::to_owned).collect();
    if commands.is_empty() {
        return Err(format!("README.md: the block below `{comment}` is empty"));
    }
    Ok(commands)
}
