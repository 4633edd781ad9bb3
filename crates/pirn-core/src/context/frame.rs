//! What the code being polled runs under: [`Frame`].
//!
//! # How it works
//!
//! The top frame lies in a thread-local, those below it on the stacks of those who entered the next
//! one. Most bodies never look at it. So a branch, and a body whose scope is only planned, are polled
//! without a frame at first:
//!
//! | `Above` | what is polled above the top frame | set by | ended by |
//! |---|---|---|---|
//! | `Nothing` | what the top frame is of | the first state; `branch` and `Begun::end`, as they leave | `branch`, `begin_planned` |
//! | `Branch` | a branch that has no frame yet | `branch` | `settle` |
//! | `Planned` | the first poll of a body with a plan; the plan lies here, and the scope around, or that is [lent](loan) | `begin_planned` | `settle` |
//! | `Settled` | nothing: the outermost of these has got its frame, on top or below others | `settle` | |
//!
//! Whoever looks at the top frame or enters another one calls `settle` first. Only the outermost can
//! do without a frame, so that there is one place for what it replaces: a `Branch` or `Planned` inside
//! of one has its frame at once.
//!
//! Beside it lies a second handle of the top frame's scope, to spare: counting a handle costs more
//! than all else in a timeout whose body is ready.

use super::{loan, reaper};
use crate::budget;
use crate::clock::Instant;
use crate::scope::{Regions, Scope};
use crate::shim;
use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::sync::Arc;

shim::per_thread! {
    // Never dropped, which makes reaching it cheaper; whoever enters a frame takes it out again.
    static STACK: ManuallyDrop<Stack> = ManuallyDrop::new(Stack::new());
}

struct Stack {
    above: Cell<Above>,
    top: Slot,
    /// The frame below the top one, while that is a `Branch`; and what was on top before `settle`.
    around: Slot,
    /// Of the outermost frame that is `Planned` and was given no other place.
    plan: Cell<Option<Plan>>,
    /// The scope around what is [`Above::Planned`], unless it is lent.
    planned_in: Cell<Option<Scope>>,
    /// The same scope as the top frame's, or as that of one below.
    spare: Cell<Option<Scope>>,
}

/// See the table above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Above {
    Nothing,
    Settled,
    // From here on there is something to settle.
    Branch,
    Planned,
}

/// A place for a frame. It is moved in and out word by word: what was written in words and is read in
/// pairs waits until it is in the cache. So the pointers do not lie side by side.
#[repr(C)]
struct Slot {
    scope: Cell<Option<Scope>>,
    mode: Cell<Mode>,
    regions: Cell<Option<Arc<Regions>>>,
}

/// What the code being polled runs under. One for each run of a scope and for each task, stacked
/// by [`Frame::enter`].
#[derive(Default)]
pub(crate) struct Frame {
    /// The scope; while it is [planned](Mode::Planned), the one around it. A task's frame starts
    /// without one and makes it when first asked for.
    pub(crate) scope: Option<Scope>,
    /// The regions that are under way in the body that is polled; made when there is a first one.
    pub(crate) regions: Option<Arc<Regions>>,
    pub(crate) mode: Mode,
}

/// How the frame's body is polled. As wide as a word, as all else in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(usize)]
pub(crate) enum Mode {
    #[default]
    Plain,
    /// Cancelled, for the sake of its regions: leaves outside a region stay pending.
    Winding,
    /// For the first time, its scope being made when somebody asks for it.
    Planned,
    /// One of several in the body around, without a scope of its own until somebody asks for it.
    Branch,
    /// Not at all: there is no frame here.
    Absent,
}

/// A poll of what is [`Above::Planned`].
#[must_use = "it is to be ended"]
pub(crate) struct Begun(());

/// A branch that was begun: where that was inside a branch, with what stood around that one.
#[must_use = "it is to be left"]
pub(crate) struct Branched(Option<Frame>);

/// What is known of a scope before it is made.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) deadline: Instant,
    pub(crate) set_at: &'static Location<'static>,
}

impl Stack {
    const fn new() -> Stack {
        Stack {
            above: Cell::new(Above::Nothing),
            top: Slot::empty(),
            around: Slot::empty(),
            plan: Cell::new(None),
            planned_in: Cell::new(None),
            spare: Cell::new(None),
        }
    }

    /// True where the thread's locals are gone.
    #[inline]
    fn is_gone() -> bool {
        STACK.try_with(|_| ()).is_err()
    }

