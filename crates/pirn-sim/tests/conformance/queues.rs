//! Queues, also that of no capacity.

use super::*;
use futures::{SinkExt, StreamExt};
use pirn_sync::{
    GetPermit, LifoQueue, Order, OrderedQueue, PriorityQueue, PutPermit, Queue, QueueItem,
    Rendezvous,
};
use std::cell::Cell;
use std::sync::Arc;

/// What a queue is made of here: numbers, perhaps with a priority.
trait Item: Clone + 'static {
    fn of(number: usize) -> Self;
    fn number(&self) -> usize;
}

impl Item for usize {
    fn of(number: usize) -> usize {
        number
    }
    fn number(&self) -> usize {
        *self
    }
}

/// Of three priorities.
impl Item for (u8, usize) {
    fn of(number: usize) -> Self {
        ((number % 3) as u8, number)
    }
    fn number(&self) -> usize {
        self.1
    }
}

/// How an item is had.
#[derive(Clone, Copy)]
enum By {
    Get,
    GetItem,
    GetMany(usize),
    Stream,
}

struct ByGet<T, O: Order<T>>(OrderedQueue<T, O>, By);

impl<T: Item, O: Order<T> + 'static> Subject for ByGet<T, O> {
    type Held<'a> = Vec<T>;

    async fn wait(&self, _: usize) -> Vec<T> {
        let mut items = Vec::new();
        match self.1 {
            By::Get => items.extend(self.0.get().await),
            By::GetItem => items.extend(self.0.get_item().await.map(QueueItem::into_inner)),
            By::GetMany(limit) => {
                let count = self.0.get_many(&mut items, limit).await;
                assert_eq!(items.len(), count.unwrap_or(0));
            }
            By::Stream => items.extend(pin!(self.0.stream()).next().await),
        }
        items
    }

    fn serve(&self, number: usize) {
        self.0.try_put(T::of(number)).ok().unwrap();
    }

    fn left(&self) -> Option<usize> {
        let left = self.0.len();
        assert_eq!(self.0.statistics().getters, 0);
        // All of them can be had.
        let all = std::iter::from_fn(|| self.0.try_get().ok());
        assert_eq!(all.count(), left);
        Some(left)
    }

    fn close(&self) {
        self.0.close();
    }

    fn is_end(&self, items: &Vec<T>) -> bool {
        items.is_empty()
    }

    fn numbers(&self, items: &Vec<T>) -> Vec<usize> {
        items.iter().map(T::number).collect()
    }
}

fn examine_gets<T: Item, O: Order<T> + 'static>(name: &str, make: fn() -> OrderedQueue<T, O>) {
    examine(name, Rules::items(), || ByGet(make(), By::Get));
    for by in [By::GetItem, By::GetMany(2), By::Stream] {
        examine_briefly(name, Rules::items(), || ByGet(make(), by));
    }
}

#[test]
fn an_item_of_a_queue_goes_to_the_next_whoever_is_cancelled() {
    examine_gets::<usize, _>("Queue, bounded: get", || Queue::bounded(32));
    examine_gets::<usize, _>("Queue, unbounded: get", Queue::unbounded);
}

#[test]
fn an_item_of_a_stack_goes_to_the_next_whoever_is_cancelled() {
    examine_gets::<usize, _>("LifoQueue, bounded: get", || LifoQueue::bounded(32));
    examine_gets::<usize, _>("LifoQueue, unbounded: get", LifoQueue::unbounded);
}

#[test]
fn an_item_by_priority_goes_to_the_next_whoever_is_cancelled() {
    examine_gets::<(u8, usize), _>("PriorityQueue, bounded: get", || PriorityQueue::bounded(32));
    examine_gets::<(u8, usize), _>("PriorityQueue, unbounded: get", PriorityQueue::unbounded);
}

#[test]
fn getters_hear_of_the_end_whoever_is_cancelled() {
    for by in [By::Get, By::GetItem, By::GetMany(2), By::Stream] {
        let rules = Rules::items().closes();
        examine("Queue::close, getters", rules, || {
            ByGet(Queue::<usize>::bounded(32), by)
        });
    }
}

struct ByReserveGet {
    queue: Queue<usize>,
    takes: bool,
}

impl Subject for ByReserveGet {
    type Held<'a> = GetPermit<'a, usize>;

    async fn wait(&self, _: usize) -> GetPermit<'_, usize> {
        self.queue.reserve_get().await.unwrap()
    }

    fn serve(&self, number: usize) {
        self.queue.try_put(number).unwrap();
    }

    fn left(&self) -> Option<usize> {
        Some(self.queue.len())
    }

    fn let_go<'a>(&'a self, permit: GetPermit<'a, usize>) {
        if self.takes {
            permit.get().unwrap();
        }
    }
}

