//! async-lock's.

use super::*;
use async_lock::{
    Barrier, Mutex, MutexGuard, MutexGuardArc, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard,
    RwLockWriteGuardArc, Semaphore, SemaphoreGuard, SemaphoreGuardArc,
};

struct ByMutex {
    mutex: Arc<Mutex<u32>>,
    outside: Outside<MutexGuardArc<u32>>,
}

impl Subject for ByMutex {
    type Held<'a> = MutexGuard<'a, u32>;

    async fn wait(&self, _: usize) -> MutexGuard<'_, u32> {
        self.mutex.lock().await
    }

    fn serve(&self, _: usize) {
        self.outside.take();
    }

    fn left(&self) -> Option<usize> {
        Some(usize::from(self.mutex.try_lock().is_some()))
    }
}

fn taken_mutex() -> ByMutex {
    let mutex = Arc::new(Mutex::new(0));
    let outside = RefCell::new(mutex.try_lock_arc());
    ByMutex { mutex, outside }
}

#[test]
fn its_mutex_loses_nothing_and_may_be_overtaken() {
    let lacking = lacks("async-lock Mutex", Rules::permits(1), taken_mutex);
    assert_eq!(lacking, [Property::InOrder, Property::GrantIsTheTasks]);
}

#[test]
fn without_what_its_mutex_does_not_promise_it_passes_and_the_report_is_the_one_that_is_published() {
    let why = "a newcomer may take what was freed for one who has not come";
    let exam = Exam::new("async-lock Mutex::lock", Rules::permits(1))
        .without(Property::InOrder, why)
        .without(Property::GrantIsTheTasks, "a grant is the future's");
    let findings = exam.run(taken_mutex);
    findings.assert();
    // How many scripts there are depends on how long its waiters wait.
    let report = findings.to_string();
    let (first, left_out) = report.split_once('\n').unwrap();
    assert!(first.starts_with("async-lock Mutex::lock: 0 of "));
    let page = include_str!("../../docs/conformance.md");
    assert!(page.contains(&format!("{left_out}\n```")), "{report}");
}

struct ByRwLock {
    lock: Arc<RwLock<u32>>,
    outside: Outside<RwLockWriteGuardArc<u32>>,
    reads: fn(usize) -> bool,
}

impl ByRwLock {
    fn new(reads: fn(usize) -> bool) -> Self {
        let lock = Arc::new(RwLock::new(0));
        let outside = RefCell::new(lock.try_write_arc());
        ByRwLock {
            lock,
            outside,
            reads,
        }
    }
}

impl Subject for ByRwLock {
    type Held<'a> = Side<RwLockReadGuard<'a, u32>, RwLockWriteGuard<'a, u32>>;

    async fn wait(&self, who: usize) -> Self::Held<'_> {
        match (self.reads)(who) {
            true => Side::Read(self.lock.read().await),
            false => Side::Write(self.lock.write().await),
        }
    }

    fn serve(&self, _: usize) {
        self.outside.take();
    }

    fn left(&self) -> Option<usize> {
        Some(READERS * usize::from(self.lock.try_write().is_some()))
    }
}

#[test]
fn its_rwlock_loses_nothing_and_may_be_overtaken() {
    let writers = Rules::permits(1).gives(READERS).takes(|_| READERS);
    let lacking = lacks("async-lock RwLock, writers", writers, || {
        ByRwLock::new(|_| false)
    });
    assert_eq!(lacking, [Property::InOrder, Property::GrantIsTheTasks]);
    let lacking = lacks("async-lock RwLock, both", writers_and_readers(), || {
        ByRwLock::new(|who| who % 2 == 1)
    });
    let expected = [
        Property::InOrder,
        Property::GrantIsTheTasks,
        Property::WaitersRest,
    ];
    assert_eq!(lacking, expected);
}

struct BySemaphore {
    semaphore: Arc<Semaphore>,
    outside: RefCell<Vec<SemaphoreGuardArc>>,
    free: usize,
}

impl Subject for BySemaphore {
    type Held<'a> = SemaphoreGuard<'a>;

    async fn wait(&self, _: usize) -> SemaphoreGuard<'_> {
        self.semaphore.acquire().await
    }

    fn serve(&self, _: usize) {
        self.outside.borrow_mut().pop();
    }

    fn left(&self) -> Option<usize> {
        let free = std::iter::from_fn(|| self.semaphore.try_acquire_arc());
        let free: Vec<_> = free.take(self.free + 1).collect();
        Some(free.len())
    }
}

#[test]
fn its_semaphore_loses_nothing_and_may_be_overtaken() {
    for permits in [1, 2] {
        let name = format!("async-lock Semaphore of {permits}");
        let lacking = lacks(&name, Rules::permits(permits), || {
            let semaphore = Arc::new(Semaphore::new(permits));
            let outside = (0..permits).map(|_| semaphore.try_acquire_arc().unwrap());
            BySemaphore {
                outside: RefCell::new(outside.collect()),
                semaphore,
                free: permits,
            }
        });
        assert_eq!(lacking, [Property::InOrder, Property::GrantIsTheTasks]);
    }
}

impl Meeting for Barrier {
    async fn meet(&self) {
        self.wait().await;
    }
}

#[test]
fn its_barrier_counts_who_left() {
    let make = || ByBarrier::of(Barrier::new(PARTIES));
    let lacking = lacks("async-lock Barrier", Rules::all_each(), make);
    assert_eq!(lacking, [Property::ChecksHold]);
}

struct ByCell(OnceCell<usize>);

impl Subject for ByCell {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        self.0.wait().await;
    }

    fn serve(&self, number: usize) {
        assert_eq!(self.0.set_blocking(number).is_ok(), number == 0);
    }
}

struct ByTurn {
    cell: Arc<OnceCell<usize>>,
    making: Outside<Boxed<()>>,
}

impl Subject for ByTurn {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        let made = self.cell.get_or_try_init(|| async { Err(()) }).await;
        assert_eq!(made, Err(()));
    }

    fn serve(&self, _: usize) {
        self.making.take();
    }
}

#[test]
fn its_once_cell_hands_the_turn_on_and_may_be_overtaken() {
    let make = || ByCell(OnceCell::new());
    assert_eq!(
        lacks("async-lock OnceCell::wait", Rules::gate(), make),
        ALL_HOLD
    );
    let turn = Rules::permits(1).keeps(|_| 0);
    let lacking = lacks("async-lock OnceCell::get_or_try_init", turn, || {
        let cell = Arc::new(OnceCell::new());
        let mut making: Boxed<()> = Box::pin({
            let cell = Arc::clone(&cell);
            async move {
                cell.get_or_init(std::future::pending::<usize>).await;
            }
        });
        assert!(poll_now(making.as_mut()).is_pending());
        ByTurn {
            cell,
            making: RefCell::new(Some(making)),
        }
    });
    assert_eq!(lacking, [Property::InOrder, Property::GrantIsTheTasks]);
}