    /// Gives the frame that was there before.
    #[inline(always)]
    fn put_on_top(frame: Frame) -> Frame {
        // A match: what takes a closure or a default is not inlined, frames having destructors.
        match STACK.try_with(|stack| stack.top.replace(frame)) {
            Ok(former) => former,
            Err(_) => Frame::ABSENT,
        }
    }

    /// Drops the handle to spare. It is not the last one: that of the frame which is being left is
    /// there, too.
    #[inline]
    fn drop_spare(&self) {
        if let Some(spare) = self.spare.take() {
            drop_handle(spare);
        }
    }

    /// True unless the top frame's scope is yet to be made, or a frame above it.
    #[inline]
    fn is_made(&self) -> bool {
        self.above.get() <= Above::Settled
            && matches!(self.top.mode.get(), Mode::Plain | Mode::Winding)
    }

    /// Gives what is above the top frame a frame of its own, if it has none yet.
    #[inline]
    fn settle(&self) {
        if self.above.get() > Above::Settled {
            self.settle_bare();
        }
    }

    #[cold]
    fn settle_bare(&self) {
        match self.above.replace(Above::Settled) {
            Above::Planned => {
                let former = self.top.replace(self.unsettled());
                self.around.put(former);
            }
            _ => drop(self.enter_branch()),
        }
    }

    /// The frame of what is [`Above::Planned`].
    #[inline]
    fn unsettled(&self) -> Frame {
        Frame {
            scope: self.planned_in.take().or_else(loan::handle),
            regions: None,
            mode: Mode::Planned,
        }
    }

    /// Puts a branch's frame on top, and gives what was around before.
    fn enter_branch(&self) -> Frame {
        let mut around = self.top.replace(Frame {
            mode: Mode::Branch,
            ..Frame::default()
        });
        if around.mode == Mode::Branch {
            // Only one branch can do without: of what is around this one, one frame is kept.
            around.scope();
        }
        self.around.replace(around)
    }

    /// Takes a branch's frame away again, and gives it if it has a scope.
    #[cold]
    fn leave_branch(former: Frame) -> Option<Frame> {
        let frame = STACK.try_with(|stack| stack.leave_settled(former)).ok();
        frame.filter(|frame| frame.scope.is_some())
    }

    /// Undoes it, or `settle`; gives the frame that was on top.
    #[cold]
    fn leave_settled(&self, former: Frame) -> Frame {
        self.drop_spare();
        self.top.replace(self.around.replace(former))
    }
}

impl Begun {
    /// Ends the poll: gives the scope around back if nobody has looked at the frame, or else the
    /// frame.
    #[inline]
    pub(crate) fn end(self) -> Result<Option<Scope>, Frame> {
        // Now: what comes next has a scope, or a handle of the one around.
        loan::end();
        let end = |stack: &ManuallyDrop<Stack>| match stack.above.replace(Above::Nothing) {
            Above::Planned => Ok(stack.planned_in.take()),
            _ => Err(stack.leave_settled(Frame::ABSENT)),
        };
        STACK.try_with(end).unwrap_or(Ok(None))
    }
}

impl Branched {
    /// Ends it, and gives its frame if it has a scope.
    #[inline]
    pub(crate) fn leave(self) -> Option<Frame> {
        let Some(former) = self.0 else {
            let above = STACK.try_with(|stack| stack.above.replace(Above::Nothing));
            return match above {
                Ok(Above::Branch) | Err(_) => None,
                Ok(_) => Stack::leave_branch(Frame::ABSENT),
            };
        };
        Stack::leave_branch(former)
    }
}

/// Out of the way of those who have none.
#[cold]
fn drop_handle(scope: Scope) {
    drop(scope);
}

impl Slot {
    const fn empty() -> Slot {
        Slot {
            scope: Cell::new(None),
            mode: Cell::new(Mode::Absent),
            regions: Cell::new(None),
        }
    }

    #[inline]
    fn replace(&self, frame: Frame) -> Frame {
        Frame {
            scope: self.scope.replace(frame.scope),
            regions: self.regions.replace(frame.regions),
            mode: self.mode.replace(frame.mode),
        }
    }

    #[inline]
    fn take(&self) -> Frame {
        self.replace(Frame::ABSENT)
    }

    /// Puts a frame where there is none.
    #[inline]
    fn put(&self, frame: Frame) {
        // Nothing is lost, which the compiler cannot know.
        mem::forget(self.replace(frame));
    }

