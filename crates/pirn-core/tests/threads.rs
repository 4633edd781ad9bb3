//! What happens to a run and comes from several threads at any moment: `docs/order.md`, its last part.
//!
//! A round runs one scope in another. A value, a cancel of either, the passing of their deadlines and
//! the end of a child come from a thread each. Before a poll it is noted what is over, after it what
//! has begun; `ALLOWED` is the table of what the poll may then have given.

mod support;

use pirn_core::{self as core, Cause, ChildGuard, Kind, Scope, finally, shield};
use std::future::Future;
use std::hint;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{Gate, Manual};

/// So many rounds, or as many as there is time for on a busy machine.
const ROUNDS: usize = 4_000;
const TIME: Duration = Duration::from_secs(2);
const THREADS: usize = 5;
/// Longer than any poll of these is put off by a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens.
const VALUE: u8 = 1;
const INNER_CUT: u8 = 1 << 1;
const OUTER_CUT: u8 = 1 << 2;
/// The time of the inner one is over; if that of the outer one is as well, it is in the same moment.
const INNER_LATE: u8 = 1 << 3;
const OUTER_LATE: u8 = 1 << 4;
/// A child of the outer one fails: its scope is cancelled for it.
const FAILURE: u8 = 1 << 5;
/// The child, failed or not, has ended.
const GONE: u8 = 1 << 6;

const CUTS: u8 = OUTER_CUT | FAILURE;
const ANY: u8 = VALUE | INNER_CUT | INNER_LATE | OUTER_LATE | CUTS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Pending,
    /// The value, by way of both.
    Value,
    /// The body of the outer one went on with the cause of the inner one.
    InnerCut,
    InnerLate,
    /// The outer one ended with its own.
    OuterCut,
    OuterLate,
    Failure,
}

struct Row {
    given: Given,
    /// Had begun when the poll was over.
    needs: u8,
    /// Were not over when it began.
    not_after: u8,
    /// The same, unless the inner one's cancel had begun when the poll was over.
    not_after_uncut: u8,
    /// Had not begun when it was over.
    not_with: u8,
}

const fn row(given: Given, needs: u8, not_after: u8, not_after_uncut: u8, not_with: u8) -> Row {
    Row {
        given,
        needs,
        not_after,
        not_after_uncut,
        not_with,
    }
}

#[rustfmt::skip]
const ALLOWED: [Row; 7] = [
    //  the poll gives    it needs     not after                          unless cut  never with
    row(Given::Pending,   0,           ANY,                               0,          0),
    row(Given::Value,     VALUE,       INNER_CUT | CUTS,                  0,          0),
    row(Given::InnerCut,  INNER_CUT,   OUTER_LATE | CUTS,                 0,          0),
    row(Given::InnerLate, INNER_LATE,  VALUE | INNER_CUT | CUTS,          0,          OUTER_LATE),
    row(Given::OuterCut,  OUTER_CUT,   0,                                 0,          0),
    row(Given::OuterLate, OUTER_LATE,  CUTS,                              VALUE,      0),
    row(Given::Failure,   FAILURE,     0,                                 0,          0),
];

impl Row {
    fn fits(&self, given: Given, over: u8, begun: u8) -> bool {
        let uncut = match begun & INNER_CUT {
            0 => self.not_after_uncut,
            _ => 0,
        };
        self.given == given
            && begun & self.needs == self.needs
            && over & (self.not_after | uncut) == 0
            && begun & self.not_with == 0
    }
}

/// What the inner body has around what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Nothing,
    Finally,
    Shield,
}

/// Is there a child of the outer one, and how does it end?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Absent,
    Ends,
    Fails,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    /// `ANY` of these happen.
    events: u8,
    around: Around,
    child: Child,
}

/// As random as is needed.
struct Lots(u64);

impl Lots {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn case(&mut self) -> Case {
        let mut events = self.below(1 << 5) as u8;
        let around = match self.below(4) {
            0 => Around::Shield,
            1 => Around::Finally,
            _ => Around::Nothing,
        };
        let child = match self.below(4) {
            0 => Child::Fails,
            1 => Child::Ends,
            _ => Child::Absent,
        };
        if child == Child::Fails {
            events |= FAILURE;
        }
        // A shield ends with its value, and so does what nothing else ends.
        if around == Around::Shield || events == 0 {
            events |= VALUE;
        }
        Case {
            events,
            around,
            child,
        }
    }
}

