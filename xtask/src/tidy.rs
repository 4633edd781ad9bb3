//! `cargo xtask tidy`: the house rules that a program can check.
//!
//! `tidy/arrows.rs` looks at the crates, `tidy/rules.rs` at one file each, `tidy/places.rs` at
//! which files exist, `tidy/models.rs` at the pages that say which test shows what, `tidy/guide.rs`
//! at the guide. All are pure: what they are given is read here.

pub mod arrows;
pub mod guide;
pub mod models;
pub mod places;
pub mod rules;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, metadata::Workspace, source::Source, usage, weaken::survivors::Survivors};

/// The folders that hold our Rust files.
const FOLDERS: [&str; 6] = ["crates", "xtask", "benches", "docs", "examples", "fuzz"];

/// The command.
///
/// # Errors
///
/// When a rule is broken; each breach is printed as `path:line: what`.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let workspace = Workspace::load()?;
    let mut breaches = arrows::check(&workspace.packages);
    let files = rust_files(&workspace)?;
    for path in &files {
        let text = fs::read_to_string(workspace.root.join(path))
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        breaches.extend(rules::check(
            path,
            &text,
            &Source::parse(&text),
            modelled(path, &files),
        ));
    }
    let read = |path: &Path| fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
    breaches.extend(places::check(&files, read));
    breaches.extend(models::check(&read(models::MODELS.as_ref()), &files, read));
    for page in models::BESIDE {
        let text = read(page.as_ref());
        breaches.extend(models::check_names(page, &text, &files, read));
    }
    let exists = |path: &Path| workspace.root.join(path).exists();
    breaches.extend(guide::check(&pages(&workspace)?, read, exists));
    let survivors = Survivors::load(&workspace.root)?;
    breaches.extend(survivors.stale(|path| fs::read_to_string(workspace.root.join(path)).ok()));
    for breach in &breaches {
        println!("{breach}");
    }
    match breaches.len() {
        0 => {
            println!(
                "tidy: {} packages and {} files keep the rules",
                workspace.packages.len(),
                files.len()
            );
            Ok(())
        }
        1 => Err(format!("tidy: {}", breaches[0])),
        many => Err(format!("tidy: {many} breaches, listed above")),
    }
}

/// The pages of the guide, by their names.
fn pages(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let folder = workspace.root.join(guide::PAGES);
    let broken = |error| format!("cannot read {}: {error}", folder.display());
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.extension() == Some("md".as_ref()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = fs::read_to_string(&path).map_err(broken)?;
            pages.insert(name.into_owned(), text);
        }
    }
    Ok(pages)
}

/// Every Rust file of ours, relative to the root, sorted.
pub(crate) fn rust_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let folder = workspace.root.join(folder);
        if folder.is_dir() {
            walk(workspace, &folder, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn walk(workspace: &Workspace, folder: &Path, found: &mut Vec<PathBuf>) -> Result {
    let broken = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.is_dir() {
            if path != workspace.target && path.file_name() != Some("target".as_ref()) {
                walk(workspace, &path, found)?;
            }
        } else if path.extension() == Some("rs".as_ref()) {
            found.push(workspace.relative(&path).into());
        }
    }
    Ok(())
}

/// Whether a file belongs to the source of a crate that has loom models.
fn modelled(path: &Path, files: &[PathBuf]) -> bool {
    let mut above = path.ancestors();
    let krate = above
        .find(|folder| folder.ends_with("src"))
        .and_then(Path::parent);
    krate.is_some_and(|krate| files.contains(&krate.join("tests/loom/main.rs")))
}
