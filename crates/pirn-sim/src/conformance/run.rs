//! One script, from the first step to the end.

use super::Subject;
use super::bell::Bells;
use super::findings::Property;
use super::model::{Breach, Model};
use super::rules::{Kind, Rules};
use super::script::Step;
use pirn_core::report::{Report, report};
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls of one [`Run::settle`] after which nobody is believed to go on any more.
const ENOUGH: usize = 500;

/// What is kept of a run, whatever becomes of it.
#[derive(Default)]
pub(super) struct Log {
    pub(super) steps: Vec<Step>,
    /// In words, if wanted.
    pub(super) told: Option<Vec<String>>,
}

/// A primitive under way, its waiters, and what ought to be true of them.
pub(super) struct Run<'s, S: Subject> {
    waiters: Vec<Waiter<'s, S>>,
    pub(super) model: Model<'s>,
    subject: &'s S,
    log: &'s RefCell<Log>,
}

type Waiting<'s, H> = Pin<Box<dyn Future<Output = H> + 's>>;

struct Waiter<'s, S: Subject + 's> {
    future: Option<Waiting<'s, S::Held<'s>>>,
    /// With how many units it is held.
    held: Option<S::Held<'s>>,
    bells: Bells,
}

impl<'s, S: Subject> Run<'s, S> {
    pub(super) fn new(subject: &'s S, rules: &'s Rules, log: &'s RefCell<Log>) -> Self {
        Run {
            waiters: Vec::new(),
            model: Model::new(rules),
            subject,
            log,
        }
    }

    /// The steps that can come next, with so many waiters in all.
    pub(super) fn enabled(&self, waiters: usize) -> Vec<Step> {
        let mut enabled = Vec::new();
        let is_live = |who: &usize| self.waiters[*who].future.is_some();
        let live: Vec<usize> = (0..self.waiters.len()).filter(is_live).collect();
        if self.waiters.len() < waiters && live.len() < self.model.rules.together {
            enabled.push(Step::Arrive);
        }
        if self.model.can_serve() && self.model.served <= waiters {
            enabled.push(Step::Serve);
        }
        if self.model.rules.closes && !self.model.closed {
            enabled.push(Step::Close);
        }
        if self.model.rules.withdraws && self.model.served > 0 {
            enabled.push(Step::Withdraw);
        }
        for who in live {
            enabled.extend([Step::Drop(who), Step::Poll(who)]);
            if self.model.rules.rewakes {
                enabled.push(Step::Fresh(who));
            }
        }
        let is_held = |who: &usize| self.waiters[*who].held.is_some();
        enabled.extend((0..self.waiters.len()).filter(is_held).map(Step::Release));
        enabled
    }

    /// Does a step of a script.
    pub(super) fn step(&mut self, step: Step) -> Result<(), Breach> {
        self.log.borrow_mut().steps.push(step);
        self.act(step)
    }

    /// Does a step, which no script has if it follows from what comes before.
    pub(super) fn act(&mut self, step: Step) -> Result<(), Breach> {
        let out_of_place = || panic!("the script's step {step} cannot be done where it stands");
        let is_live = |run: &Self, who: usize| {
            let waiter = run.waiters.get(who);
            waiter.is_some_and(|waiter| waiter.future.is_some())
        };
        match step {
            Step::Arrive => self.arrive(Bells::new()),
            Step::Poll(who) if is_live(self, who) => self.poll(who, "is polled"),
            Step::Fresh(who) if is_live(self, who) => {
                self.waiters[who].bells.replace();
                self.poll(who, "is polled with another waker")
            }
            Step::Drop(who) if is_live(self, who) => {
                let woken = self.waiters[who].bells.is_rung();
                self.waiters[who].future = None;
                self.model.left(who);
                let woken = if woken { ", after it was woken" } else { "" };
                self.tell(|| format!("{who} is dropped{woken}"));
                Ok(())
            }
            Step::Serve => {
                let unit = self.model.served;
                self.model.serve();
                self.subject.serve(unit);
                self.tell(|| format!("something is given, number {unit}"));
                Ok(())
            }
            Step::Close => {
                self.model.closed = true;
                self.subject.close();
                self.tell(|| "it is ended".to_owned());
                Ok(())
            }
            Step::Withdraw => match self.subject.withdraw() {
                Some(number) => {
                    self.tell(|| format!("number {number} is taken back"));
                    self.model.withdrawn(number)
                }
                None => {
                    self.tell(|| "nothing can be taken back".to_owned());
                    Ok(())
                }
            },
            Step::Release(who) => {
                let Some(held) = self.waiters.get_mut(who).and_then(|w| w.held.take()) else {
                    out_of_place()
                };
                self.release(who, held);
                self.tell(|| format!("{who} lets go of what it has"));
                Ok(())
            }
            _ => out_of_place(),
        }
    }

    /// A new waiter is polled for the first time.
    pub(super) fn arrive(&mut self, bells: Bells) -> Result<(), Breach> {
        let who = self.waiters.len();
        let future = Box::pin(self.subject.wait(who)) as Waiting<'s, S::Held<'s>>;
        self.waiters.push(Waiter {
            future: Some(future),
            held: None,
            bells,
        });
        self.poll(who, "comes")?;
        if self.waiters[who].future.is_some() {
            self.model.queued(who);
        }
        Ok(())
    }

