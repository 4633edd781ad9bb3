//! The wait list: one way to wait, written once, for every primitive.
//!
//! A [`WaitList`] is one short lock around a primitive's own state and the tasks that wait for it.
//! The nodes of its lists lie in the waiting futures ([`Waiter`]), so waiting allocates nothing.
//! What a primitive gives and to whom is its [`Policy`]; everything else is here: the queues, the
//! hand-over, cancellation, wakers, waking outside the lock, and the rule that a grant belongs to
//! a task.
//!
//! # States of a waiter
//!
//! | state | in which list | who enters it | who leaves it |
//! | --- | --- | --- | --- |
//! | Idle | none | a new waiter; its own poll when it takes; its drop | its own poll |
//! | Waiting | its queue | its own poll (`queue_up`, or after Revoked); another's poll that claims its grant | `grant_head`; its drop; its own poll in a cancelled body |
//! | Called | the ring of the door that granted it | `grant_head`, if the door has a waker already | the door as it closes (`Door::drop`); its own poll or drop |
//! | Granted | the granted list | the door as it closes; `grant_head`, for one that claims | its own poll; another's poll that claims it; its drop |
//! | Given | none | the same, for a grant that nobody else may claim | its own poll or drop |
//! | Revoked | its queue | `revoke` | its own poll, which registers a waker; `grant_head`; its drop |
//!
//! Called, Granted and Given are the same to the primitive: what was granted is set aside for the
//! waiter until its own poll takes it. They differ in where the waker is, in the node or out, and in
//! who can find the node. The first whom a door grants is none of them until the door closes: it is
//! in no list, the door has its waker, and its owner waits for the lock.
//!
//! # Without the lock
//!
//! A waiter takes its grant without the lock ([`Waiter::poll_granted`]) where nobody else can come
//! upon its node any more: if it is Given, or Granted and alone in the granted list, whose head is
//! then one word that either its owner empties or a holder of the lock *pins*. A door makes its
//! grants known as it closes, so that whoever goes on finds the primitive settled.
//!
//! # A grant belongs to the task
//!
//! A future that was granted may never be polled again, while its task awaits another future on
//! the same primitive: then both would hang. So a grant remembers the task it woke, and if that
//! task polls another waiter of the same queue, the grant is *claimed*: the two change places. The
//! grant goes back to the primitive, which serves the one being polled with it, and the former owner
//! takes the other's place in the queue. So a task has no more turns before a stranger than it had
//! futures in the queue before it; were the former owner put back to the head, a task that keeps one
//! unpolled future and asks again and again would keep all others waiting for ever.
//!
//! A grant is claimed only if what the task was granted, with what is free, serves the claimer at
//! once ([`Policy::suffices`]). Else a small request, granted and about to be polled, would lose its
//! grant to a large one that cannot use it. The price: a task that awaits a large request alone, and
//! no longer polls a small one which was granted, hangs until the rest comes before that poll; the
//! rest coming later does not wake it.
//!
//! Of several grants that a claim needs, those that it has not come to may be taken by their owners,
//! where another thread polls them. Then the claimer waits at the head.
//!
//! A claim lets the futures of one task overtake each other. A task whose one future, once served,
//! waits for another of its futures that came before it may rely on the order of arrival only if it
//! polls them in that order.
//!
//! The task is known by the data and vtable pointers of the waker that was woken, as in
//! [`Waker::will_wake`]. That waker is gone, so its task may be freed and another task may get the
//! same address. Then a claim takes a grant from a stranger. That costs the stranger its turn, but
//! loses no wake-up: the stranger's task being gone, its future has moved to a task that has not
//! polled it yet (a poll would have renewed the memory of its task), and which has to poll it before
//! it may rely on a wake-up. That poll finds the future in the queue, or granted again, and registers
//! its own waker. Until then a grant to it costs the new task at the old address one needless
//! wake-up.
//!
//! What this cannot see is a part of a task with wakers of its own (`FuturesUnordered`, say) which
//! its owner stops polling, and a task whose waker has no data, such as [`Waker::noop`]: nothing
//! tells it from others, so it claims nothing.
//!
//! # A grant that is revoked
//!
//! What was set aside for a waiter may go, with a putter who is cancelled before the getter came for
//! its item, or to a newcomer, if that is allowed to barge in. A primitive where that can be
//! [revokes](Door::revoke) the last grant: its owner waits again at the head. It has no waker there,
//! which was used up for the grant, and needs none: its task was woken and has not polled it since. So
//! it is not woken if it is granted something again; nor does its owner wait for the door to close.
//!
//! That wake was the task's. If the task polls another waiter of the same queue first, which came
//! later, the two change places, as they do over a grant; else the one that is not polled might be
//! granted what comes, and nobody would be woken. Those who are Revoked are counted, where the
//! primitive [keeps their count](Policy::revoked), and are looked for only while there are any.
//!
//! # A cancelled body
//!
//! What is polled in a cancelled body, outside its regions, does not go on. Its waiters leave their
//! queues at that poll and hand on what they were granted, as if they had been dropped.
//!
//! # User code
//!
//! Wakers are cloned, woken and dropped with the lock released; a panic of a wake or a drop is
//! caught and reported (without the feature `std`, it ends the program: see [`wake`]). All of one
//! door's grants are made before the first waker is woken, so that nobody who comes later is woken
//! by them.

use crate::budget;
use crate::shim::atomic::{AtomicBool, Ordering};
use crate::shim::{ListGuard, ListLock, UnsafeCell};
use crate::wake::{self, WakeBatch};
use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomPinned;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWakerVTable, Waker};

