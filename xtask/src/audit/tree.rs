//! What is compiled for a package, as `cargo tree` says.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::{Result, process};

/// A package in a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub licence: String,
    /// Whether it lies in a folder, and is not from a registry.
    pub ours: bool,
}

/// What is compiled for a package, without what only tests need.
#[derive(Debug, Default)]
pub struct Tree {
    /// What its manifest names, from outside.
    pub direct: BTreeSet<String>,
    /// All that is compiled, the package among it.
    pub all: BTreeSet<Node>,
}

/// How to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Without the default features.
    pub bare: bool,
    /// With these features.
    pub features: &'a [String],
    /// For every machine, and not for this one alone.
    pub anywhere: bool,
    /// Exactly as the lock says.
    pub locked: bool,
}

impl Tree {
    /// Asks cargo about a package of the workspace in `folder`.
    ///
    /// # Errors
    ///
    /// When cargo fails.
    pub fn of(folder: &Path, package: &str, asked: Asked) -> Result<Self> {
        let mut command = command(folder, package, asked);
        Ok(Tree::parse(&process::capture(&mut command)?))
    }

    /// What the dependencies of a project name themselves, but for each other.
    ///
    /// # Errors
    ///
    /// When cargo fails.
    pub fn below(folder: &Path, project: &str, asked: Asked) -> Result<BTreeSet<String>> {
        let mut command = command(folder, project, asked);
        command.args(["--depth", "2", "--no-dedupe"]);
        let text = process::capture(&mut command)?;
        let at = |depth: &'static str| {
            let lines = text
                .lines()
                .filter_map(move |line| line.strip_prefix(depth));
            let names = lines.filter_map(|rest| rest.strip_prefix('|')?.split(' ').next());
            names.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        Ok(&at("2") - &at("1"))
    }

    /// Reads lines of `DEPTH|NAME vVERSION (FOLDER)|LICENCE`.
    pub fn parse(text: &str) -> Self {
        let mut tree = Tree::default();
        for line in text.lines() {
            let mut parts = line.split('|');
            let depth = parts.next().unwrap_or_default();
            let package = parts.next().unwrap_or_default();
            let licence = parts.next().unwrap_or_default().trim_end_matches(" (*)");
            let mut words = package.split(' ');
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                continue;
            };
            let ours = words.any(|word| word.starts_with("(/"));
            if depth == "1" && !ours {
                tree.direct.insert(name.to_owned());
            }
            tree.all.insert(Node {
                name: name.to_owned(),
                version: version.trim_start_matches('v').to_owned(),
                // A slash is how it was written once.
                licence: licence.replace('/', " OR "),
                ours,
            });
        }
        tree
    }

    /// How many its manifest names, and how many are compiled.
    pub fn counts(&self) -> (usize, usize) {
        (self.direct.len(), self.all.len())
    }

    /// What is from outside.
    pub fn outside(&self) -> impl Iterator<Item = &Node> {
        self.all.iter().filter(|node| !node.ours)
    }
}

fn command(folder: &Path, package: &str, asked: Asked) -> Command {
    let mut command = process::cargo();
    command
        .current_dir(folder)
        .args(["tree", "--package", package]);
    command.args(["--edges", "normal,build", "--prefix", "depth"]);
    command.args(["--format", "|{p}|{l}"]);
    if asked.bare {
        command.arg("--no-default-features");
    }
    if !asked.features.is_empty() {
        command.arg("--features").arg(asked.features.join(","));
    }
    if asked.anywhere {
        command.args(["--target", "all"]);
    }
    if asked.locked {
        command.arg("--locked");
    }
    command
}
