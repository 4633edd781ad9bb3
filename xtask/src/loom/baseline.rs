//! The counts of the last recorded run: a collapse means that a model has come to check nothing.
//!
//! There is a file for each bound. That of the default bound has every model; the others have those
//! that were explored to their end there when it was last recorded, which is what is to be explored.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::verdict::{Report, Verdict};
use crate::Result;

/// Executions by model.
#[derive(Debug, Default)]
pub struct Baseline(BTreeMap<String, u64>);

impl Baseline {
    /// The file for a bound, which is the default one or `other`.
    pub fn path(root: &Path, other: Option<&str>) -> PathBuf {
        let other = other.map(|bound| format!("-{bound}")).unwrap_or_default();
        root.join(format!("xtask/loom-baseline{other}.txt"))
    }

    /// Whether a model is remembered.
    pub fn has(&self, model: &str) -> bool {
        self.0.contains_key(model)
    }

    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    ///
    /// When a line is not `model executions`.
    pub fn load(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// When a line is not `model executions`.
    pub fn parse(text: &str) -> Result<Self> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let (name, count) = line.split_once(' ')?;
                Some((name.to_owned(), count.trim().parse().ok()?))
            })
            .collect::<Option<_>>()
            .map(Baseline)
            .ok_or_else(|| "a list of counts has a line that is not `model count`".into())
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self, path: &Path, bound: &str) -> Result {
        let mut text = format!(
            "# Executions per loom model at bound {bound}, written by `cargo xtask loom --record`.\n\
             # A model that explores less than half of this, or that is gone, is an error.\n"
        );
        for (name, count) in &self.0 {
            let _ = writeln!(text, "{name} {count}");
        }
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// Takes over what was explored; when the models of `packages` were all run, forgets those
    /// that are gone.
    pub fn record(&mut self, reports: &[Report], packages: &[&str], whole: bool) {
        if whole {
            self.0.retain(|name, _| !belongs(name, packages));
        }
        for report in reports.iter().filter(|r| r.verdict == Verdict::Exhausted) {
            self.0.insert(report.name.clone(), report.executions);
        }
    }

    /// Models that explored less than half of what they did.
    pub fn shrunk(&self, reports: &[Report]) -> Vec<String> {
        let exhausted = reports.iter().filter(|r| r.verdict == Verdict::Exhausted);
        exhausted
            .filter_map(|report| {
                let before = *self.0.get(&report.name)?;
                (report.executions < before / 2).then(|| {
                    format!(
                        "{} explored {} executions, {before} when last recorded \
                         (`cargo xtask loom --record` if that is meant)",
                        report.name, report.executions
                    )
                })
            })
            .collect()
    }

    /// Models of `packages` that were recorded and are no longer there.
    pub fn gone(&self, reports: &[Report], packages: &[&str]) -> Vec<String> {
        let recorded = self.0.keys().filter(|name| belongs(name, packages));
        recorded
            .filter(|name| !reports.iter().any(|report| report.name == **name))
            .map(|name| format!("{name} is gone (`cargo xtask loom --record` if that is meant)"))
            .collect()
    }
}

fn belongs(model: &str, packages: &[&str]) -> bool {
    let package = model.split("::").next().unwrap_or_default();
    packages.contains(&package)
}