    /// Looks at the scope, which is not there meanwhile: `f` must not look for itself.
    #[inline]
    fn with_scope<R>(&self, f: impl FnOnce(Option<&Scope>) -> R) -> R {
        let scope = self.scope.take();
        let result = f(scope.as_ref());
        mem::forget(self.scope.replace(scope));
        result
    }
}

impl Frame {
    const ABSENT: Frame = Frame {
        scope: None,
        regions: None,
        mode: Mode::Absent,
    };

    /// Runs `f` with this frame on top, and gives the frame back as `f` left it. `f` must not
    /// unwind.
    #[inline]
    pub(crate) fn enter<R>(self, f: impl FnOnce() -> R) -> (R, Frame) {
        if Stack::is_gone() {
            // It stays here: a run is dropped where the thread's locals are gone, too.
            return (f(), self);
        }
        // Not dropped by unwinding, which there is none of: so they can stay in registers.
        let own = ManuallyDrop::new(self);
        let _ = STACK.try_with(|stack| stack.settle());
        let _budget = if own.mode == Mode::Winding {
            Some(budget::freeze())
        } else if budget::is_frozen() {
            Some(budget::inspect::refill())
        } else {
            None
        };
        let former = ManuallyDrop::new(Stack::put_on_top(ManuallyDrop::into_inner(own)));
        let result = ManuallyDrop::new(f());
        let _ = STACK.try_with(|stack| stack.drop_spare());
        let own = Stack::put_on_top(ManuallyDrop::into_inner(former));
        (ManuallyDrop::into_inner(result), own)
    }

    /// Begins to poll a body for the first time, whose scope is to be made by `plan` in the one
    /// `around`, which is taken, or in what is [lent](loan::during). It must not unwind. It has no
    /// frame until somebody looks at it.
    ///
    /// `None`, and nothing has begun, inside a branch or another such body: see
    /// [`enter_planned`](Self::enter_planned).
    #[inline]
    pub(crate) fn begin_planned(around: &mut Option<Scope>, plan: Plan) -> Option<Begun> {
        let begin = |stack: &ManuallyDrop<Stack>| {
            if stack.above.get() != Above::Nothing {
                return None;
            }
            stack.above.set(Above::Planned);
            stack.plan.set(Some(plan));
            mem::forget(stack.planned_in.replace(around.take()));
            Some(Begun(()))
        };
        STACK.try_with(begin).ok().flatten()
    }

    /// Runs `f` in such a body, which has its frame at once, and gives it as [`enter`](Self::enter)
    /// does.
    pub(crate) fn enter_planned<R>(
        around: Option<Scope>,
        plan: Plan,
        f: impl FnOnce() -> R,
    ) -> (R, Frame) {
        let planned = Frame {
            scope: around,
            regions: None,
            mode: Mode::Planned,
        };
        let put = |plan| {
            let former = STACK.try_with(|stack| {
                stack.settle();
                stack.plan.replace(plan)
            });
            former.ok().flatten()
        };
        let former = put(Some(plan));
        let ended = planned.enter(f);
        put(former);
        ended
    }

    /// Begins a branch of the top frame's body, to be [left](Branched::leave) without unwinding. The
    /// branch has no frame until somebody looks at it, and the scope around is not even made unless the
    /// branch's is.
    #[inline]
    pub(crate) fn branch() -> Branched {
        let begun = STACK.try_with(|stack| {
            let bare = stack.above.get() == Above::Nothing;
            if bare {
                stack.above.set(Above::Branch);
            }
            bare
        });
        match begun {
            Ok(true) => Branched(None),
            _ => Frame::branch_inside(),
        }
    }

    /// The same inside a branch, or in a frame that stands in one.
    #[cold]
    fn branch_inside() -> Branched {
        let former = STACK.try_with(|stack| {
            stack.settle();
            stack.enter_branch()
        });
        Branched(former.ok())
    }

    /// Looks at the top frame, if there is one. `f` must not look for itself.
    pub(crate) fn with<R>(f: impl FnOnce(Option<&mut Frame>) -> R) -> R {
        let _ = STACK.try_with(|stack| stack.settle());
        let mut frame = Stack::put_on_top(Frame::ABSENT);
        let result = f(match frame.mode {
            Mode::Absent => None,
            _ => Some(&mut frame),
        });
        let _ = STACK.try_with(|stack| stack.top.put(frame));
        result
    }

    /// The scope of the top frame, made if it was not yet.
    #[inline]
    pub(crate) fn current() -> Option<Scope> {
        let made = STACK.try_with(|stack| match stack.is_made() {
            true => stack.top.with_scope(|scope| scope.cloned()),
            false => None,
        });
        made.ok().flatten().or_else(Frame::make_current)
    }

