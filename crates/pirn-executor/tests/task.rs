//! The task cell: every combination of how a future ends and what happens to its handle.

mod common;

use common::{Counter, hook, yield_now};
use pirn_core::{Cause, JoinError, Kind, Priority, SpawnLocal, TaskMeta, finally_in_place};
use pirn_executor::{LocalExecutor, PoolExecutor, Task, ThreadPark};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    Ready,
    Panic,
    YieldThenReady,
    YieldThenPanic,
    Forever,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    BeforeThePoll,
    AfterOnePoll,
    AtTheEnd,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Drop,
    Detach,
    Cancel,
    Join,
    JoinOnceThenDrop,
    JoinOnceThenDetach,
    DropTheExecutor,
}

#[derive(Default)]
struct Seen {
    future_drops: Cell<u32>,
    outputs_made: Cell<u32>,
    output_drops: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

/// A future that does what `body` says, keeps its waker and counts its drop.
struct Subject {
    body: Body,
    polls: u32,
    panics: bool,
    output_panics: bool,
    seen: Rc<Seen>,
}

struct Output {
    panics: bool,
    seen: Rc<Seen>,
}

impl Future for Subject {
    type Output = Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        self.polls += 1;
        *self.seen.waker.borrow_mut() = Some(cx.waker().clone());
        match (self.body, self.polls) {
            (Body::YieldThenReady | Body::YieldThenPanic, 1) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (Body::Forever, _) => Poll::Pending,
            (Body::Panic | Body::YieldThenPanic, _) => panic!("the body"),
            (Body::Ready | Body::YieldThenReady, _) => {
                self.seen.outputs_made.set(self.seen.outputs_made.get() + 1);
                Poll::Ready(Output {
                    panics: self.output_panics,
                    seen: self.seen.clone(),
                })
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.seen.future_drops.set(self.seen.future_drops.get() + 1);
        assert!(!self.panics, "the future's destructor");
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.seen.output_drops.set(self.seen.output_drops.get() + 1);
        if self.panics && !std::thread::panicking() {
            panic!("the output's destructor");
        }
    }
}

/// Polls the handle once, with a waker that panics if `hostile`.
fn join_once<T>(task: &mut Task<T>, hostile: bool) -> Poll<Result<T, JoinError>> {
    struct Hostile;
    impl std::task::Wake for Hostile {
        fn wake(self: Arc<Self>) {
            panic!("the join waker");
        }
    }
    let waker = match hostile {
        true => Waker::from(Arc::new(Hostile)),
        false => Waker::from(Counter::new()),
    };
    Pin::new(task).poll(&mut Context::from_waker(&waker))
}

fn drive(executor: &LocalExecutor) {
    while executor.try_tick() {}
}

/// Drops something whose destructor may panic.
fn drop_quietly<T>(value: T) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(value)));
}

