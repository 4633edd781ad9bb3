//! The allocation that the two halves of a oneshot channel share: its unsafe code.

use super::{Action, RECEIVER, SENDER, Snapshot, drop_waker};
use alloc::boxed::Box;
use core::mem::{self, ManuallyDrop};
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use pirn_core::shim::atomic::{AtomicU8, Ordering};
use pirn_core::shim::{IS_LOOM, UnsafeCell};
use pirn_core::wake;

/// What the halves share, and who may touch it.
struct Cell<T> {
    word: AtomicU8,
    /// The sender's until it has ended, then the receiver's; at last the one's who frees it.
    value: UnsafeCell<Option<T>>,
    /// One for each half. A half's own while its `WAITS` is clear; the other's from when that ended
    /// and saw `WAITS`, until it is gone; at last the one's who frees it.
    wakers: [UnsafeCell<Option<Waker>>; 2],
}

/// One end of the channel: `SENDER` or `RECEIVER`. As it is dropped it ends and leaves.
pub(super) struct Half<T, const ME: usize> {
    /// Alive until this half is gone, and freed by whoever of the two leaves last.
    cell: NonNull<Cell<T>>,
}

/// Both ends of a new channel.
#[inline]
pub(super) fn pair<T>() -> (Half<T, SENDER>, Half<T, RECEIVER>) {
    let cell = Box::new(Cell {
        word: AtomicU8::new(Snapshot::NEW.0),
        value: UnsafeCell::new(None),
        wakers: [const { None }; 2].map(UnsafeCell::new),
    });
    let cell = NonNull::from(Box::leak(cell));
    (Half { cell }, Half { cell })
}

impl<T> Half<T, SENDER> {
    /// Ends with a value, or gives it back if the receiver has ended.
    #[inline]
    pub(super) fn send(self, value: T) -> Result<(), T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the sender has not ended, so the value is its own; there is none yet.
        let place = |place: *mut Option<T>| unsafe { place.write(Some(value)) };
        this.cell().value.with_mut(place);
        // A look costs little, and a wrong guess an exchange. Under loom, a look just before the
        // exchange would hide that one of the other half came between: there it is a guess.
        let now = match IS_LOOM {
            true => Snapshot::NEW,
            false => this.look(),
        };
        let decided = match now {
            Snapshot::NEW => this.turn_from(Snapshot::NEW, Snapshot::send),
            now => this.turn_from(now, Snapshot::send),
        };
        match decided {
            Some(action) => {
                this.obey(action, true);
                Ok(())
            }
            None => {
                // SAFETY: as above; it did not end.
                let value = this
                    .cell()
                    .value
                    .with_mut(|value| unsafe { (*value).take() });
                drop(ManuallyDrop::into_inner(this));
                match value {
                    Some(value) => Err(value),
                    None => unreachable!("only the receiver takes a value that was sent"),
                }
            }
        }
    }
}

impl<T> Half<T, RECEIVER> {
    /// Takes the value, if there is one, and leaves.
    #[inline]
    pub(super) fn receive(self) -> Option<T> {
        let now = self.look();
        if !now.has_ended(SENDER) {
            return None;
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: the sender has ended, and the receiver has not left: the value is the receiver's.
        let value = this
            .cell()
            .value
            .with_mut(|value| unsafe { (*value).take() });
        // As its drop, which has to look whether it waits.
        let action = this.turn_from(now, |now| now.end(RECEIVER, true));
        this.obey(action, true);
        value
    }
}

impl<T, const ME: usize> Half<T, ME> {
    const OTHER: usize = 1 - ME;

    /// What the word says now.
    #[inline]
    pub(super) fn look(&self) -> Snapshot {
        // Ordering: Acquire, pairs with the Release of the other half in `turn`; if it has ended,
        // what it did before is seen, and its value.
        Snapshot(self.cell().word.load(Ordering::Acquire))
    }

    /// Ends, and wakes the other half if it waits for that. Nothing, if it ended before.
    pub(super) fn end(&mut self) {
        let action = self.turn(|now| now.end(ME, false));
        self.obey(action, false);
    }

    /// Waits until either half has ended.
    #[inline]
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.look();
        match now.has_ended_either() {
            true => Poll::Ready(()),
            false => self.wait_from(now, cx.waker()),
        }
    }

    /// Puts its waker in place, unless the other half ends as it begins.
    #[inline(never)]
    fn wait_from(&mut self, now: Snapshot, waker: &Waker) -> Poll<()> {
        if !self.turn_from(now, |now| now.disarm(ME)) {
            return Poll::Ready(());
        }
        let mine = &self.cell().wakers[ME];
        // SAFETY: `WAITS` is clear, so this half's waker is its own; nobody has a reference to it.
        let is_there =
            mine.with(|mine| unsafe { (*mine).as_ref().is_some_and(|w| w.will_wake(waker)) });
        if !is_there {
            let fresh = Some(waker.clone());
            // SAFETY: as above.
            drop_waker(mine.with_mut(|mine| unsafe { mem::replace(&mut *mine, fresh) }));
        }
        if self.turn(|now| now.arm(ME)) {
            return Poll::Pending;
        }
        // SAFETY: as above: it was not armed.
        drop_waker(mine.with_mut(|mine| unsafe { (*mine).take() }));
        Poll::Ready(())
    }