    #[cold]
    fn make_current() -> Option<Scope> {
        Frame::with(|frame| Some(frame?.scope().clone()))
    }

    /// The same, as a handle that is likely to be given [back](Self::give_back) soon.
    #[inline]
    pub(crate) fn lend() -> Option<Scope> {
        let spare = STACK.try_with(|stack| {
            let spare = stack.spare.take()?;
            let is_same = |scope: Option<&Scope>| scope.is_some_and(|scope| scope.is_same(&spare));
            if stack.is_made() && stack.top.with_scope(is_same) {
                return Some(spare);
            }
            mem::forget(stack.spare.replace(Some(spare)));
            None
        });
        spare.ok().flatten().or_else(Frame::current)
    }

    /// Takes back what [`lend`](Self::lend) gave, or anything like it.
    #[inline]
    pub(crate) fn give_back(scope: Scope) {
        let mut scope = Some(scope);
        let _ = STACK.try_with(|stack| {
            let spare = stack.spare.take();
            let kept = spare.is_none()
                && stack.top.with_scope(|top| match (top, &scope) {
                    (Some(top), Some(scope)) => top.is_same(scope),
                    _ => false,
                });
            let spare = if kept { scope.take() } else { spare };
            mem::forget(stack.spare.replace(spare));
        });
    }

    /// The scope that runs here, or the one around it where it is yet to be made, which is not done
    /// now; and the deadline that it will then have.
    pub(crate) fn around() -> (Option<Scope>, Instant) {
        let seen = |frame: &Frame| (frame.scope.clone(), frame.mode);
        let mut found = Frame::with(|frame| frame.map(|frame| seen(frame)));
        if let Some((_, Mode::Branch)) = found {
            // It has no scope of its own: what is around it holds.
            let around = STACK.try_with(|stack| {
                let around = stack.around.take();
                let found = seen(&around);
                stack.around.put(around);
                found
            });
            found = Some(around.unwrap_or((None, Mode::Plain)));
        }
        let Some((scope, mode)) = found else {
            return (None, Instant::NEVER);
        };
        let plan = match mode {
            Mode::Planned => STACK.try_with(|stack| stack.plan.get()).ok().flatten(),
            _ => None,
        };
        let deadline = plan.map_or(Instant::NEVER, |plan| plan.deadline);
        (scope.or_else(reaper), deadline)
    }

    /// True if the body that is polled here is cancelled.
    pub(crate) fn is_winding() -> bool {
        Frame::with(|frame| frame.is_some_and(|frame| frame.mode == Mode::Winding))
    }

    /// True if this is the frame of a body of `scope`.
    pub(crate) fn is_of(&self, scope: &Scope) -> bool {
        let made = self.mode != Mode::Planned && self.mode != Mode::Branch;
        made && self.scope.as_ref().is_some_and(|own| own.is_same(scope))
    }

    /// The scope, made if it was not yet.
    #[inline]
    pub(crate) fn scope(&mut self) -> &Scope {
        match self.mode {
            Mode::Plain | Mode::Winding | Mode::Absent => {}
            Mode::Planned => self.carry_out(),
            Mode::Branch => self.branch_off(),
        }
        self.scope.get_or_insert_with(Scope::of_task)
    }

    #[cold]
    fn carry_out(&mut self) {
        self.mode = Mode::Plain;
        let plan = STACK.try_with(|stack| stack.plan.get()).ok().flatten();
        let around = self.scope.take();
        self.scope = plan.map(|plan| Scope::planned(around, plan));
    }

    #[cold]
    fn branch_off(&mut self) {
        self.mode = Mode::Plain;
        let mut around = STACK
            .try_with(|stack| stack.around.take())
            .unwrap_or(Frame::ABSENT);
        let above = match around.mode {
            Mode::Absent => None,
            _ => Some(around.scope().clone()),
        };
        let _ = STACK.try_with(|stack| stack.around.put(around));
        self.scope = Some(Scope::of_branch(above));
    }
}

/// Takes the top frame away until it is dropped.
pub(crate) struct Outside(Frame);

impl Outside {
    pub(crate) fn new() -> Outside {
        let _ = STACK.try_with(|stack| stack.settle());
        Outside(Stack::put_on_top(Frame::ABSENT))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let former = mem::replace(&mut self.0, Frame::ABSENT);
        let _ = STACK.try_with(|stack| stack.top.put(former));
    }
}
