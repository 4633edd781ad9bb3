//! `cargo xtask weaken`: makes one place weaker at a time, and asks the tests and models of its
//! file's name whether they notice.
//!
//! `weaken/mutants.rs` finds the places, going by `weaken/tokens.rs` and the table in
//! `weaken/calls.rs`; `weaken/scratch.rs` is the copy of the workspace in which they are made
//! weaker; `weaken/judge.rs` builds and runs; `weaken/results.rs` remembers; `weaken/survivors.rs`
//! knows who may survive.

pub mod calls;
pub mod judge;
pub mod mutants;
pub mod results;
pub mod scratch;
pub mod survivors;
pub mod tokens;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lexopt::prelude::*;
use serde_json::json;

use self::{
    judge::{Court, Fate, Judges, Outcome},
    mutants::{Kind, Mutant},
    results::Results,
    scratch::Scratch,
    survivors::Survivors,
};
use crate::{
    Result,
    metadata::{Package, Workspace},
    process, tidy, usage,
};

/// Seconds that one process may take. A model is stopped after half of it, so that only what hangs
/// gets there.
const LIMIT: u64 = 40;

/// What `--changed` compares with.
pub const BASE: &str = "HEAD~1";

/// What to weaken, and how.
#[derive(Debug, Default)]
pub struct Options {
    /// Only this package; else all that are enrolled.
    pub package: Option<String>,
    /// Only files that bear this name, or are in a folder that does.
    pub file: Option<String>,
    /// Only this kind.
    pub only: Option<Kind>,
    /// Only files that changed since this revision, or whose tests or models did.
    pub changed: Option<String>,
    /// Seconds that one process may take.
    pub limit: Option<u64>,
    /// Only list.
    pub list: bool,
    /// Report in JSON on standard output.
    pub json: bool,
    /// Forget what is known.
    pub fresh: bool,
}

impl Options {
    fn parse(mut arguments: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("list") => options.list = true,
                Long("json") => options.json = true,
                Long("fresh") => options.fresh = true,
                Long("resume") => options.fresh = false,
                Long("file") => options.file = Some(arguments.value()?.string()?),
                Long("limit") => options.limit = Some(arguments.value()?.parse()?),
                Long("only") => {
                    let name = arguments.value()?.string()?;
                    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
                    let message = || format!("--only is ordering, wake or hand-over, not `{name}`");
                    options.only = Some(kind.ok_or_else(message)?);
                }
                Long("changed") => {
                    let base = arguments.optional_value();
                    let base = base.map(ValueExt::string).transpose()?;
                    options.changed = Some(base.unwrap_or_else(|| BASE.into()));
                }
                Value(name) if options.package.is_none() => {
                    options.package = Some(name.string()?);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// One file and what judges it.
struct Case {
    path: PathBuf,
    text: String,
    judges: Judges,
    /// All that there are.
    all: Vec<Mutant>,
    /// Those that are asked for.
    mutants: Vec<Mutant>,
    /// What decides their fate beside their own text.
    beside: Vec<String>,
}

/// A mutant and its fate.
type Row<'a> = (&'a Mutant, Outcome);

/// The command.
///
/// # Errors
///
/// When a mutant survives that is not listed, or one is listed that does not.
pub fn run(arguments: lexopt::Parser) -> Result {
    weaken(&Options::parse(arguments).map_err(usage)?)
}

/// Weakens what `options` pick.
///
/// # Errors
///
/// As [`run`].
pub fn weaken(options: &Options) -> Result {
    let workspace = Workspace::load()?;
    let cases = cases(&workspace, options)?;
    if options.list {
        for mutant in cases.iter().flat_map(|case| &case.mutants) {
            println!("{mutant}");
        }
        return Ok(());
    }
    let survivors = Survivors::load(&workspace.root)?;
    let rows = judge_all(&workspace, options, &cases, &survivors)?;

    let files: Vec<&Path> = cases.iter().map(|case| case.path.as_path()).collect();
    let all: Vec<Mutant> = cases.iter().flat_map(|case| case.all.clone()).collect();
    let mut problems = survivors.gone(&files, &all);
    let against = rows.iter();
    problems
        .extend(against.filter_map(|(mutant, outcome)| survivors.problem(mutant, outcome.fate)));
    finish(options, &rows, &survivors, &problems)
}

fn cases(workspace: &Workspace, options: &Options) -> Result<Vec<Case>> {
    let changed = match &options.changed {
        Some(base) => Some(changed(&workspace.root, base)?),
        None => None,
    };
    let files = tidy::rust_files(workspace)?;
    let mut cases = Vec::new();
    for package in pick(workspace, options.package.as_deref())? {
        let folder = workspace.relative(&package.dir);
        let source = folder.join("src");
        for path in files.iter().filter(|path| path.starts_with(&source)) {
            let judges = Judges::of(package, &workspace.root, path);
            let is_changed = |changed: &Vec<PathBuf>| {
                let mut judges = judges.files().map(|file| folder.join(file));
                changed.contains(path) || judges.any(|file| changed.contains(&file))
            };
            if !options.file.as_ref().is_none_or(|name| bears(path, name))
                || !changed.as_ref().is_none_or(is_changed)
            {
                continue;
            }
            let text = read(&workspace.root.join(path))?;
            let all = mutants::find(path, &text)?;
            let only = |mutant: &&Mutant| options.only.is_none_or(|only| only == mutant.kind);
            cases.push(Case {
                mutants: all.iter().filter(only).cloned().collect(),
                beside: beside(workspace, package, &judges, &files)?,
                path: path.clone(),
                text,
                judges,
                all,
            });
        }
    }
    match &options.file {
        Some(name) if cases.is_empty() && options.changed.is_none() => Err(format!(
            "no file or folder of the source is called `{name}`: it is to be named without `.rs`"
        )),
        _ => Ok(cases),
    }
}

fn pick<'a>(workspace: &'a Workspace, wanted: Option<&str>) -> Result<Vec<&'a Package>> {
    let names = wanted.map_or(calls::ENROLLED.to_vec(), |name| vec![name]);
    let package = |name: &str| {
        let mut packages = workspace.packages.iter();
        packages
            .find(|package| package.name == name)
            .ok_or_else(|| format!("no package is called `{name}`"))
    };
    names.into_iter().map(package).collect()
}

