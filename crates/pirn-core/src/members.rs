//! Futures that one task polls itself, each only when it was woken.
//!
//! # How it works
//!
//! Members lie in *chunks* of a machine word's bits, one allocation each, in which they stay: so
//! they are pinned, and a waker is a pointer into the chunk. A wake sets the member's bit in the
//! chunk's word; whoever sets the first of a word sets the chunk's bit in the word of its *group*,
//! and whoever sets the first of that one wakes the task. A group is a word's bits of chunks: 4,096
//! members where a word has 64. A pass takes the groups' words, then those of the chunks whose bits
//! are set, and polls whom it finds: so members that sleep cost nothing, but for one look per group.
//!
//! What was taken and not yet polled, because the caller broke off, is kept beside in words that only
//! the owner touches. A new member is put there, so a first poll costs no atomic access. Nor does a
//! wake by the thread that polls members of the same chunk at that moment, which is how one yields: it
//! finds its name there, and the pass looks for what it left. Who is due when a pass has ended was woken
//! in it, by its thread: the pass wakes the task for them, once.
//!
//! | file | what is there |
//! |---|---|
//! | `members.rs` | the set: where the next member goes, and who is polled next |
//! | `members/chunk.rs` | the memory, and the wakers |
//! | `members/bell.rs` | a group's word, and the task's waker |
//! | `members/here.rs` | the name of a thread |

mod bell;
mod chunk;
mod here;

use crate::budget;
use crate::shim::{Arc, choose};
use crate::wake::Identity;
use alloc::vec::Vec;
use bell::Bell;
use chunk::{Chunk, Vacancy};
use core::fmt;
use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};

/// How many members a chunk has at most.
const CHUNK: usize = choose(usize::BITS as usize, 2);
/// How many chunks a group has at most.
const GROUP: usize = choose(usize::BITS as usize, 2);
/// How many members the first chunk of a set has of which nothing is known.
const FIRST: usize = choose(4, 1);

/// A set of futures that the task that owns it polls: each when it was woken, and at most once in a
/// pass.
///
/// Members need not be `Send` or `'static`, and a sleeping one costs nothing. A member has a *key*
/// as long as it is there; the keys of a set that was made [with the capacity](Self::with_capacity)
/// for them count from 0, in the order of [`push`](Self::push).
///
/// This is what combinators are made of; programs use those of `pirn-group`.
///
/// # Fairness
///
/// A pass goes through the members that were woken in the order of their keys, and around: one that
/// was broken off is taken up after the member at which it was. A member that wakes itself as it is
/// polled waits for the next pass. A pass ends where the task's [budget](crate::budget) is spent, and
/// the next one, for which the task is woken, begins after the member that spent the last of it. So
/// many that are ready at once cost a poll each. Where it was spent before, each has its turn all the
/// same.
///
/// # Panics
///
/// A panic of a member goes on from the call that polled it, as if the pass had been broken off there;
/// the member is still in the set. Catch panics inside the members where others must not see them.
///
/// # Cancel safety
///
/// Dropping the set drops the members in the order of their keys. If one of them panics as it is
/// dropped, the others are dropped before that goes on.
///
/// # Examples
///
/// ```
/// use pirn_core::{Members, shim::block_on};
/// use std::future::poll_fn;
///
/// let words = ["warp", "weft"];
/// let mut members = Members::with_capacity(2);
/// for word in &words {
///     members.push(async move { word.len() }); // it may borrow
/// }
/// let mut all = 0;
/// block_on(poll_fn(|cx| members.poll_all(cx, |_, length| all += length)));
/// assert_eq!(all, 8);
/// ```
pub struct Members<F> {
    groups: Vec<Group<F>>,
    count: Count,
    /// How many members the set was made for.
    expected: usize,
}

struct Count {
    /// How many members there are.
    len: usize,
    /// The key at which the next pass begins. During a pass, 0 until that is known.
    next: usize,
    /// As the pass began there was something left of the task's budget: it ends where that is spent.
    ends_with_budget: bool,
}

struct Group<F> {
    bell: Arc<Bell>,
    /// Of the waker that the bell was given last.
    known: Identity,
    chunks: Vec<Chunk<F>>,
    /// Bit k: chunk k may have members that are due, or that were woken.
    due: usize,
    /// Bit k: chunk k has a free slot.
    roomy: usize,
}