#[derive(Default)]
struct Notes {
    begun: AtomicU8,
    over: AtomicU8,
    /// The cancels that were the first of their scope.
    firsts: AtomicU8,
    /// The inner body has begun what it has around it.
    entered: AtomicBool,
    cleaned: AtomicUsize,
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that each do one job in a round, and what says that they have.
struct Crew {
    threads: Vec<Sender<Job>>,
    done: Receiver<()>,
}

impl Crew {
    fn new() -> Self {
        let (says, done) = channel();
        let threads = (0..THREADS).map(|_| {
            let (jobs, says) = (channel::<Job>(), says.clone());
            thread::spawn(move || {
                for job in jobs.1 {
                    job();
                    if says.send(()).is_err() {
                        return;
                    }
                }
            });
            jobs.0
        });
        Crew {
            threads: threads.collect(),
            done,
        }
    }
}

/// Kept by who waits for a wake.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

impl Bell {
    fn wait(&self) -> bool {
        let rung = self.0.lock().unwrap();
        let (mut rung, _) = self
            .1
            .wait_timeout_while(rung, PATIENCE, |it| !*it)
            .unwrap();
        std::mem::take(&mut *rung)
    }
}

fn linger(turns: u64) {
    (0..turns).for_each(|_| hint::spin_loop());
}

/// What comes from elsewhere: what it is, and how it happens; true if it is the first cancel.
type Event = (u8, Box<dyn FnOnce() -> bool + Send>);

fn events(case: Case, scopes: [&Scope; 2], gate: &Gate, clock: &Arc<Manual>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    if case.events & VALUE != 0 {
        let gate = gate.clone();
        all.push((
            VALUE,
            Box::new(move || {
                gate.open();
                false
            }),
        ));
    }
    for (what, scope, text) in [
        (OUTER_CUT, scopes[0], "outer"),
        (INNER_CUT, scopes[1], "inner"),
    ] {
        if case.events & what != 0 {
            let scope = scope.clone();
            all.push((what, Box::new(move || scope.cancel(Cause::requested(text)))));
        }
    }
    let late = case.events & (INNER_LATE | OUTER_LATE);
    if late != 0 {
        let clock = Arc::clone(clock);
        all.push((
            late,
            Box::new(move || {
                clock.advance(Duration::from_secs(1));
                false
            }),
        ));
    }
    all
}

/// The end of a child of this scope.
fn end(child: ChildGuard, scope: &Scope, case: Case, notes: &Arc<Notes>) -> Event {
    let (scope, notes) = (scope.clone(), Arc::clone(notes));
    let fails = case.child == Child::Fails;
    let what = if fails { FAILURE } else { 0 };
    (
        what,
        Box::new(move || {
            let first = fails && scope.cancel(Cause::new(Kind::Sibling, "failed"));
            notes.begun.fetch_or(GONE, SeqCst);
            drop(child);
            first
        }),
    )
}

fn round(case: Case, lots: &mut Lots, crew: &Crew) -> Given {
    let (clock, _entered) = Manual::enter();
    let (gate, notes) = (Gate::default(), Arc::new(Notes::default()));
    let outer = Scope::detached();
    let inner = outer.child();
    for (scope, due) in [(&outer, OUTER_LATE), (&inner, INNER_LATE)] {
        if case.events & due != 0 {
            let at = core::Instant::EPOCH + Duration::from_secs(1);
            scope.set_deadline(at).unwrap();
        }
    }

    let mut happens = events(case, [&outer, &inner], &gate, &clock);
    if case.child != Child::Absent {
        happens.push(end(outer.enter(), &outer, case, &notes));
    }
    let start = Arc::new(Barrier::new(happens.len() + 1));
    let jobs = happens.len();
    for (thread, (what, happen)) in crew.threads.iter().zip(happens) {
        let (start, notes, after) = (Arc::clone(&start), Arc::clone(&notes), lots.below(2_000));
        let job = move || {
            start.wait();
            linger(after);
            notes.begun.fetch_or(what, SeqCst);
            if happen() {
                notes.firsts.fetch_or(what, SeqCst);
            }
            notes.over.fetch_or(what, SeqCst);
        };
        thread.send(Box::new(job)).unwrap();
    }

    let (entered, cleaned) = (Arc::clone(&notes), Arc::clone(&notes));
    let waits = async move {
        entered.entered.store(true, SeqCst);
        gate.passed().await;
    };
    let work: Pin<Box<dyn Future<Output = ()>>> = match case.around {
        Around::Nothing => Box::pin(waits),
        Around::Shield => Box::pin(shield(waits)),
        Around::Finally => Box::pin(finally(waits, || async move {
            cleaned.cleaned.fetch_add(1, SeqCst);
        })),
    };
    let mut run = pin!(outer.run(async {
        match inner.run(work).await {
            Ok(()) => Given::Value,
            Err(cause) if cause.kind() == Kind::Deadline => Given::InnerLate,
            Err(cause) => {
                assert_eq!(cause.text(), "inner", "{case:?}");
                Given::InnerCut
            }
        }
    }));

    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    start.wait();
    linger(lots.below(2_000));
    let given = loop {
        let over = notes.over.load(SeqCst);
        let polled = run.as_mut().poll(&mut Context::from_waker(&waker));
        let begun = notes.begun.load(SeqCst);
        let given = match polled {
            Poll::Pending => Given::Pending,
            Poll::Ready(Ok(given)) => given,
            Poll::Ready(Err(cause)) => match cause.kind() {
                Kind::Deadline => Given::OuterLate,
                Kind::Sibling => Given::Failure,
                _ => {
                    assert_eq!(cause.text(), "outer", "{case:?}");
                    Given::OuterCut
                }
            },
        };
        check(case, given, over, begun, &notes);
        if given != Given::Pending {
            break given;
        }
        assert!(bell.wait(), "nobody woke it: {case:?}, {begun:b} had begun");
    };
    for _ in 0..jobs {
        crew.done.recv().unwrap();
    }

    // Of a scope's causes one is the first, and it is the one that was told.
    let firsts = notes.firsts.load(SeqCst);
    match given {
        Given::OuterCut => assert_eq!(firsts & CUTS, OUTER_CUT, "{case:?}"),
        Given::Failure => assert_eq!(firsts & CUTS, FAILURE, "{case:?}"),
        Given::OuterLate => assert_eq!(firsts & CUTS, 0, "{case:?}"),
        Given::InnerCut => assert_eq!(firsts & INNER_CUT, INNER_CUT, "{case:?}"),
        _ => assert_ne!(firsts & CUTS, CUTS, "{case:?}"),
    }
    let owed = case.around == Around::Finally && notes.entered.load(SeqCst);
    assert_eq!(notes.cleaned.load(SeqCst), usize::from(owed), "{case:?}");
    given
}

fn check(case: Case, given: Given, over: u8, begun: u8, notes: &Notes) {
    let lives = case.child != Child::Absent;
    let in_shield = case.around == Around::Shield && notes.entered.load(SeqCst);
    let allowed = match given {
        // A child keeps it, whatever its outcome; a shield does until it has its value.
        Given::Pending if lives => true,
        Given::Pending if in_shield => over & VALUE == 0,
        _ if in_shield => given == Given::Value && begun & VALUE != 0,
        // With a child that lived, the poll that settled it may have been an earlier one.
        _ => {
            let over = if lives { 0 } else { over };
            ALLOWED.iter().any(|row| row.fits(given, over, begun))
        }
    };
    assert!(
        allowed,
        "{given:?} with {over:b} over and {begun:b} begun: {case:?}"
    );
    let gone = !lives || begun & GONE != 0;
    assert!(
        given == Given::Pending || gone,
        "a child outlived it: {case:?}"
    );
}

#[test]
fn whatever_comes_from_several_threads_at_once_ends_as_the_table_allows() {
    let (crew, mut lots) = (Crew::new(), Lots(0x9e37_79b9_7f4a_7c15));
    let (mut seen, begin) = ([0; ALLOWED.len()], Instant::now());
    for _ in 0..ROUNDS {
        let case = lots.case();
        seen[round(case, &mut lots, &crew) as usize] += 1;
        if begin.elapsed() > TIME {
            break;
        }
    }
    println!("{seen:?}, in the order of the table");
}
