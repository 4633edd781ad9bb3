//! A run that cannot go on, and who waits for what.

use crate::book::{Book, Info};
use crate::clock::{Awake, World};
use crate::event::{Who, seconds};
use pirn_core::budget::inspect::{self, Note};
use pirn_core::report::{self, Report};
use pirn_executor::LocalExecutor;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The run could not go on: nothing was ready, no timer was left, and no [`Hold`](crate::Hold) was
/// held. It says who waits for what.
///
/// # How it is known
///
/// The main future and all tasks are polled once more. Meanwhile the leaves of pirn's own (locks,
/// queues, handles of tasks, …) do not go on, but say what they are; a task in which none does so
/// waits for something else. Combinators, streams from generators and groups in a task, which poll a
/// part of theirs when it was woken, poll all of them then. A set of somebody else's that does so too,
/// such as `FuturesUnordered`, does not: what is in it is not seen.
///
/// A task that *ends* in that poll was ready to go on and had not been woken: somebody has lost its
/// wake-up. The same is said of a part that a combinator polls, and the report then has all else that
/// the task came to in that poll. Nothing of this costs anything to speak of in a program that is not
/// simulated.
///
/// # Examples
///
/// ```
/// use pirn_sim::Sim;
/// use std::future::pending;
///
/// let deadlock = Sim::new()
///     .try_run(async { pirn_executor::spawn(pending::<()>()).await })
///     .unwrap_err();
/// let [main, task] = deadlock.tasks() else { panic!("two wait") };
/// assert_eq!(main.waits_for(), ["the end of #1"]);
/// assert_eq!((task.name(), task.polls()), ("#1", 1));
/// assert_eq!(task.waits_for(), ["something that is not pirn's"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlock {
    /// The tasks that had not ended, the main one included.
    pub live: usize,
    paused: bool,
    tasks: Vec<Waiting>,
}

/// One of those who wait in a [`Deadlock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    name: String,
    place: Option<String>,
    polls: u64,
    last_poll: Option<String>,
    woken_by: Option<String>,
    waits_for: Vec<String>,
}

impl Deadlock {
    /// Those who wait: the main future, then the tasks in the order in which they were spawned.
    pub fn tasks(&self) -> &[Waiting] {
        &self.tasks
    }
}

