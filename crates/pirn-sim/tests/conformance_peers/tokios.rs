//! tokio's.

use super::*;
use tokio::sync::{
    AcquireError, Barrier, Mutex, MutexGuard, Notify, OnceCell, OwnedMutexGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
    broadcast, mpsc, watch,
};

struct ByMutex {
    mutex: Arc<Mutex<u32>>,
    outside: Outside<OwnedMutexGuard<u32>>,
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
        Some(usize::from(self.mutex.try_lock().is_ok()))
    }
}

#[test]
fn its_mutex_loses_nothing_and_keeps_a_grant_for_the_future() {
    let lacking = lacks("tokio Mutex", Rules::permits(1), || {
        let mutex = Arc::new(Mutex::new(0));
        let outside = RefCell::new(Arc::clone(&mutex).try_lock_owned().ok());
        ByMutex { mutex, outside }
    });
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
}

struct ByRwLock {
    lock: Arc<RwLock<u32>>,
    outside: Outside<OwnedRwLockWriteGuard<u32>>,
    reads: fn(usize) -> bool,
}

impl ByRwLock {
    fn new(reads: fn(usize) -> bool) -> Self {
        let lock = Arc::new(RwLock::new(0));
        let outside = RefCell::new(Arc::clone(&lock).try_write_owned().ok());
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
        Some(READERS * usize::from(self.lock.try_write().is_ok()))
    }
}

#[test]
fn its_rwlock_loses_nothing_and_keeps_a_grant_for_the_future() {
    let writers = Rules::permits(1).gives(READERS).takes(|_| READERS);
    let lacking = lacks("tokio RwLock, writers", writers, || {
        ByRwLock::new(|_| false)
    });
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let lacking = lacks("tokio RwLock, both", writers_and_readers(), || {
        ByRwLock::new(|who| who % 2 == 1)
    });
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
}

struct BySemaphore {
    semaphore: Semaphore,
    wants: fn(usize) -> usize,
}

impl Subject for BySemaphore {
    type Held<'a> = Result<SemaphorePermit<'a>, AcquireError>;

    async fn wait(&self, who: usize) -> Self::Held<'_> {
        let permits = (self.wants)(who) as u32;
        self.semaphore.acquire_many(permits).await
    }

    fn close(&self) {
        self.semaphore.close();
    }

    fn is_end(&self, held: &Self::Held<'_>) -> bool {
        held.is_err()
    }

    fn serve(&self, _: usize) {
        self.semaphore.add_permits(1);
    }

    fn left(&self) -> Option<usize> {
        Some(self.semaphore.available_permits())
    }
}

#[test]
fn its_semaphore_loses_nothing_and_keeps_a_grant_for_the_future() {
    let make = |wants| {
        move || BySemaphore {
            semaphore: Semaphore::new(0),
            wants,
        }
    };
    let lacking = lacks("tokio Semaphore::acquire", Rules::permits(2), make(|_| 1));
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let rules = Rules::permits(3).takes(sizes);
    let lacking = lacks("tokio Semaphore::acquire_many", rules, make(sizes));
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let rules = Rules::permits(3).takes(sizes).closes();
    let lacking = lacks("tokio Semaphore::close", rules, make(sizes));
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
}

struct ByNotify {
    notify: Notify,
    all: bool,
}

impl Subject for ByNotify {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        self.notify.notified().await;
    }

    fn serve(&self, _: usize) {
        match self.all {
            true => self.notify.notify_waiters(),
            false => self.notify.notify_one(),
        }
    }
}

#[test]
fn its_notify_passes_a_notification_on() {
    let make = |all| {
        move || ByNotify {
            notify: Notify::new(),
            all,
        }
    };
    let one = Rules::items().at_most_unused(1);
    let lacking = lacks("tokio Notify::notify_one", one, make(false));
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let lacking = lacks(
        "tokio Notify::notify_waiters",
        Rules::all_each(),
        make(true),
    );
    assert_eq!(lacking, ALL_HOLD);
}

impl Meeting for Barrier {
    async fn meet(&self) {
        self.wait().await;
    }
}

