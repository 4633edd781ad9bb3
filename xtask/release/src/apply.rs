//! `cargo xtask release apply`: the plan, carried out and committed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use xtask::{Result, process};

use crate::{
    changelog::{heading, release},
    facts::{changelog, gather},
    history::{Commit, Repository, shipped_by, tag_of},
    manifests::{Versions, moved, requirements, set_versions},
    packages::{CORE, Packages},
    plan::{Plan, TRAIN, decide},
};

/// `cargo xtask release plan`: prints it.
///
/// # Errors
///
/// When there is no saying. What stands in the plan's way is printed, and no error.
pub fn show(root: &Path) -> Result {
    let packages = Packages::load(root)?;
    let (facts, commits) = gather(root, &packages)?;
    let plan = decide(&facts);
    let since = facts.last.as_ref().map_or("ever".into(), tag_of);
    println!("since {since}, {} commits:", commits.len());
    print_commits(&commits, &packages);
    print_plan(&facts.now, &plan);
    println!("\n{}", title(&plan.next)?);
    for objection in &plan.objections {
        println!("not yet: {objection}");
    }
    Ok(())
}

/// `cargo xtask release apply`: bumps, commits and tags.
///
/// # Errors
///
/// When the tree is dirty, or something stands in the plan's way.
pub fn apply(root: &Path) -> Result {
    let repository = Repository::new(root);
    if !repository.dirt()?.is_empty() {
        return Err("the tree is dirty: commit first what is to be released".into());
    }
    let packages = Packages::load(root)?;
    let (facts, _) = gather(root, &packages)?;
    let plan = decide(&facts);
    print_plan(&facts.now, &plan);
    if !plan.objections.is_empty() {
        return Err(plan.objections.join("; "));
    }
    let tag = tag_of(&plan.next.train);
    let log = release(&changelog(root)?, &title(&plan.next)?)?;
    fs::write(root.join("CHANGELOG.md"), log)
        .map_err(|error| format!("cannot write CHANGELOG.md: {error}"))?;
    write(root, &packages, &plan.next)?;
    let message = format!("Release: {}", plan.next.train);
    repository.ask(&["commit", "--quiet", "--all", "--message", &message])?;
    repository.ask(&["tag", "--annotate", &tag, "--message", &message])?;
    println!("committed and tagged as {tag}; push both, and the tag is published");
    Ok(())
}

/// Writes the versions into every manifest, every page that names them, and the lock file.
///
/// # Errors
///
/// When a file cannot be changed.
pub fn write(root: &Path, packages: &Packages, next: &Versions) -> Result {
    let before = packages.versions();
    let folders = packages.published.values().map(|package| &package.dir);
    let manifests = folders.map(|dir| dir.join("Cargo.toml"));
    for path in std::iter::once(PathBuf::from("Cargo.toml")).chain(manifests) {
        rewrite(root, &path, |text| set_versions(text, next))?;
    }
    let listed = Repository::new(root).ask(&["ls-files", "*.md", "crates/*.rs", "*.toml.in"])?;
    let pages = listed.lines().filter(|path| *path != "CHANGELOG.md");
    for path in pages {
        rewrite(root, Path::new(path), |text| {
            Ok(requirements(text, |name, stated| {
                moved(stated, before.get(name)?, next.of(name))
            }))
        })?;
    }
    let mut update = process::cargo();
    // The crates of others stay as they are locked.
    update.args(["update", "--workspace", "--quiet"]);
    process::run(update.current_dir(root))
}

fn rewrite(root: &Path, path: &Path, change: impl Fn(&str) -> Result<String>) -> Result {
    let broken = |error| format!("cannot change {}: {error}", path.display());
    let file = root.join(path);
    let old = fs::read_to_string(&file).map_err(|error| broken(error.to_string()))?;
    let new = change(&old).map_err(broken)?;
    if new != old {
        fs::write(file, new).map_err(|error| broken(error.to_string()))?;
    }
    Ok(())
}

fn title(next: &Versions) -> Result<String> {
    let date = process::capture(Command::new("date").args(["-u", "+%F"]))?;
    Ok(heading(&next.train, &next.core, date.trim()))
}

fn print_plan(now: &Versions, plan: &Plan) {
    let rows = [
        (CORE, &now.core, &plan.next.core),
        (TRAIN, &now.train, &plan.next.train),
    ];
    for (name, now, next) in rows {
        let step = match now == next {
            true => format!("{now}"),
            false => format!("{now} -> {next}"),
        };
        let why = plan.why.get(name).map_or("", String::as_str);
        println!("{name:10}  {step:16}  {why}");
    }
}

fn print_commits(commits: &[Commit], packages: &Packages) {
    let rest = "what is not shipped";
    let names = packages.published.keys().map(String::as_str);
    for name in names.chain([rest]) {
        let touched = commits.iter().filter(|commit| {
            let mut shipped = commit.paths.iter().map(|path| shipped_by(path, packages));
            match name == rest {
                true => shipped.all(|by| by.is_none()),
                false => shipped.any(|by| by == Some(name)),
            }
        });
        let subjects: Vec<&str> = touched.map(|commit| commit.subject.as_str()).collect();
        if !subjects.is_empty() {
            println!("  {name}");
            for subject in subjects {
                println!("    {subject}");
            }
        }
    }
}
