//! Where a rehearsal is played: the clone, the registry, a cargo home; and what is done on it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use semver::Version;
use xtask::{Result, ci, process};

use crate::{
    apply, breaks,
    facts::changelog,
    history::{Repository, tag_of},
    manifests::Versions,
    packages::{CORE, Packages},
    registry::{Registry, locked::Locked},
};

/// The crate of the train that changes.
pub(super) const CHANGES: &str = "pirn-executor";

/// A function of it that comes and goes.
const FUNCTION: &str = "\n/// Which rehearsal this is.\npub fn rehearsal() -> u32 {\n    1\n}\n";

/// What the registry is called.
pub(super) const NAME: &str = "loopback";

/// Where it is played.
pub(super) struct Stage {
    pub(super) dir: PathBuf,
    repository: PathBuf,
    pub(super) registry: Registry,
    path: std::ffi::OsString,
}

impl Stage {
    pub(super) fn set(root: &Path) -> Result<Stage> {
        let target = xtask::metadata::Workspace::load_from(root)?.target;
        let dir = target.join("release-rehearsal");
        let broken = |error| format!("cannot make {}: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(broken)?;
        }
        let home = dir.join("home");
        fs::create_dir_all(&home).map_err(broken)?;
        let registry = Registry::start(Locked::load(root)?)?;
        let config = format!(
            "[registries.{NAME}]\nindex = {:?}\n[source.crates-io]\nreplace-with = {NAME:?}\n",
            registry.index()
        );
        fs::write(home.join("config.toml"), config).map_err(broken)?;
        // What compares crates is built here, if need be: the clone knows no registry but ours.
        let tool = breaks::tool(&target)?;
        let found = env::var_os("PATH").unwrap_or_default();
        let folders = tool.parent().map(Path::to_path_buf).into_iter();
        let folders = folders.chain(env::split_paths(&found));
        let path = env::join_paths(folders).map_err(|error| error.to_string())?;
        let stage = Stage {
            repository: dir.join("repository"),
            dir,
            registry,
            path,
        };
        let mut clone = Command::new("git");
        clone
            .args(["clone", "--quiet"])
            .arg(root)
            .arg(&stage.repository);
        process::run(&mut clone)?;
        stage.clear()?;
        Ok(stage)
    }

    /// Forgets earlier releases, and makes CI red: green is what `green` says.
    fn clear(&self) -> Result {
        self.git(&["config", "user.name", "Rehearsal"])?;
        self.git(&["config", "user.email", "rehearsal@localhost"])?;
        let tags = Repository::new(&self.repository).ask(&["tag"])?;
        for tag in tags.lines() {
            self.git(&["tag", "--delete", tag])?;
        }
        self.write(".ci/run", |_| "echo out of luck\nexit 1\n".into())?;
        self.change(CHANGES, |text| format!("{text}{FUNCTION}"))?;
        self.commit("A rehearsal")
    }

    /// Runs one of our own commands.
    pub(super) fn release(&self, arguments: &[&str]) -> Result {
        let (ended, said) = self.try_release(arguments)?;
        match ended {
            true => Ok(()),
            false => Err(format!("`release {}`: {said}", arguments.join(" "))),
        }
    }

    /// Runs one that must be refused, for this reason.
    pub(super) fn refused(&self, arguments: &[&str], why: &str) -> Result {
        let line = arguments.join(" ");
        let (ended, said) = self.try_release(arguments)?;
        if ended {
            return Err(format!("`release {line}` did it; it should refuse: {why}"));
        }
        if !said.contains(why) {
            return Err(format!(
                "`release {line}` should say `{why}`, and said: {said}"
            ));
        }
        println!("refused, as it should be: {why}");
        Ok(())
    }

