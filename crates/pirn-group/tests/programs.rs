//! Random programs of nested groups and combinators, each under a schedule of its own, in virtual time.
//!
//! `PIRN_SEEDS=10000` runs more of them than the thousand that run otherwise; `PIRN_SEED=77` runs
//! one.

use fastrand::Rng;
use futures::FutureExt;
use futures::future::{Either, select};
use pirn_core::report::{Report, set_hook};
use pirn_core::{Cause, JoinError, Scope, TaskMeta, context, finally, shield, yield_now};
use pirn_group::{
    GroupBuilder, GroupError, InTask, StartError, Started, TaskGroup, for_each_limit, gather,
    gather_results, map_limit, race,
};
use pirn_timer::{sleep, timeout};
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
type Work<T> = Pin<Box<dyn Future<Output = Result<T, Boxed>> + Send>>;

/// An error, or what a panic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

impl Error for Number {}

/// What a run is judged by.
#[derive(Default)]
struct World {
    next: AtomicU64,
    /// Errors and panics that somebody caught.
    caught: Mutex<Vec<Number>>,
    opened: AtomicUsize,
    closed: AtomicUsize,
    /// What happened at all: that these programs are not trivial.
    cancelled: AtomicUsize,
    dropped: AtomicUsize,
    /// Combinators that were dropped half-way.
    halved: AtomicUsize,
}

impl World {
    fn raise(&self) -> Number {
        Number(self.next.fetch_add(1, SeqCst))
    }

    fn catch(&self, numbers: impl IntoIterator<Item = Number>) {
        self.caught.lock().unwrap().extend(numbers);
    }

    /// Takes a panic that is a result.
    fn take(&self, end: Result<(), JoinError>) {
        match end {
            Ok(()) => {}
            Err(JoinError::Panicked(panic)) => {
                self.catch([*panic.into_payload().downcast::<Number>().unwrap()]);
            }
            Err(error) => unreachable!("no member is cancelled alone: {error}"),
        }
    }
}

/// What was reported since it was last asked for.
static REPORTED: Mutex<Vec<Number>> = Mutex::new(Vec::new());

fn hook(report: &Report) {
    let mut reported = REPORTED.lock().unwrap();
    match report {
        Report::Panic { payload, .. } => match payload.downcast_ref() {
            Some(number) => reported.push(*number),
            None => eprintln!("{report}"),
        },
        Report::Error { error, .. } => {
            let text = error.to_string();
            let numbers = text.split('<').skip(1).map(|rest| {
                let number = rest.split('>').next().unwrap();
                Number(number.parse().unwrap())
            });
            reported.extend(numbers);
        }
        // Not with a reaper, and not with clean-ups that are short.
        other => {
            eprintln!("{other}");
            reported.push(Number(u64::MAX));
        }
    }
}

fn numbers(error: &GroupError<Boxed>) -> impl Iterator<Item = Number> {
    let number = |error: &Boxed| error.downcast_ref().copied();
    error
        .iter()
        .filter_map(move |failure| number(failure.error()))
}

/// Counts a task among those of its group and of the groups around.
struct Alive(Vec<Arc<AtomicUsize>>);

impl Alive {
    fn new(groups: &[Arc<AtomicUsize>]) -> Self {
        for group in groups {
            group.fetch_add(1, SeqCst);
        }
        Alive(groups.to_vec())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        for group in &self.0 {
            group.fetch_sub(1, SeqCst);
        }
    }
}

/// Where a piece of the program stands.
#[derive(Clone)]
struct Place {
    world: Arc<World>,
    /// The counts of the groups around.
    groups: Vec<Arc<AtomicUsize>>,
    depth: usize,
    /// It may be dropped, with what it was about to return.
    fleeting: bool,
}

impl Place {
    fn below(&self) -> Place {
        Place {
            depth: self.depth - 1,
            ..self.clone()
        }
    }
}

/// Waits a little. A body that goes on after that is not cancelled.
async fn pause(rng: &mut Rng) {
    match rng.u8(..3) {
        0 => sleep(Duration::from_millis(rng.u64(1..20))).await,
        1 => yield_now().await,
        _ => return,
    }
    let scope = Scope::current().unwrap();
    assert!(!scope.is_cancelled(), "a cancelled body went on");
}

