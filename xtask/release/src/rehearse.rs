//! `cargo xtask release rehearse`: releases on a registry of this machine's own.
//!
//! In a clone under `target/release-rehearsal`, the real crates are released: for the first time, as a
//! patch, as a minor in which one crate changed, and with a change in pirn-core, cut off half-way and
//! gone on with. What must be refused is tried in between. The proof is each time a project of a
//! user's, built from that registry in an empty cargo home.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use semver::Version;
use xtask::{Result, ci, process};

use crate::{
    apply,
    changelog::Kind,
    facts::changelog,
    history::{Repository, tag_of},
    manifests::Versions,
    packages::{CORE, Packages},
    plan::bump,
    registry::{Registry, locked::Locked},
};

/// The crate of the train that changes.
const CHANGES: &str = "pirn-executor";

/// A function of it that comes and goes.
const FUNCTION: &str = "\n/// Which rehearsal this is.\npub fn rehearsal() -> u32 {\n    1\n}\n";

/// The command.
///
/// # Errors
///
/// When something does not go as it should.
pub fn rehearse(root: &Path, keep: bool) -> Result {
    let started = Instant::now();
    let stage = Stage::set(root)?;
    let acts: [(&str, fn(&Stage) -> Result); 6] = [
        ("what is not ready is refused", not_ready),
        ("the first release", first),
        ("a patch", patch),
        ("a break that is not told, or not admitted", breaking),
        ("a minor in which one crate changed", minor),
        ("a change in pirn-core, cut off half-way", core),
    ];
    for (name, act) in acts {
        println!("==> {name}");
        let began = Instant::now();
        act(&stage).map_err(|error| format!("rehearsal, {name}: {error}"))?;
        println!("<== {name}: ok ({:.1} s)\n", began.elapsed().as_secs_f64());
    }
    println!("rehearsed in {:.1} s", started.elapsed().as_secs_f64());
    if !keep {
        let _ = fs::remove_dir_all(&stage.dir);
    }
    Ok(())
}

fn not_ready(stage: &Stage) -> Result {
    stage.refused(&["publish"], "is not tagged")?;
    stage.tell("")?;
    stage.commit("Changelog: nothing")?;
    stage.refused(&["apply"], "tells nothing under Unreleased")?;
    stage.tell("- **pirn-core**, **pirn-executor**: rehearsed.\n")?;
    stage.refused(&["apply"], "the tree is dirty")?;
    stage.commit("Changelog: something")
}

fn first(stage: &Stage) -> Result {
    let stands = stage.versions()?;
    stage.release(&["apply"])?;
    stage.expect(&stands.train, &stands.core)?;
    stage.refused(&["publish"], "CI is red")?;
    stage.green()?;
    stage.write("README.md", |text| format!("{text}\n"))?;
    stage.refused(&["publish"], "the tree is dirty")?;
    stage.git(&["checkout", "--quiet", "README.md"])?;
    stage.publish()?;
    stage.published(stands.names.len())?;
    // Once more: there is nothing left to do.
    stage.publish()?;
    stage.release(&[
        "verify",
        "--registry",
        NAME,
        "--only",
        "pirn-compat",
        "--only",
        "pirn-sim",
    ])
}

fn patch(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.change(CHANGES, |text| text.replace("    1\n", "    2\n"))?;
    stage.tell("### Fixed\n\n- **pirn-executor**: the rehearsal is the second one.\n")?;
    stage.commit("Executor: the second rehearsal")?;
    stage.release(&["plan"])?;
    stage.release(&["apply"])?;
    stage.expect(&bump(&before.train, Kind::Fixed), &before.core)?;
    stage.green()?;
    stage.publish()?;
    // All but pirn-core.
    stage.published(2 * before.names.len() - 1)?;
    stage.release(&["verify", "--registry", NAME, "--only", CHANGES])
}

fn breaking(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.change(CHANGES, |text| {
        let kept = text.split_once("\n/// Which rehearsal");
        kept.map_or(text, |(kept, _)| kept).to_owned()
    })?;
    stage.tell("### Fixed\n\n- **pirn-executor**: no rehearsal is counted.\n")?;
    stage.commit("Executor: rehearsals are not counted")?;
    stage.refused(&["apply"], "breaks its users")?;
    // By hand, as a patch.
    let packages = Packages::load(&stage.repository)?;
    let wrong = bump(&before.train, Kind::Fixed);
    let next = Versions {
        train: wrong.clone(),
        ..before
    };
    apply::write(&stage.repository, &packages, &next)?;
    stage.write("CHANGELOG.md", |text| {
        text.replace(
            "## Unreleased",
            &format!("## Unreleased\n\n## {wrong} (by hand)"),
        )
    })?;
    stage.commit("Release: by hand")?;
    stage.git(&["tag", &tag_of(&wrong)])?;
    stage.green()?;
    stage.refused(&["publish"], "does not admit")?;
    stage.git(&["tag", "--delete", &tag_of(&wrong)])?;
    stage.git(&["reset", "--quiet", "--hard", "HEAD^"])
}

