//! What came of it, counted and shown.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How one fetch ended.
pub(crate) enum Outcome {
    /// A success, with the size of the body.
    Fetched(u64),
    /// A failure: its kind in a word or two, and the whole of it.
    Failed { kind: String, error: String },
    /// Over the time limit, in words.
    TimedOut(String),
}

/// The fetches that ended, as they came.
#[derive(Default)]
pub(crate) struct Tally {
    ended: Vec<Ended>,
}

struct Ended {
    /// Which of those that were asked for.
    number: usize,
    outcome: Outcome,
    latency: Duration,
}

/// What else there is to tell of a run.
pub(crate) struct Run {
    pub(crate) asked: usize,
    pub(crate) wall: Duration,
    pub(crate) connections: u64,
    pub(crate) max_in_flight: usize,
    pub(crate) interrupted: bool,
}

/// The summary. Its fields are the JSON's.
#[derive(Serialize)]
pub(crate) struct Summary {
    count: usize,
    ok: usize,
    failed: usize,
    failed_by_kind: BTreeMap<String, usize>,
    timed_out: usize,
    cancelled: usize,
    interrupted: bool,
    bytes: u64,
    connections: u64,
    max_in_flight: usize,
    wall_ms: f64,
    sequential_ms: f64,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Tally {
    pub(crate) fn add(&mut self, number: usize, outcome: Outcome, latency: Duration) {
        self.ended.push(Ended {
            number,
            outcome,
            latency,
        });
    }

    /// A line for each URL, in their order: what came of it.
    pub(crate) fn lines(&self, urls: &[String]) -> Vec<String> {
        let mut results = vec![String::from("cancelled"); urls.len()];
        for ended in &self.ended {
            let time = milliseconds(ended.latency);
            results[ended.number] = match &ended.outcome {
                Outcome::Fetched(1) => format!("ok, 1 byte in {time:.1} ms"),
                Outcome::Fetched(size) => format!("ok, {size} bytes in {time:.1} ms"),
                Outcome::Failed { kind, .. } => format!("failed, {kind}"),
                Outcome::TimedOut(_) => format!("timed out after {time:.1} ms"),
            };
        }
        let lines = urls.iter().zip(results);
        lines
            .map(|(url, result)| format!("{url}: {result}"))
            .collect()
    }

    pub(crate) fn summary(&self, run: &Run) -> Summary {
        let (mut ok, mut failed, mut timed_out, mut bytes) = (0, 0, 0, 0);
        let mut failed_by_kind = BTreeMap::new();
        for ended in &self.ended {
            match &ended.outcome {
                Outcome::Fetched(size) => {
                    ok += 1;
                    bytes += size;
                }
                Outcome::Failed { kind, .. } => {
                    failed += 1;
                    *failed_by_kind.entry(kind.clone()).or_default() += 1;
                }
                Outcome::TimedOut(_) => timed_out += 1,
            }
        }
        let mut latencies: Vec<Duration> = self.ended.iter().map(|ended| ended.latency).collect();
        latencies.sort_unstable();
        Summary {
            count: run.asked,
            ok,
            failed,
            failed_by_kind,
            timed_out,
            cancelled: run.asked - self.ended.len(),
            interrupted: run.interrupted,
            bytes,
            connections: run.connections,
            max_in_flight: run.max_in_flight,
            wall_ms: milliseconds(run.wall),
            sequential_ms: milliseconds(latencies.iter().sum()),
            requests_per_second: (self.ended.len() as f64 / run.wall.as_secs_f64()).round(),
            p50_ms: milliseconds(percentile(&latencies, 50)),
            p99_ms: milliseconds(percentile(&latencies, 99)),
        }
    }

    /// The errors, each with how often it came, most frequent first.
    pub(crate) fn errors(&self) -> Vec<(&str, usize)> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for ended in &self.ended {
            if let Outcome::Failed { error, .. } | Outcome::TimedOut(error) = &ended.outcome {
                *counts.entry(error).or_default() += 1;
            }
        }
        let mut errors: Vec<_> = counts.into_iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        errors
    }
}

impl Summary {
    /// True if nothing failed, timed out or was cancelled.
    pub(crate) fn is_all_ok(&self) -> bool {
        self.ok == self.count
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.interrupted {
            let of = format!("{} of {}", self.count - self.cancelled, self.count);
            writeln!(
                f,
                "Interrupted by Ctrl-C: {of} ended, the rest was cancelled."
            )?;
        }
        let mut row = |what: &str, value: String| writeln!(f, "  {what:<18} {value:>12}");
        row("ok", self.ok.to_string())?;
        row("failed", self.failed.to_string())?;
        for (kind, count) in &self.failed_by_kind {
            row(&format!("  {kind}"), count.to_string())?;
        }
        row("timed out", self.timed_out.to_string())?;
        row("cancelled", self.cancelled.to_string())?;
        row("bytes", self.bytes.to_string())?;
        row("p50", format!("{:.1} ms", self.p50_ms))?;
        row("p99", format!("{:.1} ms", self.p99_ms))?;
        row("wall time", format!("{:.1} ms", self.wall_ms))?;
        row("requests/s", format!("{:.0}", self.requests_per_second))?;
        row("connections", self.connections.to_string())?;
        row("most in flight", self.max_in_flight.to_string())?;
        write!(
            f,
            "One after another the same work would have taken {:.1} ms: {:.1} times as long.",
            self.sequential_ms,
            self.sequential_ms / self.wall_ms.max(0.1),
        )
    }
}

/// The nearest-rank percentile of sorted values; zero of none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