#[test]
fn its_barrier_counts_who_left() {
    let make = || ByBarrier::of(Barrier::new(PARTIES));
    let lacking = lacks("tokio Barrier", Rules::all_each(), make);
    assert_eq!(lacking, [Property::ChecksHold]);
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
fn its_once_cell_hands_the_turn_on() {
    let turn = Rules::permits(1).keeps(|_| 0);
    let lacking = lacks("tokio OnceCell::get_or_try_init", turn, || {
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
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
}

/// A full channel, from which items are taken.
struct BySend(mpsc::Sender<usize>, RefCell<mpsc::Receiver<usize>>);

impl Subject for BySend {
    /// Whether it was sent.
    type Held<'a> = bool;

    async fn wait(&self, who: usize) -> bool {
        self.0.send(who).await.is_ok()
    }

    fn close(&self) {
        self.1.borrow_mut().close();
    }

    fn is_end(&self, sent: &bool) -> bool {
        !sent
    }

    fn serve(&self, _: usize) {
        self.1.borrow_mut().try_recv().unwrap();
    }

    fn left(&self) -> Option<usize> {
        Some(self.0.capacity())
    }
}

/// The same, with places that are reserved and given back.
struct ByReserve(BySend);

impl Subject for ByReserve {
    type Held<'a> = mpsc::Permit<'a, usize>;

    async fn wait(&self, _: usize) -> mpsc::Permit<'_, usize> {
        self.0.0.reserve().await.unwrap()
    }

    fn serve(&self, number: usize) {
        self.0.serve(number);
    }

    fn left(&self) -> Option<usize> {
        self.0.left()
    }
}

/// A receiver that one waiter at a time borrows.
struct ByRecv {
    sender: mpsc::Sender<usize>,
    receiver: RefCell<mpsc::Receiver<usize>>,
}

impl Subject for ByRecv {
    type Held<'a> = usize;

    async fn wait(&self, _: usize) -> usize {
        let recv = std::future::poll_fn(|cx| pin!(self.receiver.borrow_mut().recv()).poll(cx));
        recv.await.unwrap()
    }

    fn serve(&self, number: usize) {
        self.sender.try_send(number).unwrap();
    }

    fn left(&self) -> Option<usize> {
        Some(self.receiver.borrow().len())
    }

    fn numbers(&self, item: &usize) -> Vec<usize> {
        vec![*item]
    }
}

#[test]
fn its_bounded_channel_loses_neither_items_nor_places() {
    let full = || {
        let (sender, receiver) = mpsc::channel(32);
        (0..32).for_each(|item| sender.try_send(item).unwrap());
        BySend(sender, RefCell::new(receiver))
    };
    let lacking = lacks("tokio mpsc send, closed", Rules::items().closes(), full);
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let lacking = lacks("tokio mpsc send", Rules::items(), full);
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let lacking = lacks(
        "tokio mpsc reserve",
        Rules::permits(2),
        || ByReserve(full()),
    );
    assert_eq!(lacking, [Property::GrantIsTheTasks]);
    let rules = Rules::items().one_at_a_time();
    let lacking = lacks("tokio mpsc recv", rules, || {
        let (sender, receiver) = mpsc::channel(64);
        ByRecv {
            sender,
            receiver: RefCell::new(receiver),
        }
    });
    assert_eq!(lacking, ALL_HOLD);
}

/// A receiver for each waiter.
const RECEIVERS: usize = 16;

struct ByWatch(watch::Sender<usize>, Vec<RefCell<watch::Receiver<usize>>>);

impl Subject for ByWatch {
    type Held<'a> = ();

    // Each waiter has its receiver to itself.
    #[expect(clippy::await_holding_refcell_ref)]
    async fn wait(&self, who: usize) {
        self.1[who].borrow_mut().changed().await.unwrap();
    }

    fn serve(&self, number: usize) {
        self.0.send(number).unwrap();
    }
}

struct ByBroadcast(
    broadcast::Sender<usize>,
    Vec<RefCell<broadcast::Receiver<usize>>>,
);

impl Subject for ByBroadcast {
    type Held<'a> = ();

    // As above.
    #[expect(clippy::await_holding_refcell_ref)]
    async fn wait(&self, who: usize) {
        assert_eq!(self.1[who].borrow_mut().recv().await, Ok(0));
    }

    fn serve(&self, number: usize) {
        self.0.send(number).unwrap();
    }
}

#[test]
fn its_watch_and_broadcast_reach_all_who_wait() {
    let lacking = lacks("tokio watch changed", Rules::gate(), || {
        let (sender, receiver) = watch::channel(usize::MAX);
        let receivers = (0..RECEIVERS).map(|_| RefCell::new(receiver.clone()));
        ByWatch(sender, receivers.collect())
    });
    assert_eq!(lacking, ALL_HOLD);
    let lacking = lacks("tokio broadcast recv", Rules::gate(), || {
        let (sender, _) = broadcast::channel(32);
        let receivers = (0..RECEIVERS).map(|_| RefCell::new(sender.subscribe()));
        let receivers = receivers.collect();
        ByBroadcast(sender, receivers)
    });
    assert_eq!(lacking, ALL_HOLD);
}