mod ring;
use ring::{Granted, Head, Links};

/// What a primitive gives, and to whom: its own part of a [`WaitList`]. `N` is the number of its queues.
///
/// Every function but [`expects_wait`](Self::expects_wait) runs with the list's lock held: it calls
/// no code of users and does not panic. For a waiter that finds it has to wait, `admit` is called
/// once if `expects_wait` is true, else perhaps twice.
pub trait Policy<const N: usize>: Sized {
    /// What the lock protects beside the waiters.
    type State;
    /// What one waiter wants; after a grant, what it was granted.
    type Want: Copy;

    /// False if grants that [transfer](Self::transfers) are always taken under the lock, with
    /// [`Waiter::poll_grant`]: then granting them costs less.
    const UNLOCKED: bool = true;

    /// Grants a newcomer something, if nobody is to be served before it. Otherwise it will wait at
    /// the tail of its queue.
    fn admit(door: &mut Door<'_, Self, N>, queue: usize, want: Self::Want) -> Option<Self::Want>;

    /// Takes back what had been set aside for a waiter that will not take it. `settle` follows.
    fn put_back(door: &mut Door<'_, Self, N>, queue: usize, want: Self::Want);

    /// Serves the queue from its head as far as possible, and brings hints such as "somebody waits"
    /// up to date. Called after each change of a queue but an arrival.
    fn settle(door: &mut Door<'_, Self, N>, queue: usize);

    /// True if a newcomer to this queue will probably have to wait: its waker is then cloned at
    /// once, else only after a look at the list. Called without the lock; by default true, for
    /// primitives that try a fast path first.
    fn expects_wait(&self, queue: usize) -> bool {
        let _ = queue;
        true
    }

    /// Somebody who waited in this queue left it, and had no grant. [`settle`](Self::settle) follows.
    fn left(door: &mut Door<'_, Self, N>, queue: usize) {
        let _ = (door, queue);
    }

    /// Adds `by` to the count of those whose grant was revoked and who did not poll since, which begins
    /// at 0, and gives it: to be kept, for the list, by a primitive that [revokes](Door::revoke)
    /// grants.
    fn revoked(door: &mut Door<'_, Self, N>, by: i32) -> u32 {
        let _ = (door, by);
        0
    }

    /// False for a grant that is of no use to another waiter of the same task and queue.
    fn transfers(queue: usize, granted: Self::Want) -> bool {
        let _ = (queue, granted);
        true
    }

    /// True if all that a task was `granted` in one queue, with what is free, serves another waiter
    /// of that task which wants `want`: then that one claims it, one grant after the other, and
    /// [`settle`](Self::settle) has to serve it once it has claimed enough. By default one grant is
    /// as good as another.
    fn suffices(&self, want: Self::Want, granted: impl Iterator<Item = Self::Want>) -> bool {
        let _ = (want, granted);
        true
    }
}

/// A primitive's state and the tasks that wait for it, in `N` first-in first-out queues.
///
/// # Examples
///
/// A counter of tokens, each of which goes to one waiter:
///
/// ```
/// use pirn_core::wait::{Door, Policy, WaitList, Waiter};
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
///
/// struct Tokens;
/// impl Policy<1> for Tokens {
///     type State = u32;
///     type Want = ();
///     fn admit(door: &mut Door<'_, Self, 1>, queue: usize, (): ()) -> Option<()> {
///         let free = *door.state() > 0 && !door.has_waiting(queue);
///         *door.state() -= u32::from(free);
///         free.then_some(())
///     }
///     fn put_back(door: &mut Door<'_, Self, 1>, _: usize, (): ()) {
///         *door.state() += 1;
///     }
///     fn settle(door: &mut Door<'_, Self, 1>, queue: usize) {
///         while *door.state() > 0 && door.has_waiting(queue) {
///             *door.state() -= 1;
///             door.grant_head(queue, ());
///         }
///     }
/// }
///
/// let tokens = WaitList::new(Tokens, 0);
/// let mut waiter = pin!(Waiter::new(&tokens, 0, ()));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(waiter.as_mut().poll_grant(&mut cx, |_, ()| ()).is_pending());
/// tokens.enter(|door| {
///     *door.state() += 1;
///     Tokens::settle(door, 0);
/// });
/// assert_eq!(waiter.as_mut().poll_grant(&mut cx, |_, ()| "taken"), Poll::Ready("taken"));
/// ```
///
/// What the lock protects lies first, behind the lock itself: so a primitive can have what it uses
/// most in one cache line.
#[repr(C)]
pub struct WaitList<P: Policy<N>, const N: usize = 1> {
    inner: ListLock<Inner<P, N>>,
    granted: Granted,
    policy: P,
}

#[repr(C)]
struct Inner<P: Policy<N>, const N: usize> {
    state: P::State,
    lists: Lists<N>,
}

/// A locked [`WaitList`], from which nobody is granted anything: see [`WaitList::hold`]. Unlocked as
/// it is dropped.
#[must_use = "the list is unlocked as soon as this is dropped"]
pub struct Held<'d, P: Policy<N>, const N: usize = 1> {
    list: &'d WaitList<P, N>,
    guard: ListGuard<'d, Inner<P, N>>,
}

/// The way into a locked [`WaitList`]. As it closes it unlocks and then wakes whom it granted.
pub struct Door<'d, P: Policy<N>, const N: usize = 1> {
    list: &'d WaitList<P, N>,
    /// `None` only while the door closes.
    guard: Option<ListGuard<'d, Inner<P, N>>>,
    /// The first who was granted, and its waker; the others wait in the ring. The node is in no list
    /// until the door closes, so that nobody goes on before all is settled.
    first: Option<(Waker, *const Node<P::Want>, bool)>,
    /// The fixed node of a ring of Called waiters, in the frame of [`WaitList::enter`].
    ring: &'d Links,
}

/// One place in a queue of a [`WaitList`], to be held, pinned, by a waiting future.
///
/// Dropping it leaves the queue; what had been granted and not taken goes to the next.
pub struct Waiter<'a, P: Policy<N>, const N: usize = 1> {
    list: &'a WaitList<P, N>,
    node: Node<P::Want>,
    _pin: PhantomPinned,
}