#[test]
fn an_item_that_was_reserved_goes_to_the_next_whoever_is_cancelled() {
    let make = |takes| {
        move || ByReserveGet {
            queue: Queue::bounded(32),
            takes,
        }
    };
    let rules = Rules::items().holds();
    examine("Queue::reserve_get, taken", rules, make(true));
    examine(
        "Queue::reserve_get, dropped",
        Rules::permits(2),
        make(false),
    );
}

/// How an item is put.
#[derive(Clone, Copy)]
enum To {
    Put,
    Sink,
}

/// A full queue of two.
struct ByPut<T, O: Order<T>>(OrderedQueue<T, O>, To);

impl<T: Item, O: Order<T> + 'static> Subject for ByPut<T, O> {
    /// Whether it was put.
    type Held<'a> = bool;

    async fn wait(&self, who: usize) -> bool {
        match self.1 {
            To::Put => self.0.put(T::of(who)).await.is_ok(),
            To::Sink => pin!(self.0.sink()).feed(T::of(who)).await.is_ok(),
        }
    }

    fn close(&self) {
        self.0.close();
    }

    fn is_end(&self, put: &bool) -> bool {
        !put
    }

    fn serve(&self, _: usize) {
        // If all places were given to putters who have not come yet, a further one is made.
        assert!(self.0.try_get().is_ok());
    }

    fn left(&self) -> Option<usize> {
        Some(self.0.capacity() - self.0.len())
    }
}

fn full<T: Item, O: Order<T>>(queue: OrderedQueue<T, O>) -> OrderedQueue<T, O> {
    for number in 0..queue.capacity() {
        queue.try_put(T::of(number)).ok().unwrap();
    }
    queue
}

fn examine_puts<T: Item, O: Order<T> + 'static>(name: &str, make: fn() -> OrderedQueue<T, O>) {
    examine(name, Rules::items(), || ByPut(full(make()), To::Put));
    examine_briefly(name, Rules::items(), || ByPut(full(make()), To::Sink));
}

#[test]
fn a_place_in_a_queue_goes_to_the_next_whoever_is_cancelled() {
    examine_puts::<usize, _>("Queue::put", || Queue::bounded(32));
    examine_puts::<usize, _>("LifoQueue::put", || LifoQueue::bounded(32));
    examine_puts::<(u8, usize), _>("PriorityQueue::put", || PriorityQueue::bounded(32));
}

#[test]
fn putters_hear_of_the_end_whoever_is_cancelled() {
    for to in [To::Put, To::Sink] {
        let rules = Rules::items().closes();
        examine("Queue::close, putters", rules, || {
            ByPut(full(Queue::<usize>::bounded(32)), to)
        });
    }
}

struct ByReservePut {
    queue: Queue<usize>,
    puts: bool,
}

impl Subject for ByReservePut {
    type Held<'a> = PutPermit<'a, usize>;

    async fn wait(&self, _: usize) -> PutPermit<'_, usize> {
        self.queue.reserve_put().await.unwrap()
    }

    fn serve(&self, _: usize) {
        self.queue.try_get().unwrap();
    }

    fn left(&self) -> Option<usize> {
        let free = self.queue.capacity() - self.queue.len();
        let filled = std::iter::from_fn(|| self.queue.try_put(0).ok()).count();
        assert_eq!(filled, free);
        Some(free)
    }

    fn let_go<'a>(&'a self, permit: PutPermit<'a, usize>) {
        if self.puts {
            permit.put(0).unwrap();
        }
    }
}

#[test]
fn a_place_that_was_reserved_goes_to_the_next_whoever_is_cancelled() {
    let make = |puts| {
        move || ByReservePut {
            queue: full(Queue::bounded(32)),
            puts,
        }
    };
    let rules = Rules::items().holds();
    examine("Queue::reserve_put, filled", rules, make(true));
    examine(
        "Queue::reserve_put, dropped",
        Rules::permits(2),
        make(false),
    );
}

/// Waits until all is done. There is work again after each time.
struct ByJoin(Queue<usize>);

impl Subject for ByJoin {
    type Held<'a> = ();

    async fn wait(&self, _: usize) {
        self.0.join().await;
    }

    fn serve(&self, _: usize) {
        self.0.task_done();
        assert_eq!(self.0.unfinished(), 0);
        self.0.try_put(0).unwrap();
    }
}

#[test]
fn those_who_wait_until_all_is_done_go_on_whoever_is_cancelled() {
    examine("Queue::join", Rules::all_each(), || {
        let queue = Queue::unbounded();
        queue.try_put(0).unwrap();
        ByJoin(queue)
    });
}