    fn try_release(&self, arguments: &[&str]) -> Result<(bool, String)> {
        println!("$ release {}", arguments.join(" "));
        let us = env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
        let output = Command::new(us)
            .args(arguments)
            .current_dir(&self.repository)
            .env("PATH", &self.path)
            .env("CARGO_HOME", self.dir.join("home"))
            .env("CARGO_TARGET_DIR", self.dir.join("target"))
            .env("CARGO_REGISTRIES_LOOPBACK_TOKEN", "of no worth")
            // For a registry that is known by its index.
            .env("CARGO_REGISTRY_TOKEN", "of no worth")
            .stdin(Stdio::null())
            .stdout(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot start myself: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        eprint!("{said}");
        Ok((output.status.success(), said))
    }

    pub(super) fn publish(&self) -> Result {
        self.release(&["publish", "--no-verify", "--registry", NAME])
    }

    /// Has these crates tried as their users have them; all of them, and more, if none is named.
    pub(super) fn verify(&self, names: &[&str]) -> Result {
        let mut arguments = vec!["verify", "--registry", NAME];
        for name in names {
            arguments.extend(["--only", name]);
        }
        self.release(&arguments)
    }

    /// Makes a release by hand, in these versions and with these words, which must be refused for
    /// this reason; and forgets it.
    pub(super) fn by_hand(&self, next: &Versions, told: &str, why: &str) -> Result {
        let packages = Packages::load(&self.repository)?;
        apply::write(&self.repository, &packages, next)?;
        self.tell(&format!("## {} (by hand)\n\n{told}", next.train))?;
        self.commit("Release: by hand")?;
        let tag = tag_of(&next.train);
        self.git(&["tag", &tag])?;
        self.green()?;
        self.refused(&["publish", "--no-verify", "--registry", NAME], why)?;
        self.git(&["tag", "--delete", &tag])?;
        self.git(&["reset", "--quiet", "--hard", "HEAD^"])
    }

    /// Puts the tag of a version that was published on another commit, and back.
    pub(super) fn moved_tag(&self, version: &Version) -> Result {
        let tag = tag_of(version);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "More"])?;
        self.git(&["tag", "--force", &tag])?;
        self.green()?;
        self.refused(
            &["publish", "--no-verify", "--registry", NAME],
            "the registry has another",
        )?;
        self.git(&["reset", "--quiet", "--hard", "HEAD^"])?;
        self.git(&["tag", "--force", &tag])
    }

    /// The registry has so many crates in so many versions.
    pub(super) fn published(&self, wanted: usize) -> Result {
        let there = self.registry.published();
        match there.len() == wanted {
            true => Ok(()),
            false => Err(format!("{wanted} should be published, not {there:?}")),
        }
    }

    pub(super) fn versions(&self) -> Result<Versions> {
        Ok(Packages::load(&self.repository)?.versions())
    }

    /// The versions are these, and the changelog says so.
    pub(super) fn expect(&self, train: &Version, core: &Version) -> Result {
        let now = self.versions()?;
        if (&now.train, &now.core) != (train, core) {
            return Err(format!("{train} and {core} should be, not {now:?}"));
        }
        let log = changelog(&self.repository)?;
        let heading = log
            .lines()
            .find(|line| line.starts_with(&format!("## {train} (")));
        match heading.is_some_and(|heading| heading.ends_with(&format!("with {CORE} {core}"))) {
            true => Ok(()),
            false => Err(format!("the changelog's heading is {heading:?}")),
        }
    }

    /// Says that CI was green for the commit that is checked out.
    pub(super) fn green(&self) -> Result {
        let head = Repository::new(&self.repository).head()?;
        let target = self.dir.join("target");
        let said =
            fs::create_dir_all(&target).and_then(|()| fs::write(target.join(ci::GREEN), head));
        said.map_err(|error| format!("{}: {error}", target.display()))
    }

    /// Puts this under Unreleased, in place of what is there.
    pub(super) fn tell(&self, points: &str) -> Result {
        self.write("CHANGELOG.md", |text| {
            let (above, below) = text.split_once("## Unreleased\n").unwrap_or((text, ""));
            let next = below.find("\n## ").map_or("", |at| &below[at..]);
            format!("{above}## Unreleased\n\n{points}{next}")
        })
    }

    pub(super) fn change(&self, name: &str, edit: impl Fn(&str) -> String) -> Result {
        self.write(&format!("crates/{name}/src/lib.rs"), edit)
    }

    pub(super) fn write(&self, path: &str, edit: impl Fn(&str) -> String) -> Result {
        let file = self.repository.join(path);
        let changed = fs::read_to_string(&file).and_then(|text| fs::write(&file, edit(&text)));
        changed.map_err(|error| format!("cannot change {path}: {error}"))
    }

    pub(super) fn commit(&self, message: &str) -> Result {
        self.git(&["commit", "--quiet", "--all", "--message", message])
    }

    pub(super) fn git(&self, arguments: &[&str]) -> Result {
        let mut git = Command::new("git");
        process::run(git.args(arguments).current_dir(&self.repository))
    }
}
