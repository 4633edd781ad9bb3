//! The oldest Rust that the crates promise: a toolchain of that version, and what it compiles.
//!
//! rustup's, where it is installed. Otherwise Debian's `rustc-web` and `cargo-web`, unpacked under
//! `target/tools` and installed nowhere; where those cannot be had either, the step says so.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, process};

/// Debian's packages: the compiler with its library and LLVM, cargo, and what these load.
const PACKAGES: [&str; 7] = [
    "rustc-web",
    "cargo-web",
    "libstd-rust-web-dev",
    "libstd-rust-web-VERSION",
    "libllvm19",
    "libpcre3",
    "libhttp-parser2.9",
];
/// Those that come in several versions.
const VERSIONED: usize = 4;

/// A cargo of some version.
#[derive(Debug)]
pub enum Toolchain {
    /// By `rustup run`.
    Rustup(String),
    /// Unpacked in this folder.
    Unpacked(PathBuf),
}

impl Toolchain {
    /// Finds or unpacks Rust `version`, such as 1.85; or says why there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be had here.
    pub fn find(version: &str, tools: &Path) -> Result<Self> {
        let mut rustup = Command::new("rustup");
        rustup.args(["toolchain", "list"]).stderr(Stdio::null());
        let listed = rustup
            .output()
            .map(|output| output.stdout)
            .unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let names = listed
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let of_it = |name: &&str| {
            let rest = name.strip_prefix(version);
            rest.is_some_and(|rest| rest.starts_with(['.', '-']))
        };
        if let Some(name) = names.into_iter().find(of_it) {
            return Ok(Toolchain::Rustup(name.to_owned()));
        }
        let folder = tools.join(format!("rust-{version}"));
        if !folder.join("usr/bin/cargo").exists() {
            unpack(version, &folder)?;
        }
        let toolchain = Toolchain::Unpacked(folder);
        let mut command = toolchain.command();
        process::capture_beside(command.arg("--version"), Stdio::null())
            .map_err(|error| format!("Debian's Rust {version} does not start: {error}"))?;
        Ok(toolchain)
    }

    /// Its cargo.
    pub fn command(&self) -> Command {
        match self {
            Toolchain::Rustup(name) => {
                let mut command = Command::new("rustup");
                command.args(["run", name, "cargo"]).env_remove("CARGO");
                command
            }
            Toolchain::Unpacked(folder) => {
                let bin = folder.join("usr/bin");
                let mut command = Command::new(bin.join("cargo"));
                let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
                let joined = std::env::join_paths(libraries.map(|path| folder.join(path)));
                command.env("LD_LIBRARY_PATH", joined.unwrap_or_default());
                let mut path = OsString::from(&bin);
                path.push(":");
                path.push(std::env::var_os("PATH").unwrap_or_default());
                command.env("PATH", path).env("RUSTC", bin.join("rustc"));
                for key in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTDOC"] {
                    command.env_remove(key);
                }
                command
            }
        }
    }
}

/// Downloads and unpacks Debian's packages.
fn unpack(version: &str, folder: &Path) -> Result {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err("neither rustup nor Debian (x86-64) has it here".into());
    }
    let mut madison = Command::new("apt-cache");
    let listed = process::capture_beside(madison.args(["madison", "rustc-web"]), Stdio::null())
        .map_err(|_| format!("rustup has no {version}, and there is no apt-cache"))?;
    let full = listed
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .find(|full| {
            full.strip_prefix(version)
                .is_some_and(|rest| rest.starts_with('.'))
        })
        .ok_or_else(|| format!("neither rustup nor Debian has Rust {version} here"))?;
    let debs = folder.with_extension("debs");
    fs::create_dir_all(&debs)
        .map_err(|error| format!("cannot make {}: {error}", debs.display()))?;
    let mut apt = Command::new("apt-get");
    apt.args(["download", "--quiet"]).current_dir(&debs);
    for (at, name) in PACKAGES.iter().enumerate() {
        let name = name.replace("VERSION", version);
        apt.arg(match at < VERSIONED {
            true => format!("{name}={full}"),
            false => name,
        });
    }
    process::capture_beside(&mut apt, Stdio::null())
        .map_err(|_| format!("`apt-get download` does not give Debian's Rust {version}"))?;
    let entries = fs::read_dir(&debs).map_err(|error| error.to_string())?;
    for entry in entries {
        let deb = entry.map_err(|error| error.to_string())?.path();
        let mut dpkg = Command::new("dpkg");
        process::run(dpkg.arg("-x").arg(&deb).arg(folder))?;
    }
    fs::remove_dir_all(&debs).map_err(|error| error.to_string())
}

/// Compiles a crate with `cargo`, with all of these features and with none.
///
/// # Errors
///
/// When it does not compile.
pub fn check(toolchain: &Toolchain, package: &str, features: &[String], target: &Path) -> Result {
    for features in [&[], features] {
        let mut command = toolchain.command();
        command.args([
            "check",
            "--quiet",
            "--lib",
            "--locked",
            "--package",
            package,
        ]);
        command.args(["--no-default-features", "--features", &features.join(",")]);
        process::run(command.arg("--target-dir").arg(target))?;
    }
    Ok(())
}
