//! The crates of others, as the lock file has them and as cargo keeps them on this machine.
//!
//! `cargo metadata` describes each of them and says where it lies unpacked; the packed crate, which
//! cargo fetched before, lies in the same cargo home. Which registry they came from makes no
//! difference.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use xtask::{Result, process};

use super::index::{checksum, line_of};

/// The crates, by name.
#[derive(Debug, Default)]
pub struct Locked {
    packages: BTreeMap<String, Vec<Value>>,
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
        Locked::parse(&process::capture(&mut command)?)
    }

    /// Reads the JSON of `cargo metadata --format-version 1`.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn parse(json: &str) -> Result<Locked> {
        let mut all: Value = serde_json::from_str(json)
            .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
        let Some(Value::Array(packages)) = all.get_mut("packages").map(Value::take) else {
            return Err("cargo metadata has no `packages`".into());
        };
        let mut locked = Locked::default();
        for package in packages {
            let text = |key: &str| package.get(key).and_then(Value::as_str);
            // Those of the workspace have no source.
            if text("source").is_some_and(|source| source.starts_with("registry+")) {
                let name = text("name").unwrap_or_default().to_owned();
                locked.packages.entry(name).or_default().push(package);
            }
        }
        Ok(locked)
    }

    /// The index's lines for this name.
    pub(super) fn lines(&self, name: &str) -> Result<Vec<String>> {
        let versions = self.packages.get(name).into_iter().flatten();
        versions
            .map(|package| Ok(line_of(package, &checksum(&read(package)?))))
            .collect()
    }

    /// The packed crate, if there is that one.
    pub(super) fn tarball(&self, name: &str, version: &str) -> Result<Option<Vec<u8>>> {
        let mut versions = self.packages.get(name).into_iter().flatten();
        let found = versions.find(|p| p.get("version").and_then(Value::as_str) == Some(version));
        found.map(read).transpose()
    }
}

fn read(package: &Value) -> Result<Vec<u8>> {
    let manifest = package.get("manifest_path").and_then(Value::as_str);
    let path = packed(manifest.unwrap_or_default().as_ref())
        .ok_or_else(|| format!("{manifest:?} does not lie in a cargo home"))?;
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
