//! Fetches many things at once: structured, limited and timed.
//!
//! ```sh
//! cargo run --release --example fetch -- --help
//! ```

mod args;
mod report;
mod server;

use args::Args;
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pirn::signal::ctrl_c;
use pirn::{Cause, Grace, GroupBuilder, Scope, spawn};
use pirn_http::Session;
use report::{Outcome, Run, Tally};
use server::Server;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the shell expects of a program that was interrupted: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match Args::try_parse() {
        Ok(args) => pirn::run(fetch(args)).unwrap_or_else(|error| {
            eprintln!("fetch: {error}");
            ExitCode::from(2)
        }),
        Err(error) => {
            // --help and --version come this way too, and are no failures.
            if error.use_stderr() {
                one_line(&error)
            } else {
                drop(error.print())
            }
            ExitCode::from(error.exit_code() as u8)
        }
    }
}

/// An argument error in one line, as every error here is.
fn one_line(error: &clap::Error) {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    eprintln!("fetch: {} (see --help)", line.trim_start_matches("error: "));
}

/// How long fetches may take to clean up after Ctrl-C.
const INTERRUPT_GRACE: Duration = Duration::from_millis(500);

/// What the fetches share.
struct Shared {
    session: Session,
    out: Option<PathBuf>,
    timeout: Duration,
    fail_fast: bool,
    tally: Mutex<Tally>,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
    progress: ProgressBar,
}

async fn fetch(args: Args) -> Result<ExitCode, String> {
    let given = args.all_urls()?;
    if let Some(folder) = &args.out {
        prepare(folder).await?;
    }
    let (urls, server) = match given.is_empty() {
        true => {
            let started = Server::start(args.count(), args.faults).await;
            let server = started.map_err(|error| format!("cannot start the server: {error}"))?;
            (server.urls.clone(), Some(server))
        }
        false => (given, None),
    };
    // Of its own server's many items nobody wants to hear one by one, unless they fail.
    let is_told_each = server.is_none() && !args.json;
    let session = Session::builder()
        .timeout(args.timeout)
        .max_connections_per_host(args.concurrency)
        .build()
        .map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared {
        session,
        out: args.out.clone(),
        timeout: args.timeout,
        fail_fast: args.fail_fast,
        tally: Mutex::default(),
        in_flight: AtomicUsize::new(0),
        max_in_flight: AtomicUsize::new(0),
        progress: progress(urls.len(), args.json),
    });

    let started = Instant::now();
    let interrupted = fetch_all(&urls, args.concurrency, &shared).await;
    let run = Run {
        asked: urls.len(),
        wall: started.elapsed(),
        connections: shared.session.statistics().connections_opened,
        // Ordering: a statistic, read when every fetch has ended.
        max_in_flight: shared.max_in_flight.load(Relaxed),
        interrupted,
    };
    shared.progress.finish_and_clear();
    let tally = shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let summary = tally.summary(&run);
    for (error, count) in tally.errors() {
        let times = if count > 1 {
            format!("{count} times: ")
        } else {
            String::new()
        };
        eprintln!("fetch: {times}{error}");
    }
    let mut lines = match is_told_each {
        true => tally.lines(&urls),
        false => Vec::new(),
    };
    lines.push(match args.json {
        true => serde_json::to_string(&summary).expect("plain data"),
        false => summary.to_string(),
    });
    let text = lines.join("\n");
    match writeln!(stdout(), "{text}") {
        // Who reads it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.map_err(|error| format!("cannot write the summary: {error}"))?,
    }
    Ok(match (interrupted, summary.is_all_ok()) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// Makes the folder, and makes sure that it can be written to.
async fn prepare(folder: &Path) -> Result<(), String> {
    let cannot = |error| format!("cannot write to the folder {}: {error}", folder.display());
    pirn::fs::create_dir_all(folder).await.map_err(cannot)?;
    let probe = folder.join(".fetch-probe");
    pirn::fs::write(&probe, b"").await.map_err(cannot)?;
    pirn::fs::remove_file(&probe).await.map_err(cannot)
}

/// A bar on a terminal, nothing where the output is piped.
fn progress(length: usize, json: bool) -> ProgressBar {
    let seen = stdout().is_terminal() && stderr().is_terminal() && !json;
    let target = if seen {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length as u64), target).with_style(style)
}

