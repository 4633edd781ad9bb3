//! Where tasks are spawned: numbers for places, and what happens when there is none left.

#[path = "common/counting.rs"]
mod counting;

use counting::bytes;
use pirn_core::{Cause, JoinError, TaskMeta};
use pirn_executor::internals::{NONE, Sites, fill_sites};
use pirn_executor::{
    Ended, Hooks, LocalExecutor, Order, PoolExecutor, Priority, Task, TaskId, ThreadPark, Worker,
    current, spawn, spawn_eager,
};
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

type Place = &'static Location<'static>;

#[track_caller]
fn here() -> Place {
    Location::caller()
}

/// The same place, written down once more.
fn again(place: Place) -> Place {
    let again: Place = Box::leak(Box::new(*place));
    assert!(again == place && !std::ptr::eq(again, place));
    // Kept where a leak check finds it.
    static ALL: Mutex<Vec<Place>> = Mutex::new(Vec::new());
    ALL.lock().unwrap().push(again);
    again
}

#[rustfmt::skip]
fn places() -> [Place; 24] {
    [
        here(), here(), here(), here(), here(), here(), here(), here(),
        here(), here(), here(), here(), here(), here(), here(), here(),
        here(), here(), here(), here(), here(), here(), here(), here(),
    ]
}

#[test]
fn a_place_has_one_number_by_which_it_is_found() {
    let sites = Sites::<256>::empty();
    let numbers = places().map(|place| sites.number(place));
    assert_eq!(BTreeSet::from(numbers).len(), numbers.len());
    for (place, number) in places().into_iter().zip(numbers) {
        assert_ne!(number, NONE);
        assert_eq!(sites.number(place), number);
        assert_eq!(sites.place(number), Some(place));
        // At once, unless another place lies where it begins.
        assert!(sites.find(place).is_none_or(|found| found == number));
    }
    let at_once = places()
        .map(|place| sites.find(place))
        .into_iter()
        .flatten();
    assert!(at_once.count() > 16);
    assert_eq!(sites.place(NONE), None);
}

#[test]
fn places_that_are_equal_share_a_number() {
    let sites = Sites::<256>::empty();
    for place in places() {
        let number = sites.number(place);
        assert_eq!(sites.number(again(place)), number);
        assert_eq!(sites.number(place), number);
        assert!(std::ptr::eq(sites.place(number).unwrap(), place));
    }
}

#[test]
fn places_that_begin_at_the_same_entry_have_numbers_of_their_own() {
    let sites = Sites::<32>::empty();
    let numbers = places().map(|place| sites.number(place));
    let with: Vec<usize> = numbers.into_iter().filter(|&n| n != NONE).collect();
    assert!(with.len() > 16, "{numbers:?}");
    assert_eq!(with.iter().collect::<BTreeSet<_>>().len(), with.len());
    assert_eq!(places().map(|place| sites.number(again(place))), numbers);
}

#[test]
fn a_table_that_is_full_keeps_what_it_has_and_takes_nothing_more() {
    let sites = Sites::<8>::empty();
    let numbers = places().map(|place| sites.number(place));
    let with = |number: usize| numbers.iter().filter(|&&n| n == number).count();
    assert_eq!((1..8).map(with).collect::<Vec<_>>(), [1; 7]);
    assert_eq!(with(NONE), places().len() - 7);
    assert_eq!(places().map(|place| sites.number(place)), numbers);

    let sites = Sites::<256>::empty();
    let [kept, ..] = places();
    let number = sites.number(kept);
    sites.fill();
    let numbers = places().map(|place| sites.number(place));
    assert_eq!(numbers[0], number);
    assert_eq!(numbers[1..], [NONE; 23]);
    assert_eq!(sites.place(number), Some(kept));
    assert_eq!(sites.place(NONE), None);
}

#[test]
fn threads_that_look_at_once_agree_on_the_numbers() {
    const THREADS: usize = 3;
    for _ in 0..400 {
        let (sites, here) = (Sites::<32>::empty(), AtomicUsize::new(0));
        let look = |thread: usize| {
            // All at the same moment, each in an order of its own.
            here.fetch_add(1, SeqCst);
            while here.load(SeqCst) < THREADS {
                std::thread::yield_now();
            }
            let mut numbered = places().map(|place| (place, NONE));
            numbered.rotate_left(thread * 5);
            for (place, number) in &mut numbered {
                *number = sites.number(place);
            }
            numbered.sort();
            numbered
        };
        let numbered: Vec<_> = std::thread::scope(|scope| {
            let look = &look;
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || look(thread)))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        assert!(numbered.iter().all(|of_one| *of_one == numbered[0]));
        for (place, number) in numbered[0] {
            assert!(number == NONE || sites.place(number) == Some(place));
        }
    }
}

/// That the task was spawned here, in this line.
#[track_caller]
fn assert_here<T>(task: &Task<T>) {
    let line = Location::caller().line();
    for place in [task.spawned_at(), task.meta().spawned_at()] {
        assert_eq!((place.file(), place.line()), (file!(), line), "{task:?}");
    }
}

fn poll<T>(task: &mut Task<T>) -> Poll<Result<T, JoinError>> {
    Pin::new(task).poll(&mut Context::from_waker(Waker::noop()))
}

/// Where the cause of a task's end comes from.
#[track_caller]
fn end_of<T>(mut task: Task<T>) -> Arc<Cause> {
    match poll(&mut task) {
        Poll::Ready(Err(JoinError::Cancelled(cause))) => cause,
        _ => panic!("it was cancelled"),
    }
}