impl<F> Default for Members<F> {
    fn default() -> Self {
        Members::new()
    }
}

impl<F> Members<F> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Members::with_capacity(0)
    }

    /// An empty set whose memory will be just enough for so many members. It allocates as they come.
    #[must_use]
    pub const fn with_capacity(members: usize) -> Self {
        Members {
            groups: Vec::new(),
            count: Count {
                len: 0,
                next: 0,
                ends_with_budget: false,
            },
            expected: members,
        }
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.len
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count.len == 0
    }

    /// Adds a member, to be polled in the next pass, and gives its key. It wakes nobody: the set is
    /// to be polled after.
    pub fn push(&mut self, future: F) -> usize {
        let roomy = self.groups.iter().rposition(|group| group.roomy != 0);
        let at = match roomy {
            Some(at) => at,
            None => self.grow(),
        };
        let (place, vacancy) = self.groups[at].vacancy();
        self.count.len += 1;
        at * GROUP * CHUNK + place * CHUNK + vacancy.fill(future)
    }

    /// Adds a chunk, and says in which group.
    #[cold]
    fn grow(&mut self) -> usize {
        let slots = match self.expected.checked_sub(self.count.len) {
            Some(more) if more > 0 => more,
            _ => {
                let last = self.groups.last().and_then(|group| group.chunks.last());
                last.map_or(FIRST, |chunk| 2 * chunk.slots())
            }
        };
        let full = |group: &Group<F>| group.chunks.len() == GROUP;
        if self.groups.last().is_none_or(full) {
            self.groups.push(Group::new());
        }
        let at = self.groups.len() - 1;
        self.groups[at].add(slots.min(CHUNK));
        at
    }

    /// The member with this key.
    pub fn get_mut(&mut self, key: usize) -> Option<Pin<&mut F>> {
        self.chunk(key)?.get(key % CHUNK)
    }

    /// Drops the member with this key. False if there is none.
    pub fn remove(&mut self, key: usize) -> bool {
        let removed = self.chunk(key).is_some_and(|chunk| {
            // Counted before its destructor runs, which may panic.
            chunk.get(key % CHUNK).is_some()
        });
        if removed {
            self.count.len -= 1;
            self.groups[key / (GROUP * CHUNK)].remove(key / CHUNK % GROUP, key % CHUNK);
        }
        removed
    }

    fn chunk(&mut self, key: usize) -> Option<&mut Chunk<F>> {
        let group = self.groups.get_mut(key / (GROUP * CHUNK))?;
        group.chunks.get_mut(key / CHUNK % GROUP)
    }

    /// Goes through all members, in the order of their keys, and drops those for which `f` returns
    /// false.
    pub fn retain(&mut self, mut f: impl FnMut(usize, Pin<&mut F>) -> bool) {
        let mut key = 0;
        while let Some(found) = self.first_from(key) {
            let stays = self.get_mut(found).is_none_or(|member| f(found, member));
            if !stays {
                self.remove(found);
            }
            key = found + 1;
        }
    }

    /// Has all members polled in the next pass, as if each had been woken.
    pub fn mark_all(&mut self) {
        for group in &mut self.groups {
            for (place, chunk) in group.chunks.iter_mut().enumerate() {
                chunk.due = chunk.live();
                group.due |= usize::from(chunk.due != 0) << place;
            }
        }
    }

    /// The first key from `key` on.
    fn first_from(&self, mut key: usize) -> Option<usize> {
        while let Some(group) = self.groups.get(key / (GROUP * CHUNK)) {
            let chunk = group.chunks.get(key / CHUNK % GROUP)?;
            let live = chunk.live() & from(key % CHUNK);
            let first = key - key % CHUNK;
            if live != 0 {
                return Some(first + live.trailing_zeros() as usize);
            }
            key = first + CHUNK;
        }
        None
    }
}

