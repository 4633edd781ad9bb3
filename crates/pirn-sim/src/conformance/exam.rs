//! Which scripts are run, and how.

use super::Subject;
use super::findings::{Failure, Findings, LeftOut, Property};
use super::model::Breach;
use super::rules::Rules;
use super::run::{Log, Run};
use super::script::{self, Step};
use super::task;
use crate::random::Random;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many steps come after the first waiters have come, for one waiter in all, two, and so on.
const DEPTHS: [usize; 4] = [6, 5, 4, 3];

/// How long the scripts by seed are at most.
const LONGEST: u64 = 24;

/// An examination of one operation: all short scripts, many long ones, and the programs of a task that
/// leaves a future alone.
///
/// # Examples
///
/// As in a test, which fails if anything is not as it should be:
///
/// ```
/// use pirn_sim::conformance::{Exam, Rules, Subject};
/// use pirn_sync::{Permit, Semaphore};
///
/// struct OnePermit(Semaphore);
///
/// impl Subject for OnePermit {
///     type Held<'a> = Permit<'a>;
///     async fn wait(&self, _: usize) -> Permit<'_> {
///         self.0.acquire().await.unwrap()
///     }
///     fn serve(&self, _: usize) {
///         self.0.release(1).unwrap();
///     }
///     fn left(&self) -> Option<usize> {
///         Some(self.0.available())
///     }
/// }
///
/// let make = || {
///     let semaphore = Semaphore::new(1);
///     semaphore.try_acquire().unwrap().forget();
///     OnePermit(semaphore)
/// };
/// let exam = Exam::new("Semaphore::acquire", Rules::permits(1)).seeds(100);
/// exam.run(make).assert();
/// // One script alone.
/// exam.replay("arrive arrive serve drop0", make).assert();
/// ```
#[derive(Clone, Debug)]
pub struct Exam {
    name: String,
    rules: Rules,
    waiters: usize,
    shallower: usize,
    seeds: u64,
    /// Why.
    left_out: BTreeMap<Property, String>,
}

impl Exam {
    /// An examination of what `name` stands for in the report, with up to four waiters and 1,000
    /// scripts by seed.
    pub fn new(name: &str, rules: Rules) -> Self {
        Exam {
            name: name.to_owned(),
            rules,
            waiters: DEPTHS.len(),
            shallower: 0,
            seeds: 1000,
            left_out: BTreeMap::new(),
        }
    }

    /// Without a property that the primitive does not promise, and why: the [findings](Findings) say so.
    ///
    /// | left out | what becomes of the scripts |
    /// | --- | --- |
    /// | [`InOrder`](Property::InOrder) | a waiter may be overtaken, as with [`Rules::any_order`] |
    /// | [`NewestWaker`](Property::NewestWaker) | nobody is polled with another waker than before |
    /// | [`GrantIsTheTasks`](Property::GrantIsTheTasks) | the programs of a task with two futures are not run |
    /// | any other | one that shows that it does not hold ends there, and is counted apart |
    ///
    /// # Examples
    ///
    /// A lock into which newcomers may barge:
    ///
    /// ```
    /// use async_lock::{Mutex, MutexGuardArc, MutexGuard};
    /// use pirn_sim::conformance::{Exam, Property, Rules, Subject};
    /// use std::{cell::RefCell, sync::Arc};
    ///
    /// struct Barging(Arc<Mutex<()>>, RefCell<Option<MutexGuardArc<()>>>);
    ///
    /// impl Subject for Barging {
    ///     type Held<'a> = MutexGuard<'a, ()>;
    ///     async fn wait(&self, _: usize) -> MutexGuard<'_, ()> {
    ///         self.0.lock().await
    ///     }
    ///     fn serve(&self, _: usize) {
    ///         self.1.take();
    ///     }
    /// }
    ///
    /// let exam = Exam::new("Mutex::lock", Rules::permits(1))
    ///     .without(Property::InOrder, "it is faster when a newcomer may barge in")
    ///     .without(Property::GrantIsTheTasks, "a grant is the future's");
    /// let findings = exam.seeds(100).run(|| {
    ///     let mutex = Arc::new(Mutex::new(()));
    ///     let taken = mutex.try_lock_arc();
    ///     Barging(mutex, RefCell::new(taken))
    /// });
    /// findings.assert();
    /// assert!(findings.to_string().contains(
    ///     "left out: first come, first served (it is faster when a newcomer may barge in)"
    /// ));
    /// ```
    #[must_use]
    pub fn without(mut self, property: Property, why: &str) -> Self {
        match property {
            Property::InOrder => self.rules.in_order = false,
            Property::NewestWaker => self.rules.rewakes = false,
            _ => {}
        }
        self.left_out.insert(property, why.to_owned());
        self
    }

