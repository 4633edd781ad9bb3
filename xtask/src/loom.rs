//! `cargo xtask loom`: explores every model, one process each, and looks at what was explored.
//!
//! loom itself passes in silence when its time limit stops a model, when a model has no second
//! thread, and when the shim is unplugged; so every model prints a line (see `pirn_core::shim`),
//! and this command reads it. The verdict is in `loom/verdict.rs`, the remembered counts are in
//! `loom/baseline.rs`.

pub mod baseline;
pub mod verdict;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use lexopt::prelude::*;
use serde_json::json;

use self::{
    baseline::Baseline,
    verdict::{Report, Verdict},
};
use crate::{
    Result, binary,
    metadata::{Package, Workspace},
    process, usage,
};

/// How many models run at once.
const AT_ONCE: usize = 2;
/// A model that runs longer than this has hung: loom's own checks are finite.
pub const HUNG: Duration = Duration::from_secs(15 * 60);
/// The bound at which every model is explored to its end.
const DEFAULT_BOUND: &str = "2";

/// What to explore, and how.
#[derive(Debug, Default)]
pub struct Options {
    /// Only the models of this package.
    pub package: Option<String>,
    /// Only models whose full name contains this.
    pub filter: Option<String>,
    /// The preemption bound: a number or `none`.
    pub bound: Option<String>,
    /// Seconds after which a model is stopped.
    pub cap: Option<u32>,
    /// How long a model may run before it has hung, if not [`HUNG`].
    pub hung: Option<Duration>,
    /// Only list the models.
    pub list: bool,
    /// Report in JSON on standard output.
    pub json: bool,
    /// Remember the counts.
    pub record: bool,
    /// Only the models whose counts at this bound are remembered.
    pub remembered: bool,
}

impl Options {
    fn parse(mut arguments: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("list") => options.list = true,
                Long("json") => options.json = true,
                Long("record") => options.record = true,
                Long("remembered") => options.remembered = true,
                Long("filter") => options.filter = Some(arguments.value()?.string()?),
                Long("cap") => options.cap = Some(arguments.value()?.parse()?),
                Long("bound") => {
                    let bound = arguments.value()?.string()?;
                    if bound != "none" && bound.parse::<u8>().is_err() {
                        let message =
                            format!("--bound is a number below 256 or `none`, not `{bound}`");
                        return Err(message.into());
                    }
                    options.bound = Some(bound);
                }
                Value(name) if options.package.is_none() => {
                    options.package = Some(name.string()?);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }

    fn bound(&self) -> &str {
        self.bound.as_deref().unwrap_or(DEFAULT_BOUND)
    }

    /// The bound as loom reads it: it knows numbers below 256 only, and no model of ours comes
    /// near that many preemptions.
    fn preemptions(&self) -> &str {
        match self.bound() {
            "none" => "255",
            bound => bound,
        }
    }

    /// Whether every model is explored whose count is remembered.
    fn is_whole(&self) -> bool {
        self.filter.is_none()
    }

    /// Whether every model there is has to be explored to its end.
    fn is_default(&self) -> bool {
        self.bound() == DEFAULT_BOUND
    }
}

/// One model: a test in a crate's `tests/loom`.
pub(crate) struct Model {
    package: String,
    /// Its name within the test binary.
    pub(crate) test: String,
    executable: PathBuf,
    /// Where cargo runs tests.
    dir: PathBuf,
}

impl Model {
    /// `crate::file::model`.
    fn name(&self) -> String {
        format!("{}::{}", self.package, self.test)
    }
}

/// The command.
///
/// # Errors
///
/// When a model fails, explores too little, or does not say what it explored.
pub fn run(arguments: lexopt::Parser) -> Result {
    explore(&Options::parse(arguments).map_err(usage)?)
}

/// Explores the models that `options` pick.
///
/// # Errors
///
/// As [`run`].
pub fn explore(options: &Options) -> Result {
    let workspace = Workspace::load()?;
    let packages = pick(&workspace, options.package.as_deref())?;
    let mut models = Vec::new();
    for package in &packages {
        let executable = binary::build(&mut build(&workspace, package), "loom", Stdio::inherit())
            .map_err(|_| format!("the models of {} do not build", package.name))?
            .executable;
        models.extend(list(package, &executable)?);
    }
    if let Some(filter) = &options.filter {
        models.retain(|model| model.name().contains(filter.as_str()));
        if models.is_empty() {
            return Err(format!("no model's name contains `{filter}`"));
        }
    }
    let other = (!options.is_default()).then(|| options.bound());
    let path = Baseline::path(&workspace.root, other);
    let mut baseline = Baseline::load(&path)?;
    if options.remembered {
        models.retain(|model| baseline.has(&model.name()));
        if models.is_empty() {
            return Err(format!("no such model is remembered in {}", path.display()));
        }
    }
    if options.list {
        for model in &models {
            println!("{}", model.name());
        }
        return Ok(());
    }

    let logs = workspace.target.join("loom/models");
    fs::create_dir_all(&logs).map_err(|e| format!("cannot make {}: {e}", logs.display()))?;
    let reports = run_all(&models, options, &logs)?;
    let mut problems: Vec<String> = reports.iter().filter_map(Report::problem).collect();
    if options.filter.is_none() && !options.remembered {
        for package in &packages {
            problems.extend(verdict::must_fail_problem(&package.name, &reports));
        }
    }
    let names: Vec<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    if options.record {
        if options.cap.is_some() && options.is_default() {
            return Err("at the default bound only counts without a cap are recorded".into());
        }
        if problems.is_empty() {
            baseline.record(&reports, &names, options.is_whole());
            baseline.save(&path, options.bound())?;
        }
    } else if options.cap.is_none() {
        problems.extend(baseline.shrunk(&reports));
        if options.is_whole() {
            problems.extend(baseline.gone(&reports, &names));
        }
    }
    finish(options, &reports, &problems)
}

fn pick<'a>(workspace: &'a Workspace, wanted: Option<&str>) -> Result<Vec<&'a Package>> {
    if let Some(name) = wanted {
        let Some(package) = workspace.packages.iter().find(|p| p.name == name) else {
            return Err(format!("no package is called `{name}`"));
        };
        if package.models().is_none() {
            return Err(format!("{name} has no models (no tests/loom/main.rs)"));
        }
        return Ok(vec![package]);
    }
    let all = workspace.packages.iter();
    Ok(all.filter(|p| p.models().is_some()).collect())
}

