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
    /// Asked after each round for the notes on it.
    notes: Box<dyn FnMut() -> Vec<Note>>,
}

enum Work {
    /// Does so many operations; what is measured is the time per operation.
    Timed(Box<dyn FnMut(u64)>),
    /// The same, where the measuring thread is the client: its CPU time is not counted.
    Served(Box<dyn FnMut(u64)>),
    /// Does as many operations as the number says, asleep for most of the time: what is measured
    /// is the CPU time.
    Asleep(u64, Box<dyn FnMut()>),
    /// Measures something itself, in this unit.
    Counted(&'static str, Box<dyn FnMut() -> f64>),
}

/// What a contender says of a round beside its figure.
#[derive(Clone)]
pub struct Note {
    what: &'static str,
    figure: f64,
    at_least: f64,
}

impl Note {
    /// `what` names the figure and its unit.
    pub fn new(what: &'static str, figure: f64) -> Self {
        Note {
            what,
            figure,
            at_least: f64::NEG_INFINITY,
        }
    }

    /// The row has failed if the median over rounds is less than this.
    #[must_use]
    pub fn at_least(self, at_least: f64) -> Self {
        Note { at_least, ..self }
    }

    fn is_missed(&self, figures: &[f64]) -> bool {
        median(figures.iter().copied()) < self.at_least
    }
}

impl Contender {
    /// `work` is told how many operations to do.
    pub fn timed(name: &'static str, work: impl FnMut(u64) + 'static) -> Self {
        Contender::new(name, Work::Timed(Box::new(work)))
    }

    /// `work` is the client of a server on another thread, whose CPU time it is about.
    pub fn served(name: &'static str, work: impl FnMut(u64) + 'static) -> Self {
        Contender::new(name, Work::Served(Box::new(work)))
    }

    /// `work` does `count` operations and sleeps meanwhile: it is about their CPU time.
    pub fn asleep(name: &'static str, count: u64, work: impl FnMut() + 'static) -> Self {
        Contender::new(name, Work::Asleep(count, Box::new(work)))
    }

    /// `work` returns its figure, in this unit.
    pub fn counted(
        name: &'static str,
        unit: &'static str,
        work: impl FnMut() -> f64 + 'static,
    ) -> Self {
        Contender::new(name, Work::Counted(unit, Box::new(work)))
    }

    fn new(name: &'static str, work: Work) -> Self {
        Contender {
            name,
            work,
            notes: Box::new(Vec::new),
        }
    }

    /// Its library.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether instructions per operation say something of it: it does operations, on one thread.
    pub fn is_countable(&self) -> bool {
        matches!(self.work, Work::Timed(_) | Work::Asleep(..)) && !self.name.ends_with("-2")
    }

    /// Does `times` rounds of `count` operations, or of as many as a round must have, without
    /// measuring anything. Returns how many operations that were.
    pub fn repeat(&mut self, times: u64, count: u64) -> u64 {
        match &mut self.work {
            Work::Timed(run) | Work::Served(run) => {
                run(times * count);
                times * count
            }
            Work::Asleep(count, run) => {
                (0..times).for_each(|_| run());
                times * *count
            }
            Work::Counted(..) => 0,
        }
    }