/// Getters, and putters who wait for them.
struct Meets {
    meeting: Arc<Rendezvous<usize>>,
    putters: RefCell<Vec<Boxed<()>>>,
    by: By,
    /// Whether before each putter that stays another comes, and leaves after it.
    others_leave: bool,
}

impl Meets {
    fn new(by: By, others_leave: bool) -> Self {
        Meets {
            meeting: Arc::new(Rendezvous::new()),
            putters: RefCell::default(),
            by,
            others_leave,
        }
    }

    fn offer(&self, number: usize) -> Boxed<()> {
        let meeting = Arc::clone(&self.meeting);
        let mut put: Boxed<()> = Box::pin(async move {
            let _ = meeting.put(number).await;
        });
        assert!(poll_now(put.as_mut()).is_pending());
        put
    }
}

impl Subject for Meets {
    type Held<'a> = Vec<usize>;

    async fn wait(&self, _: usize) -> Vec<usize> {
        let mut items = Vec::new();
        match self.by {
            By::GetMany(limit) => {
                let count = self.meeting.get_many(&mut items, limit).await;
                assert_eq!(items.len(), count.unwrap_or(0));
            }
            By::Stream => items.extend(pin!(self.meeting.stream()).next().await),
            By::Get | By::GetItem => items.extend(self.meeting.get().await),
        }
        items
    }

    fn serve(&self, number: usize) {
        let other = self.others_leave.then(|| self.offer(usize::MAX));
        let offer = self.offer(number);
        self.putters.borrow_mut().push(offer);
        drop(other);
    }

    fn left(&self) -> Option<usize> {
        let left = self.meeting.statistics().putters;
        let mut putters = self.putters.borrow_mut();
        putters.retain_mut(|put| poll_now(put.as_mut()).is_pending());
        assert_eq!(putters.len(), left);
        assert_eq!(self.meeting.statistics().getters, 0);
        // At its end all putters have their items back.
        (!self.meeting.is_closed()).then_some(left)
    }

    fn close(&self) {
        self.meeting.close();
    }

    fn is_end(&self, items: &Vec<usize>) -> bool {
        items.is_empty()
    }

    fn numbers(&self, items: &Vec<usize>) -> Vec<usize> {
        items.clone()
    }
}

#[test]
fn what_is_offered_at_a_rendezvous_goes_to_the_next_whoever_is_cancelled() {
    for by in [By::Get, By::GetMany(2), By::Stream] {
        examine("Rendezvous::get", Rules::items(), || Meets::new(by, false));
    }
}

#[test]
fn an_offer_that_is_withdrawn_is_made_up_for_by_the_next_whoever_is_cancelled() {
    for by in [By::Get, By::Stream] {
        let name = "Rendezvous::get, others leave";
        examine(name, Rules::items(), || Meets::new(by, true));
    }
}

#[test]
fn getters_at_a_rendezvous_hear_of_its_end_whoever_is_cancelled() {
    for (by, others_leave) in [(By::Get, false), (By::GetMany(2), false), (By::Get, true)] {
        let rules = Rules::items().closes();
        examine("Rendezvous::close, getters", rules, || {
            Meets::new(by, others_leave)
        });
    }
}

/// Putters, whose items are taken.
struct Offers {
    meeting: Rendezvous<usize>,
    to: To,
    taken: Cell<usize>,
}

impl Subject for Offers {
    /// Whether its item was taken.
    type Held<'a> = bool;

    async fn wait(&self, who: usize) -> bool {
        match self.to {
            To::Put => self.meeting.put(who).await.is_ok(),
            To::Sink => pin!(self.meeting.sink()).send(who).await.is_ok(),
        }
    }

    fn close(&self) {
        self.meeting.close();
    }

    fn is_end(&self, taken: &bool) -> bool {
        !taken
    }

    fn serve(&self, _: usize) {
        if let Ok(who) = self.meeting.try_get() {
            // They come in their order, and each once.
            assert!(who >= self.taken.get());
            self.taken.set(who + 1);
        }
    }

    fn left(&self) -> Option<usize> {
        assert_eq!(self.meeting.statistics().putters, 0);
        None
    }
}

#[test]
fn an_offer_at_a_rendezvous_is_taken_or_withdrawn_whoever_is_cancelled() {
    for to in [To::Put, To::Sink] {
        for rules in [Rules::one_each(), Rules::one_each().closes()] {
            examine("Rendezvous::put", rules, || Offers {
                meeting: Rendezvous::new(),
                to,
                taken: Cell::new(0),
            });
        }
    }
}