fn check(
    body: Body,
    when: When,
    what: What,
    future_panics: bool,
    output_panics: bool,
    hostile: bool,
) {
    let case = format!("{body:?} {when:?} {what:?} {future_panics} {output_panics} {hostile}");
    let seen = Rc::new(Seen::default());
    let mut executor = Some(LocalExecutor::new());
    let subject = Subject {
        body,
        polls: 0,
        panics: future_panics,
        output_panics,
        seen: seen.clone(),
    };
    let mut task = executor.as_ref().unwrap().spawn(subject);
    match when {
        When::BeforeThePoll => {}
        When::AfterOnePoll => assert!(executor.as_ref().unwrap().try_tick()),
        When::AtTheEnd => drive(executor.as_ref().unwrap()),
    }
    let ended_before = task.is_finished();
    let mut joined = None;
    match what {
        What::Drop => drop(task),
        What::Detach => task.detach(),
        What::Cancel => {
            let mut task = task.cancel(Cause::requested("the test"));
            drive(executor.as_ref().unwrap());
            joined = Some(join_once(&mut task, hostile));
        }
        What::Join => {
            joined = Some(join_once(&mut task, hostile));
            drive(executor.as_ref().unwrap());
            if matches!(joined, Some(Poll::Pending)) {
                joined = Some(join_once(&mut task, hostile));
            }
        }
        What::JoinOnceThenDrop => {
            joined = Some(join_once(&mut task, hostile));
            drop(task);
        }
        What::JoinOnceThenDetach => {
            joined = Some(join_once(&mut task, hostile));
            task.detach();
        }
        What::DropTheExecutor => {
            joined = Some(join_once(&mut task, hostile));
            executor = None;
            if matches!(joined, Some(Poll::Pending)) {
                joined = Some(join_once(&mut task, hostile));
            }
        }
    }
    if let Some(executor) = &executor {
        drive(executor);
    }
    if let Some(waker) = seen.waker.take() {
        waker.wake_by_ref();
        drop_quietly(executor.take());
        waker.wake();
    }
    drop_quietly(executor);

    assert_eq!(
        seen.future_drops.get(),
        1,
        "{case}: the future is dropped once"
    );
    let returns = matches!(body, Body::Ready | Body::YieldThenReady);
    match joined {
        Some(Poll::Ready(Ok(output))) => {
            assert!(returns, "{case}");
            assert_eq!(
                seen.output_drops.get(),
                0,
                "{case}: the joiner has the output"
            );
            drop_quietly(output);
        }
        Some(Poll::Ready(Err(JoinError::Cancelled(cause)))) => match what {
            What::Cancel => assert_eq!(cause.text(), "the test", "{case}"),
            What::DropTheExecutor => assert_eq!(cause.kind(), Kind::Shutdown, "{case}"),
            _ => panic!("{case}: nobody cancelled"),
        },
        Some(Poll::Ready(Err(JoinError::Panicked(panic)))) => {
            let text = panic.message();
            let expected = match body {
                Body::Panic | Body::YieldThenPanic => text == "the body",
                _ => false,
            };
            assert!(
                expected || future_panics && text == "the future's destructor",
                "{case}: {text}"
            );
        }
        Some(Poll::Ready(Err(JoinError::Refused(reason)))) => panic!("{case}: {reason}"),
        Some(Poll::Pending) => assert!(
            body == Body::Forever
                || matches!(what, What::JoinOnceThenDrop | What::JoinOnceThenDetach),
            "{case}"
        ),
        None => assert!(matches!(what, What::Drop | What::Detach), "{case}"),
    }
    assert_eq!(
        seen.output_drops.get(),
        seen.outputs_made.get(),
        "{case}: the output is dropped once"
    );
    if ended_before && what == What::Cancel {
        assert_eq!(
            seen.outputs_made.get(),
            u32::from(returns),
            "{case}: too late to cancel"
        );
    }
}

#[test]
fn every_combination_drops_each_future_and_output_once_and_tells_the_truth() {
    let _reports = hook();
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut cases = 0;
    for body in [
        Body::Ready,
        Body::Panic,
        Body::YieldThenReady,
        Body::YieldThenPanic,
        Body::Forever,
    ] {
        for when in [When::BeforeThePoll, When::AfterOnePoll, When::AtTheEnd] {
            for what in [
                What::Drop,
                What::Detach,
                What::Cancel,
                What::Join,
                What::JoinOnceThenDrop,
                What::JoinOnceThenDetach,
                What::DropTheExecutor,
            ] {
                for flags in 0..8 {
                    // A panic while a panic unwinds through the same frame is Rust's to abort.
                    let future_panics = flags & 1 != 0;
                    if future_panics && matches!(body, Body::Panic | Body::YieldThenPanic) {
                        continue;
                    }
                    check(
                        body,
                        when,
                        what,
                        future_panics,
                        flags & 2 != 0,
                        flags & 4 != 0,
                    );
                    cases += 1;
                }
            }
        }
    }
    std::panic::set_hook(former);
    assert!(cases > 600);
}

fn block_on<F: Future>(executor: &LocalExecutor, future: F) -> F::Output {
    executor.run(&mut ThreadPark::new(), future).unwrap()
}

#[test]
fn cancel_awaits_the_clean_up() {
    let executor = LocalExecutor::new();
    let steps = Rc::new(RefCell::new(Vec::new()));
    let log = steps.clone();
    let task = executor.spawn(finally_in_place(pending::<()>(), || async move {
        log.borrow_mut().push("begin");
        yield_now().await;
        log.borrow_mut().push("end");
    }));
    drive(&executor);
    let log = steps.clone();
    let ended = block_on(&executor, async {
        let ended = task.cancel(Cause::requested("enough")).await;
        log.borrow_mut().push("joined");
        ended
    });
    assert!(ended.unwrap_err().is_cancelled());
    assert_eq!(*steps.borrow(), ["begin", "end", "joined"]);
}