    pub(super) fn is_waiting(&self, who: usize) -> bool {
        self.waiters[who].future.is_some()
    }

    pub(super) fn is_woken(&self, who: usize) -> bool {
        self.waiters[who].bells.is_rung()
    }

    /// Lets all let go of what they have.
    pub(super) fn release_all(&mut self) -> Result<(), Breach> {
        for who in 0..self.waiters.len() {
            if self.waiters[who].held.is_some() {
                self.act(Step::Release(who))?;
            }
        }
        Ok(())
    }

    /// Wakers of the task that this waiter belongs to.
    pub(super) fn bells_of(&self, who: usize) -> Bells {
        self.waiters[who].bells.shared()
    }

    /// Lets all go on who were woken until nobody is; those who can be served must then be gone. Then
    /// one after the other lets go of what it has, and the same again.
    pub(super) fn settle(&mut self) -> Result<(), Breach> {
        for _ in 0..ENOUGH {
            self.subject.go_on();
            let all = 0..self.waiters.len();
            let mut woken = all.clone().filter(|who| {
                let waiter = &self.waiters[*who];
                waiter.future.is_some() && waiter.bells.is_rung()
            });
            if let Some(who) = woken.next() {
                self.poll(who, "was woken and is polled")?;
                continue;
            }
            let mut holders = all.filter(|who| self.waiters[*who].held.is_some());
            let Some(who) = holders.next() else {
                return self.nobody_is_stuck();
            };
            // A guard of another lock may be what they wait for.
            if self.model.rules.returned {
                self.nobody_is_stuck()?;
            }
            self.act(Step::Release(who))?;
        }
        let what = format!("somebody is woken still after {ENOUGH} polls of those who were");
        Err((Property::WaitersRest, what))
    }

    /// Lets all go on to the end, and two who come later too; then looks at what is left.
    pub(super) fn finish(mut self) -> Result<(), Breach> {
        self.tell(|| "now all who are woken go on".to_owned());
        self.settle()?;
        for _ in 0..2 {
            if self.model.waiting() < self.model.rules.together {
                self.act(Step::Arrive)?;
                self.settle()?;
            }
            while self.model.waiting() > 0 {
                if !self.model.can_serve() {
                    let what = "all was given, and somebody waits still".to_owned();
                    return Err((Property::OthersGoOn, what));
                }
                self.act(Step::Serve)?;
                self.settle()?;
            }
        }
        self.waiters.clear();
        let Some(left) = self.subject.left() else {
            return Ok(());
        };
        let there = self.model.units;
        let what = format!("at the end {left} are there, and there should be {there}");
        match left.cmp(&there) {
            _ if self.model.rules.kind != Kind::Units => Ok(()),
            std::cmp::Ordering::Less => Err((Property::NothingLost, what)),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err((Property::NothingTwice, what)),
        }
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.log.borrow_mut().told {
            told.push(what());
        }
    }

    fn nobody_is_stuck(&mut self) -> Result<(), Breach> {
        let Some(who) = self.model.stuck() else {
            return Ok(());
        };
        let older_rang = self.waiters[who].bells.older_rang();
        // Is the wake lost, or what it is for?
        self.poll(who, "could go on, is not woken, and is polled unasked")?;
        Err(if self.is_waiting(who) {
            let what = format!("{who} should be served, and what is there for it is lost");
            (Property::NothingLost, what)
        } else if older_rang {
            let what = format!("{who} could go on, and a waker that it had before was woken");
            (Property::NewestWaker, what)
        } else {
            let what = format!("{who} could go on, and was not woken");
            (Property::OthersGoOn, what)
        })
    }

    fn poll(&mut self, who: usize, why: &str) -> Result<(), Breach> {
        let waiter = &mut self.waiters[who];
        let waker = waiter.bells.waker();
        let Some(future) = &mut waiter.future else {
            return Ok(());
        };
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                self.tell(|| format!("{who} {why}: it waits"));
                Ok(())
            }
            Poll::Ready(held) => {
                waiter.future = None;
                self.tell(|| format!("{who} {why}: it is done"));
                self.done(who, held)
            }
        }
    }

    fn done(&mut self, who: usize, held: S::Held<'s>) -> Result<(), Breach> {
        if self.subject.is_end(&held) {
            return self.model.ended(who);
        }
        let numbers = self.subject.numbers(&held);
        let count = match numbers.len() {
            0 => (self.model.rules.takes)(who),
            some => some,
        };
        self.model.done(who, count, &numbers)?;
        if self.model.rules.holds {
            self.waiters[who].held = Some(held);
        } else {
            self.release(who, held);
        }
        Ok(())
    }

    fn release(&mut self, who: usize, held: S::Held<'s>) {
        self.subject.let_go(held);
        self.model.let_go(who);
    }
}

impl<S: Subject> Drop for Run<'_, S> {
    fn drop(&mut self) {
        // Of a script that was not finished. The breach is what is told, perhaps a panic that is under way.
        for waiter in self.waiters.drain(..) {
            drop_guarded(waiter.future);
            drop_guarded(waiter.held);
        }
    }
}

/// A panic goes to the hook.
fn drop_guarded<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        report(Report::Panic {
            task: None,
            payload,
        });
    }
}