/// Fetches them all, at most `limit` at once. True if Ctrl-C interrupted it.
async fn fetch_all(urls: &[String], limit: usize, shared: &Arc<Shared>) -> bool {
    let scope = Scope::new();
    scope.set_grace(Grace::After(INTERRUPT_GRACE));
    let interrupt = scope.clone();
    // Watched from here on; the task may begin later.
    let interrupted = ctrl_c();
    let _watching = spawn(async move {
        // A system without signals to spare has no Ctrl-C either.
        if interrupted.await.is_ok() {
            interrupt.cancel(Cause::requested("Ctrl-C"));
        }
    });
    let fetches = async {
        let group = GroupBuilder::ambient()?.limit(limit);
        let ended = group.run(async |group| {
            for (number, url) in urls.iter().cloned().enumerate() {
                let shared = Arc::clone(shared);
                group.spawn(async move { fetch_one(number, url, &shared).await });
            }
            Ok::<(), String>(())
        });
        ended.await
    };
    // Each failure is in the tally: in the group it has only ended the others.
    scope.run(fetches).await.is_err()
}

/// Fetches one, and adds it to the tally. An error only to let it cancel the rest.
async fn fetch_one(number: usize, url: String, shared: &Shared) -> Result<(), String> {
    // Ordering: statistics, nothing is published by them.
    let in_flight = shared.in_flight.fetch_add(1, Relaxed) + 1;
    shared.max_in_flight.fetch_max(in_flight, Relaxed);
    let _leave = Leave(&shared.in_flight);
    let started = Instant::now();
    let fetched = get(number, &url, shared).await;
    let latency = started.elapsed();
    let (outcome, failure) = match fetched {
        Ok(size) => (Outcome::Fetched(size), None),
        Err(Failure::TimedOut) => {
            let limit = humantime::format_duration(shared.timeout);
            let error = format!("{url} timed out after {limit}");
            (Outcome::TimedOut(error.clone()), Some(error))
        }
        Err(Failure::Other(kind, error)) => (
            Outcome::Failed {
                kind,
                error: error.clone(),
            },
            Some(error),
        ),
    };
    shared
        .tally
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(number, outcome, latency);
    shared.progress.inc(1);
    match failure {
        Some(error) if shared.fail_fast => Err(error),
        _ => Ok(()),
    }
}

/// Counts a fetch out, also if it is dropped.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // Ordering: a statistic.
        self.0.fetch_sub(1, Relaxed);
    }
}

enum Failure {
    TimedOut,
    Other(String, String),
}

impl From<pirn_http::Error> for Failure {
    fn from(error: pirn_http::Error) -> Self {
        match error.is_timeout() {
            true => Failure::TimedOut,
            false => Failure::Other(error.kind().to_string(), error.to_string()),
        }
    }
}

/// The size of the body, which is saved if that was asked for.
async fn get(number: usize, url: &str, shared: &Shared) -> Result<u64, Failure> {
    let response = shared.session.get(url).send().await?.error_for_status()?;
    let body = response.bytes().await?;
    if let Some(folder) = &shared.out {
        let path = folder.join(file_name(number, url));
        let saved = pirn::fs::write(&path, &body).await;
        saved.map_err(|error| Failure::Other("not saved".into(), error.to_string()))?;
    }
    Ok(body.len() as u64)
}

/// A name for the file of a URL: its number, and of its characters those that are safe.
fn file_name(number: usize, url: &str) -> String {
    let (_, name) = url.split_once("://").unwrap_or(("", url));
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '_'
        }
    };
    format!(
        "{number:05}_{}",
        name.chars().map(safe).take(100).collect::<String>()
    )
}
