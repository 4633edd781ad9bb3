//! Versions in manifests and pages: read as text, changed in place.

use std::collections::BTreeSet;

use semver::Version;
use toml_edit::{DocumentMut, Item, TableLike, value};
use xtask::Result;

use crate::packages::CORE;

/// What the crates' versions are, or are to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Versions {
    /// The version that all share but one.
    pub train: Version,
    /// pirn-core's.
    pub core: Version,
    /// The crates that are published.
    pub names: BTreeSet<String>,
}

impl Versions {
    /// The version of one of ours.
    pub fn of(&self, name: &str) -> &Version {
        if name == CORE {
            &self.core
        } else {
            &self.train
        }
    }

    /// The same, if it is one of ours.
    pub fn get(&self, name: &str) -> Option<&Version> {
        self.names.contains(name).then(|| self.of(name))
    }
}

/// The kinds of dependencies in a manifest, and below `target.*`.
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Sets the versions in a manifest: those of the workspace, the package's own if it is stated, and
/// what is required of our crates by path.
///
/// # Errors
///
/// When it is not a manifest.
pub fn set_versions(manifest: &str, versions: &Versions) -> Result<String> {
    let mut document: DocumentMut = manifest
        .parse()
        .map_err(|error| format!("not a manifest: {error}"))?;
    let name = document
        .get("package")
        .and_then(|package| package.get("name")?.as_str())
        .map(str::to_owned);
    if let Some(version) = name.and_then(|name| versions.get(&name)) {
        if let Some(own) = document["package"].get_mut("version") {
            // Not `version.workspace = true`.
            if own.is_str() {
                replace(own, version.to_string());
            }
        }
    }
    if let Some(workspace) = table(document.get_mut("workspace")) {
        if let Some(shared) = table(workspace.get_mut("package")) {
            if let Some(version) = shared.get_mut("version") {
                replace(version, versions.train.to_string());
            }
        }
        require(workspace, versions);
    }
    require(document.as_table_mut(), versions);
    if let Some(targets) = table(document.get_mut("target")) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = table(Some(target)) {
                require(target, versions);
            }
        }
    }
    Ok(document.to_string())
}

fn table(item: Option<&mut Item>) -> Option<&mut dyn TableLike> {
    item.and_then(Item::as_table_like_mut)
}

/// A manifest with every version of ours left out, own and required.
///
/// # Errors
///
/// When it is not a manifest.
pub fn without_versions(manifest: &str) -> Result<String> {
    let zero = Version::new(0, 0, 0);
    let document: DocumentMut = manifest
        .parse()
        .map_err(|error| format!("not a manifest: {error}"))?;
    let mut names = BTreeSet::new();
    let own = document
        .get("package")
        .and_then(|p| p.get("name")?.as_str());
    names.extend(own.map(str::to_owned));
    // Ours are those with a path.
    visit(document.as_table(), &mut |name, dependency| {
        if dependency.get("path").is_some() {
            names.insert(name.to_owned());
        }
    });
    set_versions(
        manifest,
        &Versions {
            train: zero.clone(),
            core: zero,
            names,
        },
    )
}

/// Shows each dependency that a manifest has, at any depth, as a table.
fn visit(outer: &dyn TableLike, see: &mut dyn FnMut(&str, &dyn TableLike)) {
    for (key, item) in outer.iter() {
        let Some(inner) = item.as_table_like() else {
            continue;
        };
        if KINDS.contains(&key) {
            for (name, dependency) in inner.iter() {
                if let Some(dependency) = dependency.as_table_like() {
                    see(name, dependency);
                }
            }
        } else {
            visit(inner, see);
        }
    }
}

/// Sets what the dependencies of a table require of our crates, where they state it.
fn require(outer: &mut dyn TableLike, versions: &Versions) {
    for kind in KINDS {
        let Some(dependencies) = table(outer.get_mut(kind)) else {
            continue;
        };
        for (name, dependency) in dependencies.iter_mut() {
            let (Some(version), Some(dependency)) =
                (versions.get(&name), dependency.as_table_like_mut())
            else {
                continue;
            };
            if let Some(stated) = dependency.get_mut("version") {
                replace(stated, version.to_string());
            }
        }
    }
}

/// Another value, with the white space and comments of the one before.
fn replace(item: &mut Item, new: String) {
    let decor = item.as_value().map(|old| old.decor().clone());
    *item = value(new);
    if let (Some(decor), Some(new)) = (decor, item.as_value_mut()) {
        *new.decor_mut() = decor;
    }
}

/// A page or manifest in which crates are required by version, as `NAME = "0.1"` or
/// `NAME = { version = "0.1"`, with what `choose` makes of each name and requirement, if anything.
pub fn requirements(text: &str, choose: impl Fn(&str, &str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let changed = required(line).and_then(|(name, from, to)| {
            let new = choose(name, &line[from..to])?;
            Some(format!("{}{new}{}", &line[..from], &line[to..]))
        });
        out.push_str(&changed.unwrap_or_else(|| line.into()));
    }
    out
}

/// The name in a line that requires a crate, and where its requirement begins and ends.
fn required(line: &str) -> Option<(&str, usize, usize)> {
    // Also in the comments of a Rust file.
    let entry = line.trim_start_matches(|c: char| c.is_whitespace() || c == '/' || c == '!');
    let (name, rest) = entry.split_once(" = ")?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(word) {
        return None;
    }
    let quoted = match rest.strip_prefix("{ version = ") {
        Some(quoted) => quoted,
        None => rest,
    };
    let from = line.len() - quoted.strip_prefix('"')?.len();
    let to = from + line[from..].find('"')?;
    Some((name, from, to))
}

/// A requirement on a page, moved along: as many numbers as it had, if it was true before.
pub fn moved(requirement: &str, before: &Version, after: &Version) -> Option<String> {
    let numbers = requirement.split('.').count();
    let cut = |version: &Version| {
        let text = version.to_string();
        let parts: Vec<&str> = text.split('.').take(numbers).collect();
        parts.join(".")
    };
    (numbers <= 3 && cut(before) == requirement).then(|| cut(after))
}

/// What a crate takes over from the workspace, apart from what only its tests use.
///
/// # Errors
///
/// When one of the two is not a manifest.
pub fn inherited(root: &str, own: &str) -> Result<Vec<String>> {
    let parse = |text: &str| {
        text.parse::<DocumentMut>()
            .map_err(|error| format!("not a manifest: {error}"))
    };
    let (root, own) = (parse(root)?, parse(own)?);
    let mut found = Vec::new();
    let mut take = |from: &str, inherits: Option<&Item>| {
        let inherits = inherits.and_then(Item::as_table_like).into_iter();
        for (key, item) in inherits.flat_map(|table| table.iter()) {
            let shared = item.get("workspace").and_then(Item::as_bool);
            if shared == Some(true) {
                let source = root.get("workspace").and_then(|w| w.get(from)?.get(key));
                let source = source.map_or(String::new(), |item| item.to_string());
                found.push(format!("{key} = {}", source.trim()));
            }
        }
    };
    take("package", own.get("package"));
    let targets = own.get("target").and_then(Item::as_table_like);
    let targets = targets.into_iter().flat_map(|targets| targets.iter());
    let targets: Vec<&Item> = targets.map(|(_, target)| target).collect();
    for outer in std::iter::once(own.as_item()).chain(targets) {
        for kind in ["dependencies", "build-dependencies"] {
            take("dependencies", outer.get(kind));
        }
    }
    Ok(found)
}
