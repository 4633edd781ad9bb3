//! Rounds, medians and ratios.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// What is compared: one line of the results.
pub struct Row {
    /// `subject.workload.threads`.
    pub name: String,
    /// What one operation is.
    pub about: &'static str,
    /// Sets the contenders up.
    pub contenders: Box<dyn Fn() -> Vec<Contender>>,
}

impl Row {
    /// Names a row.
    pub fn new(
        name: impl Into<String>,
        about: &'static str,
        contenders: impl Fn() -> Vec<Contender> + 'static,
    ) -> Self {
        Row {
            name: name.into(),
            about,
            contenders: Box::new(contenders),
        }
    }
}

/// One library doing the row's work.
pub struct Contender {
    name: &'static str,
    work: Work,
}

enum Work {
    /// Does so many operations; what is measured is the time per operation.
    Timed(Box<dyn FnMut(u64)>),
    /// The same, where the measuring thread is the client: its CPU time is not counted.
    Served(Box<dyn FnMut(u64)>),
    /// Measures something itself.
    Counted(Box<dyn FnMut() -> f64>),
}

impl Contender {
    /// `work` is told how many operations to do.
    pub fn timed(name: &'static str, work: impl FnMut(u64) + 'static) -> Self {
        let work = Work::Timed(Box::new(work));
        Contender { name, work }
    }

    /// `work` is the client of a server on another thread, whose CPU time it is about.
    pub fn served(name: &'static str, work: impl FnMut(u64) + 'static) -> Self {
        let work = Work::Served(Box::new(work));
        Contender { name, work }
    }

    /// `work` returns its figure, in bytes.
    pub fn counted(name: &'static str, work: impl FnMut() -> f64 + 'static) -> Self {
        let work = Work::Counted(Box::new(work));
        Contender { name, work }
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Rounds; nine are enough for a figure that is recorded.
    pub rounds: usize,
    /// How long each contender works in each round.
    pub slice: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rounds: 11,
            slice: Duration::from_millis(50),
        }
    }
}

/// What one round found for one contender, per operation.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

/// What all rounds found.
pub struct Figures {
    row: String,
    unit: &'static str,
    names: Vec<&'static str>,
    /// By contender, then by round.
    samples: Vec<Vec<Sample>>,
}

/// Runs the rounds of a row, for the contenders whose names begin with `only`.
pub fn measure(row: &Row, settings: Settings, only: &str) -> Figures {
    let mut contenders = (row.contenders)();
    contenders.retain(|contender| contender.name.starts_with(only));
    let counted = matches!(contenders.first().map(|c| &c.work), Some(Work::Counted(_)));
    let counts: Vec<u64> = contenders
        .iter_mut()
        .map(|contender| calibrate(&mut contender.work, settings.slice))
        .collect();
    let all = contenders.len();
    let mut samples = vec![Vec::new(); all];
    for round in 0..settings.rounds {
        for turn in 0..all {
            let at = (round + turn) % all;
            samples[at].push(sample(&mut contenders[at].work, counts[at]));
        }
    }
    Figures {
        row: row.name.clone(),
        unit: if counted { "B" } else { "ns" },
        names: contenders.iter().map(|contender| contender.name).collect(),
        samples,
    }
}

/// How many operations fill the slice.
fn calibrate(work: &mut Work, slice: Duration) -> u64 {
    let (Work::Timed(run) | Work::Served(run)) = work else {
        return 1;
    };
    let mut count = 64;
    loop {
        let started = Instant::now();
        run(count);
        let spent = started.elapsed();
        if spent * 4 >= slice {
            let factor = slice.as_secs_f64() / spent.as_secs_f64();
            return ((count as f64 * factor) as u64).max(1);
        }
        count *= 2;
    }
}

fn sample(work: &mut Work, count: u64) -> Sample {
    match work {
        Work::Counted(run) => {
            let figure = run();
            Sample {
                wall: figure,
                cpu: figure,
            }
        }
        Work::Timed(run) => clocked(run, count, cpu_of_all),
        Work::Served(run) => clocked(run, count, || cpu_of_all() - cpu_of_this_thread()),
    }
}

