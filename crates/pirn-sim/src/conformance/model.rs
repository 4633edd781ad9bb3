//! What ought to happen: who is due, and what is there.

use super::findings::Property;
use super::rules::{Kind, Rules};

/// What a check says: the property that does not hold, and why.
pub(super) type Breach = (Property, String);

/// The state that the primitive ought to be in, as far as it can be told from outside.
pub(super) struct Model<'r> {
    pub(super) rules: &'r Rules,
    /// Units that nobody has taken, among them those set aside for somebody who has not polled.
    pub(super) units: usize,
    pub(super) served: usize,
    /// Nothing is given any more, and nobody has to wait.
    pub(super) closed: bool,
    /// Those who wait, in the order in which they came, and whether a pulse has reached each.
    queue: Vec<(usize, bool)>,
    /// The numbers of the units that were seen.
    seen: Vec<usize>,
}

impl<'r> Model<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        Model {
            rules,
            units: rules.free,
            served: 0,
            closed: false,
            queue: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(super) fn can_serve(&self) -> bool {
        !self.closed && self.served < self.rules.serves
    }

    pub(super) fn serve(&mut self) {
        self.served += 1;
        match self.rules.kind {
            Kind::Units => self.units += self.rules.gives,
            Kind::Pulse(count) => {
                let waiting = self.queue.iter_mut().filter(|(_, due)| !due);
                waiting.take(count).for_each(|(_, due)| *due = true);
            }
            Kind::Gate => {}
        }
        self.let_unused_go();
    }

    /// It was polled for the first time, and has to wait.
    pub(super) fn queued(&mut self, who: usize) {
        self.queue.push((who, false));
    }

    /// It left without anything.
    pub(super) fn left(&mut self, who: usize) {
        self.queue.retain(|(other, _)| *other != who);
        self.let_unused_go();
    }

    /// It has what it waited for, `count` units with these numbers.
    pub(super) fn done(
        &mut self,
        who: usize,
        count: usize,
        numbers: &[usize],
    ) -> Result<(), Breach> {
        let wants = (self.rules.takes)(who);
        let twice = |what| Err((Property::NothingTwice, what));
        match self.rules.kind {
            Kind::Units => {
                if self.units < wants.max(count) {
                    return twice(format!("{who} has {count} where {} are there", self.units));
                }
                if self.rules.in_order && !self.is_due(who) {
                    let first = self.queue.first().map_or(who, |(first, _)| *first);
                    let what = format!("{who} went on before {first}, which came first");
                    return Err((Property::InOrder, what));
                }
                self.units -= count;
            }
            Kind::Pulse(_) => {
                if !self.is_due(who) {
                    return twice(format!("{who} went on though nothing let it go"));
                }
            }
            Kind::Gate => {
                if self.served == 0 {
                    return twice(format!("{who} went on though nothing was given"));
                }
            }
        }
        for number in numbers {
            if *number >= self.served || self.seen.contains(number) {
                return twice(format!("{who} has number {number}, which is not there"));
            }
            self.seen.push(*number);
        }
        self.queue.retain(|(other, _)| *other != who);
        if self.rules.returned {
            self.units += count - self.rules.kept(who).min(count);
        }
        self.let_unused_go();
        Ok(())
    }

    /// What was given by this number was taken back.
    pub(super) fn withdrawn(&mut self, number: usize) -> Result<(), Breach> {
        let had = self.seen.contains(&number);
        self.seen.push(number);
        match self.units.checked_sub(self.rules.gives) {
            Some(left) if !had => {
                self.units = left;
                Ok(())
            }
            _ => {
                let what = format!("number {number} was taken back though somebody has it");
                Err((Property::NothingTwice, what))
            }
        }
    }

    /// It heard of the end.
    pub(super) fn ended(&mut self, who: usize) -> Result<(), Breach> {
        if !self.closed {
            let what = format!("{who} heard of an end that had not come");
            return Err((Property::NothingTwice, what));
        }
        self.left(who);
        Ok(())
    }

    /// What it had was dropped.
    pub(super) fn let_go(&mut self, who: usize) {
        if self.rules.returned {
            self.units += self.rules.kept(who);
        }
    }

    /// Whether it may go on, those before it being served first.
    pub(super) fn is_due(&self, who: usize) -> bool {
        if self.closed {
            return true;
        }
        match self.rules.kind {
            Kind::Units => {
                let mut needed = 0;
                for (other, _) in &self.queue {
                    needed += (self.rules.takes)(*other);
                    if *other == who {
                        return needed <= self.units;
                    }
                }
                needed + (self.rules.takes)(who) <= self.units
            }
            Kind::Pulse(_) => self.queue.contains(&(who, true)),
            Kind::Gate => self.served > 0,
        }
    }

    /// With nobody polling: one who waits and should not have to. Where the order is free, nobody is
    /// said to be stuck while one who waits cannot be served.
    pub(super) fn stuck(&self) -> Option<usize> {
        let wants = |who: usize| (self.rules.takes)(who);
        let free_order = self.rules.kind == Kind::Units && !self.rules.in_order;
        let mut waiting = self.queue.iter().map(|(who, _)| *who);
        if free_order && !self.closed {
            let all_fit = waiting.clone().all(|who| wants(who) <= self.units);
            return waiting.next().filter(|_| all_fit);
        }
        waiting.find(|who| self.is_due(*who))
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    fn let_unused_go(&mut self) {
        let wanted: usize = self
            .queue
            .iter()
            .map(|(who, _)| (self.rules.takes)(*who))
            .sum();
        self.units = self.units.min(wanted.saturating_add(self.rules.unused));
    }
}
