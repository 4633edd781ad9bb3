//! The conformance kit finds the bugs that others had, in primitives that were made to have them.

use pirn_sim::conformance::{Exam, Findings, Property, Rules, Subject};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One who waits in a planted primitive: its waker, and what it was granted.
#[derive(Default)]
struct Node<T> {
    waker: Cell<Option<Waker>>,
    granted: Cell<Option<T>>,
}

type Nodes<T> = RefCell<VecDeque<Rc<Node<T>>>>;

/// Gives to the first who waits, and wakes it. Gives back what nobody waits for.
fn hand<T>(nodes: &Nodes<T>, what: T) -> Option<T> {
    let first = nodes.borrow_mut().pop_front();
    let Some(node) = first else { return Some(what) };
    node.granted.set(Some(what));
    if let Some(waker) = node.waker.take() {
        waker.wake();
    }
    None
}

/// Waits for its grant; tells `unused` what was granted and not taken.
struct Wait<'a, T> {
    nodes: &'a Nodes<T>,
    free: &'a dyn Fn() -> Option<T>,
    unused: &'a dyn Fn(T),
    node: Option<Rc<Node<T>>>,
}

impl<T> Future for Wait<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if let Some(node) = &this.node {
            if let Some(what) = node.granted.take() {
                this.node = None;
                return Poll::Ready(what);
            }
            node.waker.set(Some(cx.waker().clone()));
            let is_first = |first: &Rc<Node<T>>| Rc::ptr_eq(first, node);
            if this.nodes.borrow().front().is_some_and(is_first) {
                if let Some(what) = (this.free)() {
                    this.nodes.borrow_mut().pop_front();
                    this.node = None;
                    return Poll::Ready(what);
                }
            }
            return Poll::Pending;
        }
        if this.nodes.borrow().is_empty() {
            if let Some(what) = (this.free)() {
                return Poll::Ready(what);
            }
        }
        let node = Rc::new(Node {
            waker: Cell::new(Some(cx.waker().clone())),
            granted: Cell::new(None),
        });
        this.nodes.borrow_mut().push_back(Rc::clone(&node));
        this.node = Some(node);
        Poll::Pending
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        let Some(node) = self.node.take() else { return };
        self.nodes
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, &node));
        if let Some(what) = node.granted.take() {
            (self.unused)(what);
        }
    }
}

/// A semaphore of one permit, or a lock. Who releases wakes the first, who then takes the permit.
struct Permits {
    nodes: Nodes<()>,
    free: Cell<usize>,
    loses_the_wake: bool,
}

impl Permits {
    fn release(&self) {
        if hand(&self.nodes, ()).is_some() {
            self.free.set(self.free.get() + 1);
        }
    }

    fn unused(&self) {
        if self.loses_the_wake {
            // Planted: the permit is free again, and nobody is told.
            self.free.set(self.free.get() + 1);
        } else {
            self.release();
        }
    }

    fn take(&self) -> Option<()> {
        self.free.set(self.free.get().checked_sub(1)?);
        Some(())
    }
}

struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Subject for Permits {
    type Held<'a> = Permit<'a>;

    async fn wait(&self, _: usize) -> Permit<'_> {
        Wait {
            nodes: &self.nodes,
            free: &|| self.take(),
            unused: &|()| self.unused(),
            node: None,
        }
        .await;
        Permit(self)
    }

    fn serve(&self, _: usize) {
        self.release();
    }

    fn left(&self) -> Option<usize> {
        Some(self.free.get())
    }
}

fn permits(loses_the_wake: bool) -> Findings {
    let make = || Permits {
        nodes: Nodes::default(),
        free: Cell::new(0),
        loses_the_wake,
    };
    Exam::new("planted permits", Rules::permits(1)).run(make)
}

/// A queue that hands each item to the first who waits.
struct Items {
    nodes: Nodes<usize>,
    items: RefCell<VecDeque<usize>>,
    keeps_items: bool,
}

impl Items {
    fn unused(&self, item: usize) {
        if self.keeps_items {
            if let Some(item) = hand(&self.nodes, item) {
                self.items.borrow_mut().push_front(item);
            }
        }
        // Planted, otherwise: the item goes with the future.
    }
}

