//! The queue that all workers look at.

use pirn_core::shim::{Arc, model, thread};
use pirn_executor::internals::Injector;

#[test]
fn what_two_push_a_third_takes_once() {
    model(|| {
        let injector = Arc::new(Injector::default());
        let (first, second) = (injector.clone(), injector.clone());
        let one = thread::spawn(move || first.push([1]));
        let two = thread::spawn(move || second.push([2, 3]));
        let mut got = Vec::new();
        injector.take(1, 2, &mut got);
        one.join().unwrap();
        two.join().unwrap();
        assert!(injector.is_empty() == (got.len() == 3));
        injector.take(1, 3, &mut got);
        got.sort();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn what_is_pushed_at_the_end_is_given_to_whoever_closes_or_dropped() {
    model(|| {
        let injector = Arc::new(Injector::default());
        let item = Arc::new(());
        let (pusher, pushed) = (injector.clone(), item.clone());
        let thread = thread::spawn(move || pusher.push([pushed]));
        drop(injector.close());
        thread.join().unwrap();
        assert!(injector.is_empty());
        assert_eq!(Arc::strong_count(&item), 1);
    });
}

#[test]
fn two_who_take_their_share_leave_nothing_and_take_nothing_twice() {
    model(|| {
        let injector = Arc::new(Injector::default());
        injector.push([1, 2, 3]);
        let other = injector.clone();
        let thread = thread::spawn(move || {
            let mut got = Vec::new();
            other.take(2, 4, &mut got);
            other.push(got.pop());
            got
        });
        let mut got = Vec::new();
        injector.take(2, 4, &mut got);
        got.extend(thread.join().unwrap());
        injector.take(1, 4, &mut got);
        assert!(injector.is_empty());
        got.sort();
        assert_eq!(got, [1, 2, 3]);
    });
}
