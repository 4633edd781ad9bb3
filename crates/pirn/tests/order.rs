//! Groups in timeouts, three in one another, with everything that can happen to them at one instant,
//! under schedules of all sorts: what must hold however it comes.

use pirn::{
    Cause, GroupError, Instant, Kind, Runtime, Scope, TimeoutError, group, now, report, sim::Sim,
    sleep_until, spawn, timeout_at,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const LEVELS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Pending,
    Value,
    Error,
}

/// What a body does with the news that what is in it was cut short or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Fails,
    Recovers,
    /// Waits for ever.
    Waits,
}

/// What happens to each level at the instant, from the outermost.
#[derive(Clone, Copy, Debug)]
struct Case {
    child_fails: [bool; LEVELS],
    cancelled: [bool; LEVELS],
    due: [bool; LEVELS],
    leaf: Leaf,
    body: Body,
}

#[derive(Debug)]
enum Error {
    Child,
    Leaf,
    Inner(Vec<Error>),
    Cut,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error {
    /// How many errors of children and the leaf it holds.
    fn count(&self) -> usize {
        match self {
            Error::Child | Error::Leaf => 1,
            Error::Inner(errors) => errors.iter().map(Error::count).sum(),
            Error::Cut => 0,
        }
    }
}

struct World {
    case: Case,
    at: Instant,
    /// Errors that were returned, of children and the leaf.
    returned: Arc<AtomicUsize>,
    /// Errors that a body has seen and keeps.
    seen: Cell<usize>,
    alive: [Arc<AtomicUsize>; LEVELS],
    log: RefCell<Vec<String>>,
    on_threads: bool,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A level, and how the body around goes on after it.
fn level(world: Rc<World>, at: usize) -> Pin<Box<dyn Future<Output = Result<(), Error>>>> {
    Box::pin(async move {
        let case = world.case;
        let until = if case.due[at] {
            world.at
        } else {
            Instant::NEVER
        };
        let inside = group(async |g| {
            if case.child_fails[at] {
                let (instant, returned) = (world.at, Arc::clone(&world.returned));
                world.alive[at].fetch_add(1, SeqCst);
                let alive = Alive(Arc::clone(&world.alive[at]));
                g.spawn(async move {
                    let _alive = alive;
                    sleep_until(instant).await;
                    returned.fetch_add(1, SeqCst);
                    Err::<(), _>(Error::Child)
                });
            }
            if case.cancelled[at] {
                let (g, instant) = (g.clone(), world.at);
                let cancelling = spawn(async move {
                    sleep_until(instant).await;
                    g.cancel(Cause::requested(at.to_string()));
                });
                cancelling.detach();
            }
            if at + 1 < LEVELS {
                return level(Rc::clone(&world), at + 1).await;
            }
            match case.leaf {
                Leaf::Pending => pending().await,
                leaf => {
                    sleep_until(world.at).await;
                    if leaf == Leaf::Value {
                        return Ok(());
                    }
                    world.returned.fetch_add(1, SeqCst);
                    Err(Error::Leaf)
                }
            }
        });
        let ended = timeout_at(until, inside).await;
        world.log.borrow_mut().push(format!("{at}: {ended:?}"));

        assert_eq!(
            world.alive[at].load(SeqCst),
            0,
            "a child outlives its group"
        );
        let Some(error) = told(&world, at, ended) else {
            return Ok(());
        };
        match case.body {
            Body::Fails => Err(error),
            Body::Recovers | Body::Waits => {
                world.seen.set(world.seen.get() + error.count());
                if case.body == Body::Waits {
                    pending::<()>().await;
                }
                Ok(())
            }
        }
    })
}

type Ended = Result<Result<(), GroupError<Error>>, TimeoutError>;

/// What the body around is told of a level; it must be that level's own business.
fn told(world: &World, at: usize, ended: Ended) -> Option<Error> {
    match ended {
        Ok(Ok(())) => return None,
        // Errors are returned even to a body that is cancelled.
        Ok(Err(failed)) if !failed.is_empty() => return Some(Error::Inner(failed.into_errors())),
        Ok(Err(cut)) => {
            let cause = cut.cause().expect("no error, so it was cancelled");
            assert_eq!(
                (cause.kind(), cause.text()),
                (Kind::Requested, &*at.to_string())
            );
            assert!(world.case.cancelled[at]);
        }
        Err(TimeoutError::Elapsed) => assert!(world.case.due[at]),
        Err(TimeoutError::Cancelled(cause)) => panic!("level {at} was told of {cause}"),
    }
    let around = Scope::current().expect("a task has one");
    // On several threads the cancel may have come since.
    assert!(
        world.on_threads || !around.is_over(),
        "level {at} swallowed {:?}",
        around.cause()
    );
    Some(Error::Cut)
}

/// Errors that were reported, of the one test that runs.
static REPORTED: AtomicUsize = AtomicUsize::new(0);

/// Counts what is reported, while no other test does.
fn count_reports() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    report::set_hook(Some(Arc::new(|report: &report::Report| {
        let text = report.to_string();
        let errors = text.matches("Child").count() + text.matches("Leaf").count();
        REPORTED.fetch_add(errors, SeqCst);
    })));
    guard
}

type Program = (Rc<World>, Result<Result<(), Error>, TimeoutError>);

/// Runs the case, whose instant is `soon`; it is given up `late` after that.
async fn program(case: Case, soon: Duration, late: Duration, on_threads: bool) -> Program {
    let at = now() + soon;
    let world = Rc::new(World {
        case,
        at,
        returned: Arc::default(),
        seen: Cell::new(0),
        alive: Default::default(),
        log: RefCell::default(),
        on_threads,
    });
    let ended = timeout_at(at + late, level(Rc::clone(&world), 0)).await;
    (world, ended)
}

fn check(case: Case, seed: Option<u64>) {
    REPORTED.store(0, SeqCst);
    let sim = match seed {
        Some(seed) => Sim::new().seed(seed),
        None => Sim::new(),
    };
    let second = Duration::from_secs(1);
    let (world, ended) = sim.run(async move {
        let (world, ended) = program(case, second, second, false).await;
        assert!(
            ended.is_err() || now() == world.at,
            "it ended at {:?}",
            now()
        );
        (world, ended)
    });
    holds(case, &world, &ended);
}

fn holds(case: Case, world: &World, ended: &Result<Result<(), Error>, TimeoutError>) {
    let any = |these: [bool; LEVELS]| these.contains(&true);
    let happens = any(case.child_fails) || any(case.cancelled) || any(case.due);
    let outermost = case.child_fails[0] || case.cancelled[0] || case.due[0];
    if ended.is_err() {
        let nothing = !happens && case.leaf == Leaf::Pending;
        assert!(nothing || case.body == Body::Waits, "it did not end");
        assert!(!outermost || case.body == Body::Waits, "it did not end");
        // At the top there is nobody whose body could wait for ever but for the outermost level's.
        let outermost_told = world.log.borrow().iter().any(|line| line.starts_with('0'));
        assert!(!outermost || outermost_told, "an outer end was swallowed");
    }
    let returned = match ended {
        Ok(Err(error)) => error.count(),
        _ => 0,
    };
    assert_eq!(
        returned + world.seen.get() + REPORTED.load(SeqCst),
        world.returned.load(SeqCst),
        "errors that were told and reported against those returned: {:?}",
        world.log.borrow()
    );
    for alive in &world.alive {
        assert_eq!(alive.load(SeqCst), 0);
    }
}

fn bits(n: usize) -> [bool; LEVELS] {
    std::array::from_fn(|level| n & (1 << level) != 0)
}

fn cases(body: Body) -> impl Iterator<Item = Case> {
    let leaves = [Leaf::Pending, Leaf::Value, Leaf::Error];
    leaves.into_iter().flat_map(move |leaf| {
        (0..512).map(move |n| Case {
            child_fails: bits(n),
            cancelled: bits(n >> 3),
            due: bits(n >> 6),
            leaf,
            body,
        })
    })
}

fn check_all(body: Body) {
    let _counting = count_reports();
    for case in cases(body) {
        for seed in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            let checked = std::panic::catch_unwind(|| check(case, seed));
            if let Err(payload) = checked {
                eprintln!("{case:?} with the seed {seed:?}");
                std::panic::resume_unwind(payload);
            }
        }
    }
}

#[test]
fn nothing_is_lost_or_swallowed_where_bodies_fail_with_what_is_in_them() {
    check_all(Body::Fails);
}

#[test]
fn nothing_is_lost_or_swallowed_where_bodies_recover() {
    check_all(Body::Recovers);
}

#[test]
fn nothing_is_lost_or_swallowed_where_bodies_wait_for_ever_after() {
    check_all(Body::Waits);
}

#[test]
fn nothing_is_lost_or_swallowed_on_several_threads() {
    let _counting = count_reports();
    let mut runtime = Runtime::builder().workers(2).build().unwrap();
    for body in [Body::Fails, Body::Recovers] {
        // The case in which nothing happens takes for ever.
        for case in cases(body).skip(1) {
            REPORTED.store(0, SeqCst);
            let (soon, late) = (Duration::from_micros(300), Duration::from_secs(60));
            let (world, ended) = runtime.run(program(case, soon, late, true)).unwrap();
            assert!(ended.is_ok(), "{case:?}");
            holds(case, &world, &ended);
        }
    }
}
