//! The crates of others, as the lock file has them and as cargo keeps them on this machine.
//!
//! `cargo metadata` describes each of them and says where it lies unpacked; the packed crate, which
//! cargo fetched before, lies in the same cargo home; its checksum stands in the lock file. Which
//! registry they came from makes no difference.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml_edit::{DocumentMut, Item};
use xtask::{Result, process};

use super::index::line_of;

/// The crates, by name.
#[derive(Debug, Default)]
pub struct Locked {
    packages: BTreeMap<String, Vec<Package>>,
}

#[derive(Debug)]
struct Package {
    version: String,
    manifest: PathBuf,
    /// Its line in the index.
    line: String,
}

impl Locked {
    /// Those of the workspace that has `folder`; cargo fetches what is missing.
    ///
    /// # Errors
    ///
    /// When cargo fails.
    pub fn load(folder: &Path) -> Result<Locked> {
        let mut command = process::cargo();
        command
            .args(["metadata", "--format-version", "1", "--all-features"])
            .current_dir(folder);
        let described = process::capture(&mut command)?;
        let path = folder.join("Cargo.lock");
        let lock = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Locked::parse(&described, &lock)
    }

    /// Reads the JSON of `cargo metadata --format-version 1`, and the lock file.
    ///
    /// # Errors
    ///
    /// When they are something else.
    pub fn parse(json: &str, lock: &str) -> Result<Locked> {
        let all: Value = serde_json::from_str(json)
            .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
        let checksums = checksums(lock)?;
        let mut locked = Locked::default();
        for package in all["packages"].as_array().into_iter().flatten() {
            let text = |key: &str| package[key].as_str().unwrap_or_default();
            // Those of the workspace have no source.
            if !text("source").starts_with("registry+") {
                continue;
            }
            let (name, version) = (text("name"), text("version"));
            let checksum = checksums
                .get(&(name.to_owned(), version.to_owned()))
                .ok_or_else(|| format!("the lock file has no checksum of {name} {version}"))?;
            let same_name = locked.packages.entry(name.to_owned()).or_default();
            same_name.push(Package {
                version: version.into(),
                manifest: text("manifest_path").into(),
                line: line_of(package, checksum),
            });
        }
        Ok(locked)
    }

    /// The index's lines for this name.
    pub fn lines(&self, name: &str) -> impl Iterator<Item = &str> {
        let versions = self.packages.get(name).into_iter().flatten();
        versions.map(|package| package.line.as_str())
    }

    /// The packed crate, if there is that one.
    pub(super) fn tarball(&self, name: &str, version: &str) -> Result<Option<Vec<u8>>> {
        let mut versions = self.packages.get(name).into_iter().flatten();
        let found = versions.find(|package| package.version == version);
        found.map(read).transpose()
    }
}

/// The checksums in a lock file, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: DocumentMut = lock
        .parse()
        .map_err(|error| format!("the lock file: {error}"))?;
    let packages = lock.get("package").and_then(Item::as_array_of_tables);
    let mut found = BTreeMap::new();
    for package in packages.into_iter().flatten() {
        let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
        // One of a registry has all three.
        if let (Some(name), Some(version), Some(checksum)) =
            (text("name"), text("version"), text("checksum"))
        {
            found.insert((name, version), checksum);
        }
    }
    Ok(found)
}

fn read(package: &Package) -> Result<Vec<u8>> {
    let path = packed(&package.manifest)
        .ok_or_else(|| format!("{} lies in no cargo home", package.manifest.display()))?;
    fs::read(&path).map_err(|error| {
        format!(
            "cannot read {} (remove the folder of that name beside `cache`, in `src`, and cargo \
             fetches it anew): {error}",
            path.display()
        )
    })
}

/// Of `HOME/registry/src/SOURCE/NAME-VERSION/Cargo.toml` `HOME/registry/cache/SOURCE/NAME-VERSION.crate`.
pub fn packed(manifest: &Path) -> Option<PathBuf> {
    let unpacked = manifest.parent()?;
    let source = unpacked.parent()?;
    let registry = source.parent()?.parent()?;
    let mut file = unpacked.file_name()?.to_owned();
    file.push(".crate");
    Some(registry.join("cache").join(source.file_name()?).join(file))
}