#[test]
fn without_a_number_a_task_tells_its_place_from_birth_until_its_handle_is_gone() {
    fill_sites();
    let executor = LocalExecutor::new();
    #[rustfmt::skip]
    let mut task = { let task = executor.spawn(async { current().unwrap() }); assert_here(&task); task };
    let line = line!() - 1;
    while executor.try_tick() {}
    assert_eq!(task.spawned_at().line(), line);
    let Poll::Ready(Ok(seen)) = poll(&mut task) else {
        panic!("it has ended");
    };
    assert_eq!((seen.id(), seen.name()), (task.id(), None));
    assert_eq!(seen.spawned_at().line(), line);
    assert_eq!(task.spawned_at().line(), line);
    drop(executor);
    assert_eq!(task.spawned_at().line(), line);
}

#[test]
fn without_a_number_a_task_has_its_name_as_well() {
    fill_sites();
    let executor = LocalExecutor::new();
    let meta = TaskMeta::here().named("named");
    let (place, task) = (meta.spawned_at(), executor.try_spawn(meta, async {}));
    let task = task.unwrap();
    assert_eq!(task.name().as_deref(), Some("named"));
    assert_eq!(task.spawned_at(), place);
    while executor.try_tick() {}
    assert_eq!(task.name().as_deref(), Some("named"));
    assert_eq!(task.spawned_at(), place);
}

#[rustfmt::skip]
#[test]
fn every_way_to_spawn_tells_the_place_without_a_number() {
    fill_sites();
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let elsewhere = handle.clone();
    executor.run(&mut ThreadPark::new(), async {
        assert_here(&spawn(async {}));
        assert_here(&spawn_eager(async {}));
        assert_here(&spawn_eager(pending::<()>()));
        assert_here(&handle.spawn(async {}));
        assert_here(&handle.spawn_local(async {}));
        assert_here(&handle.spawn_at(Priority::High, async {}));
        assert_here(&spawn([7_u8; 5000].map_to_future()));
    }).unwrap();
    std::thread::spawn(move || assert_here(&elsewhere.spawn(async {}))).join().unwrap();
    let (pool, mut workers) = PoolExecutor::new(1);
    assert_here(&pool.handle().spawn(async {}));
    assert_here(&pool.handle().spawn_at(Priority::Low, async {}));
    workers[0].run(&mut ThreadPark::new(), async {
        assert_here(&spawn(async {}));
        assert_here(&spawn_eager(pending::<()>()));
    }).unwrap();
}

/// A future that lies in a box.
trait Large {
    fn map_to_future(self) -> impl Future<Output = usize> + Send + 'static;
}

impl Large for [u8; 5000] {
    async fn map_to_future(self) -> usize {
        self.len()
    }
}

#[test]
fn without_a_number_the_causes_of_an_end_have_the_place() {
    fill_sites();
    let executor = LocalExecutor::new();
    let task = executor.spawn(pending::<()>());
    let place = task.spawned_at();
    executor.try_tick();
    drop(executor);
    assert_eq!(end_of(task).at(), place);
}

#[test]
fn a_task_that_is_cut_off_as_it_is_cancelled_elsewhere_keeps_its_place() {
    fill_sites();
    let executor = LocalExecutor::new();
    let task = executor.spawn(pending::<()>());
    let place = task.spawned_at();
    executor.try_tick();
    // It is asked for elsewhere, and the executor goes before it is done.
    let cancel = move || task.cancel(Cause::requested("elsewhere"));
    let task = std::thread::spawn(cancel).join().unwrap();
    drop(executor);
    assert_eq!(task.spawned_at(), place);
    std::thread::spawn(move || assert_eq!(task.spawned_at(), place))
        .join()
        .unwrap();
}

/// Notes what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<(TaskId, Place)>>);

impl Hooks for Told {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        self.0.lock().unwrap().push((id, meta.spawned_at()));
    }
    fn ended(&self, id: TaskId, _: Ended) {
        self.0.lock().unwrap().retain(|told| told.0 != id);
    }
}

#[test]
fn without_a_number_hooks_are_told_as_ever() {
    fill_sites();
    let told = Arc::new(Told::default());
    let executor = LocalExecutor::with_hooks(Order::Fifo, told.clone());
    let task = executor.spawn(async {});
    assert_eq!(*told.0.lock().unwrap(), [(task.id(), task.spawned_at())]);
    while executor.try_tick() {}
    assert!(told.0.lock().unwrap().is_empty());
}

#[test]
fn a_place_without_a_number_is_forgotten_with_its_task() {
    fill_sites();
    const TASKS: usize = 500;
    let executor = LocalExecutor::new();
    let round = || {
        let tasks: Vec<_> = (0..TASKS).map(|_| executor.spawn(async {})).collect();
        while executor.try_tick() {}
        assert!(tasks.iter().all(Task::is_finished));
    };
    round();
    let before = bytes();
    round();
    assert_eq!(bytes(), before);

    let (pool, mut workers) = PoolExecutor::new(1);
    let worker: &mut Worker = &mut workers[0];
    let round = |worker: &mut Worker| {
        for _ in 0..TASKS {
            pool.handle().spawn(async {}).detach();
        }
        while worker.try_tick() {}
    };
    round(worker);
    let before = bytes();
    round(worker);
    assert_eq!(bytes(), before);
}