/// True for a file of this name, and for one in a folder of this name.
fn bears(path: &Path, name: &str) -> bool {
    let path = path.with_extension("");
    let mut below = path.iter().skip_while(|folder| *folder != "src");
    below.any(|part| part == name)
}

/// The texts that decide a mutant's fate beside its own file: its judges, what the package's tests
/// share, and pirn-core.
fn beside(
    workspace: &Workspace,
    package: &Package,
    judges: &Judges,
    files: &[PathBuf],
) -> Result<Vec<String>> {
    let folder = workspace.relative(&package.dir);
    let own: Vec<PathBuf> = judges.files().map(|file| folder.join(file)).collect();
    let mut texts = Vec::new();
    for path in files {
        let shared = path.starts_with(folder.join("tests"));
        let core = path.starts_with("crates/pirn-core/src");
        if !(shared || core) {
            continue;
        }
        let text = read(&workspace.root.join(path))?;
        if core || own.contains(path) || !text.contains("#[test]") {
            texts.push(text);
        }
    }
    Ok(texts)
}

/// The files that differ from `base`, or from where this branch left it.
fn changed(root: &Path, base: &str) -> Result<Vec<PathBuf>> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        process::capture(command.current_dir(root).args(arguments))
    };
    let known = git(&["diff", "--relative", "--name-only", "--merge-base", base])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    Ok(known.lines().chain(new.lines()).map(Into::into).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Judges all mutants whose fate is not known, and prints a line for each.
fn judge_all<'a>(
    workspace: &Workspace,
    options: &Options,
    cases: &'a [Case],
    survivors: &Survivors,
) -> Result<Vec<Row<'a>>> {
    let limit = Duration::from_secs(options.limit.unwrap_or(LIMIT));
    let mut court: Option<Court> = None;
    let folder = workspace.target.join("weaken");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let path = folder.join("results");
    let mut results = Results::load(&path, options.fresh)?;
    let mut sworn: Vec<&Judges> = Vec::new();
    let mut rows = Vec::new();
    for case in cases {
        for mutant in &case.mutants {
            let hash = judge::hash(&mutant.apply(&case.text), &case.beside);
            let known = results.get(hash).cloned();
            let is_new = known.is_none();
            let outcome = match known {
                Some(outcome) => outcome,
                None => {
                    let court = match &mut court {
                        Some(court) => court,
                        None => court.insert(Court::new(Scratch::of(workspace)?, limit)),
                    };
                    if !sworn.contains(&&case.judges) {
                        court.swear_in(&case.judges)?;
                        sworn.push(&case.judges);
                    }
                    let outcome = court.judge(&case.judges, mutant, &case.text)?;
                    results.add(hash, outcome.clone())?;
                    outcome
                }
            };
            let listed = survivors.reason(mutant).is_some();
            say(options, &line(mutant, &outcome, listed, is_new));
            rows.push((mutant, outcome));
        }
    }
    Ok(rows)
}

