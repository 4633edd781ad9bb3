//! The same name in four places: `src/semaphore.rs`, `tests/semaphore.rs`,
//! `tests/loom/semaphore.rs` (and, where it is measured, `benches/src/rows/semaphore.rs`).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::source::{Source, find_word};

/// Modules whose models and tests bear their own names, without exception.
const PRIMITIVES: &str = "crates/pirn-sync";

/// Checks which files there are, given every Rust file of the workspace and how to read one.
pub fn check(files: &[PathBuf], read: impl Fn(&Path) -> String) -> Vec<String> {
    let there: BTreeSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut breaches = primitives(&there, &read);
    let mains = files
        .iter()
        .filter(|path| path.ends_with("tests/loom/main.rs"));
    for main in mains {
        breaches.extend(models(main, files, &read));
    }
    breaches
}

/// Every module of pirn-sync that has something public has a test and a model of its name.
fn primitives(there: &BTreeSet<&Path>, read: &impl Fn(&Path) -> String) -> Vec<String> {
    let mut breaches = Vec::new();
    let krate = Path::new(PRIMITIVES);
    let source = krate.join("src");
    for path in there.iter().filter(|path| path.parent() == Some(&source)) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let public = Source::parse(&read(path)).lines.iter().any(|line| {
            // At the left margin: an item of the module itself.
            [
                "pub struct",
                "pub enum",
                "pub fn",
                "pub async fn",
                "pub trait",
            ]
            .iter()
            .any(|item| line.code.starts_with(item))
        });
        // What errors say is tested where they arise.
        if name == "lib" || name == "error" || !public {
            continue;
        }
        for place in ["tests", "tests/loom"] {
            let wanted = krate.join(place).join(format!("{name}.rs"));
            if !there.contains(wanted.as_path()) {
                breaches.push(format!("{}: has no {}", path.display(), wanted.display()));
            }
        }
    }
    breaches
}

/// Every file of models is compiled, and named for a file of the crate that it models.
fn models(main: &Path, files: &[PathBuf], read: &impl Fn(&Path) -> String) -> Vec<String> {
    let folder = main.parent().unwrap_or(Path::new(""));
    let krate = folder
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let declared = Source::parse(&read(main)).code();
    let mut breaches = Vec::new();
    for path in files {
        if path.parent() != Some(folder) || path == main {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mods = find_word(&declared, "mod").into_iter();
        let is_declared = mods
            .map(|at| declared[at + 3..].trim_start())
            .any(|rest| rest.split(';').next() == Some(name.as_ref()));
        if !is_declared {
            breaches.push(format!("{}: main.rs has no `mod {name};`", path.display()));
        }
        let modelled = files.iter().any(|file| {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            file.starts_with(krate.join("src")) && stem == name
        });
        let helper = !read(path).contains("#[test]");
        if !modelled && !helper {
            breaches.push(format!("{}: no file in src/ has its name", path.display()));
        }
    }
    breaches
}
