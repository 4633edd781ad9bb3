//! The executors on real threads: tasks, handles and wakers go from thread to thread, and whoever has
//! one does something with it, while executors come and go. What must be true in the end: every future
//! and every output was dropped, and no wake was lost, or it does not end.
//!
//! `PIRN_STRESS=100 cargo test -p pirn-executor --release --test stress` does so many times as much.

mod common;

use common::{Counter, oneshot, yield_now};
use pirn_core::{Cause, Park, ParkError, TaskMeta, Until};
use pirn_executor::{
    LocalExecutor, LocalHandle, PoolExecutor, PoolHandle, Priority, Task, ThreadPark, ThreadUnpark,
    block_in_place, spawn, spawn_at, try_spawn_eager,
};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// How often each thread does something.
fn rounds() -> usize {
    let times = std::env::var("PIRN_STRESS").map_or(1, |times| {
        times
            .parse()
            .expect("PIRN_STRESS is how many times as much")
    });
    20_000 * times
}

/// Executors are replaced after so many.
const EACH: usize = 100;
/// So many tasks, and so many wakers, lie about at most.
const ROOM: usize = 24;

/// A sequence that looks random.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Takes any one out of a list.
    fn pick<T>(&mut self, list: &Mutex<Vec<T>>) -> Option<T> {
        let mut list = list.lock().unwrap();
        let index = self.below(list.len().max(1));
        (!list.is_empty()).then(|| list.swap_remove(index))
    }

    /// Puts one into a list, and gives another one back if that is full.
    fn put<T>(&mut self, list: &Mutex<Vec<T>>, item: T) -> Option<T> {
        let mut list = list.lock().unwrap();
        list.push(item);
        let index = self.below(ROOM);
        (list.len() > ROOM).then(|| list.swap_remove(index))
    }
}

/// What lies about for all threads.
#[derive(Default)]
struct Board {
    tasks: Mutex<Vec<Task<Live>>>,
    wakers: Mutex<Vec<Waker>>,
    live: Arc<AtomicIsize>,
    /// The pool on which tasks begin others, if there is one.
    pool: Mutex<Option<PoolHandle>>,
}

/// A future or an output that is there.
struct Live(Arc<AtomicIsize>);

