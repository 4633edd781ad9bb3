//! `cargo xtask release verify`: what a stranger gets from the registry, in an empty cargo home.
//!
//! For each crate there is a project outside the workspace that takes it alone, runs its front page
//! as it was published, and that page's example on pirn, on tokio and on a bare thread. The projects
//! of `cargo xtask alone` are built against the registry as well: those of a user on other
//! executors, of one who has models, and of firmware.

use std::{
    fs,
    path::{Path, PathBuf},
};

use xtask::{
    Result,
    audit::readme,
    process,
    steps::{Outcome, Steps},
};

use crate::{
    manifests::{Versions, requirements},
    packages::Packages,
    target::{Home, Target},
};

/// What is verified.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The registry.
    pub target: Target,
    /// The crates whose front pages are tried; all if there is none, and the other projects as well.
    pub only: Vec<String>,
}

/// The command.
///
/// # Errors
///
/// When the registry lacks something, or what it has does not work.
pub fn verify(root: &Path, options: &Options) -> Result {
    let packages = Packages::load(root)?;
    for name in &options.only {
        if !packages.published.contains_key(name) {
            return Err(format!("no crate of ours is called `{name}`"));
        }
    }
    let outside = Outside::new(&packages, options)?;
    let mut steps = Steps::default();
    let all = packages.published.keys();
    for name in all.filter(|name| options.only.is_empty() || options.only.contains(name)) {
        steps.run(format!("{name} from the registry"), || outside.front(name));
    }
    if options.only.is_empty() {
        outside.projects(&mut steps);
    }
    steps.finish()
}

/// The folder outside, removed when this is dropped.
struct Outside {
    dir: PathBuf,
    target: PathBuf,
    home: Home,
    versions: Versions,
    projects: PathBuf,
}

impl Outside {
    fn new(packages: &Packages, options: &Options) -> Result<Outside> {
        let target = packages.target.join("release-verify");
        let dir = std::env::temp_dir().join(format!("pirn-release-{}", std::process::id()));
        fs::create_dir_all(&dir)
            .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        Ok(Outside {
            dir,
            // Always the same place, so that what others wrote is compiled once.
            home: Home::empty(target.join("home"), &options.target)?,
            target,
            versions: packages.versions(),
            projects: packages.root.join("xtask/alone"),
        })
    }

    /// A project that takes a crate alone.
    fn front(&self, name: &str) -> Result<Outcome> {
        let version = self.versions.of(name).to_string();
        let project = self.copy(&format!("front/{name}"))?;
        // The page as it was published, with the lines that a README does not show.
        let fetched = self.cargo(&project, &["fetch", "--quiet"], &[]);
        fetched.map_err(|error| format!("{name} {version} cannot be had: {error}"))?;
        let unpacked = self.home.unpacked(name, &version);
        let unpacked = unpacked.ok_or_else(|| format!("cargo fetched no {name} {version}"))?;
        let root = fs::read_to_string(unpacked.join("src/lib.rs"));
        let page = readme::documentation(&root.unwrap_or_default());
        fs::write(self.dir.join(&project).join("FRONT.md"), page)
            .map_err(|error| format!("cannot copy the page of {name}: {error}"))?;
        // Alone: nothing else switches its features on.
        self.cargo(&project, &["build", "--quiet"], &[])?;
        self.cargo(&project, &["test", "--quiet"], &[])?;
        Ok(Outcome::Done)
    }

    /// The projects of `cargo xtask alone`.
    fn projects(&self, steps: &mut Steps) {
        let run = |project: &str, arguments: &[&str], flags: &[&str]| {
            let project = self.copy(project)?;
            self.cargo(&project, arguments, flags)?;
            Ok(Outcome::Done)
        };
        steps.run("a user on tokio and on bare threads", || {
            run("user", &["test", "--quiet"], &[])
        });
        steps.run("firmware has no std in it", || {
            run("bare", &["build", "--quiet"], &[])
        });
        let loom = ["--cfg", "loom"];
        let model = ["test", "--quiet", "--release", "--features"];
        steps.run("models over pirn-sync and pirn-group pass", || {
            run("model", &[&model[..], &["loom"]].concat(), &loom)
        });
        steps.run("and find a bug of the user's", || {
            match run("model", &[&model[..], &["loom,bug"]].concat(), &loom) {
                Ok(_) => Err("they passed, though the code has a bug".into()),
                Err(_) => Ok(Outcome::Done),
            }
        });
    }

    /// Copies a project, with our versions in its manifest. What is there already stays.
    fn copy(&self, project: &str) -> Result<String> {
        let (from, to) = (self.projects.join(project), self.dir.join(project));
        let copy = || -> std::io::Result<()> {
            fs::create_dir_all(to.join("src"))?;
            let manifest = fs::read_to_string(from.join("Cargo.toml.in"))?;
            let exact = requirements(&manifest, |name, _| {
                Some(format!("={}", self.versions.get(name)?))
            });
            fs::write(to.join("Cargo.toml"), exact)?;
            fs::copy(from.join("lib.rs"), to.join("src/lib.rs"))?;
            Ok(())
        };
        copy().map_err(|error| format!("cannot copy the project {project}: {error}"))?;
        Ok(project.into())
    }

    fn cargo(&self, project: &str, arguments: &[&str], rustflags: &[&str]) -> Result {
        let mut command = process::cargo();
        command.args(arguments).current_dir(self.dir.join(project));
        let target = if rustflags.is_empty() {
            "plain"
        } else {
            "loom"
        };
        command
            .env("CARGO_TARGET_DIR", self.target.join(target))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // A user's model has loom's own defaults, which are without bound.
            .env("LOOM_MAX_PREEMPTIONS", "2");
        self.home.enter(&mut command);
        process::add_rustflags(&mut command, rustflags);
        process::run(&mut command)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
