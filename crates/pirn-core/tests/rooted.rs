//! The memory of a whole task: how large it is, and that its body is dropped once, where it lies.

mod support;

use pirn_core::{Cause, Rooted, Scope, TaskLocal, shim};
use std::cell::{Cell, RefCell};
use std::future::{Future, Ready, pending, ready};
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use support::{Counter, Gate, Log, poll, reports};

static NAME: TaskLocal<Arc<()>> = TaskLocal::new();

fn stop() -> Cause {
    Cause::requested("stop")
}

// Sizes.

/// A body of its own size and alignment, without a value to spare.
struct Bytes<A, const N: usize>([u8; N], [A; 0]);

impl<A: Unpin, const N: usize> Future for Bytes<A, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        assert!(self.0.iter().all(|&byte| byte == 7));
        Poll::Ready(())
    }
}

#[derive(Clone, Copy)]
#[repr(align(16))]
struct Wide;

/// Runs a task of `body`, which is the body and a word, and no more padding than those take.
#[track_caller]
fn adds_a_word<F: Future>(body: F) {
    let size = size_of::<F>() + size_of::<usize>();
    let align = align_of::<F>().max(align_of::<usize>());
    let task = Box::pin(Rooted::new(body));
    assert_eq!(size_of_val(&*task), size.next_multiple_of(align));
    assert_eq!((&raw const *task).addr() % align, 0);
    shim::block_on(task).unwrap();
}

#[test]
fn a_task_is_one_word_larger_than_its_body() {
    let held = [7_usize; 5];
    adds_a_word(async move {
        let gate = Gate::default();
        gate.open();
        gate.passed().await;
        assert_eq!(held, [7; 5]);
    });
    adds_a_word(ready(5_usize));
    adds_a_word(Box::pin(ready(())));
    adds_a_word(Bytes::<usize, 48>([7; 48], []));
}

#[test]
fn a_body_that_is_aligned_otherwise_is_padded_once() {
    assert_eq!(size_of::<Rooted<Bytes<u8, 0>>>(), size_of::<usize>());
    adds_a_word(async {});
    adds_a_word(Bytes::<u8, 0>([], []));
    adds_a_word(Bytes::<u8, 1>([7], []));
    adds_a_word(Bytes::<u8, 8>([7; 8], []));
    adds_a_word(Bytes::<u8, 13>([7; 13], []));
    adds_a_word(Bytes::<Wide, 0>([], []));
    adds_a_word(Bytes::<Wide, 32>([7; 32], []));
}

// What it is.

/// True if the type has the trait.
macro_rules! is {
    ($type:ty: $bound:path) => {{
        struct Asked<T>(PhantomData<T>);
        #[allow(dead_code, reason = "for types that have not")]
        trait Otherwise {
            const IS: bool = false;
        }
        impl<T> Otherwise for Asked<T> {}
        impl<T: $bound> Asked<T> {
            #[allow(dead_code, reason = "for types that have")]
            const IS: bool = true;
        }
        <Asked<$type>>::IS
    }};
}

/// A body that gives a `T`.
struct Gives<B, T>(B, PhantomData<fn() -> T>);

impl<B, T> Future for Gives<B, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Pending
    }
}

#[test]
fn a_task_is_send_where_its_body_and_its_value_are() {
    const {
        assert!(is!(Rooted<Gives<u8, u8>>: Send));
        assert!(is!(Rooted<Gives<Cell<u8>, u8>>: Send));
        assert!(!is!(Rooted<Gives<Rc<u8>, u8>>: Send));
        assert!(!is!(Rooted<Gives<&'static Cell<u8>, u8>>: Send));
        assert!(!is!(Rooted<Gives<u8, Rc<u8>>>: Send));
        assert!(is!(Rooted<Gives<u8, Cell<u8>>>: Send));
    };
}

#[test]
fn a_task_is_shared_by_nobody() {
    // Its clean-ups and timers are not.
    const {
        assert!(!is!(Rooted<Gives<u8, u8>>: Sync));
        assert!(!is!(Rooted<Gives<Cell<u8>, u8>>: Sync));
        assert!(!is!(Rooted<Gives<u8, u8>>: UnwindSafe));
        assert!(!is!(Rooted<Gives<u8, u8>>: RefUnwindSafe));
    };
}

#[test]
fn a_task_may_be_moved_between_polls_if_its_body_may() {
    const {
        assert!(is!(Rooted<Ready<u8>>: Unpin));
        assert!(is!(Rooted<Gives<u8, PhantomPinned>>: Unpin));
        assert!(!is!(Rooted<Gives<PhantomPinned, u8>>: Unpin));
    };
}

// Its body.

/// What a body does when it is polled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Waits,
    Ends,
    Panics,
    AsksAndWaits,
    AsksAndEnds,
    AsksAndPanics,
    SetsAndWaits,
    SetsAndEnds,
}

/// And when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dies {
    Quietly,
    Panicking,
    Asking,
    Setting,
}

