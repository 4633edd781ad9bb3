//! What the versions become, and why.
//!
//! | pirn-core | the train |
//! |---|---|
//! | nothing that its users get has changed: stays | nothing has changed: there is nothing to release |
//! | a break is told, or was found: the next that may break | a break of any crate: the next that may break |
//! | otherwise the next patch, or from 1.0 on the next minor if something was added | the same |
//!
//! Below 1.0 the next that may break is the next minor, above it the next major. Since the train
//! requires pirn-core, it moves with it.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use crate::{
    changelog::{Entry, Kind},
    manifests::Versions,
    packages::CORE,
};

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The versions in the manifests.
    pub now: Versions,
    /// The version of the last tag.
    pub last: Option<Version>,
    /// The crates that changed since.
    pub changed: BTreeSet<String>,
    /// What the changelog tells.
    pub entries: Vec<Entry>,
    /// The crates of which the semver check found a break.
    pub broken: BTreeSet<String>,
}

/// What is to become.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The versions.
    pub next: Versions,
    /// Why, for the train and for pirn-core.
    pub why: BTreeMap<&'static str, String>,
    /// Why it must not be done yet; empty if it may.
    pub objections: Vec<String>,
}

/// What the train is called among the reasons.
pub const TRAIN: &str = "all others";

/// The version after this one.
pub fn bump(version: &Version, kind: Kind) -> Version {
    let Version {
        major,
        minor,
        patch,
        ..
    } = *version;
    match (major, kind) {
        (0, Kind::Breaking) => Version::new(0, minor + 1, 0),
        (0, Kind::Added | Kind::Fixed) => Version::new(0, minor, patch + 1),
        (_, Kind::Breaking) => Version::new(major + 1, 0, 0),
        (_, Kind::Added) => Version::new(major, minor + 1, 0),
        (_, Kind::Fixed) => Version::new(major, minor, patch + 1),
    }
}

/// Whether a version may break what worked with the one before it.
pub fn admits_breaks(before: &Version, after: &Version) -> bool {
    match before.major {
        0 => (after.major, after.minor) > (0, before.minor),
        major => after.major > major,
    }
}

/// Makes the plan.
pub fn decide(facts: &Facts) -> Plan {
    let mut plan = Plan {
        next: facts.now.clone(),
        why: BTreeMap::new(),
        objections: objections(facts),
    };
    let Some(last) = &facts.last else {
        let first = "the first release, as the manifests stand";
        plan.why = [CORE, TRAIN].map(|name| (name, first.to_owned())).into();
        return plan;
    };
    if facts.now.train != *last {
        let what = format!(
            "the manifests say {} and the last tag {last}: they are moved by `release apply` alone",
            facts.now.train
        );
        plan.objections.push(what);
    }
    if facts.changed.is_empty() {
        plan.why = [CORE, TRAIN]
            .map(|name| (name, "nothing has changed".to_owned()))
            .into();
        return plan;
    }
    let core = facts.changed.contains(CORE).then(|| {
        let (kind, why) = level(facts, |name| name == CORE);
        plan.next.core = bump(&facts.now.core, kind);
        plan.why.insert(CORE, format!("it has changed; {why}"));
        kind
    });
    if core.is_none() {
        plan.why.insert(CORE, "nothing in it has changed".into());
    }
    let (kind, why) = level(facts, |_| true);
    plan.next.train = bump(&facts.now.train, kind);
    let names: Vec<&str> = facts.changed.iter().map(String::as_str).collect();
    plan.why
        .insert(TRAIN, format!("{} changed; {why}", names.join(", ")));
    plan
}

/// How much has changed in those that are asked for, and what says so.
fn level(facts: &Facts, asked: impl Fn(&str) -> bool) -> (Kind, String) {
    let broken: Vec<&str> = facts
        .broken
        .iter()
        .map(String::as_str)
        .filter(|name| asked(name))
        .collect();
    let told = facts.entries.iter().filter(|entry| {
        // What names no crate is about the train.
        let names = &entry.crates;
        names.iter().any(|name| asked(name)) || (names.is_empty() && asked(""))
    });
    let told = told.filter_map(|entry| entry.kind).max();
    match told {
        _ if !broken.is_empty() => {
            let found = format!("the semver check found a break in {}", broken.join(", "));
            (Kind::Breaking, found)
        }
        Some(Kind::Breaking) => (Kind::Breaking, "the changelog tells a break".into()),
        Some(Kind::Added) => (Kind::Added, "the changelog tells of something new".into()),
        Some(Kind::Fixed) | None => (Kind::Fixed, "nothing breaks".into()),
    }
}

fn objections(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    if facts.entries.is_empty() {
        found.push("CHANGELOG.md tells nothing under Unreleased".into());
    }
    if facts.last.is_none() {
        return found;
    }
    if facts.changed.is_empty() {
        found.push("nothing has changed that users would get".into());
    }
    if facts.entries.iter().any(|entry| entry.kind.is_none()) {
        let all =
            "each point of CHANGELOG.md stands under `### Breaking`, `### Added` or `### Fixed`";
        found.push(all.into());
    }
    for name in &facts.broken {
        let breaking = facts.entries.iter();
        let mut breaking = breaking.filter(|entry| entry.kind == Some(Kind::Breaking));
        if !breaking.any(|entry| entry.crates.contains(name)) {
            found.push(format!(
                "{name} breaks its users, and CHANGELOG.md does not tell it of **{name}** under `### Breaking`"
            ));
        }
    }
    found
}