/// A line for the reader: on standard error where standard output is for JSON.
fn say(options: &Options, line: &str) {
    if options.json {
        eprintln!("{line}");
    } else {
        println!("{line}");
    }
}

fn line(mutant: &Mutant, outcome: &Outcome, listed: bool, is_new: bool) -> String {
    let time = match is_new {
        true => format!("{:.1} s", outcome.seconds),
        false => "known".into(),
    };
    let fate = match (outcome.fate, listed) {
        (Fate::Survived, true) => "listed",
        (fate, _) => fate.name(),
    };
    format!("{fate:8}  {time:>7}  {mutant}  {}", outcome.by)
}

/// How many of a file's mutants met which fate.
#[derive(Debug, Default)]
pub struct Tally {
    caught: usize,
    timeout: usize,
    survived: usize,
    unviable: usize,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, fate: Fate) {
        *match fate {
            Fate::Caught => &mut self.caught,
            Fate::Timeout => &mut self.timeout,
            Fate::Survived => &mut self.survived,
            Fate::Unviable => &mut self.unviable,
        } += 1;
    }

    /// How many of those that compile were noticed.
    pub fn per_cent(&self) -> f64 {
        let noticed = self.caught + self.timeout;
        match noticed + self.survived {
            0 => 100.0,
            viable => 100.0 * noticed as f64 / viable as f64,
        }
    }
}

fn finish(
    options: &Options,
    rows: &[Row<'_>],
    survivors: &Survivors,
    problems: &[String],
) -> Result {
    let mut files: BTreeMap<String, Tally> = BTreeMap::new();
    let mut whole = Tally::default();
    for (mutant, outcome) in rows {
        let file = mutant.file.display().to_string();
        files.entry(file).or_default().add(outcome.fate);
        whole.add(outcome.fate);
    }
    if options.json {
        let mutants = rows.iter().map(|(mutant, outcome)| {
            json!({
                "id": mutant.id(),
                "key": mutant.key(),
                "fate": outcome.fate.name(),
                "by": outcome.by,
                "seconds": outcome.seconds,
                "reason": survivors.reason(mutant),
            })
        });
        let report = json!({
            "mutants": mutants.collect::<Vec<_>>(),
            "caught_per_cent": whole.per_cent(),
            "problems": problems,
        });
        println!("{report:#}");
    } else {
        table(&files, &whole);
    }
    for problem in problems {
        eprintln!("weaken: {problem}");
    }
    match problems {
        [] => Ok(()),
        [one] => Err(format!("weaken: {one}")),
        many => Err(format!("weaken: {} problems, listed above", many.len())),
    }
}

fn table(files: &BTreeMap<String, Tally>, whole: &Tally) {
    let width = files.keys().map(String::len).max().unwrap_or(0);
    println!(
        "\n{:width$}  caught  timeout  survived  unviable  noticed",
        "file"
    );
    let rows = files.iter().map(|(file, tally)| (file.as_str(), tally));
    for (file, tally) in rows.chain([("in all", whole)]) {
        println!(
            "{file:width$}  {:>6}  {:>7}  {:>8}  {:>8}  {:>5.1} %",
            tally.caught,
            tally.timeout,
            tally.survived,
            tally.unviable,
            tally.per_cent()
        );
    }
}