impl Live {
    fn new(board: &Board) -> Live {
        board.live.fetch_add(1, SeqCst);
        Live(board.live.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Leaves its waker on the board, and ends after a few polls, if it is polled so often.
struct Subject {
    board: Arc<Board>,
    random: Random,
    left: usize,
    _live: Live,
}

impl Subject {
    fn new(board: &Arc<Board>, random: &mut Random) -> Subject {
        Subject {
            board: board.clone(),
            left: random.below(4),
            random: Random(random.below(usize::MAX >> 8) as u64),
            _live: Live::new(board),
        }
    }
}

/// Any of them.
fn priority(random: &mut Random) -> Priority {
    [Priority::High, Priority::Normal, Priority::Low][random.below(3)]
}

impl Subject {
    /// Spawns it in one of many ways, on whatever runs the caller.
    fn spawn(self, random: &mut Random) -> Task<Live> {
        match random.below(3) {
            0 => spawn(self),
            1 => spawn_at(priority(random), self),
            _ => {
                let pool = self.board.pool.lock().unwrap().clone();
                try_spawn_eager(TaskMeta::here(), self).unwrap_or_else(|refused| {
                    let this = refused.into_future();
                    match pool {
                        Some(pool) => pool.spawn_eager(this),
                        None => spawn(this),
                    }
                })
            }
        }
    }
}

impl Future for Subject {
    type Output = Live;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Live> {
        let this = &mut *self;
        drop(this.random.put(&this.board.wakers, cx.waker().clone()));
        if this.left == 0 {
            return Poll::Ready(Live::new(&this.board));
        }
        this.left -= 1;
        match this.random.below(4) {
            0 => cx.waker().wake_by_ref(),
            1 if this.left > 0 => {
                let child = Subject::new(&this.board, &mut this.random);
                let child = child.spawn(&mut this.random);
                drop(this.random.put(&this.board.tasks, child));
            }
            2 => {
                let other = this.random.pick(&this.board.tasks);
                other.into_iter().for_each(Task::detach);
            }
            _ => drop(block_in_place(thread::yield_now)),
        }
        Poll::Pending
    }
}

impl Board {
    /// Does something with a task or a waker, or spawns one.
    fn act(self: &Arc<Self>, random: &mut Random, spawn: impl FnOnce(Subject) -> Task<Live>) {
        match random.below(3) {
            0 => {
                let task = spawn(Subject::new(self, random));
                drop(random.put(&self.tasks, task));
            }
            1 => self.act_on_waker(random),
            _ => self.act_on_task(random),
        }
    }

    fn act_on_waker(&self, random: &mut Random) {
        let Some(waker) = random.pick(&self.wakers) else {
            return;
        };
        match random.below(5) {
            0 => waker.wake(),
            1 => waker.wake_by_ref(),
            2 => drop(random.put(&self.wakers, waker.clone())),
            3 => {
                let another = waker.clone();
                waker.wake();
                drop(random.put(&self.wakers, another));
            }
            _ => {
                waker.wake_by_ref();
                drop(random.put(&self.wakers, waker));
            }
        }
    }

    fn act_on_task(&self, random: &mut Random) {
        let Some(mut task) = random.pick(&self.tasks) else {
            return;
        };
        match random.below(6) {
            0 => return drop(task),
            1 => return task.detach(),
            2 => task = task.cancel(Cause::requested("the stress")),
            _ => {
                // By a waker of its own, or by that of another task.
                let waker = match random.below(2) {
                    0 => Waker::from(Counter::new()),
                    _ => random
                        .pick(&self.wakers)
                        .unwrap_or_else(|| Waker::noop().clone()),
                };
                let mut cx = Context::from_waker(&waker);
                if Pin::new(&mut task).poll(&mut cx).is_ready() {
                    assert!(task.is_finished());
                    return;
                }
            }
        }
        drop(random.put(&self.tasks, task));
    }

    /// Checks that nothing is left.
    fn clear(&self) {
        let (tasks, wakers) = (&self.tasks, &self.wakers);
        drop(std::mem::take(&mut *tasks.lock().unwrap()));
        drop(std::mem::take(&mut *wakers.lock().unwrap()));
        assert_eq!(self.live.load(SeqCst), 0);
    }
}

/// One of many ways to drive an executor a little.
fn drive(executor: &LocalExecutor, random: &mut Random) {
    match random.below(4) {
        0 => drop(executor.try_tick()),
        1 => drop((0..50).take_while(|_| executor.try_tick()).count()),
        2 => {
            let waker = Waker::from(Counter::new());
            let _ = executor.poll_tick(&mut Context::from_waker(&waker));
        }
        _ => executor
            .run(&mut ThreadPark::new(), async {
                for _ in 0..3 {
                    yield_now().await;
                }
            })
            .unwrap(),
    }
}

/// Lets the others go on to the end, also if this thread panics.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(usize::MAX, SeqCst);
    }
}

#[test]
fn what_others_do_with_the_tasks_of_a_thread_leaves_nothing_behind() {
    let board = Arc::new(Board::default());
    let mut executor = LocalExecutor::new();
    let handle = RwLock::new(executor.handle());
    // The others do no more than this thread, or it would have more and more to catch up with.
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        let over = Over(&turn);
        for me in 0..3 {
            let (board, handle, turn) = (&board, &handle, &turn);
            scope.spawn(move || {
                let mut random = Random(me + 1);
                for round in 0..rounds() {
                    while turn.load(SeqCst) < round {
                        thread::yield_now();
                    }
                    let handle = handle.read().unwrap().clone();
                    board.act(&mut random, |subject| handle.spawn(subject));
                }
            });
        }
        let mut random = Random(9);
        for round in 1..=rounds() {
            turn.store(round, SeqCst);
            board.act(&mut random, |subject| {
                let not_send = Rc::new(());
                executor.spawn(async move {
                    let output = subject.await;
                    drop(not_send);
                    output
                })
            });
            drive(&executor, &mut random);
            if round % EACH == 0 {
                let next = LocalExecutor::new();
                *handle.write().unwrap() = next.handle();
                let former = std::mem::replace(&mut executor, next);
                if random.below(2) == 0 {
                    former.shutdown(&mut ThreadPark::new(), async {}).unwrap();
                }
            }
        }
        drop((executor, over));
    });
    board.clear();
}

#[test]
fn what_others_do_with_the_tasks_of_a_pool_leaves_nothing_behind() {
    let board = Arc::new(Board::default());
    for round in 0..rounds() / EACH {
        let (executor, workers) = PoolExecutor::new(3);
        *board.pool.lock().unwrap() = Some(executor.handle());
        thread::scope(|scope| {
            for mut worker in workers {
                let closed = executor.handle().closed();
                scope.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
            }
            for me in 0..2 {
                let (board, handle) = (&board, executor.handle());
                scope.spawn(move || {
                    let mut random = Random((2 * round + me) as u64);
                    for _ in 0..2 * EACH {
                        let priority = priority(&mut random);
                        board.act(&mut random, |subject| handle.spawn_at(priority, subject));
                    }
                });
            }
            let mut random = Random(round as u64);
            for _ in 0..random.below(2 * EACH) {
                board.act(&mut random, |subject| executor.handle().spawn(subject));
            }
            if random.below(2) == 0 {
                let shutdown = executor.shutdown(yield_now());
                LocalExecutor::new()
                    .run(&mut ThreadPark::new(), shutdown)
                    .unwrap();
            }
            drop(executor);
        });
    }
    board.clear();
}

