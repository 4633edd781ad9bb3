//! What happens in a run, as a line of its trace.

use pirn_core::Instant;
use pirn_executor::Ended;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::Location;
use std::sync::Arc;

/// Somebody in a run, by a number that a seed determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Main,
    /// In the order in which they were spawned, from 1.
    Task(u32),
    /// A closure for a thread, likewise.
    Job(u32),
    /// Keeps what was abandoned. Nobody hears of it.
    Reaper,
}

/// Who wakes and spawns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    Who(Who),
    Clock,
    /// Nobody in the run: another thread, or what is before and after the polls.
    #[default]
    Outside,
}

pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) who: Option<Who>,
    pub(crate) what: What,
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    Spawned(By, &'static Location<'static>),
    Poll,
    Rest,
    Woken(By),
    Ended(Ended),
    /// The clock has jumped, from there.
    Clock(Instant),
    Sent(By),
    Runs,
    Done,
}

type Names = BTreeMap<u32, Arc<str>>;

impl Who {
    pub(crate) fn name(self, names: &Names) -> String {
        match self {
            Who::Main => "main".to_owned(),
            Who::Task(number) => match names.get(&number) {
                Some(name) => format!("#{number} {name}"),
                None => format!("#{number}"),
            },
            Who::Job(number) => format!("closure {number}"),
            Who::Reaper => "the reaper".to_owned(),
        }
    }
}

impl By {
    pub(crate) fn name(self, names: &Names) -> String {
        match self {
            By::Who(who) => who.name(names),
            By::Clock => "the clock".to_owned(),
            By::Outside => "outside".to_owned(),
        }
    }
}

/// Seconds, to the nanosecond.
pub(crate) fn seconds(at: Instant) -> String {
    let nanos = at.as_nanos();
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

impl Event {
    pub(crate) fn render(&self, names: &Names, text: &mut String) {
        let who = self
            .who
            .map_or(String::from("clock"), |who| who.name(names));
        let what = match self.what {
            What::Spawned(by, place) => format!("spawned by {}, at {place}", by.name(names)),
            What::Poll => "poll".to_owned(),
            What::Rest => "rest".to_owned(),
            What::Woken(by) => format!("woken by {}", by.name(names)),
            What::Ended(Ended::Returned) => "returned".to_owned(),
            What::Ended(Ended::Cancelled) => "cancelled".to_owned(),
            What::Ended(Ended::Panicked) => "panicked".to_owned(),
            What::Clock(from) => format!("jumps from {}", seconds(from)),
            What::Sent(by) => format!("sent by {}", by.name(names)),
            What::Runs => "runs".to_owned(),
            What::Done => "done".to_owned(),
        };
        let _ = write!(text, "{:>15} {who:<10} {what}", seconds(self.at));
    }
}
