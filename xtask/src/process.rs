//! Running other programs.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use crate::Result;

/// The cargo that runs us.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command on the terminal's own streams; a failure names it.
pub fn run(command: &mut Command) -> Result {
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{}`: {error}", show(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed ({status})", show(command)))
    }
}

/// Runs a command and returns its standard output; its standard error stays the terminal's.
pub fn capture(command: &mut Command) -> Result<String> {
    capture_beside(command, Stdio::inherit())
}

/// Runs a command and returns its standard output; its standard error goes to `errors`.
pub fn capture_beside(command: &mut Command, errors: Stdio) -> Result<String> {
    let output = command
        .stderr(errors)
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", show(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` failed ({})", show(command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("`{}` printed something that is not UTF-8", show(command)))
}

/// True if there is such a program, which says its version.
pub fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    capture_beside(&mut command, Stdio::null()).is_ok()
}

/// A command as a reader would type it.
fn show(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy()),
    );
    words.join(" ")
}

/// Adds compiler flags to those that the environment has already.
pub fn add_rustflags(command: &mut Command, flags: &[&str]) {
    // The encoded form wins over the plain one when both are set.
    let (key, separator) = match std::env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        Some(_) => ("CARGO_ENCODED_RUSTFLAGS", "\u{1f}"),
        None => ("RUSTFLAGS", " "),
    };
    let mut value = std::env::var_os(key).unwrap_or_default();
    for flag in flags {
        if !value.is_empty() {
            value.push(separator);
        }
        value.push(OsString::from(flag));
    }
    command.env(key, value);
}

/// A cargo of the installed nightly toolchain, or why there is none.
pub fn nightly_cargo() -> Result<Command> {
    let listed = Command::new("rustup")
        .args(["toolchain", "list"])
        .stderr(Stdio::null())
        .output();
    let installed = match listed {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => return Err("rustup is not installed".into()),
    };
    let Some(name) = installed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("nightly"))
    else {
        return Err("no nightly toolchain is installed".into());
    };
    let mut command = Command::new("rustup");
    command.args(["run", name, "cargo"]);
    // `cargo run` names its own toolchain's cargo to its children.
    command.env_remove("CARGO");
    Ok(command)
}

/// A target that is installed and has no `std`, or why there is none.
pub fn bare_target() -> Result<String> {
    let listed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .stderr(Stdio::null())
        .output();
    let installed = match listed {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => return Err("rustup is not installed".into()),
    };
    installed
        .lines()
        .find(|target| target.contains("-none"))
        .map(str::to_owned)
        .ok_or_else(|| "no such target is installed (thumbv7em-none-eabihf is one)".into())
}

/// The triple that this machine compiles for.
pub fn host() -> Result<String> {
    let text = capture(Command::new("rustc").arg("-vV"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "`rustc -vV` names no host".into())
}
