//! Who lives in a run, who woke whom, and what happened.

use crate::event::{By, Event, What, Who};
use pirn_core::budget::inspect::Note;
use pirn_core::{Instant, TaskMeta};
use pirn_executor::{Ended, TaskId};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::thread::{self, ThreadId};

/// How many events are kept for the report of a failure, where nobody wants them all.
const TAIL: usize = 48;
/// How many more once the main future has ended, when all others are cancelled.
const LATER: usize = 16;

/// What a run knows of its tasks. Behind the lock of its [`World`](crate::clock::World).
#[derive(Default)]
pub(crate) struct Book {
    numbers: BTreeMap<TaskId, Who>,
    /// Those that have not ended, the main future among them.
    pub(crate) live: BTreeMap<Who, Info>,
    names: BTreeMap<u32, Arc<str>>,
    tasks: u32,
    jobs: u32,
    /// Who is polled: the last one, inside the others.
    polled: Vec<Who>,
    /// Who wakes while nobody is polled: the last who was, up to the next sleep.
    outside: By,
    home: Option<ThreadId>,
    /// The time of the last event.
    at: Instant,
    events: VecDeque<Event>,
    /// The main future has ended, or nobody goes on.
    pub(crate) over: bool,
    /// How many events there were after that.
    later: usize,
    /// Keep all events.
    pub(crate) all: bool,
    /// A deadlock is being looked into: nothing is an event.
    pub(crate) inspecting: bool,
}

/// What is known of a task that has not ended.
pub(crate) struct Info {
    pub(crate) meta: Option<TaskMeta>,
    pub(crate) polls: u64,
    pub(crate) last_poll: Option<Instant>,
    pub(crate) woken_by: Option<By>,
    /// Woken, and not polled since.
    queued: bool,
    /// What its leaves said when they were asked.
    pub(crate) notes: Option<Vec<Note>>,
    /// It ended when they were asked.
    pub(crate) revived: bool,
}

thread_local! {
    /// Who is about to be spawned, if it is not one of the program's tasks.
    static EXPECTED: Cell<Option<Who>> = const { Cell::new(None) };
}

/// Spawns `who` in `f`.
pub(crate) fn expecting<R>(who: Who, f: impl FnOnce() -> R) -> R {
    EXPECTED.set(Some(who));
    let result = f();
    EXPECTED.set(None);
    result
}

impl Info {
    fn new(meta: Option<TaskMeta>) -> Info {
        Info {
            meta,
            polls: 0,
            last_poll: None,
            woken_by: None,
            queued: true,
            notes: None,
            revived: false,
        }
    }
}

impl Book {
    /// A run begins, on this thread.
    pub(crate) fn begin(&mut self) {
        let all = self.all;
        *self = Book {
            all,
            home: Some(thread::current().id()),
            ..Book::default()
        };
        self.live.insert(Who::Main, Info::new(None));
    }

    /// Who does what is being done on this thread.
    pub(crate) fn by(&self) -> By {
        if self.home != Some(thread::current().id()) {
            return By::Outside;
        }
        self.polled.last().map_or(self.outside, |who| By::Who(*who))
    }

    /// Who does what is done from now on while nobody is polled.
    pub(crate) fn set_outside(&mut self, by: By) {
        self.outside = by;
    }

    pub(crate) fn next_job(&mut self, now: Instant) -> Who {
        self.jobs += 1;
        let (job, by) = (Who::Job(self.jobs), self.by());
        self.record(now, job, What::Sent(by));
        job
    }

    pub(crate) fn spawned(&mut self, now: Instant, id: TaskId, meta: &TaskMeta) {
        let who = EXPECTED.take().unwrap_or_else(|| {
            self.tasks += 1;
            Who::Task(self.tasks)
        });
        self.numbers.insert(id, who);
        let Who::Task(number) = who else { return };
        if let Some(name) = meta.name() {
            self.names.insert(number, name.into());
        }
        self.live.insert(who, Info::new(Some(meta.clone())));
        let by = self.by();
        self.record(now, who, What::Spawned(by, meta.spawned_at()));
    }