/// A piece of the program.
fn work(place: Place, mut rng: Rng) -> Work<()> {
    Box::pin(async move {
        pause(&mut rng).await;
        if place.depth == 0 {
            return simple(&place, &mut rng);
        }
        let (below, inner) = (place.below(), rng.fork());
        match rng.u8(..10) {
            0 => simple(&place, &mut rng),
            1 if !place.fleeting => cleaned_up(below, inner).await,
            2 => shield(work(below, inner)).await,
            3 => {
                let limit = Duration::from_millis(rng.u64(1..30));
                timeout(limit, work(below, inner)).await.unwrap_or(Ok(()))
            }
            4 | 5 => combined(below, inner).await,
            _ => group(below, inner).await,
        }
    })
}

/// Ends one way or the other.
fn simple(place: &Place, rng: &mut Rng) -> Result<(), Boxed> {
    match rng.u8(..8) {
        0 | 1 => Err(place.world.raise().into()),
        2 => resume_unwind(Box::new(place.world.raise())),
        _ => Ok(()),
    }
}

async fn cleaned_up(place: Place, mut rng: Rng) -> Result<(), Boxed> {
    let world = Arc::clone(&place.world);
    world.opened.fetch_add(1, SeqCst);
    let mut slow = rng.fork();
    let cleanup = || async move {
        pause(&mut slow).await;
        pause(&mut slow).await;
        world.closed.fetch_add(1, SeqCst);
    };
    finally(work(place, rng), cleanup).await
}

/// A group of such pieces, in one of its forms.
async fn group(mut place: Place, mut rng: Rng) -> Result<(), Boxed> {
    let (world, count) = (Arc::clone(&place.world), Arc::default());
    place.groups.push(Arc::clone(&count));
    let around = Scope::current().unwrap();
    let mut builder = GroupBuilder::ambient().unwrap();
    if rng.u8(..4) == 0 {
        builder = builder.limit(rng.usize(1..3));
    }
    let limit = rng.usize(1..3);
    let form = rng.u8(..10);
    // In one task from 6 on.
    place.fleeting |= matches!(form, 1 | 7 | 8);
    let (mut inside, mut outside) = (rng.fork(), rng.fork());
    let run = async {
        if form == 0 {
            let group = builder.open();
            fill(&group, &place, &mut inside);
            pause(&mut inside).await;
            if inside.u8(..4) == 0 {
                group.cancel(Cause::requested("enough"));
            }
            return group.join().await;
        }
        if form >= 6 {
            let builder = match form {
                6 => GroupBuilder::in_task().limit(limit),
                _ => GroupBuilder::in_task(),
            };
            return builder
                .run_in_task(async |g| body_in_task(g, &place, &mut inside).await)
                .await;
        }
        builder
            .run(async |g| body(g, &place, &mut inside).await)
            .await
    };
    let ended = AssertUnwindSafe(async {
        if form == 8 {
            return Some(in_pieces(Box::pin(run), &mut outside).await);
        }
        if !matches!(form, 1 | 7) {
            return Some(run.await);
        }
        half_way(run, &mut outside).await
    });
    let ended = ended.catch_unwind().await;
    let Some(ended) = ended.transpose() else {
        world.dropped.fetch_add(1, SeqCst);
        return Ok(());
    };
    assert_eq!(count.load(SeqCst), 0, "a child outlived its group");
    judged(ended, &place, &around, &mut rng)
}

/// What is done with how a group, or a combinator, ended.
fn judged(
    ended: std::thread::Result<Result<(), GroupError<Boxed>>>,
    Place { world, .. }: &Place,
    around: &Scope,
    rng: &mut Rng,
) -> Result<(), Boxed> {
    match ended {
        Err(payload) => resume_unwind(payload),
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            if error.cause().is_some() {
                world.cancelled.fetch_add(1, SeqCst);
                assert!(!around.is_cancelled(), "the cancel around was swallowed");
            }
            if rng.bool() {
                return Err(error.into());
            }
            world.catch(numbers(&error));
            Ok(())
        }
    }
}

