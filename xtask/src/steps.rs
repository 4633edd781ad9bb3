//! A run of named steps: each prints its name, its time and its verdict; the end is a summary.

use std::time::{Duration, Instant};

use crate::Result;

/// How a step ended without failing.
#[derive(Debug)]
pub enum Outcome {
    /// It did what it is for.
    Done,
    /// It could not, and why; that is no failure.
    Skipped(String),
}

/// The steps so far.
#[derive(Debug, Default)]
pub struct Steps {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    spent: Duration,
    verdict: String,
    failed: bool,
}

impl Steps {
    /// Runs a step; a failure does not stop the next one.
    pub fn run(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<Outcome>) {
        let name = name.into();
        println!("==> {name}");
        let started = Instant::now();
        let ended = step();
        let failed = ended.is_err();
        let verdict = match ended {
            Ok(Outcome::Done) => "ok".into(),
            Ok(Outcome::Skipped(why)) => format!("skipped: {why}"),
            Err(error) => format!("FAILED: {error}"),
        };
        let spent = started.elapsed();
        println!("<== {name}: {verdict} ({:.1} s)\n", spent.as_secs_f64());
        self.rows.push(Row {
            name,
            spent,
            verdict,
            failed,
        });
    }

    /// Prints the summary.
    ///
    /// # Errors
    ///
    /// When a step failed.
    pub fn finish(self) -> Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or(0);
        let total: Duration = self.rows.iter().map(|row| row.spent).sum();
        for Row {
            name,
            spent,
            verdict,
            ..
        } in &self.rows
        {
            println!("{name:width$}  {:>7.1} s  {verdict}", spent.as_secs_f64());
        }
        println!("{:width$}  {:>7.1} s", "in all", total.as_secs_f64());
        let failed: Vec<&str> = self
            .rows
            .iter()
            .filter(|r| r.failed)
            .map(|r| r.name.as_str())
            .collect();
        match failed.as_slice() {
            [] => Ok(()),
            list => Err(format!("failed: {}", list.join(", "))),
        }
    }
}
