//! `cargo xtask audit`: what each published crate costs, and whether it is fit to be picked alone.
//!
//! Each rule is a file of `audit/`, and pure where it can be: what it is given is read here.

pub mod cost;
pub mod docs;
pub mod features;
pub mod items;
pub mod list;
pub mod manifest;
pub mod msrv;
pub mod peers;
pub mod readme;
mod report;
pub mod size;
pub mod table;
pub mod tree;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use lexopt::prelude::*;
use serde_json::Value;

use self::{
    cost::Cost,
    items::Items,
    msrv::Toolchain,
    size::Size,
    tree::{Asked, Tree},
};
use crate::{
    Result,
    metadata::{Package, Workspace},
    process, tidy, usage,
};

/// What to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Neither each combination of features nor the oldest Rust.
    pub quick: bool,
    /// Measure builds from nothing.
    pub time: bool,
    /// Write the READMEs, the tables and the peers' lock.
    pub record: bool,
    /// Report in JSON on standard output.
    pub json: bool,
}

/// What was found out about a crate.
#[derive(Debug, Default)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// What its manifest names from outside, and all that is compiled.
    pub counts: (usize, usize),
    /// The same without default features, if it has some.
    pub bare: Option<(usize, usize)>,
    /// Its lines, unsafe blocks and models.
    pub size: Size,
    /// How many combinations of features it has.
    pub combinations: usize,
    /// The oldest Rust.
    pub rust: String,
    /// A build from nothing.
    pub cost: Option<Cost>,
    /// What others ask for the same.
    pub peers: Vec<PeerRow>,
}

/// What was found out about a peer.
#[derive(Debug)]
pub struct PeerRow {
    /// As a reader knows it.
    pub shown: &'static str,
    /// What its manifests name, and all that is compiled.
    pub counts: (usize, usize),
    /// The versions of its crates.
    pub versions: String,
    /// A build from nothing.
    pub cost: Option<Cost>,
}

/// The command.
///
/// # Errors
///
/// When a rule is broken; each breach is printed.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    let mut options = Options::default();
    while let Some(argument) = arguments.next().map_err(usage)? {
        match argument {
            Long("quick") => options.quick = true,
            Long("time") => options.time = true,
            Long("record") => options.record = true,
            Long("json") => options.json = true,
            other => return Err(usage(other.unexpected())),
        }
    }
    audit(options)
}

/// The command, its arguments read.
///
/// # Errors
///
/// As [`run`].
pub fn audit(options: Options) -> Result {
    let workspace = Workspace::load()?;
    let mut audit = Audit {
        described: described()?,
        files: tidy::rust_files(&workspace)?
            .into_iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        workspace: &workspace,
        options,
        breaches: Vec::new(),
    };
    let published: Vec<&Package> = workspace
        .packages
        .iter()
        .filter(|package| package.published)
        .collect();
    let mut rows = Vec::new();
    let mut everything = Vec::new();
    for package in &published {
        rows.push(audit.krate(package)?);
        everything.push((package.name.as_str(), audit.everything(package)?));
    }
    audit.dependencies(&everything)?;
    let skipped = audit.peers(&mut rows);
    if !options.quick {
        audit.features(&published);
        audit.oldest_rust(&published);
    }
    if options.time {
        audit.time(&mut rows)?;
    }
    audit.pages(&rows, skipped)?;
    let breaches = audit.breaches;
    report::print(&rows, options.json, &breaches);
    match breaches.as_slice() {
        [] => Ok(()),
        [one] => Err(format!("audit: {one}")),
        many => Err(format!("audit: {} breaches, listed above", many.len())),
    }
}

struct Audit<'a> {
    workspace: &'a Workspace,
    /// What cargo says of each package, by name.
    described: BTreeMap<String, Value>,
    /// Every Rust file, relative to the root.
    files: Vec<String>,
    options: Options,
    breaches: Vec<String>,
}

