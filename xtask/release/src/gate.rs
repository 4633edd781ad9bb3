//! What must hold before anything is published. Each refusal says what to do.

use std::{fs, path::Path, process::Command};

use semver::Version;
use xtask::{Result, ci, process};

use crate::{
    breaks,
    changelog::{Kind, entries, notes},
    facts::changelog,
    history::{Repository, tag_of},
    manifests::Versions,
    packages::{CORE, Packages},
    plan::admits_breaks,
};

/// Looks at everything, the cheap things first.
///
/// # Errors
///
/// At the first thing that does not hold.
pub fn check(root: &Path, packages: &Packages, dry_run: bool) -> Result {
    let repository = Repository::new(root);
    let dirt = repository.dirt()?;
    if !dirt.is_empty() {
        return Err(format!("the tree is dirty:\n{dirt}"));
    }
    let now = packages.versions();
    let tag = tag_of(&now.train);
    if !repository.tags_here()?.contains(&now.train) {
        return Err(format!(
            "the commit that is checked out is not tagged {tag}: check the tag out, or run \
             `cargo xtask release apply`"
        ));
    }
    let log = changelog(root)?;
    let told = notes(&log, &now.train).unwrap_or_default();
    if told.is_empty() {
        return Err(format!("CHANGELOG.md tells nothing of {}", now.train));
    }
    if let Some(last) = repository.last_tag(Some(&now.train))? {
        steps(&repository, packages, &last, told)?;
    }
    green(root, packages, &repository, dry_run)
}

/// Whether the versions admit what was done since the last release.
fn steps(repository: &Repository<'_>, packages: &Packages, last: &Version, told: &str) -> Result {
    let (now, tag) = (packages.versions(), tag_of(last));
    let before = Versions {
        train: last.clone(),
        core: core_at(repository, packages, &tag)?,
        names: now.names.clone(),
    };
    let changed = repository.changed_since(last, packages)?;
    if changed.contains(CORE) && before.core == now.core {
        return Err(format!(
            "{CORE} has changed since {tag} and is still {}",
            now.core
        ));
    }
    let admits = |name: &str| admits_breaks(before.of(name), now.of(name));
    let core_breaks = before.core != now.core && admits(CORE);
    let train_admits = admits_breaks(&before.train, &now.train);
    if core_breaks && !train_admits {
        return Err(format!(
            "{CORE} {} may break what worked with {}, so all that show its types may, and {} does \
             not admit that",
            now.core, before.core, now.train
        ));
    }
    for entry in entries(told)? {
        let broken = entry.kind == Some(Kind::Breaking);
        if broken && !(train_admits && entry.crates.iter().all(|name| admits(name))) {
            return Err(format!(
                "CHANGELOG.md tells a break in {}, which {} does not admit after {last}",
                entry.crates.join(", "),
                now.train
            ));
        }
    }
    let broken = breaks::find(packages, &tag, &changed)?;
    match broken.iter().find(|name| !admits(name)) {
        Some(name) => Err(format!(
            "{name} breaks its users, which {} does not admit after {}",
            now.of(name),
            before.of(name)
        )),
        None => Ok(()),
    }
}

/// pirn-core's version in a commit.
fn core_at(repository: &Repository<'_>, packages: &Packages, commit: &str) -> Result<Version> {
    let dir = packages
        .published
        .get(CORE)
        .map(|core| core.dir.join("Cargo.toml"));
    let path = dir.unwrap_or_default();
    let manifest = repository.ask(&["show", &format!("{commit}:{}", path.display())])?;
    let manifest: toml_edit::DocumentMut = manifest
        .parse()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let version = manifest["package"]["version"].as_str().unwrap_or_default();
    version
        .parse()
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// CI is green for this commit: it has said so here, or is asked now.
fn green(root: &Path, packages: &Packages, repository: &Repository<'_>, dry_run: bool) -> Result {
    let said = fs::read_to_string(packages.target.join(ci::GREEN)).unwrap_or_default();
    if said.trim() == repository.head()? {
        println!("CI is green for this commit");
        return Ok(());
    }
    if dry_run {
        println!("CI has not been seen green for this commit; it would run now");
        return Ok(());
    }
    let mut run = Command::new("bash");
    process::run(run.arg(".ci/run").current_dir(root))
        .map_err(|error| format!("CI is red: {error}"))
}
