//! What a model's own line and its exit say, as pure functions.

/// How a model ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every schedule within the bound was explored.
    Exhausted,
    /// The cap that was asked for stopped it.
    Capped,
    /// A model that must fail did.
    FailedAsItMust,
    /// It failed: there is a bug in the code or in the model.
    Failed,
    /// It explored one schedule, which is what a plain test does.
    Once,
    /// It passed without the line that a model prints.
    NotAModel,
    /// A cap stopped it that nobody asked for.
    CappedUnasked,
    /// It did not end.
    Hung,
}

impl Verdict {
    /// Its name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Exhausted => "exhausted",
            Verdict::Capped => "capped",
            Verdict::FailedAsItMust => "failed-as-it-must",
            Verdict::Failed => "FAILED",
            Verdict::Once => "ONE-EXECUTION",
            Verdict::NotAModel => "NOT-A-MODEL",
            Verdict::CappedUnasked => "CAPPED",
            Verdict::Hung => "HUNG",
        }
    }

    fn problem(self) -> Option<&'static str> {
        match self {
            Verdict::Exhausted | Verdict::Capped | Verdict::FailedAsItMust => None,
            Verdict::Failed => Some("failed"),
            Verdict::Once => Some("explores one execution: it has no second thread, or no shim"),
            Verdict::NotAModel => Some("is a test in tests/loom that runs no model"),
            Verdict::CappedUnasked => Some("was stopped by a cap that was not asked for"),
            Verdict::Hung => Some("did not end, and was stopped"),
        }
    }
}

/// What one model explored.
#[derive(Clone, Debug)]
pub struct Report {
    /// `crate::file::model`.
    pub name: String,
    /// How many schedules were run.
    pub executions: u64,
    /// How long that took.
    pub seconds: f64,
    /// How it ended.
    pub verdict: Verdict,
    /// What it printed, when that is of interest.
    pub output: String,
    /// The command that shows it again.
    pub reproduce: String,
}

impl Report {
    /// One line, if this is an error.
    pub fn problem(&self) -> Option<String> {
        let problem = self.verdict.problem()?;
        Some(format!("{} {problem}", self.name))
    }
}

/// Judges a model from what it printed and whether its process succeeded.
pub fn judge(name: &str, output: &str, passed: bool, cap_asked: bool) -> Report {
    let lines: Vec<Line> = output.lines().filter_map(Line::parse).collect();
    let verdict = if !passed {
        Verdict::Failed
    } else if lines.is_empty() {
        Verdict::NotAModel
    } else if lines.iter().any(|line| line.verdict == "failed-as-it-must") {
        Verdict::FailedAsItMust
    } else if lines.iter().any(|line| line.executions <= 1) {
        Verdict::Once
    } else if lines.iter().all(|line| line.verdict == "exhausted") {
        Verdict::Exhausted
    } else if cap_asked {
        Verdict::Capped
    } else {
        Verdict::CappedUnasked
    };
    Report {
        name: name.into(),
        executions: lines.iter().map(|line| line.executions).sum(),
        seconds: lines.iter().fold(0.0, |sum, line| sum + line.seconds),
        verdict,
        output: String::new(),
        reproduce: String::new(),
    }
}

/// The line that `pirn_core::shim::model` prints.
struct Line<'a> {
    executions: u64,
    seconds: f64,
    verdict: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // Not at the start of the line: the test harness may have printed the test's name.
        let (_, fields) = line.split_once("loom: executions=")?;
        let mut words = fields.split_whitespace();
        Some(Line {
            executions: words.next()?.parse().ok()?,
            seconds: words.next()?.strip_prefix("seconds=")?.parse().ok()?,
            verdict: words.next()?.strip_prefix("verdict=")?,
        })
    }
}

/// Every crate has exactly one model that must fail, to prove that the shim is plugged in.
pub fn must_fail_problem(package: &str, reports: &[Report]) -> Option<String> {
    let prefix = format!("{package}::");
    let found = reports
        .iter()
        .filter(|report| report.name.starts_with(&prefix))
        .filter(|report| report.verdict == Verdict::FailedAsItMust)
        .count();
    match found {
        1 => None,
        0 => Some(format!("{package} has no model that must fail")),
        more => Some(format!(
            "{package} has {more} models that must fail; one is enough"
        )),
    }
}