#[test]
fn dropping_the_handle_lets_the_clean_up_run() {
    let executor = LocalExecutor::new();
    let cleaned = Rc::new(Cell::new(false));
    let flag = cleaned.clone();
    let task = executor.spawn(finally_in_place(pending::<()>(), || async move {
        yield_now().await;
        flag.set(true);
    }));
    drive(&executor);
    drop(task);
    drive(&executor);
    assert!(cleaned.get());
    assert_eq!(executor.statistics().live, 0);
}

#[test]
fn of_several_causes_the_first_counts() {
    let executor = LocalExecutor::new();
    let task = executor.spawn(pending::<()>());
    drive(&executor);
    let task = task
        .cancel(Cause::requested("first"))
        .cancel(Cause::requested("second"));
    let Err(JoinError::Cancelled(cause)) = block_on(&executor, task) else {
        panic!("not cancelled");
    };
    assert_eq!(cause.text(), "first");
}

#[test]
fn a_dropped_handle_is_the_cause_that_the_task_sees() {
    let executor = LocalExecutor::new();
    let kind = Rc::new(Cell::new(None));
    let seen = kind.clone();
    let task = executor.spawn(async move {
        let scope = pirn_core::Scope::current().unwrap();
        let look = scope.clone();
        finally_in_place(pending::<()>(), || async move {
            seen.set(look.cause().map(|cause| cause.kind()));
        })
        .await;
    });
    drive(&executor);
    drop(task);
    drive(&executor);
    assert_eq!(kind.get(), Some(Kind::Dropped));
}

