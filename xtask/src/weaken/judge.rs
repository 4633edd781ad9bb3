//! Who judges a mutant, the tests and models of its file's name, and what they say.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{mutants::Mutant, scratch::Scratch};
use crate::{
    Result, binary,
    loom::{self, verdict::Verdict},
    metadata::Package,
    process,
};

/// Many at once, so that a few that hang do not keep the others from failing.
const TEST_THREADS: &str = "--test-threads=32";

/// How a mutant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A test or a model failed.
    Caught,
    /// One did not end, which is noticed as well.
    Timeout,
    /// All passed.
    Survived,
    /// It does not compile.
    Unviable,
}

impl Fate {
    const ALL: [Fate; 4] = [Fate::Caught, Fate::Timeout, Fate::Survived, Fate::Unviable];

    /// Its name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Caught => "caught",
            Fate::Timeout => "timeout",
            Fate::Survived => "SURVIVED",
            Fate::Unviable => "unviable",
        }
    }

    /// The fate of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.name() == name)
    }
}

/// A mutant's fate, and whose doing it is.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub fate: Fate,
    /// The test or model that noticed; else what there was to notice it.
    pub by: String,
    /// How long it took.
    pub seconds: f64,
}

/// The tests and models that judge one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judges {
    /// The package.
    pub package: String,
    /// The names for which there is a `tests/NAME.rs`.
    pub tests: Vec<String>,
    /// The names for which there is a `tests/loom/NAME.rs`.
    pub models: Vec<String>,
}

impl Judges {
    /// Those of a file in the source of `package`: what bears its name, or that of a folder that it
    /// is in, the innermost first. `root` is the workspace's.
    pub fn of(package: &Package, root: &Path, file: &Path) -> Self {
        let source = package.dir.join("src");
        let path = root.join(file);
        let path = path
            .strip_prefix(&source)
            .unwrap_or(file)
            .with_extension("");
        let names: Vec<String> = path
            .iter()
            .rev()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let there = |folder: &str| {
            let folder = package.dir.join(folder);
            let names = names.iter().filter(|name| {
                let judge = folder.join(format!("{name}.rs"));
                judge.exists() && **name != "main"
            });
            names.cloned().collect()
        };
        Judges {
            package: package.name.clone(),
            tests: there("tests"),
            models: there("tests/loom"),
        }
    }

    /// Their files, relative to the package.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let tests = self.tests.iter().map(|name| format!("tests/{name}.rs"));
        let models = self.models.iter();
        let models = models.map(|name| format!("tests/loom/{name}.rs"));
        tests.chain(models).map(PathBuf::from)
    }

    /// The models among them, by their names in the test binary.
    fn judge(&self, model: &str) -> bool {
        let file = model.split("::").next();
        self.models.iter().any(|name| file == Some(name))
    }
}

/// A hash of what decides a mutant's fate: its source, what judges it, and pirn-core.
pub fn hash(mutated: &str, beside: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    mutated.hash(&mut hasher);
    beside.hash(&mut hasher);
    hasher.finish()
}

/// The court: builds and runs.
#[derive(Debug)]
pub struct Court {
    /// Where.
    pub scratch: Scratch,
    /// How long one process may take.
    pub limit: Duration,
    /// What was caught by whom: who caught much is asked first.
    catches: BTreeMap<String, usize>,
    /// How long each behaviour test takes while nothing is weakened.
    times: BTreeMap<String, Duration>,
}