/// A node; `Links` comes first, so that a pointer to a node is one to its links.
#[repr(C)]
struct Node<W> {
    links: Links,
    /// Never changes.
    queue: u8,
    /// True from when it queues up until it takes or leaves. Only the owner touches it.
    linked: Cell<bool>,
    /// True if Given: from then on only the owner touches the node.
    given: AtomicBool,
    /// Touched only with the lock held, or by the owner while nobody else knows the node; so is
    /// `phase`. It stands here so that a small one fits beside the three above.
    want: UnsafeCell<W>,
    /// Idle, with nothing to drop, unless `linked`.
    phase: UnsafeCell<ManuallyDrop<Phase>>,
}

/// What of a node is touched only with the lock held.
struct Body<'n, W> {
    phase: &'n mut Phase,
    want: &'n mut W,
}

enum Phase {
    Idle,
    /// `None` only while the owner's poll is under way.
    Waiting(Option<Waker>),
    /// And whether the grant transfers.
    Called(Waker, bool),
    Granted(TaskId),
    /// Granted to this waiter alone.
    Given,
    /// The task was woken, and has not polled since.
    Revoked(TaskId),
}

/// Which task a waker wakes, without keeping the task alive. Only ever compared.
#[derive(Clone, Copy)]
struct TaskId(*const (), *const RawWakerVTable);

struct Lists<const N: usize> {
    waiting: [Head; N],
}

impl<P: Policy<N>, const N: usize> WaitList<P, N> {
    crate::const_unless_loom! {
        /// A list with nobody waiting. `policy` lies outside the lock.
        pub fn new(policy: P, state: P::State) -> Self {
            const { assert!(N <= u8::MAX as usize) };
            WaitList {
                inner: ListLock::new(Inner {
                    state,
                    lists: Lists { waiting: [const { Head::EMPTY }; N] },
                }),
                granted: Granted::new(),
                policy,
            }
        }
    }

    /// What lies outside the lock.
    #[inline]
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Runs `f` with the lock held, then unlocks and wakes whom `f` granted.
    #[inline]
    pub fn enter<R>(&self, f: impl FnOnce(&mut Door<'_, P, N>) -> R) -> R {
        self.hold().open(f)
    }

    /// Locks it, for who may find that nobody is concerned: that costs less than a door, which is
    /// to be [opened](Held::open) to grant something.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pirn_core::wait::{Door, Policy, WaitList};
    /// # struct Tokens;
    /// # impl Policy<1> for Tokens {
    /// #     type State = u32;
    /// #     type Want = ();
    /// #     fn admit(_: &mut Door<'_, Self, 1>, _: usize, (): ()) -> Option<()> { None }
    /// #     fn put_back(_: &mut Door<'_, Self, 1>, _: usize, (): ()) {}
    /// #     fn settle(_: &mut Door<'_, Self, 1>, _: usize) {}
    /// # }
    /// let tokens = WaitList::new(Tokens, 0);
    /// let mut held = tokens.hold();
    /// *held.state() += 1;
    /// if held.has_waiting(0) {
    ///     held.open(|door| Tokens::settle(door, 0));
    /// } else {
    ///     drop(held);
    /// }
    /// assert_eq!(tokens.enter(|door| *door.state()), 1);
    /// ```
    #[inline]
    pub fn hold(&self) -> Held<'_, P, N> {
        Held {
            list: self,
            guard: self.inner.lock(),
        }
    }
}

impl<'d, P: Policy<N>, const N: usize> Held<'d, P, N> {
    /// What lies outside the lock.
    #[inline]
    pub fn policy(&self) -> &'d P {
        &self.list.policy
    }

    /// What the lock protects.
    #[inline]
    pub fn state(&mut self) -> &mut P::State {
        &mut self.guard.state
    }

    /// True if somebody waits in this queue for a grant.
    #[inline]
    pub fn has_waiting(&mut self, queue: usize) -> bool {
        !self.guard.lists.waiting[queue].is_empty()
    }

    /// Runs `f`, then unlocks and wakes whom `f` granted. The lock is not released before.
    #[inline]
    pub fn open<R>(self, f: impl FnOnce(&mut Door<'_, P, N>) -> R) -> R {
        let ring = Links::new();
        let mut door = Door {
            list: self.list,
            guard: Some(self.guard),
            first: None,
            ring: &ring,
        };
        f(&mut door)
    }
}

impl<'d, P: Policy<N>, const N: usize> Door<'d, P, N> {
    fn inner(&mut self) -> &mut Inner<P, N> {
        self.guard.as_mut().expect("a door in use is open")
    }

