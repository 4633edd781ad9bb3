//! One program under many schedules.

use crate::jitter;
use crate::sim::{Settings, Sim};
use std::env;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Runs `program` under the schedules of the seeds from zero up to `seeds`: [`Sim::schedule`] says
/// what those are.
///
/// What fails is told on standard error: its seed, the last of its trace, and one line that runs it
/// alone. Two variables of the environment say otherwise what is run:
///
/// - `PIRN_SEED=17`: this seed alone;
/// - `PIRN_SEEDS=10000`: so many.
///
/// A third, `PIRN_JITTER=5ms`, lets [timers be late](Sim::jitter).
///
/// # Panics
///
/// As the first run that fails. A panic that nobody receives, of a detached task or of a destructor, fails
/// no run: it goes to the [hook](pirn_core::report::set_hook), as outside of a simulation.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// let runs = Rc::new(Cell::new(0));
/// pirn_sim::check(100, || {
///     let runs = runs.clone();
///     async move { runs.set(runs.get() + 1) }
/// });
/// assert_eq!(runs.get(), 100);
/// ```
pub fn check<F: Future<Output = ()>>(seeds: u64, program: impl Fn() -> F) {
    Sim::new().check(seeds, program);
}

impl Sim {
    /// As [`check`], with the settings of this run: [paused](Sim::paused), say, or with so many
    /// [workers](Sim::workers) under each seed. Each run is one of its own: a [trace](Sim::trace) or a
    /// [hold](Sim::hold) that was asked for before is of none of them; take [`hold`](crate::hold) inside.
    ///
    /// # Panics
    ///
    /// As [`check`].
    ///
    /// # Examples
    ///
    /// ```
    /// use pirn_sim::{Sim, advance};
    /// use std::time::Duration;
    ///
    /// Sim::new().workers(8).paused().check(10, || async {
    ///     advance(Duration::from_secs(1)).await;
    ///     assert_eq!(pirn_timer::now().as_nanos(), 1_000_000_000);
    /// });
    /// ```
    pub fn check<F: Future<Output = ()>>(self, seeds: u64, program: impl Fn() -> F) {
        self.explore(seeds, None, program, |()| false);
    }

    /// Runs `program` under so many seeds, and gives the first output that is `bad`, or the last.
    #[doc(hidden)]
    pub fn explore<F: Future>(
        self,
        seeds: u64,
        test: Option<&str>,
        program: impl Fn() -> F,
        bad: impl Fn(&F::Output) -> bool,
    ) -> Option<F::Output> {
        let settings = by_environment(self.settings());
        let (first, seeds) = match (variable("PIRN_SEED"), variable("PIRN_SEEDS")) {
            (Some(seed), _) => (seed, 1),
            (None, Some(seeds)) => (0, seeds),
            (None, None) => (0, seeds),
        };
        let mut last = None;
        for seed in (0..seeds).map(|at| first + at) {
            let sim = Sim::with(settings.schedule(seed));
            let output = sim.told(test, Some(seed), &program, &bad);
            let is_bad = bad(&output);
            last = Some(output);
            if is_bad {
                break;
            }
        }
        last
    }

    /// One run of a test, which `PIRN_SEED` overrides if it has a seed.
    #[doc(hidden)]
    pub fn run_test<F: Future>(
        self,
        test: &str,
        program: impl FnOnce() -> F,
        bad: impl Fn(&F::Output) -> bool,
    ) -> F::Output {
        let settings = by_environment(self.settings());
        let (sim, seed) = match (settings.seed, variable("PIRN_SEED")) {
            (Some(_), Some(seed)) => (self.seed(seed), Some(seed)),
            (seed, _) => (self, seed),
        };
        let sim = sim.jitter(settings.jitter);
        sim.told(Some(test), seed, program, bad)
    }

    /// Runs it, and says how to run it again if it fails.
    fn told<F: Future>(
        self,
        test: Option<&str>,
        seed: Option<u64>,
        program: impl FnOnce() -> F,
        bad: impl Fn(&F::Output) -> bool,
    ) -> F::Output {
        let (world, settings) = (self.world(), self.settings());
        let ran = catch_unwind(AssertUnwindSafe(|| self.run_untold(program())));
        if !ran.as_ref().is_ok_and(|output| !bad(output)) {
            let tail = world.with_book(|book| book.render(usize::MAX));
            let under = settings.told();
            eprintln!("pirn-sim: it fails {under}; the last of its trace:\n{tail}");
            let seed = seed.map_or(String::new(), |seed| format!("PIRN_SEED={seed} "));
            let late = match settings.jitter.is_zero() {
                true => String::new(),
                false => format!("PIRN_JITTER={} ", jitter::written(settings.jitter)),
            };
            let command = command(test);
            eprintln!("pirn-sim: to run it alone: {seed}{late}{command}");
        }
        ran.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

/// The command that runs this test alone.
fn command(test: Option<&str>) -> String {
    // Cargo says it to the tests that it runs.
    let package = env::var("CARGO_PKG_NAME").map_or(String::new(), |name| format!("-p {name} "));
    match of_thread() {
        Some(name) => format!("cargo test {package}{name} -- --exact"),
        None => format!("cargo test {package}{}", test.unwrap_or("THIS_TEST")),
    }
}

/// The name of the test that runs: libtest's threads bear it.
fn of_thread() -> Option<String> {
    let thread = thread::current();
    let name = thread.name().filter(|name| *name != "main");
    name.map(str::to_owned)
}

/// Says of a single run under what seed it was and how to run it again, if it unwinds.
pub(crate) struct Telling {
    settings: Settings,
    /// Something unwinds already.
    late: bool,
}

impl Telling {
    pub(crate) fn of(settings: Settings) -> Self {
        let late = thread::panicking();
        Telling { settings, late }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if self.late || !thread::panicking() {
            return;
        }
        // The seed is written where it runs.
        eprintln!("pirn-sim: it fails {}", self.settings.told());
        if of_thread().is_some() {
            eprintln!("pirn-sim: to run it alone: {}", command(None));
        }
    }
}

/// What the environment says otherwise.
fn by_environment(mut settings: Settings) -> Settings {
    if let Ok(text) = env::var("PIRN_JITTER") {
        settings.jitter = jitter::read(&text)
            .unwrap_or_else(|| panic!("PIRN_JITTER is to be a duration such as 5ms, not `{text}`"));
    }
    settings
}

/// A number in the environment.
fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    match value.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} is to be a number, not `{value}`"),
    }
}
