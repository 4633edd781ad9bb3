//! The list of dependencies that were looked at, `xtask/audit.txt`.
//!
//! A line is `NAME | LICENCE | CRATES`: which of our crates have it in their trees, on any machine and
//! with any feature; a star after those whose own manifests name it.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Tree;

/// Where the list is.
pub const FILE: &str = "xtask/audit.txt";

/// What to look at before a line is added.
const LOOK: &str =
    "look at its last release, who maintains it, what it needs itself, and its licence";

/// A dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its licence; of two versions both, if they differ.
    pub licence: String,
    /// Which crates have it in their trees.
    pub crates: BTreeSet<String>,
    /// Which crates' manifests name it.
    pub direct: BTreeSet<String>,
}

/// Dependencies, by name.
pub type Entries = BTreeMap<String, Entry>;

/// What the trees of our crates have.
pub fn of<'a>(trees: impl IntoIterator<Item = (&'a str, &'a Tree)>) -> Entries {
    let mut entries = Entries::new();
    for (krate, tree) in trees {
        for node in tree.outside() {
            let entry = entries.entry(node.name.clone()).or_default();
            if entry.licence.is_empty() {
                entry.licence.clone_from(&node.licence);
            } else if !entry.licence.split(", ").any(|one| one == node.licence) {
                entry.licence = format!("{}, {}", entry.licence, node.licence);
            }
            entry.crates.insert(krate.to_owned());
            if tree.direct.contains(&node.name) {
                entry.direct.insert(krate.to_owned());
            }
        }
    }
    entries
}

/// Reads the list.
///
/// # Errors
///
/// When a line has not three parts.
pub fn parse(text: &str) -> crate::Result<Entries> {
    let mut entries = Entries::new();
    let lines = text.lines().enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, licence, crates] = parts[..] else {
            return Err(format!(
                "{FILE}:{}: a line is NAME | LICENCE | CRATES",
                at + 1
            ));
        };
        let mut entry = Entry {
            licence: licence.to_owned(),
            ..Entry::default()
        };
        for krate in crates.split_whitespace() {
            let bare = krate.trim_end_matches('*');
            if bare != krate {
                entry.direct.insert(bare.to_owned());
            }
            entry.crates.insert(bare.to_owned());
        }
        entries.insert(name.to_owned(), entry);
    }
    Ok(entries)
}

/// A line of the list.
pub fn line(name: &str, entry: &Entry) -> String {
    let crates: Vec<String> = entry
        .crates
        .iter()
        .map(|krate| match entry.direct.contains(krate) {
            true => format!("{krate}*"),
            false => krate.clone(),
        })
        .collect();
    format!("{name} | {} | {}", entry.licence, crates.join(" "))
}

/// Compares what there is with the list.
pub fn check(there: &Entries, listed: &Entries) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, entry) in there {
        let known = listed.get(name);
        if known == Some(entry) {
            continue;
        }
        let what = match known {
            None => format!("a new dependency, `{name}`: {LOOK}; then add"),
            Some(known) if known.licence != entry.licence => {
                format!(
                    "`{name}` has another licence than {}: if that will do, write",
                    known.licence
                )
            }
            Some(known) => {
                let new: Vec<&str> = entry
                    .crates
                    .iter()
                    .filter(|krate| {
                        !known.crates.contains(*krate)
                            || (entry.direct.contains(*krate) && !known.direct.contains(*krate))
                    })
                    .map(String::as_str)
                    .collect();
                match new.as_slice() {
                    [] => format!("`{name}` is needed by fewer crates: write"),
                    new => format!("`{name}` is new to {}: {LOOK}; then write", new.join(", ")),
                }
            }
        };
        breaches.push(format!("{FILE}: {what}\n    {}", line(name, entry)));
    }
    for name in listed.keys().filter(|name| !there.contains_key(*name)) {
        breaches.push(format!(
            "{FILE}: nothing needs `{name}` any more: take it out"
        ));
    }
    breaches
}