#[test]
fn wakers_of_two_kinds_of_executors_meet_and_leave_nothing_behind() {
    let board = Arc::new(Board::default());
    let (pool, workers) = PoolExecutor::new(2);
    *board.pool.lock().unwrap() = Some(pool.handle());
    thread::scope(|scope| {
        for mut worker in workers {
            let closed = pool.handle().closed();
            scope.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        }
        for me in 0..2 {
            let (board, handle) = (&board, pool.handle());
            scope.spawn(move || {
                let mut random = Random(me + 4);
                let mut executor = LocalExecutor::new();
                for round in 1..=rounds() {
                    let on_pool = random.below(2) == 0;
                    let priority = priority(&mut random);
                    board.act(&mut random, |subject| match on_pool {
                        true => handle.spawn_at(priority, subject),
                        false => executor.spawn_at(priority, subject),
                    });
                    drive(&executor, &mut random);
                    if round % EACH == 0 {
                        executor = LocalExecutor::new();
                    }
                }
            });
        }
        let mut random = Random(3);
        for _ in 0..rounds() {
            board.act(&mut random, |subject| pool.handle().spawn(subject));
        }
        // What the other threads still spawn there is refused.
        drop(pool);
    });
    board.clear();
}

/// More tasks than the pages hold that an executor keeps, if they are [`large`].
const BURST: usize = 600;

/// Few of which fill a page.
async fn large(subject: Subject) -> Live {
    let filling = std::hint::black_box([1_u8; 3_000]);
    let output = subject.await;
    assert_eq!(filling, [1; 3_000]);
    output
}

/// Does not sleep: so the executor rests all the time.
struct Restless;

impl Park for Restless {
    type Unpark = ThreadUnpark;

    fn unparker(&self) -> ThreadUnpark {
        ThreadPark::new().unparker()
    }

    fn park(&mut self, _: Until) -> Result<(), ParkError> {
        thread::yield_now();
        Ok(())
    }
}

/// Is woken from elsewhere, after its executor had nothing to do.
async fn slow() {
    let (sender, receiver) = oneshot();
    thread::spawn(move || sender.send(()));
    receiver.await;
}

#[test]
fn pages_that_are_given_back_meanwhile_are_missed_by_nobody() {
    let board = Arc::new(Board::default());
    let locals: [Mutex<Option<LocalHandle>>; 2] = Default::default();
    for round in 0..rounds() / 1_000 {
        let mut random = Random(round as u64);
        let (executor, workers) = PoolExecutor::new(2);
        *board.pool.lock().unwrap() = Some(executor.handle());
        thread::scope(|scope| {
            for mut worker in workers {
                let closed = executor.handle().closed();
                let retires = random.below(4) == 0;
                let (board, mut random) = (&board, random.clone());
                scope.spawn(move || {
                    if retires {
                        let bursts = async {
                            for _ in 0..BURST {
                                let subject = Subject::new(board, &mut random);
                                drop(random.put(&board.tasks, spawn(large(subject))));
                            }
                            yield_now().await;
                        };
                        worker.run(&mut Restless, bursts).unwrap();
                    } else {
                        worker.run(&mut Restless, closed).unwrap();
                    }
                });
            }
            for me in 0..2 {
                let (board, handle, locals) = (&board, executor.handle(), &locals);
                scope.spawn(move || {
                    let mut random = Random((2 * round + me) as u64);
                    for _ in 0..3 {
                        let local = LocalExecutor::new();
                        *locals[me].lock().unwrap() = Some(local.handle());
                        let mut burst = |acts| {
                            for _ in 0..acts {
                                // The pool, the own executor, or that of the other thread.
                                let to = random.below(3);
                                let other = locals[to % 2].lock().unwrap().clone();
                                board.act(&mut random, |subject| match other {
                                    Some(other) if to < 2 => other.spawn(large(subject)),
                                    _ => handle.spawn(large(subject)),
                                });
                            }
                        };
                        burst(6 * BURST);
                        let mut cx = Context::from_waker(Waker::noop());
                        for _ in 0..40 {
                            while local.poll_tick(&mut cx).is_ready() {}
                            burst(2);
                        }
                        burst(6 * BURST);
                        for _ in 0..40 {
                            while local.try_tick() {}
                            local.run(&mut Restless, slow()).unwrap();
                        }
                    }
                });
            }
            for _ in 0..BURST {
                board.act(&mut random, |subject| {
                    executor.handle().spawn(large(subject))
                });
            }
            if random.below(2) == 0 {
                let shutdown = executor.shutdown(yield_now());
                LocalExecutor::new()
                    .run(&mut ThreadPark::new(), shutdown)
                    .unwrap();
            }
            drop(executor);
        });
    }
    board.clear();
}

