//! Which crates break their users: cargo-semver-checks, against the tag before.
//!
//! What it found is kept in `target/semver-checked`, by the crate's sources then and now.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use xtask::{Result, process};

use crate::{
    history::Repository,
    manifests::without_versions,
    packages::{Package, Packages},
    registry::index::checksum,
};

/// The tool's version: it must know the documentation format of the compiler.
const VERSION: &str = "0.51.0";

/// Those of the changed crates that broke something since a tag.
///
/// # Errors
///
/// When the tool cannot be had, or cannot tell.
pub fn find(
    packages: &Packages,
    tag: &str,
    changed: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let repository = Repository::new(&packages.root);
    let known = packages.target.join("semver-checked");
    let mut broken = BTreeSet::new();
    for name in changed {
        let package = &packages.published[name];
        // A crate that is new has nothing to break, and of a proc macro there are no names.
        let (true, Ok(before)) = (package.library, state(&repository, package, tag)) else {
            continue;
        };
        let now = state(&repository, package, "HEAD")?;
        if before == now {
            continue;
        }
        let note = known.join(format!(
            "{name}-{}",
            checksum(format!("{before} {now}").as_bytes())
        ));
        let said = match fs::read_to_string(&note) {
            Ok(said) => said,
            Err(_) => {
                let said = compare(packages, name, tag)?;
                let kept = fs::create_dir_all(&known).and_then(|()| fs::write(&note, &said));
                kept.map_err(|error| format!("cannot write {}: {error}", note.display()))?;
                said
            }
        };
        if !said.is_empty() {
            println!("{said}");
            broken.insert(name.clone());
        }
    }
    Ok(broken)
}

/// What a crate's names can depend on, in a commit: its sources, and its manifest but for the
/// versions of ours in it.
fn state(repository: &Repository<'_>, package: &Package, commit: &str) -> Result<String> {
    let dir = package.dir.display();
    let sources = repository.quiet(&["rev-parse", &format!("{commit}:{dir}/src")])?;
    let manifest = repository.quiet(&["show", &format!("{commit}:{dir}/Cargo.toml")])?;
    Ok(format!("{sources} {}", without_versions(&manifest)?))
}

/// What the tool says of a crate that broke something; nothing if it did not.
fn compare(packages: &Packages, name: &str, tag: &str) -> Result<String> {
    println!("comparing {name} with {tag}");
    let mut command = Command::new(tool(&packages.target)?);
    command.args(["semver-checks", "check-release", "--color", "never"]);
    command.args(["--package", name, "--baseline-rev", tag]);
    // Whatever the manifests say: would this do without a version that may break?
    command.args(["--release-type", "minor"]);
    let output = command
        .current_dir(&packages.root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start cargo-semver-checks: {error}"))?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    match errors.contains("semver requires new major version") {
        true => Ok(said),
        false => Err(format!(
            "cargo-semver-checks failed on {name}:\n{said}{errors}"
        )),
    }
}

/// The tool: our own, in the version that is known to work, or else whichever is on the path. Where
/// neither is, ours is built.
///
/// # Errors
///
/// When it cannot be built.
pub fn tool(target: &Path) -> Result<PathBuf> {
    let name = format!("cargo-semver-checks{}", env::consts::EXE_SUFFIX);
    let root = target.join("tools");
    let own = root.join("bin").join(&name);
    if version_of(&own).is_some_and(|version| version.ends_with(VERSION)) {
        return Ok(own);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut all = env::split_paths(&path).map(|folder| folder.join(&name));
    if let Some(found) = all.find(|path| version_of(path).is_some()) {
        return Ok(found);
    }
    println!("building cargo-semver-checks {VERSION}, once: this takes some minutes");
    let mut install = process::cargo();
    install
        .args(["install", "cargo-semver-checks", "--locked", "--version"])
        .arg(VERSION)
        .arg("--root")
        .arg(&root)
        // Its own folder, wherever everything else is built.
        .env_remove("CARGO_TARGET_DIR")
        // It runs for seconds; better that it is built sooner.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
    process::run(&mut install)?;
    Ok(own)
}

fn version_of(tool: &Path) -> Option<String> {
    let mut version = Command::new(tool);
    let said = version.args(["semver-checks", "--version"]).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.trim()
        .contains("semver")
        .then(|| said.trim().to_owned())
}
