//! The command line.

use clap::Parser;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Fetches many things at once: structured, limited and timed.
///
/// Without URLs it starts an HTTP server of its own on a free loopback port and fetches from that.
#[derive(Debug, Parser)]
#[command(name = "fetch", version)]
pub(crate) struct Args {
    /// What to fetch: http or https
    pub(crate) urls: Vec<String>,
    /// A file with one URL a line (`-` is standard input); empty lines and lines with # are skipped
    #[arg(long = "urls", value_name = "FILE")]
    urls_file: Option<PathBuf>,
    /// Save each body in this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How many items of the embedded server to fetch [default: 200]
    #[arg(long, value_name = "N", value_parser = up_to::<10_000_000>)]
    count: Option<usize>,
    /// How many to fetch at once
    #[arg(long, default_value = "20", value_name = "N", value_parser = up_to::<10_000>)]
    pub(crate) concurrency: usize,
    /// The limit for one request, such as 500ms or 2s
    #[arg(
        long,
        default_value = "2s",
        value_name = "TIME",
        value_parser = positive_time,
        allow_hyphen_values = true
    )]
    pub(crate) timeout: Duration,
    /// Let the first failure cancel the rest
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Let some items of the embedded server fail, stall, close early, send garbage or redirect in
    /// a circle
    #[arg(long)]
    pub(crate) faults: bool,
    /// Print one summary as JSON on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// How many items of the embedded server to fetch.
    pub(crate) fn count(&self) -> usize {
        self.count.unwrap_or(200)
    }

    /// The URLs of the command line and of the file, checked.
    pub(crate) fn all_urls(&self) -> Result<Vec<String>, String> {
        let mut urls = self.urls.clone();
        if let Some(path) = &self.urls_file {
            let text = read(path)?;
            let lines = text.lines().map(str::trim);
            urls.extend(
                lines
                    .filter(|line| !line.is_empty() && !line.starts_with('#'))
                    .map(Into::into),
            );
            if urls.is_empty() {
                return Err(format!("there is no URL in {}", path.display()));
            }
        }
        // What is for the embedded server only.
        for (given, option) in [(self.count.is_some(), "count"), (self.faults, "faults")] {
            if given && !urls.is_empty() {
                return Err(format!(
                    "--{option} is for the embedded server, and there are URLs to fetch instead"
                ));
            }
        }
        Ok(urls)
    }
}

fn read(path: &Path) -> Result<String, String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        return match std::io::stdin().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("cannot read URLs from standard input: {error}")),
        };
    }
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn up_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("it must be a whole number from 1 to {MOST}")),
    }
}

fn positive_time(text: &str) -> Result<Duration, String> {
    if text.trim_start().starts_with('-') {
        return Err("a time limit cannot be negative".into());
    }
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("a time limit must be longer than zero".into()),
        Ok(time) => Ok(time),
        Err(_) if text.parse::<f64>() == Ok(0.0) => {
            Err("a time limit must be longer than zero".into())
        }
        Err(_) => Err("this is not a time; write a number and a unit, such as 500ms or 2s".into()),
    }
}