fn minor(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.tell("### Breaking\n\n- **pirn-executor**: rehearsals are not counted.\n")?;
    stage.commit("Changelog: the break is told")?;
    stage.release(&["apply"])?;
    stage.expect(&bump(&before.train, Kind::Breaking), &before.core)?;
    stage.green()?;
    stage.publish()?;
    stage.published(3 * before.names.len() - 2)?;
    stage.release(&["verify", "--registry", NAME, "--only", CHANGES])
}

fn core(stage: &Stage) -> Result {
    let before = stage.versions()?;
    let published = 3 * before.names.len() - 2;
    stage.change(CORE, |text| format!("{text}\n// Rehearsed.\n"))?;
    stage.tell("### Fixed\n\n- **pirn-core**: rehearsed.\n")?;
    stage.commit("Core: rehearsed")?;
    stage.release(&["apply"])?;
    let (train, core) = (
        bump(&before.train, Kind::Fixed),
        bump(&before.core, Kind::Fixed),
    );
    stage.expect(&train, &core)?;
    stage.green()?;
    stage.registry.lag(Duration::from_secs(1));
    stage.registry.take_only(Some(4));
    let publish = ["publish", "--no-verify", "--registry", NAME];
    stage.refused(&publish, "run this again")?;
    stage.published(published + 4)?;
    stage.registry.take_only(None);
    stage.publish()?;
    stage.published(published + before.names.len())?;
    stage.release(&[
        "verify",
        "--registry",
        NAME,
        "--only",
        CORE,
        "--only",
        CHANGES,
    ])
}

/// What the registry is called.
const NAME: &str = "loopback";

/// Where it is played.
struct Stage {
    dir: PathBuf,
    repository: PathBuf,
    registry: Registry,
    path: std::ffi::OsString,
}

impl Stage {
    fn set(root: &Path) -> Result<Stage> {
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
        // The tools that are there need not be built again.
        let found = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(target.join("tools/bin")).chain(env::split_paths(&found));
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
    fn release(&self, arguments: &[&str]) -> Result {
        let (ended, said) = self.try_release(arguments)?;
        match ended {
            true => Ok(()),
            false => Err(format!("`release {}`: {said}", arguments.join(" "))),
        }
    }

    /// Runs one that must be refused, for this reason.
    fn refused(&self, arguments: &[&str], why: &str) -> Result {
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
            .stdin(Stdio::null())
            .stdout(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot start myself: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        eprint!("{said}");
        Ok((output.status.success(), said))
    }

    fn publish(&self) -> Result {
        self.release(&["publish", "--no-verify", "--registry", NAME])
    }

    /// The registry has so many crates in so many versions.
    fn published(&self, wanted: usize) -> Result {
        let there = self.registry.published();
        match there.len() == wanted {
            true => Ok(()),
            false => Err(format!("{wanted} should be published, not {there:?}")),
        }
    }

    fn versions(&self) -> Result<Versions> {
        Ok(Packages::load(&self.repository)?.versions())
    }

    /// The versions are these, and the changelog says so.
    fn expect(&self, train: &Version, core: &Version) -> Result {
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
    fn green(&self) -> Result {
        let head = Repository::new(&self.repository).head()?;
        let target = self.dir.join("target");
        let said =
            fs::create_dir_all(&target).and_then(|()| fs::write(target.join(ci::GREEN), head));
        said.map_err(|error| format!("{}: {error}", target.display()))
    }

    /// Puts this under Unreleased, in place of what is there.
    fn tell(&self, points: &str) -> Result {
        self.write("CHANGELOG.md", |text| {
            let (above, below) = text.split_once("## Unreleased\n").unwrap_or((text, ""));
            let next = below.find("\n## ").map_or("", |at| &below[at..]);
            format!("{above}## Unreleased\n\n{points}{next}")
        })
    }

    fn change(&self, name: &str, edit: impl Fn(&str) -> String) -> Result {
        self.write(&format!("crates/{name}/src/lib.rs"), edit)
    }

    fn write(&self, path: &str, edit: impl Fn(&str) -> String) -> Result {
        let file = self.repository.join(path);
        let changed = fs::read_to_string(&file).and_then(|text| fs::write(&file, edit(&text)));
        changed.map_err(|error| format!("cannot change {path}: {error}"))
    }

    fn commit(&self, message: &str) -> Result {
        self.git(&["commit", "--quiet", "--all", "--message", message])
    }

    fn git(&self, arguments: &[&str]) -> Result {
        let mut git = Command::new("git");
        process::run(git.args(arguments).current_dir(&self.repository))
    }
}
