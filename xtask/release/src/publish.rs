//! `cargo xtask release publish`: what the registry has not got yet, in order, and then waits for it.
//!
//! The registry's index says what is there. So a run that was cut off is gone on with by running it
//! again. The index may be some seconds behind: after a failure it is asked once more, and if it has
//! got more meanwhile, the rest is tried again.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use xtask::{Result, process};

use crate::{
    gate,
    history::Repository,
    packages::{CORE, Packages},
    target::{Home, Target},
};

/// How long the index may take to show what was published.
const PATIENCE: Duration = Duration::from_secs(600);
/// After a failure, how far the index may be behind.
const BEHIND: Duration = Duration::from_secs(5);

/// How it is done.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where to.
    pub target: Target,
    /// Everything but the upload.
    pub dry_run: bool,
    /// Does not build what was packaged.
    pub no_verify: bool,
}

/// The command.
///
/// # Errors
///
/// When something must not be published, or could not be.
pub fn publish(root: &Path, options: &Options) -> Result {
    let packages = Packages::load(root)?;
    gate::check(root, &packages, options.dry_run)?;
    let home = Home::empty(packages.target.join("release-asked"), &options.target)?;
    let mut there = those_there(root, &packages, &home)?;
    for name in &there {
        println!(
            "{name} {} is there already",
            packages.published[name].version
        );
    }
    let missing = packages.published.keys();
    let missing: Vec<&String> = missing.filter(|name| !there.contains(*name)).collect();
    if missing.is_empty() {
        println!("nothing is left to publish");
        return Ok(());
    }
    while let Err(error) = upload(root, options, &there) {
        if options.dry_run {
            return Err(error);
        }
        // Of what was uploaded last, by this or an earlier run, the index may not have known.
        thread::sleep(BEHIND);
        let seen = those_there(root, &packages, &home)?;
        if seen.len() == there.len() {
            return Err(format!("{error}; run this again to go on where it stopped"));
        }
        println!("{} of them are there: on with the rest", seen.len());
        there = seen;
        if there.len() == packages.published.len() {
            break;
        }
    }
    if options.dry_run {
        return Ok(());
    }
    let started = Instant::now();
    for name in missing {
        let version = packages.published[name].version.to_string();
        while !home.has(name, &version)? {
            if started.elapsed() > PATIENCE {
                return Err(format!(
                    "{name} {version} was published, and the index does not show it yet"
                ));
            }
            thread::sleep(Duration::from_secs(1));
        }
        println!("{name} {version} is there");
    }
    Ok(())
}

/// Publishes what is not there.
fn upload(root: &Path, options: &Options, there: &BTreeSet<String>) -> Result {
    let mut cargo = process::cargo();
    cargo.args(["publish", "--workspace"]).current_dir(root);
    for name in there {
        cargo.args(["--exclude", name]);
    }
    if options.dry_run {
        cargo.arg("--dry-run");
    }
    if options.no_verify {
        cargo.arg("--no-verify");
    }
    options.target.choose(&mut cargo);
    process::run(&mut cargo)
}

/// What the index has in these versions; it must have come from here.
fn those_there(root: &Path, packages: &Packages, home: &Home) -> Result<BTreeSet<String>> {
    let repository = Repository::new(root);
    let head = repository.head()?;
    let mut there = BTreeSet::new();
    for (name, package) in &packages.published {
        let version = package.version.to_string();
        if !home.has(name, &version)? {
            continue;
        }
        let unpacked = home.unpacked(name, &version).unwrap_or_default();
        let from = commit_of(&unpacked);
        // pirn-core may not have moved since an earlier release.
        let same = from.as_ref().is_some_and(|from| {
            *from == head || (name == CORE && repository.same_as_here(from, &package.dir))
        });
        if !same {
            let from = from.unwrap_or("an unknown commit".into());
            return Err(format!(
                "the registry has another {name} {version}, made from {from}: it cannot be replaced"
            ));
        }
        there.insert(name.clone());
    }
    Ok(there)
}

/// The commit that a crate was packaged from, which cargo notes in it.
fn commit_of(unpacked: &Path) -> Option<String> {
    let note = fs::read_to_string(unpacked.join(".cargo_vcs_info.json")).ok()?;
    let note: Value = serde_json::from_str(&note).ok()?;
    Some(note["git"]["sha1"].as_str()?.to_owned())
}