    /// What lies outside the lock.
    #[inline]
    pub fn policy(&self) -> &'d P {
        &self.list.policy
    }

    /// What the lock protects.
    #[inline]
    pub fn state(&mut self) -> &mut P::State {
        &mut self.inner().state
    }

    /// True if somebody waits in this queue for a grant.
    #[inline]
    pub fn has_waiting(&mut self, queue: usize) -> bool {
        !self.inner().lists.waiting[queue].is_empty()
    }

    /// How many wait in this queue for a grant: a look at each of them.
    pub fn waiting(&mut self, queue: usize) -> usize {
        self.inner().lists.waiting[queue]
            .backwards::<P::Want>()
            .count()
    }

    /// What the first in this queue wants.
    pub fn head(&mut self, queue: usize) -> Option<P::Want> {
        let lists = &mut self.inner().lists;
        let node = lists.waiting[queue].first::<P::Want>()?;
        Some(lists.body(node, |body| *body.want))
    }

    /// Grants `want` to the first in this queue, who is woken when the door closes. False if nobody
    /// waits.
    pub fn grant_head(&mut self, queue: usize, want: P::Want) -> bool {
        let has_first = self.first.is_some();
        let (ring, list) = (self.ring, self.list);
        let lists = &mut self.inner().lists;
        let Some(node) = lists.waiting[queue].first::<P::Want>() else {
            return false;
        };
        // A policy that panics, against its contract, leaves the node where it was.
        let claimable = P::transfers(queue, want);
        lists.remove::<P>(&list.granted, node);
        let phase = lists.body(node, |body| {
            *body.want = want;
            core::mem::replace(body.phase, Phase::Idle)
        });
        match phase {
            Phase::Waiting(Some(waker)) if has_first => {
                lists.body(node, |body| *body.phase = Phase::Called(waker, claimable));
                // SAFETY: the node was removed above. The ring's own node stays in place until the
                // door has closed, which empties the ring first.
                unsafe { ring.as_ring().push_back(node.as_link()) };
            }
            Phase::Waiting(Some(waker)) => {
                self.first = Some((waker, ptr::from_ref(node), claimable));
            }
            // The one that polls: it claimed, and has the lock.
            Phase::Waiting(None) => {
                // SAFETY: the node was removed above, and is not touched after this.
                unsafe { lists.set_granted::<P>(&list.granted, node, TaskId::NOBODY, claimable) };
            }
            // Was woken already.
            Phase::Revoked(task) => {
                // SAFETY: as above.
                unsafe { lists.set_granted::<P>(&list.granted, node, task, claimable) };
                P::revoked(self, -1);
            }
            _ => unreachable!("a node in a queue is Waiting or Revoked"),
        }
        true
    }

    /// Takes back the last grant that was made in this queue, transfers, and was not taken; those of
    /// this door aside. Who had it waits again, before all others. False if there is none.
    ///
    /// For a policy that [counts](Policy::revoked) them, and that makes at most one in a door which may
    /// have to be revoked: of several, some are known only later, and not in their order. If the next
    /// grant goes to the same waiter, it may take that before this door closes.
    pub fn revoke(&mut self, queue: usize) -> bool {
        let list = self.list;
        let lists = &mut self.inner().lists;
        let mut ring = list.granted.pin();
        let last = lists
            .granted_in::<P::Want>(&ring, queue)
            .map(|(node, task)| {
                // SAFETY: it was found in this ring, where it is alive until `unpin`; from here on it
                // is in no list, and its owner has to take the lock.
                unsafe { ring.remove(node.as_link()) };
                (node, task)
            });
        list.granted.unpin(ring, P::UNLOCKED);
        let Some((node, task)) = last else {
            return false;
        };
        lists.body(node, |body| *body.phase = Phase::Revoked(task));
        // SAFETY: it was removed above; it is pinned, and its owner removes it before it goes.
        unsafe { lists.waiting[queue].push_front(node.as_link()) };
        P::revoked(self, 1);
        true
    }

    /// The state of `node` after one look, with the lock held.
    fn step(
        &mut self,
        node: &Node<P::Want>,
        waker: &Waker,
        spare: &mut Option<Waker>,
    ) -> Step<P::Want> {
        let queue = usize::from(node.queue);
        // `will_wake` may say no to a waker's own clone, so remember what was registered here.
        let mut registered = false;
        // False once the spare is a waker that was replaced.
        let mut fresh = true;
        loop {
            let look = self
                .inner()
                .lists
                .body(node, |body| body.look(waker, registered));
            match look.then(fresh && spare.is_some()) {
                Action::Arrive => {
                    if let Some(granted) = P::admit(self, queue, look.want) {
                        return Step::Take(granted, Spare(None));
                    }
                    if spare.is_none() {
                        return Step::Clone;
                    }
                    self.queue_up(node, spare.take());
                    registered = true;
                }
                Action::Clone => return Step::Clone,
                Action::Replace => {
                    let was_revoked = self.inner().lists.body(node, |body| {
                        let was_revoked = matches!(body.phase, Phase::Revoked(_));
                        if was_revoked {
                            *body.phase = Phase::Waiting(None);
                        }
                        if let Phase::Waiting(registered) = body.phase {
                            core::mem::swap(registered, spare);
                        }
                        was_revoked
                    });
                    if was_revoked {
                        P::revoked(self, -1);
                    }
                    registered = true;
                    fresh = false;
                }
                Action::Claim => {
                    if !self.claim(node, waker) {
                        self.overtake_revoked(node, waker);
                        return Step::Wait;
                    }
                    registered = false;
                }
                Action::Take => {
                    if spend_quietly() {
                        let (_, waker) = self.let_go(node);
                        return Step::Take(look.want, Spare(waker));
                    }
                    self.inner().lists.body(node, |body| {
                        if let Phase::Granted(task) = body.phase {
                            *task = TaskId::of(waker);
                        }
                    });
                    return Step::Exhausted;
                }
            }
        }
    }

    fn queue_up(&mut self, node: &Node<P::Want>, waker: Option<Waker>) {
        let lists = &mut self.inner().lists;
        lists.body(node, |body| *body.phase = Phase::Waiting(waker));
        node.linked.set(true);
        // SAFETY: an Idle node is in no list; it is pinned, and its owner removes it before it goes.
        unsafe { lists.waiting[usize::from(node.queue)].push_back(node.as_link()) };
    }

    /// Takes a node out of its list, whichever it is in. True if it had a grant.
    fn let_go(&mut self, node: &Node<P::Want>) -> (bool, Option<Waker>) {
        let list = self.list;
        let lists = &mut self.inner().lists;
        lists.remove::<P>(&list.granted, node);
        node.linked.set(false);
        // Ordering: Relaxed, only its owner is concerned with a node that is in no list.
        node.given.store(false, Ordering::Relaxed);
        match lists.body(node, |body| core::mem::replace(body.phase, Phase::Idle)) {
            Phase::Idle => (false, None),
            Phase::Waiting(waker) => (false, waker),
            Phase::Called(waker, _) => (true, Some(waker)),
            Phase::Granted(_) | Phase::Given => (true, None),
            Phase::Revoked(_) => {
                P::revoked(self, -1);
                (false, None)
            }
        }
    }

    /// Lets the Waiting `node`, polled by `waker`'s task, have the last grant that another waiter of
    /// that task has not taken, if the task's grants suffice for it. False if not. `node` is then
    /// Granted, or if one grant was not enough the first of its queue, without a waker.
    fn claim(&mut self, node: &Node<P::Want>, waker: &Waker) -> bool {
        let queue = usize::from(node.queue);
        let task = TaskId::of(waker);
        let list = self.list;
        let lists = &mut self.inner().lists;
        let want = lists.body(node, |body| *body.want);
        let mut ring = list.granted.pin();
        if ring.is_empty() {
            return false;
        }
        let grants = |lists: &mut Lists<N>| lists.grants::<P::Want>(&ring, queue, task);
        let last = grants(lists).next().filter(|_| {
            let sum = grants(lists).map(|(_, granted)| granted);
            list.policy.suffices(want, sum)
        });
        if let Some((holder, _)) = last {
            // SAFETY: it was found in this ring, where it is alive until `unpin`; from here on it is
            // in no list, and its owner has to take the lock.
            unsafe { ring.remove(holder.as_link()) };
        }
        list.granted.unpin(ring, P::UNLOCKED);
        let Some((holder, granted)) = last else {
            return false;
        };
        // The node's waker is this task's, and the task is being polled: the holder may have it.
        let waker = lists.body(node, |body| {
            core::mem::replace(body.phase, Phase::Waiting(None))
        });
        lists.body(holder, |body| *body.phase = waker);
        // SAFETY: the node is in this queue, the holder was removed above; both are pinned, and
        // their owners remove them.
        unsafe {
            lists.waiting[queue].replace(node.as_link(), holder.as_link());
            lists.waiting[queue].push_front(node.as_link());
        }
        P::put_back(self, queue, granted);
        P::settle(self, queue);
        true
    }

    /// Lets the Waiting `node`, polled by `waker`'s task, change places with the first before it
    /// that is Revoked and of that task.
    #[inline]
    fn overtake_revoked(&mut self, node: &Node<P::Want>, waker: &Waker) {
        if P::revoked(self, 0) > 0 {
            self.look_for_revoked(node, TaskId::of(waker));
        }
    }

    #[cold]
    fn look_for_revoked(&mut self, node: &Node<P::Want>, task: TaskId) {
        let lists = &mut self.inner().lists;
        let ring = &mut lists.waiting[usize::from(node.queue)];
        let before = ring
            .backwards::<P::Want>()
            .skip_while(|other| !ptr::eq(*other, node));
        let other = before.filter(|other| {
            other.phase.with(|phase| {
                // SAFETY: the lock is held, and nobody has a reference to the phase.
                let phase: &Phase = unsafe { &*phase };
                matches!(phase, Phase::Revoked(of) if of.is(task))
            })
        });
        let Some(other) = other.last() else {
            return;
        };
        let place = Links::new();
        // SAFETY: the two are in this ring, and pinned; `place` is in it only in between.
        unsafe {
            ring.replace(node.as_link(), &raw const place);
            ring.replace(other.as_link(), node.as_link());
            ring.replace(&raw const place, other.as_link());
        }
    }
}