#[derive(Default)]
struct Life {
    polls: AtomicUsize,
    drops: AtomicUsize,
    /// Where it was polled.
    place: AtomicUsize,
}

impl Life {
    fn drops(&self) -> usize {
        self.drops.load(Relaxed)
    }

    fn polls(&self) -> usize {
        self.polls.load(Relaxed)
    }
}

/// A body that does as it is told, and that nobody may move once it was polled.
struct Told {
    does: Does,
    dies: Dies,
    life: Arc<Life>,
    /// For what is freed under it.
    memory: Box<usize>,
    _pinned: PhantomPinned,
}

fn told(does: Does, dies: Dies) -> (Arc<Life>, Told) {
    let life = Arc::new(Life::default());
    let told = Told {
        does,
        dies,
        life: Arc::clone(&life),
        memory: Box::new(7),
        _pinned: PhantomPinned,
    };
    (life, told)
}

impl Future for Told {
    type Output = Box<usize>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Box<usize>> {
        let here = (&raw const *self).addr();
        let before = self.life.place.swap(here, Relaxed);
        assert!(before == 0 || before == here, "it was moved");
        assert_eq!(self.life.drops(), 0, "it was polled after its end");
        self.life.polls.fetch_add(1, Relaxed);
        match self.does {
            Does::Waits | Does::Ends | Does::Panics => {}
            Does::AsksAndWaits | Does::AsksAndEnds | Does::AsksAndPanics => {
                drop(Scope::current().unwrap());
            }
            Does::SetsAndWaits | Does::SetsAndEnds => {
                drop(NAME.set(Arc::default()).unwrap());
            }
        }
        match self.does {
            Does::Waits | Does::AsksAndWaits | Does::SetsAndWaits => Poll::Pending,
            Does::Ends | Does::AsksAndEnds | Does::SetsAndEnds => Poll::Ready(self.memory.clone()),
            Does::Panics | Does::AsksAndPanics => panic!("its poll"),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        assert_eq!(*self.memory, 7);
        let place = self.life.place.load(Relaxed);
        let here = (&raw const *self).addr();
        // No panic: it might be caught, and another one expected.
        let moved = place != 0 && place != here;
        self.life
            .drops
            .fetch_add(if moved { 100 } else { 1 }, Relaxed);
        match self.dies {
            Dies::Quietly => {}
            Dies::Panicking => panic!("its destructor"),
            Dies::Asking => drop(Scope::current()),
            Dies::Setting => drop(NAME.set(Arc::default())),
        }
    }
}

const DOES: [Does; 8] = [
    Does::Waits,
    Does::Ends,
    Does::Panics,
    Does::AsksAndWaits,
    Does::AsksAndEnds,
    Does::AsksAndPanics,
    Does::SetsAndWaits,
    Does::SetsAndEnds,
];

const DIES: [Dies; 4] = [Dies::Quietly, Dies::Panicking, Dies::Asking, Dies::Setting];

/// What is done to a task, in this order, and at last it is dropped.
#[derive(Clone, Copy, Debug)]
enum Step {
    Poll,
    Cancel,
}

const COURSES: [&[Step]; 9] = [
    &[],
    &[Step::Poll],
    &[Step::Poll, Step::Poll],
    &[Step::Cancel],
    &[Step::Cancel, Step::Poll],
    &[Step::Cancel, Step::Poll, Step::Poll],
    &[Step::Poll, Step::Cancel],
    &[Step::Poll, Step::Cancel, Step::Poll],
    &[
        Step::Poll,
        Step::Cancel,
        Step::Cancel,
        Step::Poll,
        Step::Poll,
    ],
];

/// Makes a task, within a value of the local or not.
fn make<F: Future>(local: Option<&Arc<()>>, body: F) -> Rooted<F> {
    match local {
        Some(value) => NAME.scope_sync(Arc::clone(value), || Rooted::new(body)),
        None => Rooted::new(body),
    }
}

#[test]
fn a_body_is_dropped_once_whatever_it_and_others_do() {
    for (does, dies) in DOES
        .into_iter()
        .flat_map(|does| DIES.map(|dies| (does, dies)))
    {
        for (course, with) in COURSES.into_iter().flat_map(|c| [(c, false), (c, true)]) {
            let value = Arc::new(());
            let (life, told) = told(does, dies);
            let mut task = Box::pin(make(with.then_some(&value), told));
            let mut ended = false;
            for step in course {
                match step {
                    Step::Cancel => task.as_mut().request_cancel(stop()),
                    Step::Poll => {
                        let polled = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut())));
                        ended |= matches!(polled, Ok(Poll::Ready(_)));
                    }
                }
                assert!(life.drops() <= 1, "{does:?} {dies:?} {course:?}");
                assert!(!ended || life.drops() == 1, "{does:?} {dies:?} {course:?}");
            }
            drop(task);
            assert_eq!(life.drops(), 1, "{does:?} {dies:?} {course:?} {with}");
            assert_eq!(Arc::strong_count(&value), 1, "{does:?} {dies:?} {course:?}");
            assert!(NAME.get().is_none(), "{does:?} {dies:?} {course:?} {with}");
            reports();
        }
    }
}