    /// With so many waiters at most, of 1 to 4. Two more come at the end of each script.
    ///
    /// # Panics
    ///
    /// If it is none of these.
    #[must_use]
    #[track_caller]
    pub fn waiters(self, waiters: usize) -> Self {
        let most = DEPTHS.len();
        assert!(
            (1..=most).contains(&waiters),
            "an exam is of 1 to {most} waiters, not of {waiters}"
        );
        Exam { waiters, ..self }
    }

    /// With so many scripts by seed.
    #[must_use]
    pub fn seeds(self, seeds: u64) -> Self {
        Exam { seeds, ..self }
    }

    /// With all scripts of so many steps fewer: each step makes it about ten times as fast.
    #[must_use]
    pub fn shallower(self, steps: usize) -> Self {
        Exam {
            shallower: steps,
            ..self
        }
    }

    /// Runs all scripts, each on a primitive of its own.
    pub fn run<S: Subject>(&self, make: impl Fn() -> S) -> Findings {
        let mut findings = self.nothing_found();
        let programs = match self.left_out.contains_key(&Property::GrantIsTheTasks) {
            true => Vec::new(),
            false => task::programs(&self.rules),
        };
        for program in programs {
            self.task(&program, &make, &mut findings);
        }
        for waiters in 1..=self.waiters {
            let depth = DEPTHS[waiters - 1].saturating_sub(self.shallower);
            for depth in 0..=depth {
                self.all_of(waiters, depth, &make, &mut findings);
            }
        }
        for seed in 0..self.seeds {
            self.one_by_seed(seed, &make, &mut findings);
        }
        findings
    }

    /// Runs one script, as a [`Failure`] has it.
    ///
    /// # Panics
    ///
    /// If it is not a script.
    #[track_caller]
    pub fn replay<S: Subject>(&self, script: &str, make: impl Fn() -> S) -> Findings {
        let mut findings = self.nothing_found();
        if let Some(program) = script.strip_prefix(task::PREFIX) {
            self.task(program.trim(), &make, &mut findings);
            return findings;
        }
        let steps = script::read(script).unwrap_or_else(|error| panic!("{error}"));
        self.script(&steps, &make, &mut findings);
        findings
    }

    fn nothing_found(&self) -> Findings {
        Findings {
            name: self.name.clone(),
            scripts: 0,
            failed: 0,
            failures: BTreeMap::new(),
            left_out: self.what_is_left_out(),
        }
    }

    fn what_is_left_out(&self) -> BTreeMap<Property, LeftOut> {
        let asked = self.left_out.iter();
        let mut all: BTreeMap<_, _> = asked
            .map(|(each, why)| (*each, LeftOut::new(why)))
            .collect();
        if !self.rules.in_order {
            let by_rules = || LeftOut::new("by the rules");
            all.entry(Property::InOrder).or_insert_with(by_rules);
        }
        all
    }