impl<P: Policy<N>, const N: usize> Drop for Door<'_, P, N> {
    #[inline]
    fn drop(&mut self) {
        match self.first.take() {
            None => self.guard = None,
            Some((waker, node, claimable)) => self.wake_granted(waker, node, claimable),
        }
    }
}

impl<P: Policy<N>, const N: usize> Door<'_, P, N> {
    /// Makes the first grant known, and wakes all.
    #[inline(never)]
    fn wake_granted(&mut self, first: Waker, node: *const Node<P::Want>, claimable: bool) {
        let granted = &self.list.granted;
        let lists = &mut self.inner().lists;
        // SAFETY: `grant_head` removed the node, whose owner cannot go without the lock, which this
        // door has; it is not touched after this.
        unsafe { lists.set_granted::<P>(granted, node, TaskId::of(&first), claimable) };
        if self.ring.is_unused() {
            self.guard = None;
            wake::wake(first);
        } else {
            self.wake_ring(first);
        }
    }

    /// Wakes the first and then the Called, batch by batch. When it returns the ring is empty.
    #[cold]
    fn wake_ring(&mut self, first: Waker) {
        let mut batch = WakeBatch::new();
        batch.push(first);
        loop {
            let ring = self.ring;
            let granted = &self.list.granted;
            let lists = &mut self.inner().lists;
            let mut empty = false;
            while !empty && !batch.is_full() {
                match ring.after::<P::Want>() {
                    Some(node) => {
                        // SAFETY: the node is in this ring, and is not touched after this.
                        let waker = unsafe { lists.set_called_granted::<P>(granted, node) };
                        batch.push(waker);
                    }
                    None => empty = true,
                }
            }
            self.guard = None;
            batch.wake_all();
            if empty {
                return;
            }
            self.guard = Some(self.list.inner.lock());
        }
    }
}