/// The message of a panic.
#[track_caller]
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it did not panic")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn a_body_that_is_not_polled_goes_with_its_task() {
    let (life, told) = told(Does::Waits, Dies::Quietly);
    drop(Rooted::new(told));
    assert_eq!((life.polls(), life.drops()), (0, 1));
}

#[test]
fn a_body_that_is_ready_goes_in_that_poll() {
    for does in [Does::Ends, Does::AsksAndEnds, Does::SetsAndEnds] {
        for local in [None, Some(&Arc::default())] {
            let (life, told) = told(does, Dies::Quietly);
            let mut task = pin!(make(local, told));
            let Poll::Ready(Ok(value)) = poll(task.as_mut()) else {
                panic!("it is ready")
            };
            assert_eq!((*value, life.drops()), (7, 1));
            assert!(panic_of(|| poll(task.as_mut())).contains("polled after"));
            assert_eq!((life.polls(), life.drops()), (1, 1));
        }
    }
}

#[test]
fn a_task_without_a_scope_says_that_it_is_over() {
    for local in [None, Some(&Arc::default())] {
        let mut task = pin!(make(local, ready(())));
        assert!(poll(task.as_mut()).is_ready());
        let said = panic_of(|| poll(task.as_mut()));
        assert_eq!(said, "`Rooted` polled after completion");
    }
}

#[test]
fn a_cancel_that_comes_after_the_end_ends_it_again() {
    for local in [None, Some(&Arc::default())] {
        let (life, told) = told(Does::Ends, Dies::Quietly);
        let mut task = pin!(make(local, told));
        assert!(poll(task.as_mut()).is_ready());
        task.as_mut().request_cancel(stop());
        let Poll::Ready(Err(cause)) = poll(task.as_mut()) else {
            panic!("it is cancelled")
        };
        assert_eq!((cause.text(), life.polls(), life.drops()), ("stop", 1, 1));
    }
}

#[test]
fn a_destructor_that_panics_after_the_value_unwinds_and_the_body_is_gone() {
    reports();
    for does in [Does::Ends, Does::AsksAndEnds, Does::SetsAndEnds] {
        for local in [None, Some(&Arc::default())] {
            let (life, told) = told(does, Dies::Panicking);
            let mut task = Box::pin(make(local, told));
            assert_eq!(panic_of(|| poll(task.as_mut())), "its destructor");
            assert_eq!(life.drops(), 1);
            assert!(panic_of(|| poll(task.as_mut())).contains("polled after"));
            drop(task);
            assert_eq!((life.polls(), life.drops()), (1, 1));
            assert_eq!(reports(), [""; 0]);
        }
    }
}

#[test]
fn a_destructor_that_panics_as_its_task_is_dropped_is_reported() {
    reports();
    for does in [Does::Waits, Does::AsksAndWaits, Does::SetsAndWaits] {
        for (polls, local) in [(0, None), (1, None), (1, Some(&Arc::default()))] {
            let (life, told) = told(does, Dies::Panicking);
            let mut task = Box::pin(make(local, told));
            (0..polls).for_each(|_| assert!(poll(task.as_mut()).is_pending()));
            drop(task);
            assert_eq!(life.drops(), 1);
            let said = "a panic that nobody received: its destructor";
            assert_eq!(reports(), [said]);
        }
    }
}