/// Several pieces at once in this task, in one of the combinators.
async fn combined(mut place: Place, mut rng: Rng) -> Result<(), Boxed> {
    let (world, count) = (Arc::clone(&place.world), Arc::default());
    place.groups.push(Arc::clone(&count));
    let around = Scope::current().unwrap();
    if around.is_cancelled() {
        // A body that has cancelled itself goes on to its next wait. It is to be one that nobody polls
        // twice in this turn.
        yield_now().await;
        panic!("a cancelled body went on");
    }
    let (form, half) = (rng.u8(..6), rng.u8(..3) == 0);
    place.fleeting |= half;
    let mut members = Vec::new();
    for _ in 0..rng.usize(2..5) {
        members.push(Box::pin(counted_in_task(&place, &mut rng)));
    }
    let settled = |members: Vec<_>| {
        let settled = |member| Box::pin(settled(Arc::clone(&world), member));
        members.into_iter().map(settled).collect::<Vec<_>>()
    };
    let (mut inside, mut outside) = (rng.fork(), rng.fork());
    let run = async {
        match form {
            0 => gather(members).await.map(drop),
            1 => {
                let (last, first) = (members.pop().unwrap(), members.swap_remove(0));
                gather((first, last)).await.map(drop)
            }
            2 => for_each_limit(2, members, |member| member).await,
            3 => {
                let ends = gather_results(settled(members)).await;
                ends.into_iter().for_each(|end| world.take(end));
                Ok(())
            }
            4 => match race(settled(members)).await {
                Err(JoinError::Cancelled(_)) => unreachable!("no member is cancelled alone"),
                _ => Ok(()),
            },
            _ => {
                let (world, body) = (&world, &mut inside);
                let work = |member| member;
                map_limit(3, settled(members), work, async move |mut results| {
                    for _ in 0..body.u8(..4) {
                        pause(body).await;
                        if let Some((_, end)) = results.next().await {
                            world.take(end);
                        }
                    }
                    pause(body).await;
                    if body.u8(..6) == 0 {
                        resume_unwind(Box::new(world.raise()));
                    }
                })
                .await;
                Ok(())
            }
        }
    };
    let ended = AssertUnwindSafe(async {
        match half {
            true => half_way(run, &mut outside).await,
            false => Some(run.await),
        }
    });
    let ended = ended.catch_unwind().await;
    let Some(ended) = ended.transpose() else {
        world.halved.fetch_add(1, SeqCst);
        return Ok(());
    };
    assert_eq!(count.load(SeqCst), 0, "a future outlived its combinator");
    judged(ended, &place, &around, &mut rng)
}

/// One whose error somebody takes at once: where it is a result, no combinator looks into it.
async fn settled(world: Arc<World>, member: impl Future<Output = Result<(), Boxed>>) {
    if let Err(error) = member.await {
        match error.downcast_ref() {
            Some(number) => world.catch([*number]),
            None => world.catch(numbers(error.downcast_ref().unwrap())),
        }
    }
}

/// A part of it, and then it is dropped.
async fn half_way<F: Future>(run: F, rng: &mut Rng) -> Option<F::Output> {
    let mut run = Box::pin(run);
    for _ in 0..rng.u8(1..4) {
        let polled = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
        if let Poll::Ready(ended) = polled {
            return Some(ended);
        }
        pause(rng).await;
    }
    None
}

/// Polls by reference, with limits of several kinds, and then to the end.
async fn in_pieces<F: Future + Unpin>(mut run: F, rng: &mut Rng) -> F::Output {
    for _ in 0..rng.u8(1..5) {
        let limit = Duration::from_millis(rng.u64(1..20));
        let ended = match rng.u8(..4) {
            0 => match poll_fn(|cx| Poll::Ready(Pin::new(&mut run).poll(cx))).await {
                Poll::Ready(ended) => Some(ended),
                Poll::Pending => None,
            },
            1 | 2 => match select(&mut run, Box::pin(sleep(limit))).await {
                Either::Left((ended, _)) => Some(ended),
                Either::Right(_) => None,
            },
            _ => timeout(limit, &mut run).await.ok(),
        };
        if let Some(ended) = ended {
            return ended;
        }
        pause(rng).await;
    }
    run.await
}