/// What a look at a node found.
#[derive(Clone, Copy)]
struct Look<W> {
    seen: Seen,
    want: W,
}

#[derive(Clone, Copy)]
enum Seen {
    Idle,
    /// Waiting; true if the registered waker is the one that polls.
    Waiting(bool),
    Granted,
}

enum Action {
    Arrive,
    Clone,
    Replace,
    Claim,
    Take,
}

impl<W> Look<W> {
    /// What to do with what was seen.
    fn then(&self, have_spare: bool) -> Action {
        match (&self.seen, have_spare) {
            (Seen::Idle, _) => Action::Arrive,
            (Seen::Waiting(true), _) => Action::Claim,
            (Seen::Waiting(false), true) => Action::Replace,
            (Seen::Waiting(false), false) => Action::Clone,
            (Seen::Granted, _) => Action::Take,
        }
    }
}

impl<W: Copy> Body<'_, W> {
    fn look(&self, waker: &Waker, is_new: bool) -> Look<W> {
        Look {
            seen: match &*self.phase {
                Phase::Idle => Seen::Idle,
                Phase::Waiting(registered) => {
                    Seen::Waiting(is_new || registered.as_ref().is_some_and(|w| w.will_wake(waker)))
                }
                Phase::Revoked(_) => Seen::Waiting(false),
                Phase::Called(..) | Phase::Granted(_) | Phase::Given => Seen::Granted,
            },
            want: *self.want,
        }
    }
}

/// How a look at a node ended.
enum Step<W> {
    /// Give what was granted, and let go of the waker that was not needed.
    Take(W, Spare),
    Wait,
    /// Clone the waker and look again.
    Clone,
    Exhausted,
}

impl<'a, P: Policy<N>, const N: usize> Waiter<'a, P, N> {
    /// A waiter that is not in its queue yet.
    ///
    /// # Panics
    ///
    /// If there is no such queue.
    #[inline]
    pub fn new(list: &'a WaitList<P, N>, queue: usize, want: P::Want) -> Self {
        assert!(queue < N, "queue {queue} of a wait list with {N}");
        Waiter {
            list,
            node: Node {
                links: Links::new(),
                queue: queue as u8,
                linked: Cell::new(false),
                given: AtomicBool::new(false),
                want: UnsafeCell::new(want),
                phase: UnsafeCell::new(ManuallyDrop::new(Phase::Idle)),
            },
            _pin: PhantomPinned,
        }
    }

    /// The list it waits in.
    #[inline]
    pub fn list(&self) -> &'a WaitList<P, N> {
        self.list
    }

    /// What it wants, while it is not in its queue: before it waits, and after it took.
    #[inline]
    pub fn newcomer(self: Pin<&mut Self>) -> Option<P::Want> {
        let node = &self.node;
        // SAFETY: a node that is in no list is known to its owner alone, which lends it here.
        (!node.linked.get()).then(|| node.want.with(|want| unsafe { *want }))
    }

    /// Waits for the grant. `give` runs with the lock held, on what was granted.
    ///
    /// A newcomer that is [admitted](Policy::admit) is granted at once, and spends none of the
    /// task's [budget]; a waiter spends one unit as it takes its grant, and keeps the grant while
    /// it has none. After it was ready it is a newcomer again. In a body that was cancelled, where
    /// nothing goes on, it is one too: it leaves the queue, and hands on what it was granted.
    pub fn poll_grant<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        give: impl FnOnce(&mut Door<'_, P, N>, P::Want) -> R,
    ) -> Poll<R> {
        let this = self.into_ref().get_ref();
        if budget::is_frozen() {
            if !budget::note_policy(type_name::<P>, ptr::from_ref(this.list).cast()) {
                this.leave_if_linked();
            }
            return Poll::Pending;
        }
        let eager =
            !this.node.linked.get() && this.list.policy.expects_wait(usize::from(this.node.queue));
        let mut give = Some(give);
        // What is left in these, a clone that was not needed or a waker that was replaced or is not
        // needed any more, is dropped with the lock released.
        let mut spare = Spare(eager.then(|| cx.waker().clone()));
        let mut unused = Spare(None);
        loop {
            let done =
                this.list.enter(
                    |door| match door.step(&this.node, cx.waker(), &mut spare.0) {
                        Step::Take(want, waker) => match give.take() {
                            Some(give) => {
                                unused = waker;
                                Done::Given(give(door, want))
                            }
                            None => unreachable!("a poll gives once"),
                        },
                        Step::Wait => Done::Wait,
                        Step::Clone => Done::Clone,
                        Step::Exhausted => Done::Exhausted,
                    },
                );
            match done {
                Done::Given(given) => return Poll::Ready(given),
                Done::Wait => return Poll::Pending,
                Done::Clone => spare.renew(cx.waker()),
                Done::Exhausted => return exhausted(cx),
            }
        }
    }
}