impl Court {
    /// A court that sits in `scratch`.
    pub fn new(scratch: Scratch, limit: Duration) -> Self {
        Court {
            scratch,
            limit,
            catches: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }

    /// Checks that what judges a file passes while nothing is weakened.
    ///
    /// # Errors
    ///
    /// When it does not, or something else goes wrong.
    pub fn swear_in(&mut self, judges: &Judges) -> Result {
        let outcome = self.hear(judges, None)?;
        match outcome.fate {
            Fate::Survived => Ok(()),
            fate => Err(format!(
                "{}: unweakened, this is {}: {}\n{}",
                judges.package,
                fate.name(),
                outcome.by,
                fs::read_to_string(self.log())
                    .unwrap_or_default()
                    .trim_end()
            )),
        }
    }

    /// Judges a mutant of a file whose text is `text`.
    ///
    /// # Errors
    ///
    /// When something else goes wrong than what a mutant may break.
    pub fn judge(&mut self, judges: &Judges, mutant: &Mutant, text: &str) -> Result<Outcome> {
        self.scratch.write(&mutant.file, &mutant.apply(text))?;
        let outcome = self.hear(judges, Some(mutant));
        self.scratch.write(&mutant.file, text)?;
        let outcome = outcome?;
        if matches!(outcome.fate, Fate::Caught | Fate::Timeout) {
            *self.catches.entry(outcome.by.clone()).or_default() += 1;
        }
        Ok(outcome)
    }

    fn hear(&mut self, judges: &Judges, mutant: Option<&Mutant>) -> Result<Outcome> {
        let started = Instant::now();
        let ended = |fate, by| Outcome {
            fate,
            by,
            seconds: started.elapsed().as_secs_f64(),
        };
        for (number, name) in judges.tests.iter().enumerate() {
            let mut command = self.test(judges, name);
            // Only the first build compiles the library; the others find it there.
            let mutant = mutant.filter(|_| number == 0);
            let Some(binary) = self.build(&mut command, name, judges, mutant)? else {
                return Ok(ended(Fate::Unviable, format!("tests/{name}.rs")));
            };
            if let Some((fate, by)) = self.run_test(judges, name, &binary)? {
                return Ok(ended(fate, by));
            }
        }
        let mut explored = 0;
        let mut capped = 0;
        if !judges.models.is_empty() {
            let package = self.package(judges)?;
            let mut command = loom::build(&self.scratch.workspace, package);
            let Some(binary) = self.build(&mut command, "loom", judges, mutant)? else {
                return Ok(ended(Fate::Unviable, "tests/loom".into()));
            };
            let mut models = loom::list(package, &binary)?;
            models.retain(|model| judges.judge(&model.test));
            let catches = |name: &str| self.catches.get(name).copied().unwrap_or(0);
            models.sort_by_key(|model| std::cmp::Reverse(catches(&loom_name(&model.test))));
            let cap = u32::try_from(self.limit.as_secs() / 2).unwrap_or(u32::MAX);
            let options = loom::Options {
                cap: Some(cap.max(1)),
                hung: Some(self.limit),
                ..loom::Options::default()
            };
            let logs = self.scratch.workspace.target.join("models");
            fs::create_dir_all(&logs)
                .map_err(|e| format!("cannot make {}: {e}", logs.display()))?;
            for model in &models {
                let report = loom::run_one(model, &options, &logs)?;
                let by = loom_name(&model.test);
                match report.verdict {
                    Verdict::Hung => return Ok(ended(Fate::Timeout, by)),
                    _ if report.problem().is_some() => return Ok(ended(Fate::Caught, by)),
                    Verdict::Capped => capped += 1,
                    _ => {}
                }
                explored += 1;
            }
        }
        let by = match (judges.tests.len(), explored, capped) {
            (0, 0, _) => "nothing bears its name".into(),
            (tests, models, 0) => format!("{tests} tests/NAME.rs, {models} models"),
            (tests, models, capped) => {
                format!("{tests} tests/NAME.rs, {models} models, {capped} of them capped")
            }
        };
        Ok(ended(Fate::Survived, by))
    }

    fn package(&self, judges: &Judges) -> Result<&Package> {
        let mut packages = self.scratch.workspace.packages.iter();
        packages
            .find(|package| package.name == judges.package)
            .ok_or_else(|| format!("the copy has no package {}", judges.package))
    }

    /// The command that builds one behaviour test.
    fn test(&self, judges: &Judges, name: &str) -> Command {
        let mut command = process::cargo();
        command
            .current_dir(&self.scratch.workspace.root)
            .args(["test", "--quiet", "--no-run", "--package", &judges.package])
            .args(["--test", name, "--target-dir"])
            .arg(self.scratch.workspace.target.join("plain"));
        command
    }

    /// The binary, or `None` where the mutant does not compile.
    fn build(
        &self,
        command: &mut Command,
        name: &str,
        judges: &Judges,
        mutant: Option<&Mutant>,
    ) -> Result<Option<PathBuf>> {
        // Small changes, built over and over, and never debugged.
        command
            .env_remove("CARGO_INCREMENTAL")
            .env("CARGO_PROFILE_LOOM_INCREMENTAL", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        let path = self.log();
        let log =
            File::create(&path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        let built = match binary::build(command, name, log.into()) {
            Ok(built) => built,
            // The compiler said no. Else cargo has other troubles, which are no mutant's doing.
            Err(_) if self.printed().contains("could not compile") => return Ok(None),
            Err(error) => return Err(format!("{error}\n{}", self.printed().trim_end())),
        };
        let library = judges.package.replace('-', "_");
        match mutant {
            Some(mutant) if !built.compiled.contains(&library) => {
                Err(format!("cargo did not notice {mutant}"))
            }
            _ => Ok(Some(built.executable)),
        }
    }

    /// Where the last build or test printed.
    fn log(&self) -> PathBuf {
        self.scratch.workspace.target.join("log")
    }

    /// What it printed.
    fn printed(&self) -> String {
        let bytes = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn run_test(
        &mut self,
        judges: &Judges,
        name: &str,
        binary: &Path,
    ) -> Result<Option<(Fate, String)>> {
        let broken = |error: std::io::Error| format!("cannot run tests/{name}.rs: {error}");
        let path = self.log();
        let log = File::create(&path).map_err(broken)?;
        let mut child = Command::new(binary)
            .arg(TEST_THREADS)
            .current_dir(&self.package(judges)?.dir)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(broken)?)
            .stderr(log)
            .spawn()
            .map_err(broken)?;
        let failed = || failed(&self.printed()).map(str::to_owned);
        // Where one test has failed, others may hang.
        let stop = || failed().is_some();
        let started = Instant::now();
        let usual = self.times.get(&binary_of(judges, name));
        let limit = usual.map_or(self.limit, |&usual| self.limit.min(patience(usual)));
        let status = binary::wait(&mut child, limit, stop).map_err(broken)?;
        Ok(match (status, failed()) {
            (Some(status), _) if status.success() => {
                let times = self.times.entry(binary_of(judges, name));
                times.or_insert(started.elapsed());
                None
            }
            (_, Some(test)) => Some((Fate::Caught, format!("tests/{name}.rs {test}"))),
            (Some(status), None) => Some((Fate::Caught, format!("tests/{name}.rs ({status})"))),
            (None, None) => Some((Fate::Timeout, format!("tests/{name}.rs"))),
        })
    }
}

fn binary_of(judges: &Judges, name: &str) -> String {
    format!("{} {name}", judges.package)
}

/// How long a test may take that usually takes this long: behaviour tests wait for nothing, so one
/// that is still running then hangs.
fn patience(usual: Duration) -> Duration {
    Duration::from_secs(5) + usual * 20
}

/// The first test that failed, from what a test binary printed.
pub fn failed(output: &str) -> Option<&str> {
    // The last line may still be being written.
    let (lines, _) = output.rsplit_once('\n')?;
    lines
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(|test| test.trim_end_matches(" - should panic"))
        .next()
}

/// A model in a report.
fn loom_name(model: &str) -> String {
    format!("loom {model}")
}
