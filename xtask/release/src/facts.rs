//! Gathers what a plan is made from.

use std::{fs, path::Path};

use xtask::Result;

use crate::{
    breaks,
    changelog::{entries, unreleased},
    history::{Commit, Repository, tag_of},
    packages::Packages,
    plan::Facts,
};

/// The facts, and the commits that they come from.
///
/// # Errors
///
/// When git, cargo or the semver check cannot say.
pub fn gather(root: &Path, packages: &Packages) -> Result<(Facts, Vec<Commit>)> {
    let repository = Repository::new(root);
    let last = repository.last_tag(None)?;
    let commits = repository.commits_since(last.as_ref())?;
    let mut facts = Facts {
        now: packages.versions(),
        entries: entries(unreleased(&changelog(root)?)?)?,
        last,
        changed: packages.published.keys().cloned().collect(),
        broken: Default::default(),
    };
    if let Some(last) = &facts.last {
        facts.changed = repository.changed_since(last, packages)?;
        facts.broken = breaks::find(packages, &tag_of(last), &facts.changed)?;
    }
    Ok((facts, commits))
}

/// The changelog.
///
/// # Errors
///
/// When it cannot be read.
pub fn changelog(root: &Path) -> Result<String> {
    fs::read_to_string(root.join("CHANGELOG.md"))
        .map_err(|error| format!("cannot read CHANGELOG.md: {error}"))
}