impl<P: Policy<N>, const N: usize> Waiter<'_, P, N> {
    /// Waits for the grant, as [`poll_grant`](Self::poll_grant), where nothing is to be done with
    /// the lock held: a grant is then taken without the lock, as a rule.
    #[inline]
    pub fn poll_granted(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<P::Want> {
        match self.as_ref().get_ref().take_unlocked() {
            Some(want) => Poll::Ready(want),
            None => self.poll_grant(cx, |_, want| want),
        }
    }

    /// Takes a grant that the node's list lets it take without the lock. If there is no budget for
    /// it, that is left to the look under the lock.
    #[inline]
    fn take_unlocked(&self) -> Option<P::Want> {
        let (node, granted) = (&self.node, &self.list.granted);
        if !node.linked.get() {
            return None;
        }
        let link = node.as_link();
        // Ordering: Acquire, pairs with the Release in `set_granted`; makes the grant visible.
        let given = node.given.load(Ordering::Acquire);
        let may = (given || granted.is_sole(link)) && spend_quietly();
        if !may || !(given || granted.take_sole(link)) {
            return None;
        }
        node.linked.set(false);
        // Ordering: Relaxed, only its owner is concerned with a node that is in no list.
        node.given.store(false, Ordering::Relaxed);
        // SAFETY: nobody else knows the node: a Given one was in no list, and the other one was just
        // taken out of the list. It is this task's own, which polls it.
        node.phase
            .with_mut(|phase| unsafe { *phase = ManuallyDrop::new(Phase::Idle) });
        // SAFETY: as above.
        Some(node.want.with(|want| unsafe { *want }))
    }
}

impl<P: Policy<N>, const N: usize> Drop for Waiter<'_, P, N> {
    #[inline]
    fn drop(&mut self) {
        self.leave_if_linked();
    }
}

impl<P: Policy<N>, const N: usize> Waiter<'_, P, N> {
    #[inline]
    fn leave_if_linked(&self) {
        if self.node.linked.get() {
            self.leave();
        }
    }

    #[cold]
    fn leave(&self) {
        let node = &self.node;
        let queue = usize::from(node.queue);
        let waker = self.list.enter(|door| {
            let want = door.inner().lists.body(node, |body| *body.want);
            let (granted, waker) = door.let_go(node);
            if granted {
                P::put_back(door, queue, want);
            } else {
                P::left(door, queue);
            }
            P::settle(door, queue);
            waker
        });
        drop(Spare(waker));
    }
}

/// What `poll_grant` does once the lock is released.
enum Done<R> {
    Given(R),
    Wait,
    Clone,
    Exhausted,
}

/// A waker that is not registered anywhere, dropped with the lock released.
struct Spare(Option<Waker>);

impl Spare {
    fn renew(&mut self, waker: &Waker) {
        let renewed = Spare(Some(waker.clone()));
        *self = renewed;
    }
}

impl Drop for Spare {
    #[inline]
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            wake::discard(waker);
        }
    }
}