impl Subject for Items {
    type Held<'a> = usize;

    async fn wait(&self, _: usize) -> usize {
        Wait {
            nodes: &self.nodes,
            free: &|| self.items.borrow_mut().pop_front(),
            unused: &|item| self.unused(item),
            node: None,
        }
        .await
    }

    fn serve(&self, number: usize) {
        if let Some(item) = hand(&self.nodes, number) {
            self.items.borrow_mut().push_back(item);
        }
    }

    fn left(&self) -> Option<usize> {
        Some(self.items.borrow().len())
    }

    fn numbers(&self, item: &usize) -> Vec<usize> {
        vec![*item]
    }
}

fn items(keeps_items: bool) -> Findings {
    let make = || Items {
        nodes: Nodes::default(),
        items: RefCell::default(),
        keeps_items,
    };
    Exam::new("planted items", Rules::items()).run(make)
}

fn broken(findings: &Findings) -> Vec<Property> {
    let fails = |property: &Property| !findings.holds(*property);
    Property::ALL.into_iter().filter(fails).collect()
}

#[test]
fn a_semaphore_that_loses_a_wake_when_its_head_is_cancelled_is_found() {
    let findings = permits(true);
    let failure = findings.failure(Property::OthersGoOn).unwrap();
    // The first was woken and left; the second is there for whatever comes.
    assert_eq!(failure.script, "arrive arrive serve drop0");
    assert_eq!(failure.what, "1 could go on, and was not woken");
}

#[test]
fn a_queue_that_loses_an_item_between_grant_and_poll_is_found() {
    let findings = items(false);
    let failure = findings.failure(Property::NothingLost).unwrap();
    // The item is not there for the next one who comes.
    assert_eq!(failure.script, "arrive serve drop0");
    assert!(findings.holds(Property::OthersGoOn) && findings.holds(Property::NothingTwice));
    assert_eq!(broken(&items(true)), [Property::GrantIsTheTasks]);
}

#[test]
fn a_lock_that_blocks_on_an_unpolled_grant_is_found() {
    let findings = permits(false);
    assert_eq!(broken(&findings), [Property::GrantIsTheTasks]);
    let failure = findings.failure(Property::GrantIsTheTasks).unwrap();
    assert_eq!(failure.script, "task: AB!");
    assert!(
        failure
            .to_string()
            .contains("polls 1 alone, and waits for ever")
    );
}

#[test]
fn what_was_found_is_found_again_by_its_script() {
    let make = || Permits {
        nodes: Nodes::default(),
        free: Cell::new(0),
        loses_the_wake: true,
    };
    let exam = Exam::new("planted permits", Rules::permits(1));
    let found = permits(true);
    for failure in found.failures() {
        let again = exam.replay(&failure.script, make);
        let again = again.failure(failure.property).unwrap();
        assert_eq!((&again.what, &again.steps), (&failure.what, &failure.steps));
    }
}

