//! What git says: tags, commits, what changed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use semver::Version;
use xtask::{Result, process};

use crate::{
    manifests::inherited,
    packages::{CORE, Packages},
};

/// The repository.
#[derive(Debug)]
pub struct Repository<'a> {
    root: &'a Path,
}

/// A commit, by its first line and what it touched.
#[derive(Debug, PartialEq)]
pub struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// Its files.
    pub paths: Vec<PathBuf>,
}

impl<'a> Repository<'a> {
    /// The repository of this folder.
    pub fn new(root: &'a Path) -> Repository<'a> {
        Repository { root }
    }

    /// What git answers, without the last newline.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        let mut git = Command::new("git");
        let said = process::capture(git.args(arguments).current_dir(self.root))?;
        Ok(said.trim_end().to_owned())
    }

    /// The same, where a failure is an answer, too.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn quiet(&self, arguments: &[&str]) -> Result<String> {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.root);
        let said = process::capture_beside(&mut git, Stdio::null())?;
        Ok(said.trim_end().to_owned())
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn head(&self) -> Result<String> {
        self.ask(&["rev-parse", "HEAD"])
    }

    /// What differs from the commit that is checked out; empty for a clean tree.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn dirt(&self) -> Result<String> {
        self.ask(&["status", "--porcelain"])
    }

    /// The versions of the tags on the commit that is checked out.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn tags_here(&self) -> Result<BTreeSet<Version>> {
        Ok(versions(&self.ask(&["tag", "--points-at", "HEAD"])?))
    }

    /// The highest version that was tagged up to here, below `limit` if there is one.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn last_tag(&self, limit: Option<&Version>) -> Result<Option<Version>> {
        let mut all = versions(&self.ask(&["tag", "--merged", "HEAD"])?);
        all.retain(|version| limit.is_none_or(|limit| version < limit));
        Ok(all.pop_last())
    }

    /// The commits since a version, or all of them, newest first.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn commits_since(&self, last: Option<&Version>) -> Result<Vec<Commit>> {
        let range = last.map_or("HEAD".into(), |last| format!("{}..HEAD", tag_of(last)));
        let log = [
            "log",
            "--name-only",
            "--no-renames",
            "--format=%x00%s",
            &range,
        ];
        Ok(commits(&self.ask(&log)?))
    }

    /// The crates of which something changed since a version that their users get: anything but
    /// tests. Of pirn-core also what it inherits from the workspace: it has a version of its own.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn changed_since(&self, last: &Version, packages: &Packages) -> Result<BTreeSet<String>> {
        let tag = tag_of(last);
        let paths = self.ask(&["diff", "--name-only", "--no-renames", &tag, "HEAD"])?;
        let mut changed: BTreeSet<String> = paths
            .lines()
            .filter_map(|path| shipped_by(Path::new(path), packages))
            .map(str::to_owned)
            .collect();
        let core = packages.published.get(CORE);
        let core = core.map(|core| core.dir.join("Cargo.toml"));
        if let Some(core) = core.as_deref().and_then(Path::to_str) {
            if self.inherited(&tag, core)? != self.inherited("HEAD", core)? {
                changed.insert(CORE.into());
            }
        }
        Ok(changed)
    }

    fn inherited(&self, commit: &str, manifest: &str) -> Result<Vec<String>> {
        let show = |path: &str| self.ask(&["show", &format!("{commit}:{path}")]);
        inherited(&show("Cargo.toml")?, &show(manifest)?)
    }

    /// Whether what a crate ships is the same in a commit as here.
    pub fn same_as_here(&self, commit: &str, folder: &Path) -> bool {
        let mut git = Command::new("git");
        git.args(["diff", "--quiet", commit, "HEAD", "--"]);
        git.arg(folder).arg(format!(":!{}/tests", folder.display()));
        let status = git.current_dir(self.root).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// The tag of a version.
pub fn tag_of(version: &Version) -> String {
    format!("v{version}")
}

fn versions(tags: &str) -> BTreeSet<Version> {
    let plain = tags.lines().filter_map(|tag| tag.strip_prefix('v'));
    plain.filter_map(|tag| tag.parse().ok()).collect()
}

/// The crate whose users get this file.
pub fn shipped_by<'a>(path: &Path, packages: &'a Packages) -> Option<&'a str> {
    let mut all = packages.published.iter();
    let found = all.find(|(_, one)| {
        path.strip_prefix(&one.dir)
            .is_ok_and(|inside| !inside.starts_with("tests"))
    });
    found.map(|(name, _)| name.as_str())
}

/// Reads `git log --name-only --format=%x00%s`.
pub fn commits(log: &str) -> Vec<Commit> {
    let each = log.split('\0').filter(|one| !one.trim().is_empty());
    each.map(|one| {
        let mut lines = one.lines();
        Commit {
            subject: lines.next().unwrap_or_default().to_owned(),
            paths: lines
                .filter(|line| !line.is_empty())
                .map(PathBuf::from)
                .collect(),
        }
    })
    .collect()
}
