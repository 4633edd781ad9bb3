//! Fetching servers that the machine has not: Debian's packages, unpacked and not installed.

use crate::server::{Kind, fetched};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Fetches the server's package, and what it needs that is not installed, and unpacks all into
/// `target/servers`.
///
/// # Errors
///
/// Why that cannot be done, in words: this is no Debian, or there is no network.
pub fn fetch(kind: Kind) -> Result<(), String> {
    let folder = fetched();
    let archives = folder.join("archives");
    let partial = archives.join("partial");
    fs::create_dir_all(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    // apt's solver finds the libraries; nothing of the system is touched, nor locked.
    let mut apt = Command::new("apt-get");
    apt.args([
        "install",
        "--download-only",
        "--no-install-recommends",
        "--yes",
    ])
    .args(["--option", "Debug::NoLocking=1", "--option"])
    .arg(format!("Dir::Cache::archives={}", archives.display()))
    .arg(kind.package());
    output(&mut apt)?;
    let mut packages = Vec::new();
    for entry in fs::read_dir(&archives).into_iter().flatten().flatten() {
        packages.push(entry.path());
    }
    packages.retain(|path| path.extension().is_some_and(|end| end == "deb"));
    for package in &packages {
        unpack(package, &folder)?;
    }
    match kind.find() {
        Some(_) => Ok(()),
        None => Err(format!("the package has no {}", kind.program())),
    }
}

fn unpack(package: &Path, folder: &Path) -> Result<(), String> {
    output(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
    fs::remove_file(package).map_err(|error| format!("{}: {error}", package.display()))
}

fn output(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            Err(format!("{name}: {}", last.unwrap_or("failed")))
        }
    }
}
