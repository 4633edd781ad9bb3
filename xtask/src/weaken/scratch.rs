//! The copy of the workspace that is weakened, and its target directories.
//!
//! Both lie under `target/weaken` and are kept: `tree` is brought up to date file by file, so that
//! cargo builds anew only what has changed. cargo goes by the time of a file, so each write waits
//! until the clock shows another time than at the last one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use crate::{Result, metadata::Workspace};

/// The coarsest step of a file system's times that is met in practice.
const STEP: Duration = Duration::from_millis(20);

/// The copy.
#[derive(Debug)]
pub struct Scratch {
    /// The workspace as cargo sees it there.
    pub workspace: Workspace,
    written: SystemTime,
}

impl Scratch {
    /// Brings the copy up to date with the workspace.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub fn of(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target.join("weaken");
        let tree = folder.join("tree");
        fs::create_dir_all(&tree).map_err(|e| broken(&tree, &e))?;
        let here = files(&workspace.root)?;
        for path in files(&tree)?.difference(&here) {
            let path = tree.join(path);
            fs::remove_file(&path).map_err(|e| broken(&path, &e))?;
        }
        for path in &here {
            copy(&workspace.root.join(path), &tree.join(path))?;
        }
        let mut copied = Workspace::load_from(&tree)?;
        copied.target = folder;
        Ok(Scratch {
            workspace: copied,
            written: SystemTime::now(),
        })
    }

    /// Writes a file, so that cargo notices.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&mut self, path: &Path, text: &str) -> Result {
        // A build that began just now may have noted the present time, and a clock may go back.
        let elapsed = || self.written.elapsed().unwrap_or_default();
        while elapsed() < STEP {
            thread::sleep(STEP);
        }
        let path = self.workspace.root.join(path);
        fs::write(&path, text).map_err(|e| broken(&path, &e))?;
        self.written = SystemTime::now();
        thread::sleep(STEP);
        Ok(())
    }
}

/// Copies a file unless the copy holds the same already.
fn copy(from: &Path, to: &Path) -> Result {
    let bytes = fs::read(from).map_err(|e| broken(from, &e))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|e| broken(folder, &e))?;
    }
    fs::write(to, bytes).map_err(|e| broken(to, &e))
}

/// The files below a folder, relative to it, but for what cargo and git keep there.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| broken(&folder, &e))? {
            let entry = entry.map_err(|e| broken(&folder, &e))?;
            let kind = entry.file_type().map_err(|e| broken(&folder, &e))?;
            let path = entry.path();
            let name = entry.file_name();
            if name == "target" || name == ".git" {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.insert(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    Ok(found)
}

fn broken(path: &Path, error: &std::io::Error) -> String {
    format!("cannot copy {}: {error}", path.display())
}