#[test]
fn a_waker_that_was_replaced_and_is_still_the_one_that_is_woken_is_found() {
    struct Stale(Cell<bool>, RefCell<Option<Waker>>);
    impl Subject for Stale {
        type Held<'a> = ();
        async fn wait(&self, _: usize) {
            std::future::poll_fn(|cx| {
                // Planted: the first waker stays.
                self.1.borrow_mut().get_or_insert(cx.waker().clone());
                match self.0.get() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        }
        fn serve(&self, _: usize) {
            self.0.set(true);
            if let Some(waker) = self.1.borrow_mut().take() {
                waker.wake();
            }
        }
    }
    let exam = Exam::new("stale", Rules::gate().one_at_a_time()).waiters(1);
    let findings = exam.run(|| Stale(Cell::new(false), RefCell::default()));
    assert!(!findings.holds(Property::NewestWaker));
    // Left out, nobody is polled with another, and so all else is still looked for.
    let exam = exam.without(Property::NewestWaker, "it is polled by one task");
    let findings = exam.run(|| Stale(Cell::new(false), RefCell::default()));
    assert_eq!(broken(&findings), [Property::OthersGoOn]);
    assert!(findings.scripts() > 100 && !findings.to_string().contains("ended there"));
}

#[test]
fn what_is_left_out_is_not_looked_for_and_the_report_says_so_and_why() {
    let permits = |loses_the_wake| {
        move || Permits {
            nodes: Nodes::default(),
            free: Cell::new(0),
            loses_the_wake,
        }
    };
    let exam = Exam::new("planted permits", Rules::permits(1));
    let all = exam.run(permits(false));
    assert_eq!(all.left_out().count(), 0);
    let exam = exam.without(Property::GrantIsTheTasks, "a grant is the future's");
    let findings = exam.run(permits(false));
    findings.assert();
    let left_out: Vec<_> = findings.left_out().collect();
    assert_eq!(
        left_out,
        [(Property::GrantIsTheTasks, "a grant is the future's")]
    );
    let (scripts, fewer) = (findings.scripts(), all.scripts() - findings.scripts());
    assert!((1..20).contains(&fewer), "the programs of a task alone");
    let report = format!(
        "planted permits: 0 of {scripts} scripts failed\n\
         left out: a grant is the task's, whichever future it polls (a grant is the future's)"
    );
    assert_eq!(findings.to_string(), report);
    // All else is looked for.
    assert_eq!(broken(&exam.run(permits(true))), [Property::OthersGoOn]);
}

#[test]
fn a_script_that_shows_what_was_left_out_ends_there_and_is_counted_apart() {
    let make = || Permits {
        nodes: Nodes::default(),
        free: Cell::new(0),
        loses_the_wake: true,
    };
    let exam = Exam::new("planted permits", Rules::permits(1))
        .without(Property::GrantIsTheTasks, "a grant is the future's")
        .without(Property::OthersGoOn, "at first")
        .without(Property::OthersGoOn, "it is polled every second");
    let findings = exam.run(make);
    findings.assert();
    let report = findings.to_string();
    let why = "left out: whoever can be served is woken and goes on (it is polled every second); ";
    let shown = report.split(why).nth(1).unwrap();
    let (shown, rest) = shown.split_once(' ').unwrap();
    assert!(shown.parse::<usize>().unwrap() > 100, "{report}");
    assert!(rest.starts_with("scripts showed that it is not so, and ended there\n"));
    // A script alone is no failure then.
    exam.replay("arrive arrive serve drop0", make).assert();
}

#[test]
fn what_the_rules_leave_out_is_in_the_report_too() {
    let make = || Permits {
        nodes: Nodes::default(),
        free: Cell::new(0),
        loses_the_wake: false,
    };
    let exam = |rules| Exam::new("planted permits", rules).waiters(1).seeds(0);
    let by_rules = exam(Rules::permits(1).any_order()).run(make);
    let left_out: Vec<_> = by_rules.left_out().collect();
    assert_eq!(left_out, [(Property::InOrder, "by the rules")]);
    let why = "newcomers may barge in";
    let by_name = exam(Rules::permits(1))
        .without(Property::InOrder, why)
        .run(make);
    let left_out: Vec<_> = by_name.left_out().collect();
    assert_eq!(left_out, [(Property::InOrder, why)]);
    assert_eq!(by_rules.scripts(), by_name.scripts());
}

#[test]
fn what_panics_as_it_is_dropped_while_another_panic_is_under_way_is_a_failure_as_any_other() {
    struct Fragile;
    /// What waits, what is had, and the subject itself.
    struct Noisy;
    impl Drop for Noisy {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("the subject is dropped");
        }
    }
    impl Subject for Fragile {
        type Held<'a> = Noisy;
        async fn wait(&self, who: usize) -> Noisy {
            let noisy = Noisy;
            if who > 0 {
                std::future::pending::<()>().await;
            }
            noisy
        }
        fn serve(&self, _: usize) {
            panic!("it cannot be served");
        }
    }
    let exam = Exam::new("fragile", Rules::permits(1).free(1));
    let findings = exam.replay("arrive arrive serve", || Fragile);
    assert_eq!(broken(&findings), [Property::ChecksHold]);
    let failure = findings.failure(Property::ChecksHold).unwrap();
    assert_eq!(failure.what, "it panics: it cannot be served");
    let findings = exam.replay("", || Fragile);
    assert_eq!(broken(&findings), [Property::ChecksHold]);
}

#[test]
fn what_is_given_twice_is_found() {
    struct Twice(Cell<usize>);
    impl Subject for Twice {
        type Held<'a> = ();
        async fn wait(&self, _: usize) {
            std::future::poll_fn(|cx| {
                if self.0.get() == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
        }
        fn serve(&self, _: usize) {
            self.0.set(self.0.get() + 1);
        }
    }
    let exam = Exam::new("twice", Rules::items())
        .waiters(2)
        .shallower(2)
        .seeds(0);
    let findings = exam.run(|| Twice(Cell::new(0)));
    assert!(!findings.holds(Property::NothingTwice));
}

#[test]
fn an_end_that_reaches_the_first_alone_is_found() {
    #[derive(Default)]
    struct Ends(Cell<bool>, RefCell<Vec<Waker>>);
    impl Subject for Ends {
        /// Whether it ended.
        type Held<'a> = bool;
        async fn wait(&self, _: usize) -> bool {
            std::future::poll_fn(|cx| {
                self.1.borrow_mut().push(cx.waker().clone());
                match self.0.get() {
                    true => Poll::Ready(true),
                    false => Poll::Pending,
                }
            })
            .await
        }
        fn serve(&self, _: usize) {
            self.1.take().into_iter().for_each(Waker::wake);
        }
        fn close(&self) {
            self.0.set(true);
            // Planted: the others are not woken.
            self.1.take().into_iter().take(1).for_each(Waker::wake);
        }
        fn is_end(&self, ended: &bool) -> bool {
            *ended
        }
    }
    let exam = Exam::new("ends", Rules::one_each().closes());
    let findings = exam.replay("arrive arrive close", Ends::default);
    let failure = findings.failure(Property::OthersGoOn).unwrap();
    assert_eq!(failure.what, "1 could go on, and was not woken");
}

#[test]
fn a_panic_is_told_with_its_script() {
    struct Panics;
    impl Subject for Panics {
        type Held<'a> = ();
        async fn wait(&self, who: usize) {
            assert_ne!(who, 1, "no second one");
        }
        fn serve(&self, _: usize) {}
    }
    let exam = Exam::new("panics", Rules::items().free(9))
        .waiters(1)
        .seeds(0);
    let findings = exam.run(|| Panics);
    let failure = findings.failure(Property::ChecksHold).unwrap();
    assert!(failure.what.contains("no second one"));
    assert_eq!(broken(&findings), [Property::ChecksHold]);
}

#[test]
#[should_panic(expected = "is no step of a script")]
fn what_is_no_script_is_not_replayed() {
    let exam = Exam::new("planted items", Rules::items());
    exam.replay("arrive leave0", || Items {
        nodes: Nodes::default(),
        items: RefCell::default(),
        keeps_items: true,
    });
}

#[test]
fn waiters_that_wake_each_other_over_and_over_are_found() {
    #[derive(Default)]
    struct Restless(Cell<usize>, RefCell<Vec<Waker>>);
    impl Subject for Restless {
        type Held<'a> = ();
        async fn wait(&self, _: usize) {
            std::future::poll_fn(|cx| {
                if let Some(left) = self.0.get().checked_sub(1) {
                    self.0.set(left);
                    return Poll::Ready(());
                }
                // Planted: whoever finds nothing tells the others, who find nothing either.
                self.1.take().into_iter().for_each(Waker::wake);
                self.1.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            })
            .await;
        }
        fn serve(&self, _: usize) {
            self.0.set(self.0.get() + 1);
            self.1.take().into_iter().for_each(Waker::wake);
        }
    }
    let exam = Exam::new("restless", Rules::items().any_order());
    let findings = exam.replay("arrive arrive", Restless::default);
    assert_eq!(broken(&findings), [Property::WaitersRest]);
}