#[test]
fn a_joiner_that_moves_is_woken_where_it_is() {
    let executor = LocalExecutor::new();
    let mut task = executor.spawn(async { 1 });
    let (first, second) = (Counter::new(), Counter::new());
    for counter in [&first, &second, &second] {
        let waker = Waker::from(counter.clone());
        assert!(
            Pin::new(&mut task)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    drive(&executor);
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(Arc::strong_count(&second), 1, "the join waker is gone");
    drop(task);
}

#[test]
fn an_unread_panic_is_reported_when_the_handle_goes() {
    let reports = hook();
    let executor = LocalExecutor::new();
    let task = executor.spawn(async { panic!("nobody read this") });
    drive(&executor);
    assert!(
        reports.matching("nobody read this").is_empty(),
        "the handle may still read it"
    );
    drop(task);
    assert_eq!(reports.matching("nobody read this").len(), 1);
}

#[test]
fn a_panic_that_was_read_is_not_reported() {
    let reports = hook();
    let executor = LocalExecutor::new();
    let task = executor.spawn(async { panic!("somebody read this") });
    assert!(block_on(&executor, task).unwrap_err().is_panic());
    assert!(reports.matching("somebody read this").is_empty());
}

#[test]
fn a_task_joins_itself_never_and_is_let_go_with_its_executor() {
    let executor = LocalExecutor::new();
    let slot = Rc::new(RefCell::new(None::<Task<()>>));
    let own = slot.clone();
    let task = executor.spawn(async move {
        let own = own.take().unwrap();
        own.await.unwrap();
    });
    *slot.borrow_mut() = Some(task);
    drive(&executor);
    assert_eq!(executor.statistics().live, 1);
    drop(executor);
}

#[test]
fn handles_and_wakers_cross_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Task<u8>>();
    let executor = LocalExecutor::new();
    let (sender, receiver) = common::oneshot::<()>();
    let mut task = executor.spawn(receiver);
    drive(&executor);
    let thread = std::thread::spawn(move || {
        assert!(join_once(&mut task, false).is_pending());
        sender.send(());
        drop(task);
    });
    thread.join().unwrap();
    drive(&executor);
    assert_eq!(executor.statistics().live, 0);
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_a_handle_after_the_end_is_an_error() {
    let executor = LocalExecutor::new();
    let mut task = executor.spawn(async {});
    drive(&executor);
    assert!(join_once(&mut task, false).is_ready());
    let _ = join_once(&mut task, false);
}

/// What `f` gives, called on another thread.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(f).join().unwrap())
}

#[test]
fn a_cause_that_is_given_elsewhere_before_the_handle_goes_is_the_one_that_counts() {
    let lets_go: [fn(Task<()>); 2] = [drop, Task::detach];
    for let_go in lets_go {
        let executor = LocalExecutor::new();
        let text = Rc::new(RefCell::new(String::new()));
        let seen = text.clone();
        let task = executor.spawn(async move {
            let scope = pirn_core::Scope::current().unwrap();
            let look = scope.clone();
            finally_in_place(pending::<()>(), || async move {
                *seen.borrow_mut() = look.cause().unwrap().text().into();
            })
            .await;
        });
        drive(&executor);
        elsewhere(|| let_go(task.cancel(Cause::requested("the test"))));
        drive(&executor);
        assert_eq!(*text.borrow(), "the test");
        assert_eq!(executor.statistics().live, 0);
    }
}

#[test]
fn a_joiner_that_comes_home_is_not_forgotten_for_the_one_it_was_elsewhere() {
    let executor = LocalExecutor::new();
    let (sender, receiver) = common::oneshot();
    let mut task = executor.spawn(receiver);
    drive(&executor);
    let mut task = elsewhere(move || {
        assert!(join_once(&mut task, false).is_pending());
        task
    });
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    drive(&executor);
    sender.send(5);
    drive(&executor);
    assert_eq!(counter.count(), 1);
    assert!(matches!(
        Pin::new(&mut task).poll(&mut cx),
        Poll::Ready(Ok(5))
    ));
}

#[test]
fn a_handle_that_was_polled_elsewhere_and_goes_at_home_leaves_no_waker() {
    let executor = LocalExecutor::new();
    let (sender, receiver) = common::oneshot::<()>();
    let mut task = executor.spawn(receiver);
    drive(&executor);
    let counter = Counter::new();
    let waker = Waker::from(counter.clone());
    let task = elsewhere(move || {
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
        task
    });
    task.detach();
    drive(&executor);
    assert_eq!(Arc::strong_count(&counter), 1);
    sender.send(());
    drive(&executor);
    assert_eq!(counter.count(), 0);
}

/// The memory of a task: in its slot or in a box, and so for its output.
fn check_place<const F: usize, const O: usize>() {
    let executor = LocalExecutor::new();
    for ends in [true, false] {
        let count = Rc::new(());
        let (held, given) = ([7_u8; F], [8_u8; O]);
        let (guard, result) = (count.clone(), count.clone());
        let task = executor.spawn(async move {
            let held = std::hint::black_box(held);
            yield_now().await;
            assert_eq!(held, [7; F]);
            drop(guard);
            (given, result)
        });
        if ends {
            let (given, _result) = block_on(&executor, task).unwrap();
            assert_eq!(given, [8; O]);
        } else {
            executor.try_tick();
            drop(task);
            drive(&executor);
        }
        assert_eq!(Rc::strong_count(&count), 1);
    }
    // Ended, and let go elsewhere.
    let task = executor.spawn(async move { [9_u8; O] });
    drive(&executor);
    elsewhere(move || drop(task));
    let task = executor.spawn(async move { [9_u8; O] });
    drive(&executor);
    drop(executor);
    assert_eq!(block_on(&LocalExecutor::new(), task).unwrap(), [9; O]);
}

#[test]
fn futures_and_outputs_of_any_size_are_whole() {
    check_place::<0, 0>();
    check_place::<0, 3000>();
    check_place::<1, 1023>();
    check_place::<900, 1>();
    check_place::<1024, 64>();
    check_place::<3000, 0>();
    check_place::<3000, 3000>();
    check_place::<20_000, 10_000>();
}

#[test]
fn futures_and_outputs_lie_where_their_alignment_asks() {
    #[repr(align(64))]
    struct Aligned<const N: usize>([u8; N]);
    fn check<const N: usize>() {
        let (executor, held) = (LocalExecutor::new(), Aligned([3; N]));
        let task = executor.spawn(async move {
            let aligned = || (&raw const held).addr() % 64 == 0;
            assert!(aligned());
            yield_now().await;
            assert!(aligned());
            held
        });
        let held = block_on(&executor, task).unwrap();
        assert_eq!((&raw const held).addr() % 64, 0);
        assert_eq!(held.0, [3; N]);
    }
    check::<0>();
    check::<64>();
    check::<2048>();
}

#[test]
fn the_future_and_the_output_may_be_nothing() {
    struct Nothing;
    impl Future for Nothing {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = (0..1000).map(|_| executor.spawn(Nothing)).collect();
    drive(&executor);
    assert!(tasks.iter().all(Task::is_finished));
    block_on(&executor, async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_refused_handle_says_who_it_was_and_why() {
    let refused = || -> Task<u8> { pirn_executor::spawn(async { 1 }) };
    let line = line!() - 1;
    let task = refused();
    assert_ne!(task.id(), refused().id());
    assert_eq!(task.name(), None);
    assert_eq!(task.spawned_at().line(), line);
    assert_eq!(task.meta().spawned_at().line(), line);
    assert!(task.is_finished());
    let debug = format!("{task:?}");
    assert!(debug.contains(&format!("{:?}", task.id())), "{debug}");
    assert!(debug.contains("finished: true"), "{debug}");

    let executor = LocalExecutor::new();
    let mut task = task.cancel(Cause::requested("in vain"));
    match block_on(&executor, &mut task) {
        Err(JoinError::Refused(reason)) => assert!(reason.contains("no executor"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(task.is_finished());
    drop(task);
    refused().detach();
    elsewhere(|| drop(refused()));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn a_refused_handle_is_awaited_once() {
    let mut task: Task<u8> = pirn_executor::spawn(async { 1 });
    assert!(join_once(&mut task, false).is_ready());
    let _ = join_once(&mut task, false);
}

#[test]
fn an_output_that_owns_the_executor_takes_it_along() {
    let other = Rc::new(Cell::new(0));
    struct Counts(Rc<Cell<u32>>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let made = || {
        let executor = Rc::new(LocalExecutor::new());
        let (inner, guard) = (executor.clone(), Counts(other.clone()));
        let task = executor.spawn(async move { inner });
        let waits = executor.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        drive(&executor);
        (task, waits)
    };
    // The handle drops the output, and with it the executor whose slot that lies in.
    let (task, waits) = made();
    drop(task);
    assert_eq!(other.get(), 1);
    assert!(waits.is_finished());
    drop(waits);
    let (task, waits) = made();
    drop(waits);
    task.detach();
    assert_eq!(other.get(), 2);
    // Somebody else's task is given the output.
    let (task, waits) = made();
    let executor = block_on(&LocalExecutor::new(), task).unwrap();
    assert_eq!(other.get(), 2);
    drop(executor);
    assert_eq!(other.get(), 3);
    assert!(waits.is_finished());
}

#[test]
fn a_task_is_queued_by_whatever_way_it_is_spawned() {
    let executor = LocalExecutor::new();
    let handle = executor.handle();
    let elsewhere = std::thread::spawn(move || handle.spawn(async {}));
    let tasks = [
        executor.spawn(async {}),
        executor.spawn_at(Priority::Low, async {}),
        elsewhere.join().unwrap(),
    ];
    // Those too that never have a handle.
    let ran = Rc::new(Cell::new(0));
    for _ in 0..2 {
        let ran = ran.clone();
        let counts = async move { ran.set(ran.get() + 1) };
        SpawnLocal::spawn_local(&executor.handle(), TaskMeta::here(), counts).unwrap();
    }
    while executor.try_tick() {}
    assert!(tasks.iter().all(Task::is_finished));
    assert_eq!(ran.get(), 2);

    let (executor, mut workers) = PoolExecutor::new(1);
    let task = executor.handle().spawn(async {});
    while workers[0].try_tick() {}
    assert!(task.is_finished());
}

#[test]
fn a_wake_of_all_wakes_whoever_rests() {
    let executor = LocalExecutor::new();
    let polls = Rc::new(Cell::new(0));
    let counts = polls.clone();
    let task = executor.spawn(std::future::poll_fn(move |_| {
        counts.set(counts.get() + 1);
        match counts.get() {
            1 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }));
    while executor.try_tick() {}
    assert_eq!(polls.get(), 1);
    executor.wake_all();
    while executor.try_tick() {}
    assert!(task.is_finished());
}