impl<F: Future> Members<F> {
    /// Polls the members that were woken, each once. One that ends is dropped, and what it gave
    /// goes to `ended`, with the key that it had.
    ///
    /// - `ended` breaks: the pass is broken off there, and that is returned. Poll again, without
    ///   being woken, for the others.
    /// - No member is left: `Ready(None)`.
    /// - Otherwise pending; the task is woken when a member is, and at once if the budget was spent
    ///   before all had their turn.
    pub fn poll_until<B>(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, F::Output) -> ControlFlow<B>,
    ) -> Poll<Option<B>> {
        let mut broken = None;
        let mut ended = |key, output| match ended(key, output) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(with) => {
                broken = Some(with);
                ControlFlow::Break(())
            }
        };
        self.pass(cx, &mut ended).map(|()| broken)
    }

    /// As [`poll_until`](Self::poll_until), to the end of the pass. Ready when no member is left.
    pub fn poll_all(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, F::Output),
    ) -> Poll<()> {
        let go_on = |key, output| {
            ended(key, output);
            ControlFlow::<core::convert::Infallible>::Continue(())
        };
        self.poll_until(cx, go_on).map(|_| ())
    }

    /// As [`poll_until`](Self::poll_until), up to the first member that ends. `None` if there are
    /// no members.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, F::Output)>> {
        self.poll_until(cx, |key, output| ControlFlow::Break((key, output)))
    }

    /// A pass. Ready when it was broken off, and when no member is left.
    #[inline]
    fn pass(&mut self, cx: &mut Context<'_>, ended: &mut Ended<'_, F::Output>) -> Poll<()> {
        match budget::is_asked() {
            true => self.pass_asked(cx, ended),
            false => self.pass_woken(cx, ended),
        }
    }

    /// A pass through all, who are asked what they wait for.
    #[cold]
    #[inline(never)]
    fn pass_asked(&mut self, cx: &mut Context<'_>, ended: &mut Ended<'_, F::Output>) -> Poll<()> {
        self.mark_all();
        let before = self.count.len;
        let polled = self.pass_woken(cx, ended);
        if self.count.len < before {
            budget::note_lost();
        }
        polled
    }

    /// A pass through those who were woken.
    fn pass_woken(&mut self, cx: &mut Context<'_>, ended: &mut Ended<'_, F::Output>) -> Poll<()> {
        for group in &mut self.groups {
            group.due |= group.bell.answer(cx.waker(), &mut group.known);
        }
        let start = core::mem::take(&mut self.count.next);
        let was_spent = budget::is_spent();
        self.count.ends_with_budget = !was_spent;
        let (mut begin, mut end) = (start, usize::MAX);
        loop {
            match self.sweep(begin, end, ended) {
                ControlFlow::Break(Cut::Ended) => return Poll::Ready(()),
                ControlFlow::Break(Cut::Spent) => break,
                ControlFlow::Continue(()) if begin == 0 => break,
                ControlFlow::Continue(()) => (begin, end) = (0, start),
            }
        }
        if self.count.len == 0 {
            return Poll::Ready(());
        }
        if was_spent {
            // Nobody had a turn.
            self.count.next = start;
        }
        if self.groups.iter().any(|group| group.due != 0) {
            // They were woken by this thread meanwhile, of which nobody has told the task.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Polls the members that are due, from the key `start` to before `end`. Those who are due after it
    /// were woken meanwhile.
    #[inline]
    fn sweep(
        &mut self,
        start: usize,
        end: usize,
        ended: &mut Ended<'_, F::Output>,
    ) -> ControlFlow<Cut> {
        const SPAN: usize = GROUP * CHUNK;
        let mut key = start - start % SPAN;
        let groups = self.groups.get_mut(start / SPAN..).unwrap_or_default();
        for group in groups {
            let mut chunks = group.due;
            if start > key {
                chunks &= from((start - key) / CHUNK);
            }
            while chunks != 0 {
                let place = chunks.trailing_zeros() as usize;
                chunks &= chunks - 1;
                let first = key + place * CHUNK;
                if first >= end {
                    return ControlFlow::Continue(());
                }
                let whole = start <= first && end - first >= CHUNK;
                let mask = if whole {
                    usize::MAX
                } else {
                    between(start.saturating_sub(first), end - first)
                };
                group.visit(place, mask, first, &mut self.count, ended)?;
            }
            key += SPAN;
        }
        ControlFlow::Continue(())
    }
}

/// What is done with what members give, by their keys.
type Ended<'a, T> = dyn FnMut(usize, T) -> ControlFlow<()> + 'a;

/// Why a pass is broken off.
enum Cut {
    /// Who is told of the ends wants no more.
    Ended,
    /// The task's budget was spent. Those behind could do nothing but have themselves woken, each in
    /// each pass; now they have their turn in the next.
    Spent,
}

impl<F: Future> Group<F> {
    /// Polls the members of the chunk `place` that are due, and in `mask`. The key of the first of the
    /// chunk is `first`.
    #[inline(never)]
    fn visit(
        &mut self,
        place: usize,
        mask: usize,
        first: usize,
        count: &mut Count,
        ended: &mut Ended<'_, F::Output>,
    ) -> ControlFlow<Cut> {
        let chunk = &mut self.chunks[place];
        let visit = Visit::new(chunk);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() && visit.chunk.due & mask != 0 {
            let index = (visit.chunk.due & mask).trailing_zeros() as usize;
            let polled = visit.chunk.poll(index);
            if count.next == 0 && budget::is_spent() {
                // The others have it first in the next pass.
                count.next = first + index + 1;
                if count.ends_with_budget {
                    flow = ControlFlow::Break(Cut::Spent);
                }
            }
            if polled.is_pending() {
                // There is nothing to drop.
                core::mem::forget(polled);
                continue;
            }
            // Counted before its destructor runs, which may panic.
            count.len -= 1;
            self.roomy |= visit.chunk.bit();
            visit.chunk.remove(index);
            // What it gave is moved only now: right after it was written, in pieces, it would be waited
            // for.
            if let Poll::Ready(ControlFlow::Break(())) =
                polled.map(|output| ended(first + index, output))
            {
                count.next = first + index + 1;
                flow = ControlFlow::Break(Cut::Ended);
            }
        }
        drop(visit);
        if chunk.due == 0 {
            self.due &= !chunk.bit();
        }
        flow
    }
}

/// A chunk while its members are polled, also if one of them panics.
struct Visit<'a, F> {
    chunk: &'a mut Chunk<F>,
}