fn clocked(run: &mut dyn FnMut(u64), count: u64, cpu_now: impl Fn() -> Duration) -> Sample {
    let cpu = cpu_now();
    let started = Instant::now();
    run(count);
    let wall = started.elapsed();
    let per_operation = |time: Duration| time.as_secs_f64() * 1e9 / count as f64;
    Sample {
        wall: per_operation(wall),
        cpu: per_operation(cpu_now().saturating_sub(cpu)),
    }
}

/// The time that all threads of this process have computed.
fn cpu_of_all() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn cpu_of_this_thread() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

impl Figures {
    /// The columns of [`line`](Self::line).
    pub const HEADER: &'static str = "\
| row | unit | pirn | tokio | pirn / tokio | best peer | | pirn / best | CPU: pirn | tokio | pirn / tokio |
|---|---|---|---|---|---|---|---|---|---|---|";

    fn wall(&self, at: usize) -> f64 {
        median(self.samples[at].iter().map(|sample| sample.wall))
    }

    fn cpu(&self, at: usize) -> f64 {
        median(self.samples[at].iter().map(|sample| sample.cpu))
    }

    /// The median over rounds of one contender's time over another's.
    fn ratio(&self, at: usize, to: usize, of: fn(&Sample) -> f64) -> f64 {
        let pairs = self.samples[at].iter().zip(&self.samples[to]);
        median(pairs.map(|(a, b)| of(a) / of(b)))
    }

    fn find(&self, prefix: &str) -> Option<usize> {
        self.names.iter().position(|name| name.starts_with(prefix))
    }

    /// The fastest contender that is neither us nor a limit: one that begins with `bare-` does less,
    /// what the machine or the host asks of everybody.
    fn best_peer(&self) -> Option<usize> {
        let is_peer = |name: &str| !name.starts_with("pirn") && !name.starts_with("bare-");
        let peers = (0..self.names.len()).filter(|&at| is_peer(self.names[at]));
        peers.min_by(|&a, &b| self.wall(a).total_cmp(&self.wall(b)))
    }

    /// Every contender, the fastest first.
    pub fn table(&self) -> String {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|&a, &b| self.wall(a).total_cmp(&self.wall(b)));
        let tokio = self.find("tokio");
        let mut text = format!("{} ({})\n", self.row, self.unit);
        for at in order {
            let walls = || self.samples[at].iter().map(|sample| sample.wall);
            let _ = writeln!(
                text,
                "  {:24} {:>10}   cpu {:>10}   min {:>10}   max {:>10}   {}",
                self.names[at],
                figure(self.wall(at)),
                figure(self.cpu(at)),
                figure(walls().fold(f64::INFINITY, f64::min)),
                figure(walls().fold(0.0, f64::max)),
                tokio.map_or_else(String::new, |to| format!(
                    "{:.2} of tokio's",
                    self.ratio(at, to, |sample| sample.wall)
                )),
            );
        }
        text
    }

    /// One line of Markdown.
    pub fn line(&self) -> String {
        let dash = || "–".to_owned();
        let us = self.find("pirn");
        let tokio = self.find("tokio");
        let best = self.best_peer();
        let wall = |at: Option<usize>| at.map_or_else(dash, |at| figure(self.wall(at)));
        let cpu = |at: Option<usize>| at.map_or_else(dash, |at| figure(self.cpu(at)));
        let ratio = |to: Option<usize>, of: fn(&Sample) -> f64| match (us, to) {
            (Some(at), Some(to)) => format!("{:.2}", self.ratio(at, to, of)),
            _ => dash(),
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.row,
            self.unit,
            wall(us),
            wall(tokio),
            ratio(tokio, |sample| sample.wall),
            best.map_or("–", |at| self.names[at]),
            wall(best),
            ratio(best, |sample| sample.wall),
            cpu(us),
            cpu(tokio),
            ratio(tokio, |sample| sample.cpu),
        )
    }
}

/// Three significant digits, more for thousands.
fn figure(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}
