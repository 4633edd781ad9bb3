//! Queues on both of whose sides somebody waits, and may leave.

use super::*;
use pirn_sync::{Queue, Rendezvous};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

/// Those of the other side: they give something by waiting.
#[derive(Default)]
struct Others(RefCell<Vec<Other>>);

struct Other {
    number: usize,
    /// Whether it did what it wanted to.
    future: Boxed<bool>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, there is one thread.
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Other {
    /// True if it waits still.
    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_pending()
    }
}

impl Others {
    fn come(&self, number: usize, future: Boxed<bool>) {
        let mut other = Other {
            number,
            future,
            woken: Arc::default(),
        };
        if other.poll() {
            self.0.borrow_mut().push(other);
        }
    }

    /// Those who were woken go on, and nobody else.
    fn go_on(&self) {
        let mut others = self.0.borrow_mut();
        loop {
            // Ordering: Relaxed, as above.
            let is_woken = |other: &Other| other.woken.0.swap(false, Ordering::Relaxed);
            let Some(at) = others.iter().position(is_woken) else {
                return;
            };
            if !others[at].poll() {
                others.remove(at);
            }
        }
    }

    /// The first or the last leaves.
    fn leave(&self) -> Option<usize> {
        let mut others = self.0.borrow_mut();
        let last = others.len().checked_sub(1)?;
        let at = if others.len() % 2 == 0 { 0 } else { last };
        let other = others.remove(at);
        drop(others);
        Some(other.number)
    }

    fn count(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Getters, and putters who wait for a place.
struct Gets {
    queue: Arc<Queue<usize>>,
    putters: Others,
}

impl Subject for Gets {
    type Held<'a> = usize;

    async fn wait(&self, _: usize) -> usize {
        self.queue.get().await.unwrap()
    }

    fn serve(&self, number: usize) {
        let queue = Arc::clone(&self.queue);
        let put = async move { queue.put(number).await.is_ok() };
        self.putters.come(number, Box::pin(put));
    }

    fn withdraw(&self) -> Option<usize> {
        self.putters.leave()
    }

    fn go_on(&self) {
        self.putters.go_on();
    }

    fn left(&self) -> Option<usize> {
        Some(self.queue.len() + self.putters.count())
    }

    fn numbers(&self, item: &usize) -> Vec<usize> {
        vec![*item]
    }
}

#[test]
fn getters_go_on_whoever_of_those_who_get_and_put_is_cancelled() {
    for capacity in [1, 2] {
        let rules = Rules::items().withdraws();
        examine("Queue::get and put", rules, || Gets {
            queue: Arc::new(Queue::bounded(capacity)),
            putters: Others::default(),
        });
    }
}

/// Putters at a full queue, and getters, of whom some wait.
struct Puts {
    queue: Arc<Queue<usize>>,
    getters: Others,
}

impl Subject for Puts {
    type Held<'a> = ();

    async fn wait(&self, who: usize) {
        self.queue.put(who).await.unwrap();
    }

    fn serve(&self, number: usize) {
        let queue = Arc::clone(&self.queue);
        let get = async move { queue.get().await.is_ok() };
        self.getters.come(number, Box::pin(get));
    }

    fn withdraw(&self) -> Option<usize> {
        self.getters.leave()
    }

    fn go_on(&self) {
        self.getters.go_on();
    }

    fn left(&self) -> Option<usize> {
        let free = self.queue.capacity() - self.queue.len();
        Some(free + self.getters.count())
    }
}

#[test]
fn putters_go_on_whoever_of_those_who_get_and_put_is_cancelled() {
    for capacity in [1, 2] {
        let rules = Rules::items().withdraws();
        examine("Queue::put and get", rules, || {
            let queue = Arc::new(Queue::bounded(capacity));
            (0..capacity).for_each(|item| queue.try_put(item).unwrap());
            Puts {
                queue,
                getters: Others::default(),
            }
        });
    }
}

/// Getters and putters at a rendezvous.
struct Meets {
    meeting: Arc<Rendezvous<usize>>,
    putters: Others,
}

impl Subject for Meets {
    type Held<'a> = usize;

    async fn wait(&self, _: usize) -> usize {
        self.meeting.get().await.unwrap()
    }

    fn serve(&self, number: usize) {
        let meeting = Arc::clone(&self.meeting);
        let put = async move { meeting.put(number).await.is_ok() };
        self.putters.come(number, Box::pin(put));
    }

    fn withdraw(&self) -> Option<usize> {
        // A put whose item was taken cannot be taken back, whether or not it has heard of that.
        self.putters.go_on();
        self.putters.leave()
    }

    fn go_on(&self) {
        self.putters.go_on();
    }

    fn left(&self) -> Option<usize> {
        assert_eq!(self.meeting.statistics().putters, self.putters.count());
        Some(self.putters.count())
    }

    fn numbers(&self, item: &usize) -> Vec<usize> {
        vec![*item]
    }
}

#[test]
fn getters_at_a_rendezvous_go_on_whoever_of_both_sides_is_cancelled() {
    examine(
        "Rendezvous::get and put",
        Rules::items().withdraws(),
        || Meets {
            meeting: Arc::new(Rendezvous::new()),
            putters: Others::default(),
        },
    );
}
