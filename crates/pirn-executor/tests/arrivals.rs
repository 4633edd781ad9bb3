//! What other threads have sent, as it is taken in.

use pirn_executor::{LocalExecutor, ThreadPark};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

thread_local! {
    static EXECUTOR: RefCell<Option<Rc<LocalExecutor>>> = const { RefCell::new(None) };
}

/// Who waits for it, once it was said that it is so.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<(bool, Option<Waker>)>>);

impl Said {
    fn say(&self) {
        let waker = {
            let mut said = self.0.lock().unwrap();
            said.0 = true;
            said.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            let mut said = self.0.lock().unwrap();
            said.1 = Some(cx.waker().clone());
            match said.0 {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// As it is dropped it drives the executor of its thread until something is said.
struct Drives(Said);

impl Drop for Drives {
    fn drop(&mut self) {
        let executor = EXECUTOR.with_borrow(Clone::clone).unwrap();
        let said = executor.run(&mut ThreadPark::new(), self.0.wait());
        said.unwrap();
    }
}

fn drive_in_a_destructor() {
    let executor = Rc::new(LocalExecutor::new());
    EXECUTOR.set(Some(executor.clone()));
    let (news, answer) = (Said::default(), Said::default());
    let (theirs, ours) = (news.clone(), answer.clone());
    executor
        .spawn(async move {
            theirs.wait().await;
            ours.say();
        })
        .detach();
    while executor.try_tick() {}
    let (begin, begun) = channel();
    let (end, is_to_end) = channel();
    let task = executor.spawn(async move {
        begin.send(()).unwrap();
        is_to_end.recv().unwrap();
        Drives(answer)
    });
    let other = thread::spawn(move || {
        begun.recv().unwrap();
        // As it is polled: so home lets go of the output.
        drop(task);
        news.say();
        end.send(()).unwrap();
    });
    assert!(executor.try_tick());
    other.join().unwrap();
    // The first of what was sent drops the output, which waits for what the second wakes.
    while executor.try_tick() {}
    EXECUTOR.take();
}

#[test]
fn a_destructor_that_drives_the_executor_finds_what_was_sent_after_that_which_drops_it() {
    let (over, is_over) = channel();
    thread::spawn(move || {
        drive_in_a_destructor();
        over.send(()).unwrap();
    });
    let over = is_over.recv_timeout(Duration::from_secs(60));
    over.expect("the destructor waits for ever");
}