impl<'a, F> Visit<'a, F> {
    #[inline]
    fn new(chunk: &'a mut Chunk<F>) -> Self {
        chunk.begin();
        chunk.take_woken();
        Visit { chunk }
    }
}

impl<F> Drop for Visit<'_, F> {
    #[inline]
    fn drop(&mut self) {
        self.chunk.end();
    }
}

/// The bits from `index` on.
fn from(index: usize) -> usize {
    let bits = u32::try_from(index).unwrap_or(u32::MAX);
    usize::MAX.checked_shl(bits).unwrap_or(0)
}

/// The bits from `start` to before `end`.
#[cold]
fn between(start: usize, end: usize) -> usize {
    from(start) & !from(end)
}

impl<F> Group<F> {
    fn new() -> Self {
        Group {
            bell: Arc::new(Bell::new()),
            known: Identity::NOBODY,
            chunks: Vec::new(),
            due: 0,
            roomy: 0,
        }
    }

    fn add(&mut self, slots: usize) {
        let place = self.chunks.len();
        let chunk = Chunk::new(slots, place, &self.bell);
        self.chunks.push(chunk);
        self.roomy |= 1 << place;
    }

    /// The first free slot, which is to be filled, and in which chunk it is.
    fn vacancy(&mut self) -> (usize, Vacancy<'_, F>) {
        let place = self.roomy.trailing_zeros() as usize;
        let vacancy = self.chunks[place].vacancy();
        let vacancy = vacancy.expect("a roomy chunk has a free slot");
        if vacancy.is_last() {
            self.roomy &= !(1 << place);
        }
        self.due |= 1 << place;
        (place, vacancy)
    }

    fn remove(&mut self, place: usize, index: usize) {
        self.roomy |= 1 << place;
        self.chunks[place].remove(index);
    }
}

impl<F> Drop for Group<F> {
    fn drop(&mut self) {
        // What wakes as the members are dropped, and after, wakes nobody.
        self.bell.silence();
    }
}

/// Members do not move with the set.
impl<F> Unpin for Members<F> {}

impl<F> fmt::Debug for Members<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("len", &self.count.len)
            .finish_non_exhaustive()
    }
}
