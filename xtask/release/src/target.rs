//! Which registry is meant, and cargo homes that know no other.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use toml_edit::{DocumentMut, Item, Table, value};
use xtask::{Result, process};

/// What a registry is called that was given by its index.
const CHOSEN: &str = "chosen";

/// The registry that a release goes to. One that was chosen stands for crates.io as well: what a
/// crate depends on is looked for there.
#[derive(Clone, Debug, Default)]
pub struct Target {
    name: Option<String>,
    index: Option<String>,
}

impl Target {
    /// By `--registry` or `--index`; crates.io if neither is given.
    ///
    /// # Errors
    ///
    /// When both are.
    pub fn new(registry: Option<String>, index: Option<String>) -> Result<Target> {
        match (registry, index) {
            (Some(_), Some(_)) => Err("give --registry or --index, not both".into()),
            (None, Some(index)) => Ok(Target {
                name: Some(CHOSEN.into()),
                index: Some(index),
            }),
            (name, None) => Ok(Target { name, index: None }),
        }
    }

    /// Adds to a command of cargo's what makes it work on this registry.
    pub fn choose(&self, command: &mut Command) {
        let Some(name) = &self.name else { return };
        command.args(["--registry", name, "--config"]);
        command.arg(format!("source.crates-io.replace-with={name:?}"));
        if let Some(index) = &self.index {
            command.env("CARGO_REGISTRIES_CHOSEN_INDEX", index);
            // As `cargo publish --index` has it.
            if let Some(token) = env::var_os("CARGO_REGISTRY_TOKEN") {
                command.env("CARGO_REGISTRIES_CHOSEN_TOKEN", token);
            }
        }
    }

    /// Where the index of a registry is that was chosen.
    fn index(&self, config: &DocumentMut) -> Result<Option<String>> {
        let Some(name) = &self.name else {
            return Ok(None);
        };
        let variable = format!("CARGO_REGISTRIES_{}_INDEX", shouted(name));
        let written = || {
            let registry = config.get("registries")?.get(name)?;
            registry.get("index")?.as_str().map(str::to_owned)
        };
        let found = self.index.clone().or_else(|| env::var(&variable).ok());
        match found.or_else(written) {
            Some(index) => Ok(Some(index)),
            None => Err(format!("no index is known of `{name}`: set {variable}")),
        }
    }
}

/// A name as it stands in the variables that cargo reads.
fn shouted(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// A cargo home in which nothing is, but for a configuration that names the registry.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    registry: String,
}

impl Home {
    /// Makes one, in place of what was there.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or the registry's index is not known.
    pub fn empty(dir: PathBuf, target: &Target) -> Result<Home> {
        let known = machine_config()?;
        let broken = |error| format!("cannot make {}: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(broken)?;
        }
        fs::create_dir_all(&dir).map_err(broken)?;
        let config = home_config(&known, target.name.as_deref(), target.index(&known)?);
        fs::write(dir.join("config.toml"), config.to_string()).map_err(broken)?;
        // Where cargo is asked from: a workspace around would be asked first.
        let alone = "[package]\nname = \"asks\"\nedition = \"2024\"\n[lib]\npath = \"asks.rs\"\n[workspace]\n";
        fs::write(dir.join("asks.rs"), "").map_err(broken)?;
        fs::write(dir.join("Cargo.toml"), alone).map_err(broken)?;
        let registry = target.name.as_deref().unwrap_or("crates-io").to_owned();
        Ok(Home { dir, registry })
    }

    /// Makes a command use it.
    pub fn enter(&self, command: &mut Command) {
        command.env("CARGO_HOME", &self.dir);
    }

    /// Where cargo has unpacked a crate that it fetched.
    pub fn unpacked(&self, name: &str, version: &str) -> Option<PathBuf> {
        let sources = fs::read_dir(self.dir.join("registry/src")).ok()?;
        sources
            .filter_map(|entry| Some(entry.ok()?.path().join(format!("{name}-{version}"))))
            .find(|path| path.is_dir())
    }

    /// Whether the registry has this version. It is fetched then.
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked.
    pub fn has(&self, name: &str, version: &str) -> Result<bool> {
        let mut command = process::cargo();
        command.args(["info", "--quiet", "--color", "never", "--registry"]);
        command.args([&self.registry, &format!("{name}@{version}")]);
        self.enter(command.current_dir(&self.dir));
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot start cargo: {error}"))?;
        if output.status.success() {
            return Ok(true);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match said.contains("could not find") {
            true => Ok(false),
            false => Err(format!("the registry cannot be asked for {name}: {said}")),
        }
    }
}

/// What this machine's cargo is told, by its home.
fn machine_config() -> Result<DocumentMut> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let user = env::var_os("HOME")?;
        Some(Path::new(&user).join(".cargo"))
    });
    let path = home.unwrap_or_default().join("config.toml");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let broken = |error| format!("{}: {error}", path.display());
    text.parse().map_err(broken)
}

/// What an empty home is told: the way to the registries that this machine has, without a token;
/// and if one was chosen, that it stands for crates.io.
pub fn home_config(
    machine: &DocumentMut,
    name: Option<&str>,
    index: Option<String>,
) -> DocumentMut {
    let mut config = DocumentMut::new();
    for key in ["http", "net", "registries", "source"] {
        if let Some(item) = machine.get(key) {
            config.insert(key, item.clone());
        }
    }
    if let Some(registries) = config
        .get_mut("registries")
        .and_then(Item::as_table_like_mut)
    {
        for (_, registry) in registries.iter_mut() {
            if let Some(registry) = registry.as_table_like_mut() {
                registry.remove("token");
            }
        }
    }
    if let (Some(name), Some(index)) = (name, index) {
        config.remove("source");
        let mut registry = Table::new();
        registry.insert("index", value(index));
        let mut crates_io = Table::new();
        crates_io.insert("replace-with", value(name));
        for (key, inner, table) in [
            ("registries", name, registry),
            ("source", "crates-io", crates_io),
        ] {
            let outer = config.entry(key).or_insert_with(toml_edit::table);
            if let Some(outer) = outer.as_table_like_mut() {
                outer.insert(inner, Item::Table(table));
            }
        }
    }
    config
}