/// Spends one unit of the budget. Wakes nobody, so it may be called with the lock held.
#[inline]
fn spend_quietly() -> bool {
    budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// The budget said no under the lock; with that released, its task is woken to come again.
#[cold]
fn exhausted<R>(cx: &mut Context<'_>) -> Poll<R> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl TaskId {
    const NOBODY: TaskId = TaskId(ptr::null(), ptr::null());

    fn of(waker: &Waker) -> Self {
        TaskId(waker.data(), waker.vtable())
    }

    /// False if either has no data: nothing tells one such task from another.
    fn is(self, other: TaskId) -> bool {
        !self.0.is_null() && self.0 == other.0 && ptr::eq(self.1, other.1)
    }
}

impl<W> Node<W> {
    fn as_link(&self) -> *const Links {
        ptr::from_ref(self).cast()
    }
}

impl<const N: usize> Lists<N> {
    /// Looks into a node of these lists. `&mut self` is the proof that the lock is held.
    #[inline]
    fn body<W, R>(&mut self, node: &Node<W>, f: impl FnOnce(Body<'_, W>) -> R) -> R {
        node.phase.with_mut(|phase| {
            // SAFETY: the two are touched only with the lock of the waiter's one list held, which
            // `&mut self` proves, and no `f` in this file calls `body` again.
            let phase: &mut Phase = unsafe { &mut *phase };
            node.want.with_mut(|want| {
                // SAFETY: as above.
                let want = unsafe { &mut *want };
                f(Body { phase, want })
            })
        })
    }

    /// What `task` was granted in a queue and has not taken, the last grant first. `ring` is the
    /// granted list, pinned; the caller changes nothing meanwhile.
    fn grants<'n, W: Copy + 'n>(
        &mut self,
        ring: &Head,
        queue: usize,
        task: TaskId,
    ) -> impl Iterator<Item = (&'n Node<W>, W)> + use<'n, W, N> {
        ring.backwards::<W>().filter_map(move |node| {
            let is_of_task = node.phase.with(|phase| {
                // SAFETY: the lock is held, and nobody has a reference to the phase.
                let phase: &Phase = unsafe { &*phase };
                matches!(phase, Phase::Granted(of) if of.is(task))
            });
            // SAFETY: as above, for what it wants.
            let granted = is_of_task.then(|| node.want.with(|want| unsafe { *want }));
            granted
                .filter(|_| usize::from(node.queue) == queue)
                .map(|granted| (node, granted))
        })
    }

    /// Whom the last grant in a queue was made that was not taken, and its task. `ring` is the granted
    /// list, pinned.
    fn granted_in<'n, W: 'n>(
        &mut self,
        ring: &Head,
        queue: usize,
    ) -> Option<(&'n Node<W>, TaskId)> {
        let mut nodes = ring
            .backwards::<W>()
            .filter(|node| usize::from(node.queue) == queue);
        nodes.find_map(|node| {
            node.phase.with(|phase| {
                // SAFETY: the lock is held, and nobody has a reference to the phase.
                match unsafe { &**phase } {
                    Phase::Granted(task) => Some((node, *task)),
                    _ => None,
                }
            })
        })
    }

    /// Takes a node out of the list that its phase says it is in.
    fn remove<P: Policy<N>>(&mut self, granted: &Granted, node: &Node<P::Want>) {
        let link = node.as_link();
        let queue = usize::from(node.queue);
        // SAFETY (all three): the phase names the list or ring that the node is in, all of whose
        // nodes are alive, since waiters and doors remove theirs before they go; the lock is held.
        match self.body(node, |body| body.phase.place()) {
            Place::Nowhere => {}
            // SAFETY: as above.
            Place::Waiting => unsafe { self.waiting[queue].remove(link) },
            Place::Granted => {
                let mut ring = granted.pin();
                // SAFETY: as above.
                unsafe { ring.remove(link) };
                granted.unpin(ring, P::UNLOCKED);
            }
            // SAFETY: as above; a ring has a node of its own, so that it needs no new head.
            Place::Ring => unsafe { ring::unlink(link) },
        }
    }

    /// Grants a node that is in no list. Its owner may take that and go before this returns.
    ///
    /// # Safety
    ///
    /// The node is alive, and the caller does not touch it afterwards. (A pointer, since a reference
    /// that is passed to a function must stay good until that returns.)
    unsafe fn set_granted<P: Policy<N>>(
        &mut self,
        granted: &Granted,
        node: *const Node<P::Want>,
        task: TaskId,
        claimable: bool,
    ) {
        // SAFETY: the caller's contract; the last use is what lets the owner go.
        let node = unsafe { &*node };
        self.body(node, |body| {
            *body.phase = match claimable {
                true => Phase::Granted(task),
                false => Phase::Given,
            };
        });
        if claimable {
            let mut ring = granted.pin();
            // SAFETY: the caller removed the node; it is pinned in its place, and its owner removes
            // it before it goes.
            unsafe { ring.push_back(node.as_link()) };
            granted.unpin(ring, P::UNLOCKED);
        } else {
            // Ordering: Release, pairs with the Acquire in `take_unlocked`; publishes the grant.
            node.given.store(true, Ordering::Release);
        }
    }

    /// Takes a Called node out of its ring and the waker out of the node.
    ///
    /// # Safety
    ///
    /// As [`set_granted`](Self::set_granted).
    unsafe fn set_called_granted<P: Policy<N>>(
        &mut self,
        granted: &Granted,
        node: *const Node<P::Want>,
    ) -> Waker {
        // SAFETY: the caller's contract; the last use is before `set_granted`.
        let node = unsafe { &*node };
        self.remove::<P>(granted, node);
        let (waker, claimable) = self.body(node, |body| {
            match core::mem::replace(body.phase, Phase::Idle) {
                Phase::Called(waker, claimable) => (waker, claimable),
                _ => unreachable!("a node in a ring is Called"),
            }
        });
        // SAFETY: the caller's contract, passed on.
        unsafe { self.set_granted::<P>(granted, node, TaskId::of(&waker), claimable) };
        waker
    }
}

enum Place {
    Nowhere,
    Waiting,
    Ring,
    Granted,
}

impl Phase {
    fn place(&self) -> Place {
        match self {
            Phase::Idle | Phase::Given => Place::Nowhere,
            Phase::Waiting(_) | Phase::Revoked(_) => Place::Waiting,
            Phase::Called(..) => Place::Ring,
            Phase::Granted(_) => Place::Granted,
        }
    }
}

impl<P: Policy<N> + fmt::Debug, const N: usize> fmt::Debug for WaitList<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<P: Policy<N>, const N: usize> fmt::Debug for Held<'_, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl<P: Policy<N>, const N: usize> fmt::Debug for Waiter<'_, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

// SAFETY: the pointers lead to nodes whose bodies hold a `Want` and a waker, and they are followed
// only with the lock held: moving the lists moves access to those, which is why `Want` is `Send`.
unsafe impl<P: Policy<N>, const N: usize> Send for Inner<P, N>
where
    P::State: Send,
    P::Want: Send,
{
}

// SAFETY: a waiter is a shared reference to its list and a node. Whatever thread it is on, other
// threads touch the node's links, phase and want only with the lock held, and only until its grant
// is the owner's alone; `given` is atomic, and `linked` they do not touch at all.
unsafe impl<P: Policy<N> + Sync, const N: usize> Send for Waiter<'_, P, N>
where
    P::State: Send,
    P::Want: Send,
{
}

// SAFETY: `&Waiter` gives access to nothing but the list; polling and dropping take `&mut`.
unsafe impl<P: Policy<N> + Sync, const N: usize> Sync for Waiter<'_, P, N>
where
    P::State: Send,
    P::Want: Send,
{
}