#[test]
fn a_destructor_that_panics_when_the_task_is_cancelled_is_how_it_ends() {
    reports();
    for does in [Does::Waits, Does::AsksAndWaits, Does::SetsAndWaits] {
        for (polls, local) in [(0, None), (1, None), (1, Some(&Arc::default()))] {
            let (life, told) = told(does, Dies::Panicking);
            let mut task = Box::pin(make(local, told));
            (0..polls).for_each(|_| assert!(poll(task.as_mut()).is_pending()));
            task.as_mut().request_cancel(stop());
            assert_eq!(life.drops(), 0);
            assert_eq!(panic_of(|| poll(task.as_mut())), "its destructor");
            assert_eq!((life.polls(), life.drops()), (polls, 1));
            drop(task);
            assert_eq!(life.drops(), 1);
            assert_eq!(reports(), [""; 0]);
        }
    }
}

#[test]
fn a_body_that_panicked_stays_until_its_task_is_dropped() {
    reports();
    for local in [None, Some(&Arc::default())] {
        let (life, told) = told(Does::Panics, Dies::Panicking);
        let mut task = Box::pin(make(local, told));
        assert_eq!(panic_of(|| poll(task.as_mut())), "its poll");
        assert_eq!(life.drops(), 0);
        drop(task);
        assert_eq!((life.polls(), life.drops()), (1, 1));
        let said = "a panic that nobody received: its destructor";
        assert_eq!(reports(), [said]);
    }
    // One that has a scope goes at once: the first panic counts.
    let (life, told) = told(Does::AsksAndPanics, Dies::Panicking);
    let mut task = Box::pin(Rooted::new(told));
    assert_eq!(panic_of(|| poll(task.as_mut())), "its poll");
    assert_eq!(life.drops(), 1);
    drop(task);
    assert_eq!((life.polls(), life.drops(), reports().len()), (1, 1, 1));
}

#[test]
fn a_task_that_ended_may_be_moved_if_its_body_might() {
    // The body has a box, which is freed by then.
    let mut task = Rooted::new(Box::pin(ready(3)));
    assert!(poll(Pin::new(&mut task)).is_ready());
    let mut moved = Box::new(task);
    assert!(panic_of(|| poll(Pin::new(&mut *moved))).contains("polled after"));
    drop(moved);

    let log = Log::default();
    let drops = log.on_drop("dropped");
    let mut task = vec![Rooted::new(Box::pin(async move {
        let _drops = drops;
        pending::<()>().await;
    }))];
    assert!(poll(Pin::new(&mut task[0])).is_pending());
    task.reserve(100);
    Pin::new(&mut task[0]).request_cancel(stop());
    task.reserve(1_000);
    assert!(poll(Pin::new(&mut task[0])).is_ready());
    task.shrink_to_fit();
    drop(task);
    assert_eq!(log.said(), ["dropped"]);
}

#[test]
fn what_a_task_keeps_besides_its_body_goes_with_it() {
    for does in [Does::AsksAndWaits, Does::SetsAndWaits, Does::Ends] {
        for local in [None, Some(&Arc::default())] {
            let (counter, waker) = Counter::new();
            let (_, told) = told(does, Dies::Quietly);
            let mut task = Box::pin(make(local, told));
            let ended = task.as_mut().poll(&mut Context::from_waker(&waker));
            assert_eq!(ended.is_ready(), does == Does::Ends);
            let has_waker = Arc::strong_count(&counter) > 2;
            assert!(has_waker || does != Does::AsksAndWaits);
            if ended.is_ready() {
                task.as_mut().request_cancel(stop());
            }
            drop(task);
            assert_eq!(Arc::strong_count(&counter), 2);
        }
    }
}

#[test]
fn a_body_that_borrows_is_dropped_while_what_it_borrows_is_there() {
    let log = RefCell::new(Vec::new());
    struct Says<'a>(&'a RefCell<Vec<u8>>, u8);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    let (bare, scoped) = (Says(&log, 1), Says(&log, 2));
    {
        let mut task = pin!(Rooted::new(async {
            let _scoped = scoped;
            drop(Scope::current());
            pending::<()>().await;
        }));
        assert!(poll(task.as_mut()).is_pending());
        drop(Rooted::new(async move { drop(bare) }));
    }
    assert_eq!(*log.borrow(), [1, 2]);
}

#[test]
fn a_task_goes_to_another_thread_between_its_polls() {
    let (life, told) = told(Does::AsksAndWaits, Dies::Quietly);
    let mut task = Box::pin(Rooted::new(told));
    for _ in 0..3 {
        let poll_there = std::thread::spawn(move || {
            assert!(poll(task.as_mut()).is_pending());
            task
        });
        task = poll_there.join().unwrap();
    }
    std::thread::spawn(move || drop(task)).join().unwrap();
    assert_eq!((life.polls(), life.drops()), (3, 1));
}