impl Audit<'_> {
    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.workspace.root.join(path)).ok()
    }

    fn write(&self, path: impl AsRef<Path>, text: &str) -> Result {
        let path = path.as_ref();
        fs::write(self.workspace.root.join(path), text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// What can be said of a crate by reading it.
    fn krate(&mut self, package: &Package) -> Result<Row> {
        let folder = self.workspace.relative(&package.dir).to_owned();
        let root = folder.join("src/lib.rs");
        let root_text = self.read(&root).unwrap_or_default();
        let manifest_text = self.read(folder.join("Cargo.toml")).unwrap_or_default();
        let described = self
            .described
            .get(&package.name)
            .cloned()
            .unwrap_or_default();
        let found = manifest::check(&described, &manifest_text, &root_text);
        self.breaches.extend(found);

        let items = Items::of(&root, &|path| self.read(path))?;
        self.breaches.extend(docs::check(&items));

        let rust = manifest::text(&described, "rust_version").to_owned();
        let licence = manifest::text(&described, "license").replace(" OR ", " or ");
        let docs = readme::documentation(&root_text);
        let page = readme::render(&package.name, &docs, &rust, &licence);
        self.page(&folder.join("README.md"), page)?;

        let mut size = Size::default();
        for path in &self.files {
            let within = Path::new(path).strip_prefix(&folder);
            if let (Ok(within), Some(text)) = (within, self.read(path)) {
                size.add(&within.to_string_lossy(), &text);
            }
        }
        let root = &self.workspace.root;
        let tree = Tree::of(root, &package.name, Asked::default())?;
        let bare = match package.features.get("default") {
            Some(list) if !list.is_empty() => {
                let bare = Asked {
                    bare: true,
                    ..Asked::default()
                };
                Some(Tree::of(root, &package.name, bare)?.counts())
            }
            _ => None,
        };
        Ok(Row {
            name: package.name.clone(),
            description: manifest::text(&described, "description").to_owned(),
            counts: tree.counts(),
            bare,
            size,
            combinations: features::combinations(&package.features).len(),
            rust,
            cost: None,
            peers: Vec::new(),
        })
    }

    /// A page that is made of something else: writes it, or finds it other than it should be.
    fn page(&mut self, path: &Path, page: String) -> Result {
        if self.read(path).as_deref() == Some(page.as_str()) {
            return Ok(());
        }
        if self.options.record {
            return self.write(path, &page);
        }
        self.breaches.push(format!(
            "{}: is not what its source makes of it: `cargo xtask audit --record`",
            path.display()
        ));
        Ok(())
    }

    /// A crate's tree with every feature, on every machine.
    fn everything(&self, package: &Package) -> Result<Tree> {
        let features = features::of(&package.features);
        let asked = Asked {
            features: &features,
            anywhere: true,
            ..Asked::default()
        };
        Tree::of(&self.workspace.root, &package.name, asked)
    }

    fn dependencies(&mut self, everything: &[(&str, Tree)]) -> Result {
        let listed = list::parse(&self.read(list::FILE).unwrap_or_default())?;
        let there = list::of(everything.iter().map(|(name, tree)| (*name, tree)));
        self.breaches.extend(list::check(&there, &listed));
        Ok(())
    }

    /// What the peers ask for; says why not, if that cannot be had.
    fn peers(&self, rows: &mut [Row]) -> Option<String> {
        let folder = self.workspace.target.join("audit/peers");
        let lock = self.read(peers::LOCK);
        let free = self.options.record || lock.is_none();
        // At first the versions of the benchmarks.
        let lock = lock.or_else(|| self.read("Cargo.lock"));
        let mut all = || -> Result {
            peers::make(&folder, lock.as_deref())?;
            for row in rows.iter_mut() {
                for peer in peers::PEERS.iter().filter(|peer| peer.of == row.name) {
                    let tree = peer.tree(&folder, !free)?;
                    row.peers.push(PeerRow {
                        shown: peer.shown,
                        counts: tree.counts(),
                        versions: peer.versions(&tree),
                        cost: None,
                    });
                }
            }
            if self.options.record {
                let lock = fs::read_to_string(folder.join("Cargo.lock"));
                self.write(peers::LOCK, &lock.unwrap_or_default())?;
            }
            Ok(())
        };
        all().err()
    }

    fn features(&mut self, packages: &[&Package]) {
        let target = self.workspace.target.join("audit/features");
        for package in packages {
            let sets = features::combinations(&package.features);
            eprintln!("{}: {} combinations of features", package.name, sets.len());
            let found = sets
                .iter()
                .map(|set| features::check(&package.name, set, &target));
            self.breaches.extend(found.filter_map(Result::err));
        }
    }

    fn oldest_rust(&mut self, packages: &[&Package]) {
        let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
        for package in packages {
            if let Some(described) = self.described.get(&package.name) {
                let version = manifest::text(described, "rust_version");
                versions.entry(version).or_default().push(package);
            }
        }
        let tools = self.workspace.target.join("tools");
        let target = self.workspace.target.join("audit/oldest");
        for (version, packages) in versions {
            let toolchain = match Toolchain::find(version, &tools) {
                Ok(toolchain) => toolchain,
                Err(why) => {
                    eprintln!("Rust {version}: skipped: {why}");
                    continue;
                }
            };
            for package in packages {
                eprintln!("{}: with Rust {version}", package.name);
                let features = features::of(&package.features);
                if let Err(error) = msrv::check(&toolchain, &package.name, &features, &target) {
                    self.breaches.push(format!(
                        "{}: not with Rust {version}: {error}",
                        package.name
                    ));
                }
            }
        }
    }

    fn time(&self, rows: &mut [Row]) -> Result {
        let target = |name: &str| self.workspace.target.join("audit/time").join(name);
        let peers = self.workspace.target.join("audit/peers");
        for row in rows {
            eprintln!("{}: from nothing", row.name);
            row.cost = Some(cost::build(
                &self.workspace.root,
                &row.name,
                &target(&row.name),
            )?);
            for peer in &mut row.peers {
                let of = peers::PEERS
                    .iter()
                    .find(|other| other.of == row.name && other.shown == peer.shown);
                let project = of.map(peers::Peer::project).unwrap_or_default();
                eprintln!("{project}: from nothing");
                peer.cost = Some(cost::build(&peers, &project, &target(&project))?);
            }
        }
        Ok(())
    }

    /// The tables in the README and among the results.
    fn pages(&mut self, rows: &[Row], skipped: Option<String>) -> Result {
        if let Some(why) = skipped {
            eprintln!("the peers, and the table in README.md: skipped: {why}");
            return Ok(());
        }
        let path = "README.md";
        let page = self.read(path).unwrap_or_default();
        let before =
            table::between(&page, table::README).map_err(|error| format!("{path}: {error}"))?;
        let now = table::readme(rows, before);
        if self.options.record {
            self.write(path, &table::replace(&page, table::README, &now)?)?;
        } else {
            let there = table::without_times(before);
            let should = table::without_times(&now);
            let other = should
                .lines()
                .filter(|line| !there.lines().any(|old| old == *line));
            self.breaches.extend(other.map(|line| {
                format!("{path}: the table of crates should say, by `cargo xtask audit --record`:\n    {line}")
            }));
        }
        if self.options.record && self.options.time {
            let path = "benches/RESULTS.md";
            let page = self.read(path).unwrap_or_default();
            let date = process::capture(Command::new("date").args(["-u", "+%F"]))?;
            let rust = process::capture(Command::new("rustc").arg("--version"))?;
            let rust = rust.split(" (").next().unwrap_or_default();
            let now = table::results(rows, date.trim(), rust);
            let page = table::replace(&page, table::RESULTS, &now)
                .map_err(|error| format!("{path}: {error}"))?;
            self.write(path, &page)?;
        }
        Ok(())
    }
}

/// What cargo says of each package of the workspace.
fn described() -> Result<BTreeMap<String, Value>> {
    let mut command = process::cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let text = process::capture(&mut command)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = value["packages"].as_array().into_iter().flatten();
    Ok(packages
        .map(|package| (manifest::text(package, "name").to_owned(), package.clone()))
        .collect())
}