impl Waiting {
    /// `main`, or the task's number and its name, if it has one: `#3 fetcher`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was polled.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// What it waits for, in words.
    pub fn waits_for(&self) -> &[String] {
        &self.waits_for
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.paused {
            true => "the clock is paused and nobody advances it",
            false => "no timer is left",
        };
        write!(
            f,
            "deadlock: nothing is ready, {why}, and {} tasks have not ended; if one of them waits \
             for a thread or a socket outside, take a `Hold` meanwhile",
            self.live
        )?;
        self.tasks
            .iter()
            .try_for_each(|task| write!(f, "\n  {task}"))
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits for {}", self.name, self.waits_for.join(", "))?;
        if let Some(place) = &self.place {
            write!(f, "; spawned at {place}")?;
        }
        match &self.last_poll {
            Some(at) => write!(f, "; polled {} times, at {at} s last", self.polls)?,
            None => write!(f, "; never polled")?,
        }
        match &self.woken_by {
            Some(by) => write!(f, ", woken by {by}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Deadlock {}

/// How many turns each task may need until all have been asked.
const PATIENCE: usize = 8;

/// Asks all what they wait for.
pub(crate) fn report<T>(
    world: &World,
    executor: &LocalExecutor,
    mut main: Pin<&mut impl Future<Output = T>>,
    waker: &Waker,
) -> Deadlock {
    let paused = world.is_paused();
    let live = world.with_book(|book| {
        book.over = true;
        book.inspecting = true;
        book.live.len()
    });
    executor.wake_all();
    let inspecting = inspect::begin();
    let mut cx = Context::from_waker(waker);
    let ask_main = poll_fn(|_| {
        let _frozen = inspect::refill();
        world.polling(Who::Main);
        let polled = catch_unwind(AssertUnwindSafe(|| main.as_mut().poll(&mut cx)));
        world.polled(Who::Main);
        if !matches!(polled, Ok(Poll::Pending)) {
            world.tell(|book, now| book.main_ended(now, pirn_executor::Ended::Returned));
        }
        // Nobody receives what comes of it; and it is the deadlock that is told.
        let dropped = polled.and_then(|output| catch_unwind(AssertUnwindSafe(|| drop(output))));
        if let Err(payload) = dropped {
            report::report(Report::Panic {
                task: None,
                payload,
            });
        }
        Poll::Ready(())
    });
    let asked = executor.run(&mut Awake, ask_main);
    asked.unwrap_or_else(|error| unreachable!("it does not sleep: {error}"));
    let mut turns = live * PATIENCE;
    while turns > 0 && !world.with_book(|book| book.all_asked()) && executor.try_tick() {
        turns -= 1;
    }
    drop(inspecting);
    world.with_book(|book| {
        book.inspecting = false;
        let notes = book
            .live
            .values()
            .flat_map(|info| info.notes.iter().flatten());
        let kinds = Kinds::of(notes);
        let live_ones = book.live.iter();
        let tasks = live_ones.map(|(who, info)| waiting(book, &kinds, *who, info));
        let tasks: Vec<_> = tasks.collect();
        book.live.retain(|_, info| !info.revived);
        Deadlock {
            live,
            paused,
            tasks,
        }
    })
}

fn waiting(book: &Book, kinds: &Kinds, who: Who, info: &Info) -> Waiting {
    let mut waits_for: Vec<String> = Vec::new();
    for note in info.notes.iter().flatten() {
        let what = kinds.describe(book, *note);
        if !waits_for.contains(&what) {
            waits_for.push(what);
        }
    }
    if info.revived {
        waits_for = vec!["nothing: it goes on if it is polled, but nobody wakes it".to_owned()];
    } else if waits_for.is_empty() {
        waits_for.push("something that is not pirn's".to_owned());
    }
    Waiting {
        name: book.name(who),
        place: info.meta.as_ref().map(|meta| meta.spawned_at().to_string()),
        polls: info.polls,
        last_poll: info.last_poll.map(seconds),
        woken_by: info.woken_by.map(|by| book.name_by(by)),
        waits_for,
    }
}

/// The addresses of the primitives that are waited for, by kind, in the order of those who wait.
#[derive(Default)]
struct Kinds(BTreeMap<String, Vec<usize>>);

impl Kinds {
    fn of<'a>(notes: impl Iterator<Item = &'a Note>) -> Kinds {
        let mut kinds = Kinds::default();
        for note in notes {
            if let Note::Policy(policy, address) = note {
                let known = kinds.0.entry(module(policy)).or_default();
                if !known.contains(address) {
                    known.push(*address);
                }
            }
        }
        kinds
    }

    /// What a leaf is, in words. Where there are several primitives of a kind, they are numbered.
    fn describe(&self, book: &Book, note: Note) -> String {
        match note {
            Note::Task(id) => match book.who_of(id) {
                Some(who) => format!("the end of {}", book.name(who)),
                None => "the end of a task outside".to_owned(),
            },
            Note::Words(words) => words.to_owned(),
            Note::Policy(policy, address) => {
                let kind = module(policy);
                let known = self.0.get(&kind).filter(|known| known.len() > 1);
                let number = known.and_then(|known| known.iter().position(|each| *each == address));
                number.map_or_else(|| kind.clone(), |number| format!("{kind} {}", number + 1))
            }
            Note::Place(place) => match place.file().rsplit(['/', '\\']).next() {
                Some(file) if place.file().contains("pirn-") => {
                    format!("`{}`", file.trim_end_matches(".rs"))
                }
                _ => format!("what is at {place}"),
            },
        }
    }
}

/// The module of a primitive's policy, by the name of its type: `pirn_sync::lock::Word`.
fn module(policy: &str) -> String {
    let path = policy.split('<').next().unwrap_or(policy);
    let mut parts = path.split("::");
    match (parts.next(), parts.next(), parts.next()) {
        (Some("pirn_sync"), Some(module), Some(_)) => format!("`{module}`"),
        (Some("pirn_group"), Some("group"), Some("limit")) => "a slot of its group".to_owned(),
        _ => format!("`{path}`"),
    }
}