    /// Waits no longer.
    #[cold]
    pub(super) fn stop_waiting(&mut self) {
        if self.turn(|now| now.disarm(ME)) {
            // SAFETY: `WAITS` is clear, so this half's waker is its own.
            drop_waker(self.cell().wakers[ME].with_mut(|mine| unsafe { (*mine).take() }));
        }
    }

    /// Changes the word as decided, and returns what else was decided.
    #[inline]
    fn turn<R>(&self, decide: impl Fn(Snapshot) -> (Snapshot, R)) -> R {
        self.turn_from(self.look(), decide)
    }

    /// The same, where `now` is a look at the word, or a guess that `decide` changes. The first turn
    /// stands alone, so that what follows from a guess is worked out by the compiler.
    #[inline]
    fn turn_from<R>(&self, now: Snapshot, decide: impl Fn(Snapshot) -> (Snapshot, R)) -> R {
        let (next, decided) = decide(now);
        match self.exchange(now, next) {
            Ok(()) => decided,
            Err(seen) => self.turn_again(seen, decide),
        }
    }

    #[inline(never)]
    fn turn_again<R>(&self, mut now: Snapshot, decide: impl Fn(Snapshot) -> (Snapshot, R)) -> R {
        loop {
            let (next, decided) = decide(now);
            match self.exchange(now, next) {
                Ok(()) => return decided,
                Err(seen) => now = seen,
            }
        }
    }

    /// Changes the word, or gives what it is instead of `now`.
    #[inline]
    fn exchange(&self, now: Snapshot, next: Snapshot) -> Result<(), Snapshot> {
        if next == now {
            return Ok(());
        }
        let word = &self.cell().word;
        // Ordering: Release publishes what this half did with the value and the wakers: the value as
        // it ends, its waker as it is armed, its last access as it leaves. Acquire, also on failure,
        // pairs with that in the other half's turn, so that what is decided to be this half's from
        // now on is seen as the other left it.
        word.compare_exchange_weak(now.0, next.0, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|seen| Err(Snapshot(seen)), |_| Ok(()))
    }

    /// Does what was decided as it ended. If it `leaves`, it is not used again.
    #[inline]
    fn obey(&self, action: Action, leaves: bool) {
        match action {
            Action::Nothing => {}
            Action::Wake => self.wake(leaves),
            // SAFETY: the other half is gone, and this one is used no more.
            Action::Free => unsafe { free(self.cell) },
        }
    }

    #[cold]
    fn wake(&self, leaves: bool) {
        let theirs = &self.cell().wakers[Self::OTHER];
        // SAFETY: it ended while the other half waited, so that one's waker is this half's.
        let waker = theirs.with_mut(|theirs| unsafe { (*theirs).take() });
        if leaves {
            // It has ended, so this time there is nobody to wake.
            let action = self.turn(|now| now.end(ME, true));
            self.obey(action, true);
        }
        if let Some(waker) = waker {
            wake::wake(waker);
        }
    }

    #[inline]
    fn cell(&self) -> &Cell<T> {
        // SAFETY: alive, since this half has not left.
        unsafe { self.cell.as_ref() }
    }
}

impl<T, const ME: usize> Drop for Half<T, ME> {
    #[inline]
    fn drop(&mut self) {
        // A sender that goes without a value finds most often that nothing has happened yet, and does
        // not wait: see `Closing`.
        let now = match ME {
            SENDER => Snapshot::NEW,
            _ => self.look(),
        };
        if now.is_waiting(ME) {
            // So that its task is not kept alive by the channel.
            self.stop_waiting();
        }
        let action = self.turn_from(now, |now| now.end(ME, true));
        self.obey(action, true);
    }
}

/// Drops what nobody took, the value last: its destructor may panic.
///
/// # Safety
///
/// The cell is of [`pair`], the other half is gone, and the caller's is used no more.
#[inline]
unsafe fn free<T>(cell: NonNull<Cell<T>>) {
    // SAFETY: `pair` made it of a box, and nobody else has a pointer to it that is used again.
    // Whole, since its parts are read out below.
    let mut cell = unsafe { Box::from_raw(cell.as_ptr().cast::<ManuallyDrop<Cell<T>>>()) };
    // The model checker sees by these accesses that nobody else is at it.
    mem::replace(&mut cell.word, AtomicU8::new(0)).into_inner();
    // SAFETY: this is the only reference to the cell, and each part is read once.
    let [mine, theirs] = [0, 1].map(|of| cell.wakers[of].with_mut(|waker| unsafe { waker.read() }));
    // SAFETY: as above.
    let value = cell.value.with_mut(|value| unsafe { value.read() });
    // First, so that a destructor that panics leaks nothing.
    drop(cell);
    drop_waker(mine);
    drop_waker(theirs);
    drop(value);
}

// SAFETY: a half moves the value to another thread, where it is taken or dropped, and wakers, which
// are `Send`; the word says whose each is.
unsafe impl<T: Send, const ME: usize> Send for Half<T, ME> {}

// SAFETY: a shared half lets one look at the word, no more: all else takes `&mut self` or `self`.
unsafe impl<T: Send, const ME: usize> Sync for Half<T, ME> {}