    /// `notes` is called after each round, out of the time that is measured, and returns the same
    /// notes each time. A call before the first round, whose answer is dropped, sets it going.
    #[must_use]
    pub fn with_notes(self, notes: impl FnMut() -> Vec<Note> + 'static) -> Self {
        Contender {
            notes: Box::new(notes),
            ..self
        }
    }
}

impl Work {
    fn unit(&self) -> &'static str {
        match self {
            Work::Timed(_) | Work::Served(_) => "ns",
            Work::Asleep(..) => "ns CPU",
            Work::Counted(unit, _) => unit,
        }
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
#[derive(Clone)]
struct Sample {
    wall: f64,
    cpu: f64,
    notes: Vec<Note>,
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
    let unit = contenders.first().map_or("", |first| first.work.unit());
    let counts: Vec<u64> = contenders
        .iter_mut()
        .map(|contender| {
            let count = calibrate(&mut contender.work, settings.slice);
            (contender.notes)();
            count
        })
        .collect();
    let all = contenders.len();
    let mut samples = vec![Vec::new(); all];
    for round in 0..settings.rounds {
        for turn in 0..all {
            let at = (round + turn) % all;
            let mut found = sample(&mut contenders[at].work, counts[at]);
            found.notes = (contenders[at].notes)();
            samples[at].push(found);
        }
    }
    Figures {
        row: row.name.clone(),
        unit,
        names: contenders.iter().map(|contender| contender.name).collect(),
        samples,
    }
}

/// How many operations fill the slice.
fn calibrate(work: &mut Work, slice: Duration) -> u64 {
    let run = match work {
        Work::Timed(run) | Work::Served(run) => run,
        Work::Asleep(count, _) => return *count,
        Work::Counted(..) => return 1,
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
        Work::Counted(_, run) => Sample::of(run()),
        Work::Asleep(_, run) => Sample::of(clocked(&mut |_| run(), count, cpu_of_all).cpu),
        Work::Timed(run) => clocked(run, count, cpu_of_all),
        Work::Served(run) => clocked(run, count, || cpu_of_all() - cpu_of_this_thread()),
    }
}

impl Sample {
    /// Of something else than time.
    fn of(figure: f64) -> Self {
        Sample {
            wall: figure,
            cpu: figure,
            notes: Vec::new(),
        }
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
        notes: Vec::new(),
    }
}

/// The time that all threads of this process have computed.
pub fn cpu_of_all() -> Duration {
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

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
        (min.min(value), max.max(value))
    })
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

    /// The notes of one contender, each with the figures of all rounds.
    fn notes(&self, at: usize) -> impl Iterator<Item = (&Note, Vec<f64>)> {
        let rounds = &self.samples[at];
        let first = rounds[0].notes.iter().enumerate();
        first.map(|(which, note)| {
            let figures = rounds.iter().map(|round| round.notes[which].figure);
            (note, figures.collect())
        })
    }

    /// Whether one of our figures is not what the row is about.
    fn failed(&self) -> bool {
        let ours = (0..self.names.len()).filter(|&at| self.names[at].starts_with("pirn"));
        ours.flat_map(|at| self.notes(at))
            .any(|(note, figures)| note.is_missed(&figures))
    }

    fn find(&self, prefix: &str) -> Option<usize> {
        self.names.iter().position(|name| name.starts_with(prefix))
    }

    /// The fastest contender that is a peer.
    fn best_peer(&self) -> Option<usize> {
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
            let walls = self.samples[at].iter().map(|sample| sample.wall);
            let (min, max) = extremes(walls);
            let _ = writeln!(
                text,
                "  {:24} {:>10}   cpu {:>10}   min {:>10}   max {:>10}   {}",
                self.names[at],
                figure(self.wall(at)),
                figure(self.cpu(at)),
                figure(min),
                figure(max),
                tokio.map_or_else(String::new, |to| format!(
                    "{:.2} of tokio's",
                    self.ratio(at, to, |sample| sample.wall)
                )),
            );
            for (note, figures) in self.notes(at) {
                let (min, max) = extremes(figures.iter().copied());
                let _ = writeln!(
                    text,
                    "    {:22} {:>10}   {:14}   min {:>10}   max {:>10}   {}",
                    note.what,
                    figure(median(figures.iter().copied())),
                    "",
                    figure(min),
                    figure(max),
                    if note.is_missed(&figures) {
                        "FAILED"
                    } else {
                        ""
                    },
                );
            }
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
            "| {}{} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.row,
            if self.failed() { " **failed**" } else { "" },
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

/// Whether the contender of this name is neither us nor a limit: one that begins with `bare-` does
/// less, what the machine or the host asks of everybody.
pub fn is_peer(name: &str) -> bool {
    !name.starts_with("pirn") && !name.starts_with("bare-")
}

/// Three significant digits, more for thousands.
fn figure(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}