/// Spawns children into a group.
fn fill(g: &TaskGroup<Boxed>, place: &Place, rng: &mut Rng) {
    for _ in 0..rng.usize(1..5) {
        let child = g.spawn(counted(place, rng));
        if rng.u8(..8) == 0 {
            child.cancel(Cause::requested("not that one"));
        }
    }
}

/// A child of its own, which is cancelled where its group is dropped.
fn child(place: &Place, rng: &mut Rng) -> Work<()> {
    let fleeting = false;
    let place = Place {
        fleeting,
        ..place.clone()
    };
    work(place, rng.fork())
}

fn counted(place: &Place, rng: &mut Rng) -> impl Future<Output = Result<(), Boxed>> + use<> {
    let (alive, work) = (Alive::new(&place.groups), child(place, rng));
    async move {
        let _alive = alive;
        work.await
    }
}

async fn body(g: TaskGroup<Boxed>, place: &Place, rng: &mut Rng) -> Result<(), Boxed> {
    fill(&g, place, rng);
    if rng.u8(..5) == 0 {
        let limit = Duration::from_millis(rng.u64(1..40));
        let now = context::clock().unwrap().now();
        g.scope().set_deadline(now + limit).unwrap();
    }
    pause(rng).await;
    match rng.u8(..8) {
        0 => {
            g.cancel(Cause::requested("enough"));
        }
        1 => {
            let values = g.collect();
            for _ in 0..rng.usize(..3) {
                values.spawn(counted(place, rng));
            }
            // Children that failed, or were cancelled, have their own end.
            let _ = values.all().await;
        }
        2 | 3 => {
            let (alive, work) = (Alive::new(&place.groups), child(place, rng));
            let (says, mut its) = (rng.bool(), rng.fork());
            let start = g.start(async move |started: Started<u8>| {
                let _alive = alive;
                pause(&mut its).await;
                if says {
                    let _ = started.send(5);
                }
                work.await
            });
            match start.await {
                Ok((value, child)) => {
                    assert_eq!(value, 5);
                    let _ = child.await;
                }
                Err(StartError::Failed(error)) => return Err(error),
                Err(_) => {}
            }
        }
        4 => {
            let child = g.spawn(counted(place, rng));
            let _ = child.await;
        }
        _ => {}
    }
    if rng.u8(..4) == 0 {
        let below = place.depth.checked_sub(1);
        if let Some(depth) = below {
            let place = Place {
                depth,
                ..place.clone()
            };
            return work(place, rng.fork()).await;
        }
    }
    simple(place, rng)
}

/// A child that is dropped where its group is, and so is as fleeting as that.
fn counted_in_task(
    place: &Place,
    rng: &mut Rng,
) -> impl Future<Output = Result<(), Boxed>> + use<> {
    let (alive, work) = (Alive::new(&place.groups), work(place.clone(), rng.fork()));
    async move {
        let _alive = alive;
        work.await
    }
}

