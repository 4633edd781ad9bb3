//! What `cargo metadata` says about the workspace: the only source of crate lists.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Result, process};

/// The workspace.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root manifest.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Its packages, by name.
    pub packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The folder of its manifest.
    pub dir: PathBuf,
    /// Whether it may be published.
    pub published: bool,
    /// Its features and what each switches on.
    pub features: BTreeMap<String, Vec<String>>,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Debug)]
pub struct Dependency {
    /// The package it names.
    pub name: String,
    /// Whether it is one of tests, benches and examples only.
    pub dev: bool,
    /// Whether a feature switches it on.
    pub optional: bool,
    /// Its version requirement; `*` when it states none.
    pub requirement: String,
    /// The platform or cfg it is limited to.
    pub target: Option<String>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    ///
    /// When cargo fails, or answers in a form unknown here.
    pub fn load() -> Result<Self> {
        Self::load_from(Path::new("."))
    }

    /// Asks cargo about the workspace that has `folder`.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_from(folder: &Path) -> Result<Self> {
        let mut command = process::cargo();
        command.current_dir(folder);
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        Self::parse(&process::capture(&mut command)?)
    }

    /// Reads the JSON of `cargo metadata --format-version 1 --no-deps`.
    ///
    /// # Errors
    ///
    /// When a field that is needed is missing.
    pub fn parse(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json)
            .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
        let mut packages = array(&value, "packages")?
            .iter()
            .map(Package::parse)
            .collect::<Result<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Workspace {
            root: text(&value, "workspace_root")?.into(),
            target: text(&value, "target_directory")?.into(),
            packages,
        })
    }

    /// A path as a reader knows it: relative to the root.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

impl Package {
    fn parse(value: &Value) -> Result<Self> {
        let manifest = PathBuf::from(text(value, "manifest_path")?);
        let features = value.get("features").and_then(Value::as_object);
        Ok(Package {
            name: text(value, "name")?.into(),
            dir: manifest.parent().unwrap_or(Path::new("")).into(),
            // `publish = false` reads as an empty list of registries.
            published: value
                .get("publish")
                .and_then(Value::as_array)
                .is_none_or(|registries| !registries.is_empty()),
            features: features
                .into_iter()
                .flatten()
                .map(|(name, list)| {
                    let list = list.as_array().into_iter().flatten();
                    let list = list.filter_map(Value::as_str).map(str::to_owned);
                    (name.clone(), list.collect())
                })
                .collect(),
            dependencies: array(value, "dependencies")?
                .iter()
                .map(Dependency::parse)
                .collect::<Result<_>>()?,
        })
    }

    /// Its loom models, if it has any.
    pub fn models(&self) -> Option<PathBuf> {
        let main = self.dir.join("tests/loom/main.rs");
        main.exists().then_some(main)
    }
}

impl Dependency {
    fn parse(value: &Value) -> Result<Self> {
        let flag = |key| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        Ok(Dependency {
            name: text(value, "name")?.into(),
            dev: value.get("kind").and_then(Value::as_str) == Some("dev"),
            optional: flag("optional"),
            requirement: text(value, "req")?.into(),
            target: value.get("target").and_then(Value::as_str).map(Into::into),
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("cargo metadata has no `{key}`"))
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a [Value]> {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| format!("cargo metadata has no `{key}`"))
}
