//! Every waiting operation of pirn-sync, through the conformance kit.

use pirn_sim::conformance::{Exam, Property, Rules, Subject};
use std::cell::RefCell;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

mod both_sides;
mod channels;
mod locks;
mod permits;
mod queues;
mod signals;
mod values;

/// What is given back by a step of a script: a guard, or nothing any more.
type Outside<G> = RefCell<Option<G>>;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// Polls once, for nobody.
fn poll_now<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Of what is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match poll_now(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("this should not have had to wait"),
    }
}

/// A receiver that one waiter at a time borrows, and gives back however it ends.
struct Lent<'a, T>(&'a RefCell<Option<T>>, Option<T>);

impl<'a, T> Lent<'a, T> {
    fn of(place: &'a RefCell<Option<T>>) -> Self {
        let lent = place.borrow_mut().take();
        assert!(lent.is_some(), "it is lent to one at a time");
        Lent(place, lent)
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.1.as_ref().unwrap()
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.1.as_mut().unwrap()
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        *self.0.borrow_mut() = self.1.take();
    }
}

fn examine<S: Subject>(name: &str, rules: Rules, make: impl Fn() -> S) {
    Exam::new(name, rules).run(make).assert();
}

/// For what differs little from what was examined in full.
fn examine_briefly<S: Subject>(name: &str, rules: Rules, make: impl Fn() -> S) {
    let exam = Exam::new(name, rules).shallower(1).seeds(300);
    exam.run(make).assert();
}