/// Spawns a child as it is dropped.
struct Spawns(TaskGroup<Boxed, InTask<'static>>, Place, Rng);

impl Drop for Spawns {
    fn drop(&mut self) {
        let child = counted_in_task(&self.1, &mut self.2);
        let _ = self.0.try_spawn(TaskMeta::here(), child);
    }
}

async fn body_in_task(
    g: TaskGroup<Boxed, InTask<'static>>,
    place: &Place,
    rng: &mut Rng,
) -> Result<(), Boxed> {
    for _ in 0..rng.usize(..5) {
        let child = g.spawn(counted_in_task(place, rng));
        if rng.u8(..8) == 0 {
            child.cancel(Cause::requested("not that one"));
        }
    }
    if rng.u8(..5) == 0 {
        let limit = Duration::from_millis(rng.u64(1..40));
        let now = context::clock().unwrap().now();
        g.scope().set_deadline(now + limit).unwrap();
    }
    pause(rng).await;
    match rng.u8(..10) {
        0 => {
            g.cancel(Cause::requested("enough"));
        }
        1 => {
            let child = g.spawn(counted_in_task(place, rng));
            let _ = child.await;
        }
        2 => {
            let spawns = Spawns(g.clone(), place.clone(), rng.fork());
            let work = counted_in_task(place, rng);
            let sibling = g.spawn(async move {
                let _spawns = spawns;
                work.await
            });
            if rng.bool() {
                pause(rng).await;
                sibling.cancel(Cause::requested("not that one"));
            }
        }
        3 => drop(Spawns(g.clone(), place.clone(), rng.fork())),
        4 | 5 => {
            // Other tasks spawn, at any time.
            let (g, place, mut rng) = (g.clone(), place.clone(), rng.fork());
            let spawner = g.clone();
            spawner.spawn(async move {
                let others = GroupBuilder::ambient().unwrap().run(async |others| {
                    for _ in 0..3 {
                        let (g, place, mut rng) = (g.clone(), place.clone(), rng.fork());
                        others.spawn(async move {
                            pause(&mut rng).await;
                            let child = counted_in_task(&place, &mut rng);
                            let _ = g.try_spawn(TaskMeta::here(), child);
                            Ok::<_, Boxed>(())
                        });
                    }
                    Ok(())
                });
                let _ = others.await;
                Ok(())
            });
        }
        _ => {}
    }
    if rng.u8(..4) == 0 {
        let below = place.depth.checked_sub(1);
        if let Some(depth) = below {
            let place = Place {
                depth,
                ..place.clone()
            };
            return work(place, rng.fork()).await;
        }
    }
    simple(place, rng)
}

async fn program(seed: u64) -> [usize; 6] {
    let world = Arc::new(World::default());
    let place = Place {
        world: Arc::clone(&world),
        groups: Vec::new(),
        depth: 4,
        fleeting: false,
    };
    let ended = AssertUnwindSafe(group(place, Rng::with_seed(seed)));
    // The scope ends after what was dropped.
    match Scope::new().run(ended.catch_unwind()).await.unwrap() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => world.catch(numbers(error.downcast_ref().unwrap())),
        Err(payload) => world.catch([*payload.downcast::<Number>().unwrap()]),
    }
    let mut seen = std::mem::take(&mut *world.caught.lock().unwrap());
    let reported = std::mem::take(&mut *REPORTED.lock().unwrap());
    let told = reported.len();
    seen.extend(reported);
    seen.sort_unstable();
    let raised: Vec<_> = (0..world.next.load(SeqCst)).map(Number).collect();
    assert_eq!(seen, raised, "each failure is seen once");
    let opened = world.opened.load(SeqCst);
    assert_eq!(opened, world.closed.load(SeqCst), "every clean-up has run");
    let counts = [&world.cancelled, &world.dropped, &world.halved];
    let [cancelled, dropped, halved] = counts.map(|count| count.load(SeqCst));
    [raised.len(), told, opened, cancelled, dropped, halved]
}

#[test]
fn no_child_outlives_its_group_no_failure_is_lost_and_no_cancel_swallowed() {
    set_hook(Some(Arc::new(hook)));
    let number = |name| std::env::var(name).ok().map(|value| value.parse().unwrap());
    if let Some(seed) = number("PIRN_SEED") {
        pirn_sim::Sim::new().seed(seed).run(program(seed));
        return;
    }
    let next = AtomicU64::new(0);
    let totals = Mutex::new([0; 6]);
    let seeds = number("PIRN_SEEDS").unwrap_or(1000);
    pirn_sim::check(seeds, || {
        let seed = next.fetch_add(1, SeqCst);
        let totals = &totals;
        async move {
            let counts = program(seed).await;
            let mut totals = totals.lock().unwrap();
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count;
            }
        }
    });
    let totals = totals.into_inner().unwrap();
    println!("raised, reported, clean-ups, cancelled, dropped, halved: {totals:?}");
    assert!(
        totals.iter().all(|total| *total as u64 >= seeds / 20),
        "{totals:?}"
    );
}