    /// The number of a task of this run.
    pub(crate) fn who(&self, id: TaskId) -> Option<Who> {
        self.numbers.get(&id).copied()
    }

    /// The number of a task, by its id as a number.
    pub(crate) fn who_of(&self, id: u64) -> Option<Who> {
        let mut numbers = self.numbers.iter();
        numbers.find_map(|(each, who)| (each.get() == id).then_some(*who))
    }

    pub(crate) fn polling(&mut self, now: Instant, who: Who) {
        self.polled.push(who);
        if let Some(info) = self.live.get_mut(&who).filter(|_| !self.inspecting) {
            info.polls += 1;
            info.last_poll = Some(now);
            info.queued = false;
            self.record(now, who, What::Poll);
        }
    }

    /// `notes` are there if it was looked into.
    pub(crate) fn polled(&mut self, now: Instant, who: Who, notes: Option<Vec<Note>>) {
        let own = self.polled.iter().rposition(|each| *each == who);
        if let Some(own) = own {
            self.polled.truncate(own);
            // The one whose end wakes, or that was woken meanwhile.
            self.outside = By::Who(who);
        }
        if let Some(info) = self.live.get_mut(&who) {
            if let Some(notes) = notes {
                info.notes.get_or_insert(notes);
            } else {
                self.record(now, who, What::Rest);
            }
        }
    }

    pub(crate) fn woken(&mut self, now: Instant, who: Who) {
        let by = self.by();
        let Some(info) = self.live.get_mut(&who).filter(|_| !self.inspecting) else {
            return;
        };
        if !std::mem::replace(&mut info.queued, true) {
            info.woken_by = Some(by);
            self.record(now, who, What::Woken(by));
        }
    }

    pub(crate) fn ended(&mut self, now: Instant, id: TaskId, how: Ended) {
        if self.inspecting {
            // Kept for the report.
            let info = self.who(id).and_then(|who| self.live.get_mut(&who));
            info.into_iter().for_each(|info| info.revived = true);
            return;
        }
        let Some(who) = self.numbers.remove(&id) else {
            return;
        };
        if self.live.remove(&who).is_some() {
            self.record(now, who, What::Ended(how));
        }
    }

    /// The main future has ended.
    pub(crate) fn main_ended(&mut self, now: Instant, how: Ended) {
        match self.inspecting {
            true => {
                self.live
                    .entry(Who::Main)
                    .or_insert_with(|| Info::new(None))
                    .revived = true
            }
            false if self.live.remove(&Who::Main).is_some() => {
                self.record(now, Who::Main, What::Ended(how));
                self.over = true;
            }
            false => {}
        }
    }

    pub(crate) fn record(&mut self, now: Instant, who: Who, what: What) {
        if self.inspecting {
            return;
        }
        if now != self.at {
            let from = std::mem::replace(&mut self.at, now);
            self.push(Event {
                at: now,
                who: None,
                what: What::Clock(from),
            });
        }
        self.push(Event {
            at: now,
            who: Some(who),
            what,
        });
    }

    fn push(&mut self, event: Event) {
        self.later += usize::from(self.over);
        if !self.all && self.later > LATER {
            return;
        }
        if !self.all && !self.over && self.events.len() == TAIL {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The last events, or all, a line each.
    pub(crate) fn render(&self, last: usize) -> String {
        let skipped = self.events.len().saturating_sub(last);
        let mut text = String::new();
        for event in self.events.iter().skip(skipped) {
            event.render(&self.names, &mut text);
            text.push('\n');
        }
        if !self.all && self.later > LATER {
            let more = self.later - LATER;
            let _ = writeln!(text, "{:>15} and {more} events more", "");
        }
        text
    }

    /// True if all have said what they wait for.
    pub(crate) fn all_asked(&self) -> bool {
        self.live.values().all(|info| info.notes.is_some())
    }

    pub(crate) fn name_by(&self, by: By) -> String {
        by.name(&self.names)
    }

    pub(crate) fn name(&self, who: Who) -> String {
        who.name(&self.names)
    }
}