/// Hands what will wake it to two other threads in turn, and waits for each.
async fn woken_by(wakers: [mpsc::Sender<common::Sender<usize>>; 2]) -> usize {
    let mut sum = 0;
    for waker in wakers {
        let (sender, receiver) = oneshot();
        waker.send(sender).unwrap();
        sum += receiver.await;
    }
    sum
}

#[test]
fn no_wake_from_elsewhere_is_lost() {
    let (pool, workers) = PoolExecutor::new(3);
    let executor = LocalExecutor::new();
    thread::scope(|scope| {
        for mut worker in workers {
            let closed = pool.handle().closed();
            scope.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        }
        let wakers = [1, 2].map(|value| {
            let (wakes, to_wake) = mpsc::channel::<common::Sender<usize>>();
            scope.spawn(move || {
                let mut random = Random(value as u64);
                for sender in to_wake {
                    // It waits by now, or not yet.
                    (0..random.below(3)).for_each(|_| thread::yield_now());
                    sender.send(value);
                }
            });
            wakes
        });
        let mut tasks = VecDeque::new();
        for round in 0..rounds() / 5 {
            // Each is joined by a task of the other executor.
            let wakers = wakers.clone();
            let task = match round % 2 {
                0 => {
                    let inner = pool.handle().spawn(woken_by(wakers));
                    executor.spawn(async move { inner.await.unwrap() })
                }
                _ => {
                    let inner = executor.spawn(woken_by(wakers));
                    pool.handle().spawn(async move { inner.await.unwrap() })
                }
            };
            tasks.push_back(task);
            // Few at once: so it sleeps now and then.
            if tasks.len() > 3 {
                let first = tasks.pop_front().unwrap();
                let sum = executor.run(&mut ThreadPark::new(), first).unwrap();
                assert_eq!(sum.unwrap(), 3);
            }
        }
        drop(wakers);
        executor
            .run(&mut ThreadPark::new(), async {
                for task in tasks {
                    assert_eq!(task.await.unwrap(), 3);
                }
            })
            .unwrap();
        drop(pool);
    });
}

/// Keeps its worker, in one long poll, until another one has done something for it.
async fn keeps_its_worker(mut random: Random, pool: PoolHandle) {
    let (sender, receiver) = mpsc::channel();
    let (yields, priority) = (random.below(4), priority(&mut random));
    let answer = async move {
        for _ in 0..yields {
            yield_now().await;
        }
        sender.send(()).unwrap();
    };
    let wait = move || {
        let patience = Duration::from_secs(20);
        receiver.recv_timeout(patience).expect("somebody sleeps")
    };
    // What is `Normal` would lie in this worker's slot.
    let priority = match priority {
        Priority::Normal => Priority::High,
        other => other,
    };
    match random.below(4) {
        0 => {
            spawn_at(priority, answer).detach();
            wait();
        }
        2 => {
            pool.spawn_eager(answer).detach();
            wait();
        }
        1 => {
            let (go, gone) = oneshot();
            let task = async move {
                gone.await;
                answer.await;
            };
            spawn_at(priority, task).detach();
            yield_now().await;
            go.send(());
            wait();
        }
        _ => {
            let blocked = block_in_place(|| {
                pool.spawn_eager(answer).detach();
                wait();
            });
            assert!(blocked.is_ok());
        }
    }
}

#[test]
fn nobody_sleeps_beside_a_task_in_a_lane() {
    let (pool, workers) = PoolExecutor::new(3);
    thread::scope(|scope| {
        for mut worker in workers {
            let closed = pool.handle().closed();
            scope.spawn(move || worker.run(&mut ThreadPark::new(), closed).unwrap());
        }
        while pool.statistics().sleeping < 3 {
            thread::yield_now();
        }
        let mut random = Random(11);
        for round in 0..rounds() / 10 {
            if round == rounds() / 20 {
                pool.set_spin(Duration::ZERO);
            }
            let handle = pool.handle();
            for _ in 0..random.below(4) {
                let giving_way = async {
                    for _ in 0..5 {
                        yield_now().await;
                    }
                };
                handle.spawn_at(priority(&mut random), giving_way).detach();
            }
            // Two of three workers are kept at a time.
            let kept = [0, 1].map(|_| {
                let priority = priority(&mut random);
                let task = keeps_its_worker(random.clone(), handle.clone());
                random.below(2);
                handle.spawn_at(priority, task)
            });
            for task in kept {
                LocalExecutor::new()
                    .run(&mut ThreadPark::new(), task)
                    .unwrap()
                    .unwrap();
            }
        }
        drop(pool);
    });
}