/// The command that builds a crate's models, for [`binary::build`].
pub(crate) fn build(workspace: &Workspace, package: &Package) -> Command {
    let mut command = process::cargo();
    command
        .current_dir(&workspace.root)
        .args(["test", "--quiet", "--no-run", "--package", &package.name])
        .args(["--features", "loom", "--profile", "loom", "--test", "loom"])
        .arg("--target-dir")
        .arg(workspace.target.join("loom"));
    process::add_rustflags(&mut command, &["--cfg", "loom"]);
    command
}

/// The models in a test binary.
pub(crate) fn list(package: &Package, executable: &Path) -> Result<Vec<Model>> {
    let mut command = Command::new(executable);
    command.args(["--list", "--format", "terse"]);
    let text = process::capture(&mut command)?;
    let tests = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(tests
        .map(|test| Model {
            package: package.name.clone(),
            test: test.into(),
            executable: executable.into(),
            dir: package.dir.clone(),
        })
        .collect())
}

/// Runs the models, `AT_ONCE` at a time, and prints a line for each as it ends.
fn run_all(models: &[Model], options: &Options, logs: &Path) -> Result<Vec<Report>> {
    let width = models.iter().map(|m| m.name().len()).max().unwrap_or(0);
    let row = |name: &str, executions: &str, seconds: &str, verdict: &str| {
        let line = format!("{name:width$}  {executions:>10}  {seconds:>7}  {verdict}");
        if options.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    };
    row("model", "executions", "seconds", "verdict");
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // Ordering: Relaxed, a counter; the models were there before the threads.
                while let Some(model) = models.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = run_one(model, options, logs);
                    if let Ok(report) = &report {
                        let seconds = format!("{:.1}", report.seconds);
                        let count = report.executions.to_string();
                        row(&report.name, &count, &seconds, report.verdict.name());
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push(report);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut reports = done.into_iter().collect::<Result<Vec<_>>>()?;
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(reports)
}

/// Runs one model; what it prints is left in `logs`.
pub(crate) fn run_one(model: &Model, options: &Options, logs: &Path) -> Result<Report> {
    let name = model.name();
    let path = logs.join(name.replace("::", "."));
    let broken = |error: std::io::Error| format!("cannot run {name}: {error}");
    let log = fs::File::create(&path).map_err(broken)?;
    let mut command = Command::new(&model.executable);
    command
        .current_dir(&model.dir)
        .args(["--exact", &model.test, "--nocapture"])
        .env("LOOM_MAX_PREEMPTIONS", options.preemptions())
        .env_remove("LOOM_MAX_DURATION")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(broken)?)
        .stderr(log);
    if let Some(cap) = options.cap {
        command.env("LOOM_MAX_DURATION", cap.to_string());
    }
    let mut child = command.spawn().map_err(broken)?;
    let limit = options.hung.unwrap_or(HUNG);
    let status = binary::wait(&mut child, limit, || false).map_err(broken)?;
    let output = fs::read(&path).map_err(broken)?;
    let output = String::from_utf8_lossy(&output).into_owned();
    let passed = status.is_some_and(|status| status.success());
    let mut report = verdict::judge(&name, &output, passed, options.cap.is_some());
    if status.is_none() {
        report.verdict = Verdict::Hung;
    }
    if report.problem().is_some() {
        report.output = output;
        report.reproduce = reproduce(model, options);
    }
    Ok(report)
}

fn reproduce(model: &Model, options: &Options) -> String {
    format!(
        "LOOM_MAX_PREEMPTIONS={} RUSTFLAGS=\"--cfg loom\" cargo test -p {} --features loom \
         --profile loom --test loom --target-dir target/loom -- --exact {} --nocapture",
        options.preemptions(),
        model.package,
        model.test
    )
}

fn finish(options: &Options, reports: &[Report], problems: &[String]) -> Result {
    for report in reports.iter().filter(|report| report.problem().is_some()) {
        eprintln!("\n--- {}\n{}", report.name, report.output.trim_end());
        eprintln!("--- to see it again:\n{}", report.reproduce);
    }
    if options.json {
        let rows = reports.iter().map(|report| {
            json!({
                "model": report.name,
                "executions": report.executions,
                "seconds": report.seconds,
                "verdict": report.verdict.name(),
            })
        });
        let whole = json!({
            "bound": options.bound(),
            "models": rows.collect::<Vec<_>>(),
            "problems": problems,
        });
        println!("{whole:#}");
    } else {
        let executions: u64 = reports.iter().map(|report| report.executions).sum();
        println!(
            "{} models, {executions} executions at bound {}",
            reports.len(),
            options.bound()
        );
    }
    for problem in problems {
        eprintln!("loom: {problem}");
    }
    match problems {
        [] => Ok(()),
        [one] => Err(format!("loom: {one}")),
        many => Err(format!("loom: {} problems, listed above", many.len())),
    }
}