    /// All scripts of so many steps, after all waiters but the last have come.
    fn all_of<S: Subject>(
        &self,
        waiters: usize,
        depth: usize,
        make: &impl Fn() -> S,
        findings: &mut Findings,
    ) {
        let first = (waiters - 1).max(1).min(self.rules.together);
        // Which of the steps that are possible is taken at each place, and of how many.
        let mut path: Vec<(usize, usize)> = Vec::new();
        loop {
            let mut at = 0;
            self.examine(make, findings, |run| {
                for _ in 0..first {
                    run.step(Step::Arrive)?;
                }
                while at < depth {
                    let enabled = run.enabled(waiters);
                    if enabled.is_empty() {
                        break;
                    }
                    if path.len() == at {
                        path.push((0, enabled.len()));
                    }
                    let step = enabled[path[at].0];
                    at += 1;
                    run.step(step)?;
                }
                Ok(())
            });
            // A script that failed early is like all that begin so.
            path.truncate(at);
            while path.last().is_some_and(|(taken, of)| taken + 1 == *of) {
                path.pop();
            }
            match path.last_mut() {
                Some((taken, _)) => *taken += 1,
                None => return,
            }
        }
    }

    fn one_by_seed<S: Subject>(&self, seed: u64, make: &impl Fn() -> S, findings: &mut Findings) {
        let mut random = Random::new(seed);
        let waiters = 2 + random.below(self.waiters as u64 * 2) as usize;
        let length = 4 + random.below(LONGEST - 3);
        self.examine(make, findings, |run| {
            for _ in 0..length {
                let enabled = run.enabled(waiters);
                if enabled.is_empty() {
                    break;
                }
                let arrives = enabled[0] == Step::Arrive && random.below(3) == 0;
                let chosen = random.below(enabled.len() as u64) as usize;
                run.step(enabled[if arrives { 0 } else { chosen }])?;
            }
            Ok(())
        });
    }

    /// Runs a script of which `steps` makes the part before the end, and if it fails tells it again.
    fn examine<S: Subject>(
        &self,
        make: &impl Fn() -> S,
        findings: &mut Findings,
        steps: impl FnOnce(&mut Run<'_, S>) -> Result<(), Breach>,
    ) {
        findings.scripts += 1;
        let (ended, log) = self.perform(make, false, |mut run| {
            steps(&mut run)?;
            run.finish()
        });
        let Err((property, what)) = ended else { return };
        if findings.passes_over(property) {
            return;
        }
        if !findings.holds(property) {
            findings.failed += 1;
            return;
        }
        let (_, told) = self.perform(make, true, |mut run| {
            for step in &log.steps {
                run.step(*step)?;
            }
            run.finish()
        });
        findings.note(Failure {
            property,
            what,
            script: script::written(&log.steps),
            steps: told.told.unwrap_or_default(),
        });
    }

    fn script<S: Subject>(&self, steps: &[Step], make: &impl Fn() -> S, findings: &mut Findings) {
        self.examine(make, findings, |run| {
            steps.iter().try_for_each(|step| run.step(*step))
        });
    }

    fn task<S: Subject>(&self, program: &str, make: &impl Fn() -> S, findings: &mut Findings) {
        findings.scripts += 1;
        // A claim changes the order of those who wait.
        let exam = Exam {
            rules: self.rules.clone().any_order(),
            ..self.clone()
        };
        let (ended, log) = exam.perform(make, true, |run| task::run(run, program));
        if let Err((property, what)) = ended {
            if findings.passes_over(property) {
                return;
            }
            findings.note(Failure {
                property,
                what,
                script: format!("{} {program}", task::PREFIX),
                steps: log.told.unwrap_or_default(),
            });
        }
    }

    fn perform<S: Subject>(
        &self,
        make: &impl Fn() -> S,
        tells: bool,
        act: impl FnOnce(Run<'_, S>) -> Result<(), Breach>,
    ) -> (Result<(), Breach>, Log) {
        let log = RefCell::new(Log {
            steps: Vec::new(),
            told: tells.then(Vec::new),
        });
        let ended = caught(make).and_then(|subject| {
            let ended = caught(|| act(Run::new(&subject, &self.rules, &log)));
            // What it says as it is dropped comes after what was found before.
            let dropped = caught(|| drop(subject));
            ended.and_then(|ended| ended).and(dropped)
        });
        (ended, log.into_inner())
    }
}

/// A panic is a breach.
fn caught<R>(act: impl FnOnce() -> R) -> Result<R, Breach> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let message = pirn_core::panic_message(&*payload);
        let breach = format!("it panics: {message}");
        (Property::ChecksHold, breach)
    })
}
