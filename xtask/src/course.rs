//! `cargo xtask course`: every program of the course is about one line, and its test notices when that
//! line is gone.
//!
//! The programs lie in `examples/course`; in each, one line ends in `// the line`. In a copy of the
//! workspace these lines are taken away, all at once; then each test in `examples/tests/course` must
//! fail, and there must be one for each program.

use std::{fs, process::Stdio};

use crate::{Result, metadata::Workspace, process, usage, weaken::scratch::Scratch};

/// What the line ends in.
const MARK: &str = "// the line";
const PROGRAMS: &str = "examples/course";
const TESTS: &str = "examples/tests/course";

/// The command.
///
/// # Errors
///
/// When a program has no such line or no test, or a test passes without the line.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let workspace = Workspace::load()?;
    let mut scratch = Scratch::of(&workspace)?;
    let tests = read(&workspace, TESTS)?;
    let mut programs = 0;
    for (path, text) in read(&workspace, PROGRAMS)? {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !tests.iter().any(|(_, test)| test.contains(name)) {
            return Err(format!("{path} has no test in {TESTS}"));
        }
        scratch.write(path.as_ref(), &without_line(&path, &text)?)?;
        programs += 1;
    }
    // Programs that cannot be run inside a test are run as they are built.
    for name in tests
        .iter()
        .flat_map(|(_, test)| test.split("built(\"").skip(1))
    {
        let name = name.split('"').next().unwrap_or_default();
        let mut build = process::cargo();
        build
            .current_dir(&scratch.workspace.root)
            .args(["build", "-p", "pirn-examples", "--example", name])
            .arg("--target-dir")
            .arg(scratch.workspace.target.join("plain"));
        let built = build.status();
        if !built.is_ok_and(|status| status.success()) {
            return Err(format!("without its line {name} does not even compile"));
        }
    }
    let output = process::cargo()
        .current_dir(&scratch.workspace.root)
        .args([
            "test",
            "-p",
            "pirn-examples",
            "--test",
            "course",
            "--no-fail-fast",
        ])
        .arg("--target-dir")
        .arg(scratch.workspace.target.join("plain"))
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let outcome = |end: &str| {
        let lines = shown
            .lines()
            .filter(|line| line.starts_with("test ") && line.ends_with(end));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (passed, failed) = (outcome("... ok"), outcome("... FAILED"));
    if failed.is_empty() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "without the lines the course does not even compile:\n{errors}"
        ));
    }
    if !passed.is_empty() {
        return Err(format!(
            "passes without its line:\n  {}",
            passed.join("\n  ")
        ));
    }
    if failed.len() < programs {
        return Err(format!(
            "{programs} programs, and only {} tests",
            failed.len()
        ));
    }
    println!(
        "course: {programs} programs, and {} tests that miss the line",
        failed.len()
    );
    Ok(())
}

/// The Rust files of a folder of the workspace, with their text, by name.
fn read(workspace: &Workspace, folder: &str) -> Result<Vec<(String, String)>> {
    let path = workspace.root.join(folder);
    let broken = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(broken)? {
        let name = entry
            .map_err(broken)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".rs") {
            let text = fs::read_to_string(path.join(&name)).map_err(broken)?;
            found.push((format!("{folder}/{name}"), text));
        }
    }
    found.sort();
    Ok(found)
}

/// The program without its line.
fn without_line(path: &str, text: &str) -> Result<String> {
    let is_it = |line: &&str| line.trim_end().ends_with(MARK);
    if text.lines().filter(is_it).count() != 1 {
        return Err(format!(
            "{path}: one line, and one only, is to end in `{MARK}`"
        ));
    }
    Ok(text
        .split_inclusive('\n')
        .filter(|line| !is_it(line))
        .collect())
}
