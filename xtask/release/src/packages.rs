//! The crates that are released, as the manifests have them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use semver::Version;
use serde_json::Value;
use xtask::{Result, process};

use crate::manifests::Versions;

/// The crate that has a version of its own.
pub const CORE: &str = "pirn-core";

/// The workspace.
#[derive(Debug)]
pub struct Packages {
    /// The folder of the root manifest.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// What is published, by name.
    pub published: BTreeMap<String, Package>,
}

/// One crate.
#[derive(Debug)]
pub struct Package {
    /// Its folder, relative to the root.
    pub dir: PathBuf,
    /// Its version.
    pub version: Version,
    /// Whether it is a library; a proc macro is not one whose names could be compared.
    pub library: bool,
}

impl Packages {
    /// Asks cargo about the workspace that has `folder`.
    ///
    /// # Errors
    ///
    /// When cargo fails, or the versions do not fit together.
    pub fn load(folder: &Path) -> Result<Packages> {
        let mut command = process::cargo();
        command.current_dir(folder);
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        Packages::parse(&process::capture(&mut command)?)
    }

    /// Reads the JSON of `cargo metadata --format-version 1 --no-deps`.
    ///
    /// # Errors
    ///
    /// When a field that is needed is missing; when a crate has left the train of versions.
    pub fn parse(json: &str) -> Result<Packages> {
        let all: Value = serde_json::from_str(json)
            .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
        let text = |value: &Value, key: &str| {
            let found = value.get(key).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| format!("cargo metadata has no `{key}`"))
        };
        let root = PathBuf::from(text(&all, "workspace_root")?);
        let mut published = BTreeMap::new();
        for one in all["packages"].as_array().into_iter().flatten() {
            // `publish = false` reads as an empty list of registries.
            if one["publish"].as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            let manifest = PathBuf::from(text(one, "manifest_path")?);
            let dir = manifest
                .parent()
                .and_then(|dir| dir.strip_prefix(&root).ok());
            let version = text(one, "version")?;
            let targets = one["targets"].as_array().into_iter().flatten();
            let mut kinds = targets
                .flat_map(|target| target["kind"].as_array())
                .flatten();
            let package = Package {
                dir: dir.unwrap_or(Path::new("")).into(),
                version: version
                    .parse()
                    .map_err(|error| format!("version {version}: {error}"))?,
                library: kinds.any(|kind| kind == "lib"),
            };
            published.insert(text(one, "name")?, package);
        }
        let packages = Packages {
            root,
            target: text(&all, "target_directory")?.into(),
            published,
        };
        packages.check()?;
        Ok(packages)
    }

    fn check(&self) -> Result {
        if !self.published.contains_key(CORE) {
            return Err(format!("{CORE} is not published"));
        }
        let versions = self.versions();
        let left = self.published.iter();
        let mut left = left.filter(|(name, one)| one.version != *versions.of(name));
        match left.next() {
            Some((name, one)) => Err(format!(
                "{name} is {}, the others are {}: they share one version",
                one.version, versions.train
            )),
            None => Ok(()),
        }
    }

    /// The two versions.
    pub fn versions(&self) -> Versions {
        let zero = Version::new(0, 0, 0);
        let of = |wanted: fn(&str) -> bool| {
            let mut all = self.published.iter();
            let found = all.find(|(name, _)| wanted(name));
            found.map_or(zero.clone(), |(_, one)| one.version.clone())
        };
        Versions {
            train: of(|name| name != CORE),
            core: of(|name| name == CORE),
            names: self.published.keys().cloned().collect(),
        }
    }
}
