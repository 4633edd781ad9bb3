//! `cargo xtask alone`: each low crate outside the workspace, as a stranger gets it.
//!
//! The crates are packaged as for the registry and unpacked in a temporary folder; there each
//! builds and runs its doctests by itself. Beside them stand three projects of a user, kept in
//! `xtask/alone/`: one runs the crates on tokio and on a bare thread; one has a concurrent bug of its
//! own, compiles under the bare `--cfg loom`, and with the feature lets loom find the bug; one is
//! firmware, without `std`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    metadata::Workspace,
    process,
    steps::{Outcome, Steps},
    usage,
};

/// The crates that must stand alone.
const CRATES: [&str; 5] = [
    "pirn-core",
    "pirn-sync",
    "pirn-timer",
    "pirn-group",
    "pirn-executor",
];

/// What their doctests use besides.
const SIBLINGS: [&str; 1] = ["pirn-compat"];

/// The command.
///
/// # Errors
///
/// When a step fails.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let mut steps = Steps::default();
    let outside = Outside::unpack()?;
    for name in CRATES {
        let title = format!("{name} alone: its doctests");
        steps.run(title, || outside.cargo(name, &["test", "--doc"], &[]));
    }
    steps.run("a user's project on tokio and on a bare thread", || {
        outside.cargo("user", &["test"], &[])
    });
    steps.run("a user's firmware: its tests", || {
        outside.cargo("bare", &["test", "--lib"], &[])
    });
    steps.run("a user's firmware has no std in it", || {
        outside.cargo("bare", &["build"], &[])
    });
    steps.run(
        "a user's firmware for a machine that has no std",
        || match process::bare_target() {
            Ok(target) => outside.cargo("bare", &["build", "--target", &target], &[]),
            Err(why) => Ok(Outcome::Skipped(why)),
        },
    );
    let loom = ["--cfg", "loom"];
    let model = |extra: &[&str]| {
        let arguments = [&["test", "--release"], extra].concat();
        outside.cargo("model", &arguments, &loom)
    };
    steps.run("a user's code compiles under the bare --cfg loom", || {
        outside.cargo("model", &["check"], &loom)
    });
    steps.run("a user's model of correct code passes", || {
        model(&["--features", "loom"])
    });
    steps.run("a user's model finds the user's bug", || {
        match model(&["--features", "loom,bug"]) {
            Ok(_) => Err("the model passed, though the code has a bug".into()),
            Err(_) => Ok(Outcome::Done),
        }
    });
    steps.finish()
}

/// Packaging strips dev-dependencies that have a path and no version. Puts back those that lie
/// unpacked beside the crate, for its doctests.
fn restore_siblings(from: &Path, unpacked: &Path) -> Result {
    let edit = || -> std::io::Result<()> {
        let original = fs::read_to_string(from.join("Cargo.toml"))?;
        let path = unpacked.join("Cargo.toml");
        let mut manifest = fs::read_to_string(&path)?;
        let siblings = original.lines().filter(|line| {
            let name = line.split_whitespace().next().unwrap_or_default();
            let dev = line.contains("path = \"../") && !line.contains("version");
            dev && CRATES.iter().chain(&SIBLINGS).any(|known| *known == name)
        });
        manifest.push_str("\n[dev-dependencies]\n");
        for line in siblings {
            manifest.push_str(line);
            manifest.push('\n');
        }
        fs::write(path, manifest)
    };
    edit().map_err(|error| format!("cannot edit {}: {error}", unpacked.display()))
}

/// The folder outside, removed when this is dropped.
struct Outside {
    dir: PathBuf,
    target: PathBuf,
    /// `--config` arguments that put the unpacked crates in the registry's place.
    patches: Vec<String>,
}

impl Outside {
    fn unpack() -> Result<Outside> {
        let workspace = Workspace::load()?;
        let dir = std::env::temp_dir().join(format!("pirn-alone-{}", std::process::id()));
        fs::create_dir_all(&dir)
            .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let mut outside = Outside {
            dir,
            target: workspace.target.join("alone"),
            patches: Vec::new(),
        };
        let mut package = process::cargo();
        package
            .args(["package", "--quiet", "--no-verify", "--allow-dirty"])
            .current_dir(&workspace.root);
        for name in CRATES.iter().chain(&SIBLINGS) {
            package.args(["--package", name]);
        }
        process::run(&mut package)?;
        for name in CRATES.iter().chain(&SIBLINGS) {
            let unpacked = outside.unpack_one(&workspace, name)?;
            outside.patches.push(format!(
                "patch.crates-io.{name}.path=\"{}\"",
                unpacked.display()
            ));
        }
        for project in ["user", "model", "bare"] {
            outside.copy_project(&workspace.root.join("xtask/alone").join(project), project)?;
        }
        Ok(outside)
    }

    /// Unpacks `target/package/NAME-VERSION.crate` as `DIR/NAME`.
    fn unpack_one(&self, workspace: &Workspace, name: &str) -> Result<PathBuf> {
        let packages = workspace.target.join("package");
        let entries = fs::read_dir(&packages)
            .map_err(|error| format!("cannot read {}: {error}", packages.display()))?;
        let newest = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let file = path
                    .file_name()
                    .and_then(|file| file.to_str())
                    .unwrap_or_default();
                let version = file
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix('-'));
                version.is_some_and(|v| {
                    v.ends_with(".crate") && v.starts_with(|c: char| c.is_ascii_digit())
                })
            })
            .max_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
            .ok_or_else(|| format!("cargo packaged no {name}"))?;
        let into = self.dir.join(name);
        fs::create_dir_all(&into)
            .map_err(|error| format!("cannot make {}: {error}", into.display()))?;
        let mut tar = Command::new("tar");
        tar.arg("xzf")
            .arg(&newest)
            .args(["--strip-components", "1", "-C"])
            .arg(&into);
        process::run(&mut tar)?;
        restore_siblings(&workspace.root.join("crates").join(name), &into)?;
        Ok(into)
    }

    /// Copies `Cargo.toml.in` and the sources of a project.
    fn copy_project(&self, from: &Path, name: &str) -> Result {
        let to = self.dir.join(name);
        let copy = || -> std::io::Result<()> {
            fs::create_dir_all(to.join("src"))?;
            // Another name in the repository, where it must not be a package.
            fs::copy(from.join("Cargo.toml.in"), to.join("Cargo.toml"))?;
            fs::copy(from.join("lib.rs"), to.join("src/lib.rs"))?;
            Ok(())
        };
        copy().map_err(|error| format!("cannot copy the project {name}: {error}"))
    }

    fn cargo(&self, project: &str, arguments: &[&str], rustflags: &[&str]) -> Result<Outcome> {
        let mut command = process::cargo();
        command.args(arguments).current_dir(self.dir.join(project));
        for patch in self
            .patches
            .iter()
            .filter(|patch| !patch.contains(&format!(".{project}.")))
        {
            command.args(["--config", patch]);
        }
        let target = if rustflags.is_empty() {
            "plain"
        } else {
            "loom"
        };
        command.env("CARGO_TARGET_DIR", self.target.join(target));
        process::add_rustflags(&mut command, rustflags);
        // A user's model has loom's own defaults, which are without bound.
        command.env("LOOM_MAX_PREEMPTIONS", "2");
        process::run(&mut command)?;
        Ok(Outcome::Done)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
