//! What wins when several things happen to nested scopes in one turn: `docs/order.md`, exhaustively.
//!
//! Three runs, one in the other. A case says what happens to each in one turn and in which order;
//! `expected` is the table as a function, and `Real` does it with scopes.

mod support;

use pirn_core::{Cause, ChildGuard, Instant, Kind, Limited, Scope, budget, finally, shield};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::{Counter, Manual, reports};

const LEVELS: usize = 3;

/// The turn begins here, or the first poll is later than `LATE`; it ends before `FAR`, which is before
/// any grace period is over.
const BEGIN: u64 = 10;
const PAST: u64 = 5;
const EARLY: u64 = 11;
const LATE: u64 = 12;
const FAR: u64 = 15;

fn second(n: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(n)
}

/// One thing for each level, from the outermost.
type Each<T> = [T; LEVELS];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Pending,
    Value,
    Error,
    Panic,
}

/// How the runs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `Scope::run`.
    Made,
    /// `Limited::until`: made when it is needed.
    Planned,
    /// `Scope::run` of scopes that know nothing of one another.
    Unrelated,
}

/// What the body of a level has around its inner run, or around the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Nothing,
    Shield,
    /// A clean-up that is ready at once.
    Finally,
    /// A clean-up that is ready in the next turn.
    Slow,
}

/// What a body does after its inner run has ended, before it returns a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    /// Waits for ever.
    Waits,
    /// Passes a leaf of ours that is ready at once.
    Ours,
}

/// The deadline of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Never,
    /// It passes in the turn.
    Early,
    /// The same, a second later.
    Late,
    /// It passes in the turn, and is moved to a later one, before or after that.
    PutOff,
    /// It would not pass, but is moved to one that does.
    BroughtForward,
    /// There is none, and then one that has passed long ago.
    SetInThePast,
}

/// What else is in the scope of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Absent,
    /// Fails in the turn: the scope is cancelled for it.
    Fails,
    /// The same, and its own clean-up takes until the next turn.
    FailsSlowly,
    /// Ends in the next turn, whatever happens.
    Lives,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    style: Style,
    /// The turn is the first poll; else everything was pending before it.
    first: bool,
    around: Each<Around>,
    /// Cancelled before the poll.
    before: Each<bool>,
    /// Cancelled by the innermost body in its poll.
    during: Each<bool>,
    due: Each<Due>,
    /// Deadlines are moved by the innermost body in its poll, and not before.
    moved_within: bool,
    child: Each<Child>,
    /// The child failed before the cancel came.
    failed_first: Each<bool>,
    /// The turn is over, and it is `FAR` now.
    is_far: bool,
    /// What the innermost body gives in its poll.
    leaf: Leaf,
    after: [After; LEVELS - 1],
}

impl Due {
    /// As it is set.
    fn at(self) -> Instant {
        match self {
            Due::Never | Due::SetInThePast => Instant::NEVER,
            Due::Early | Due::PutOff => second(EARLY),
            Due::Late => second(LATE),
            Due::BroughtForward => second(FAR),
        }
    }

    /// Where it is moved to.
    fn moved_to(self) -> Option<Instant> {
        match self {
            Due::Never | Due::Early | Due::Late => None,
            Due::PutOff => Some(second(FAR)),
            Due::BroughtForward => Some(second(EARLY)),
            Due::SetInThePast => Some(second(PAST)),
        }
    }
}

impl Child {
    fn fails(self) -> bool {
        matches!(self, Child::Fails | Child::FailsSlowly)
    }

    /// It is there until the next turn.
    fn lingers(self) -> bool {
        matches!(self, Child::FailsSlowly | Child::Lives)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Value,
    Error,
    Cause(usize, Kind),
    Panic,
}

/// How each run ended, as its surroundings saw it, `None` being not at all; and which clean-ups have
/// begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Outcome {
    ended: Each<Option<Seen>>,
    cleaned: Each<usize>,
}

// The table.

impl Case {
    /// The outermost scope whose cause reaches this level: up to the nearest shield.
    fn cut_by(&self, level: usize, own: impl Fn(usize) -> bool) -> Option<usize> {
        let mut cut = own(level).then_some(level);
        for above in (0..level).rev() {
            if self.around[above] == Around::Shield {
                break;
            }
            if own(above) {
                cut = Some(above);
            }
        }
        cut
    }

    /// It is cancelled as the poll begins; a child's failure is a cancel.
    fn asked(&self, level: usize) -> bool {
        self.before[level] || self.child[level].fails()
    }

    /// Its deadline, as it stands after the body's poll, has passed.
    fn is_due(&self, level: usize) -> bool {
        let moved = !self.moved_within || self.reaches_leaf();
        match self.due[level] {
            Due::Never => false,
            Due::Early | Due::Late => true,
            Due::PutOff => !moved || self.is_far,
            Due::BroughtForward => moved || self.is_far,
            Due::SetInThePast => moved,
        }
    }

    /// The level whose body does not run, having been cancelled before its first poll.
    fn never_runs(&self) -> Option<usize> {
        let cut = |level: &usize| self.cut_by(*level, |l| self.asked(l)).is_some();
        (0..LEVELS).find(cut).filter(|_| self.first)
    }

    /// The innermost body is polled: nothing cut it before.
    fn reaches_leaf(&self) -> bool {
        let last = LEVELS - 1;
        match self.first {
            true => self.never_runs().is_none(),
            false => {
                self.around[last] == Around::Shield
                    || self.cut_by(last, |l| self.asked(l)).is_none()
            }
        }
    }

    /// Why a level is cancelled of itself: of its causes the cancel, whatever came first.
    fn own(&self, level: usize) -> Option<Kind> {
        if self.child[level].fails() && (!self.before[level] || self.failed_first[level]) {
            return Some(Kind::Sibling);
        }
        if self.before[level] || (self.during[level] && self.reaches_leaf()) {
            return Some(Kind::Requested);
        }
        self.is_due(level).then_some(Kind::Deadline)
    }
}

/// What a body is at when its turn is over.
#[derive(Clone, Copy)]
enum Content {
    Ended(Seen),
    /// `held`: in a shield or a clean-up that is under way, or an inner run that is.
    Waits {
        held: bool,
    },
}

impl Seen {
    /// What a run that has ended so is to the body around.
    fn as_content(self) -> Content {
        match self {
            Seen::Cause(..) => Content::Ended(Seen::Value),
            value => Content::Ended(value),
        }
    }
}

/// The outcome of a turn: in the second, slow clean-ups are ready, and children end, in the third
/// what is left of the leaves; later it is `FAR`. `went_on` says which bodies have gone on after their
/// inner run, and `former` what was seen before.
fn expected(case: &Case, turn: usize, went_on: &mut Each<bool>, former: &Outcome) -> Outcome {
    let leaf = match turn {
        2 => Leaf::Value,
        _ => case.leaf,
    };
    let near = Case {
        is_far: false,
        ..*case
    };
    let mut outcome = Outcome {
        cleaned: former.cleaned,
        ..Outcome::default()
    };
    let mut content = match leaf {
        _ if !case.reaches_leaf() => Content::Waits { held: false },
        Leaf::Value => Content::Ended(Seen::Value),
        Leaf::Error => Content::Ended(Seen::Error),
        Leaf::Panic => Content::Ended(Seen::Panic),
        Leaf::Pending => Content::Waits {
            held: case.around[LEVELS - 1] == Around::Shield,
        },
    };
    for level in (0..LEVELS).rev() {
        if let Some(seen) = former.ended[level] {
            outcome.ended[level] = former.ended[level];
            content = seen.as_content();
            continue;
        }
        let cut = case.cut_by(level, |l| case.own(l).is_some());
        match case.never_runs() {
            Some(never) if level > never => continue,
            Some(never) if level == never => content = Content::Waits { held: false },
            _ => content = cleaned_up(case, level, content, cut, turn > 0, &mut outcome),
        }
        if level < LEVELS - 1 && matches!(content, Content::Ended(Seen::Value | Seen::Error)) {
            // A cancelled body does not pass our leaves. In the turn of a cancel from within, or of
            // a deadline, it is polled before that is seen.
            let frozen = match turn {
                0 => case.cut_by(level, |l| case.asked(l)).is_some(),
                _ => near.cut_by(level, |l| near.own(l).is_some()).is_some(),
            };
            match case.after[level] {
                After::Nothing => {}
                After::Waits => content = Content::Waits { held: false },
                After::Ours if went_on[level] || !frozen => went_on[level] = true,
                After::Ours => content = Content::Waits { held: false },
            }
        }
        let is_over = match content {
            Content::Ended(_) => true,
            Content::Waits { held } => !held && cut.is_some(),
        };
        if is_over && turn == 0 && case.child[level].lingers() {
            content = Content::Waits { held: true };
            continue;
        }
        let ended = match (content, cut) {
            (Content::Ended(value), _) => Some(value),
            // The outermost cause ends the run whose scope it is of, the runs inside end without a
            // word.
            (Content::Waits { held: false }, Some(cut)) if cut == level => {
                Some(Seen::Cause(level, case.own(level).unwrap()))
            }
            (Content::Waits { held: false }, Some(_)) => continue,
            _ => None,
        };
        outcome.ended[level] = ended;
        content = match ended {
            None => Content::Waits { held: true },
            Some(seen) => seen.as_content(),
        };
    }
    // A panic is seen at the top only.
    for inner in &mut outcome.ended[1..] {
        *inner = inner.filter(|seen| *seen != Seen::Panic);
    }
    outcome
}

/// The clean-up of a level, if it has one: begins when what it is around has ended, or was cut.
fn cleaned_up(
    case: &Case,
    level: usize,
    content: Content,
    cut: Option<usize>,
    next: bool,
    outcome: &mut Outcome,
) -> Content {
    let ready = match case.around[level] {
        Around::Nothing | Around::Shield => return content,
        Around::Finally => true,
        Around::Slow => next,
    };
    match content {
        Content::Waits { held: false } if cut.is_some() => {}
        Content::Waits { .. } => return content,
        Content::Ended(_) => {}
    }
    outcome.cleaned[level] = 1;
    match (content, ready) {
        (_, false) => Content::Waits { held: true },
        (content, true) => content,
    }
}

/// Whether the innermost body is there after the turn.
fn leaf_lives(case: &Case) -> bool {
    let last = LEVELS - 1;
    let shielded = case.around[last] == Around::Shield;
    let ends = case.reaches_leaf() && case.leaf != Leaf::Pending;
    let cut = case.cut_by(last, |l| case.own(l).is_some()).is_some();
    !ends && case.never_runs().is_none() && ((shielded && case.reaches_leaf()) || !cut)
}

// The scopes.

/// What clean-ups share, which are `Send`.
#[derive(Default)]
struct Cleaning {
    begun: Each<usize>,
    /// Slow ones are ready.
    next: bool,
    wakers: Vec<Waker>,
}

struct Real {
    case: Case,
    ended: RefCell<Each<Option<Seen>>>,
    scopes: RefCell<Each<Option<Scope>>>,
    /// The children that are there.
    guards: RefCell<Each<Option<ChildGuard>>>,
    lines: RefCell<Each<u32>>,
    /// The turn has begun.
    active: Cell<bool>,
    /// The innermost body has moved the deadlines.
    moved: Cell<bool>,
    cleaning: Arc<Mutex<Cleaning>>,
    leaf: Cell<Leaf>,
    waker: RefCell<Option<Waker>>,
}

impl Real {
    /// The run of a level, made where it is awaited.
    async fn run(self: Rc<Self>, level: usize) -> Result<Seen, Arc<Cause>> {
        let body = Rc::clone(&self).body(level);
        let at = self.case.due[level].at();
        let cancelled = self.case.first && self.case.before[level];
        match self.case.style {
            Style::Made | Style::Unrelated => {
                let scope = match self.case.style {
                    Style::Made => Scope::new(),
                    _ => Scope::detached(),
                };
                self.set_deadline(level, &scope, at);
                if cancelled {
                    scope.cancel(requested(level));
                }
                self.scopes.borrow_mut()[level] = Some(scope.clone());
                scope.run(body).await
            }
            Style::Planned => {
                let (line, run) = match level {
                    0 => (line!(), Limited::until(at, body)),
                    1 => (line!(), Limited::until(at, body)),
                    _ => (line!(), Limited::until(at, body)),
                };
                self.lines.borrow_mut()[level] = line;
                let mut run = Box::pin(run.map_err(|(missing, _)| missing).unwrap());
                if cancelled {
                    run.scope().cancel(requested(level));
                }
                let polled = poll_fn(|cx| {
                    let polled = run.as_mut().poll(cx);
                    if let Some(scope) = run.scope_if_made() {
                        self.scopes.borrow_mut()[level].get_or_insert_with(|| scope.clone());
                    }
                    polled
                });
                polled.await
            }
        }
    }

    fn set_deadline(&self, level: usize, scope: &Scope, at: Instant) {
        let (line, set) = match level {
            0 => (line!(), scope.set_deadline(at)),
            1 => (line!(), scope.set_deadline(at)),
            _ => (line!(), scope.set_deadline(at)),
        };
        set.unwrap();
        self.lines.borrow_mut()[level] = line;
    }

    /// Moves the deadline of a level, if it is to be moved.
    fn move_deadline(&self, level: usize) {
        if let Some(at) = self.case.due[level].moved_to() {
            self.set_deadline(level, &self.scope(level), at);
        }
    }

    fn enter_children(&self) {
        for level in (0..LEVELS).filter(|l| self.case.child[*l] != Child::Absent) {
            self.guards.borrow_mut()[level] = Some(self.scope(level).enter());
        }
    }

    /// The child of a level fails, as a group's does: it cancels, and is counted out when it has
    /// ended.
    fn fail(&self, level: usize) {
        let cause = Cause::new(Kind::Sibling, level.to_string());
        self.scope(level).cancel(cause);
        if !self.case.child[level].lingers() {
            self.guards.borrow_mut()[level] = None;
        }
    }

    fn body(self: Rc<Self>, level: usize) -> Pin<Box<dyn Future<Output = Seen>>> {
        Box::pin(async move {
            if level == LEVELS - 1 {
                let leaf = poll_fn(|cx| self.poll_leaf(cx));
                return self.around(level, leaf).await;
            }
            let inner = async {
                let ended = Rc::clone(&self).run(level + 1).await;
                self.saw(level + 1, ended)
            };
            let seen = self.around(level, inner).await;
            match self.case.after[level] {
                After::Nothing => {}
                After::Waits => pending().await,
                After::Ours => poll_fn(budget::poll_spend).await,
            }
            match seen {
                Seen::Error => seen,
                _ => Seen::Value,
            }
        })
    }

    async fn around<F: Future>(&self, level: usize, inner: F) -> F::Output {
        match self.case.around[level] {
            Around::Nothing => inner.await,
            Around::Shield => shield(inner).await,
            Around::Finally | Around::Slow => finally(inner, self.cleanup(level)).await,
        }
    }

    fn cleanup(
        &self,
        level: usize,
    ) -> impl FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
        let (cleaning, slow) = (
            Arc::clone(&self.cleaning),
            self.case.around[level] == Around::Slow,
        );
        move || {
            cleaning.lock().unwrap().begun[level] += 1;
            Box::pin(poll_fn(move |cx| {
                let mut cleaning = cleaning.lock().unwrap();
                if !slow || cleaning.next {
                    return Poll::Ready(());
                }
                cleaning.wakers.push(cx.waker().clone());
                Poll::Pending
            }))
        }
    }

    fn saw(&self, level: usize, ended: Result<Seen, Arc<Cause>>) -> Seen {
        let seen = match ended {
            Ok(value) => value,
            Err(cause) => {
                let of = match cause.kind() {
                    Kind::Requested | Kind::Sibling => cause.text().parse().unwrap(),
                    _ => {
                        let lines = self.lines.borrow();
                        lines.iter().position(|l| *l == cause.at().line()).unwrap()
                    }
                };
                Seen::Cause(of, cause.kind())
            }
        };
        let former = self.ended.borrow_mut()[level].replace(seen);
        assert!(former.is_none(), "a run ended twice");
        seen
    }

    fn poll_leaf(&self, cx: &mut Context<'_>) -> Poll<Seen> {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        if !self.active.get() {
            return Poll::Pending;
        }
        for level in (0..LEVELS).filter(|level| self.case.during[*level]) {
            self.scope(level).cancel(requested(level));
        }
        if self.case.moved_within && !self.moved.replace(true) {
            (0..LEVELS).for_each(|level| self.move_deadline(level));
        }
        match self.leaf.get() {
            Leaf::Pending => Poll::Pending,
            Leaf::Value => Poll::Ready(Seen::Value),
            Leaf::Error => Poll::Ready(Seen::Error),
            Leaf::Panic => resume_unwind(Box::new("the leaf")),
        }
    }

    fn scope(&self, level: usize) -> Scope {
        if let Some(scope) = &self.scopes.borrow()[level] {
            return scope.clone();
        }
        // In a first poll: it is made now.
        let mut scope = Scope::current().unwrap();
        let up = |scope: &Scope| scope.parent().unwrap().clone();
        for above in (level..LEVELS).rev() {
            if self.case.around[above] == Around::Shield {
                scope = up(&scope);
            }
            if above > level {
                scope = up(&scope);
            }
        }
        scope
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            ended: *self.ended.borrow(),
            cleaned: self.cleaning.lock().unwrap().begun,
        }
    }

    /// Lets slow clean-ups and children end.
    fn next(&self) {
        *self.guards.borrow_mut() = Each::default();
        let mut cleaning = self.cleaning.lock().unwrap();
        cleaning.next = true;
        let wakers = std::mem::take(&mut cleaning.wakers);
        drop(cleaning);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poke(&self, leaf: Leaf) {
        self.active.set(true);
        self.leaf.set(leaf);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn requested(level: usize) -> Cause {
    Cause::requested(level.to_string())
}

/// What happens before the poll, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Cancel(usize),
    Fail(usize),
    Move(usize),
    /// It is that late now.
    Time(u64),
    Leaf,
}

impl Case {
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.first {
            return events;
        }
        events.extend((0..LEVELS).filter(|l| self.before[*l]).map(Event::Cancel));
        events.extend(
            (0..LEVELS)
                .filter(|l| self.child[*l].fails())
                .map(Event::Fail),
        );
        let moved = (0..LEVELS).filter(|l| self.due[*l].moved_to().is_some());
        if !self.moved_within {
            events.extend(moved.clone().map(Event::Move));
        }
        if self
            .due
            .iter()
            .any(|due| !matches!(due, Due::Never | Due::SetInThePast))
        {
            events.push(Event::Time(EARLY));
        }
        if self.due.contains(&Due::Late) {
            events.push(Event::Time(LATE));
        }
        let moves = self.moved_within && moved.count() > 0;
        if self.leaf != Leaf::Pending || self.during.contains(&true) || moves {
            events.push(Event::Leaf);
        }
        events
    }
}

/// By the table another case says the same: nobody polls what is described, or after a panic goes on.
fn is_said_already(case: &Case) -> bool {
    let of_leaf = matches!(case.leaf, Leaf::Error | Leaf::Panic) || case.during.contains(&true);
    match case.reaches_leaf() {
        true => case.leaf == Leaf::Panic && case.after != [After::Nothing; 2],
        false => of_leaf,
    }
}

/// Does a case with its events in this order, and compares.
fn check(case: &Case, order: &[Event]) {
    let mut case = *case;
    for level in 0..LEVELS {
        let place = |event| order.iter().position(|e| *e == event);
        case.failed_first[level] = place(Event::Fail(level)) < place(Event::Cancel(level));
    }
    let case = &case;
    let (clock, _entered) = Manual::enter();
    clock.advance(Duration::from_secs(match case.first {
        true => LATE + 1,
        false => BEGIN,
    }));
    let real = Rc::new(Real {
        case: *case,
        ended: RefCell::default(),
        cleaning: Arc::default(),
        scopes: RefCell::default(),
        guards: RefCell::default(),
        moved: Cell::default(),
        lines: RefCell::default(),
        active: Cell::new(case.first),
        leaf: Cell::new(if case.first { case.leaf } else { Leaf::Pending }),
        waker: RefCell::default(),
    });
    let mut run = Box::pin(Rc::clone(&real).run(0));
    let (counter, waker) = Counter::new();
    let mut wakes = counter.wakes();
    let mut ended = false;
    let mut polls = 0;
    let mut poll = |ended: &mut bool| {
        polls += 1;
        assert!(
            polls < 20,
            "it is woken again and again: {case:?} {order:?}"
        );
        let polled = catch_unwind(AssertUnwindSafe(|| {
            run.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => _ = real.saw(0, result),
            Err(payload) => {
                assert!(payload.is::<&str>() && *payload.downcast::<&str>().unwrap() == "the leaf");
                real.ended.borrow_mut()[0] = Some(Seen::Panic);
            }
        }
        *ended = true;
    };
    poll(&mut ended);
    real.enter_children();
    for event in order {
        match event {
            Event::Cancel(level) => _ = real.scope(*level).cancel(requested(*level)),
            Event::Fail(level) => real.fail(*level),
            Event::Move(level) => real.move_deadline(*level),
            Event::Time(at) => clock.advance(second(*at).saturating_since(clock.now())),
            Event::Leaf => real.poke(case.leaf),
        }
    }
    real.active.set(true);
    // The scheduler polls what was woken, and nothing else.
    let mut quiet = |ended: &mut bool| {
        while !*ended && counter.wakes() > wakes {
            wakes = counter.wakes();
            poll(ended);
        }
    };
    quiet(&mut ended);
    let mut went_on = Each::default();
    let told = |when: &str| format!("{when} {case:?}\nin the order {order:?}");
    let mut expects = expected(case, 0, &mut went_on, &Outcome::default());
    assert_eq!(real.outcome(), expects, "{}", told("in the turn of"));

    // In the next turn slow clean-ups are ready.
    real.next();
    quiet(&mut ended);
    expects = expected(case, 1, &mut went_on, &expects);
    assert_eq!(real.outcome(), expects, "{}", told("in the turn after"));

    // Then the innermost body is ready, if it is still there.
    if leaf_lives(case) {
        real.poke(Leaf::Value);
        quiet(&mut ended);
        expects = expected(case, 2, &mut went_on, &expects);
        assert_eq!(real.outcome(), expects, "{}", told("two turns after"));
    }

    // What was put off passes, too.
    if !case.first && expects.ended[0].is_none() {
        clock.advance(second(FAR).saturating_since(clock.now()));
        quiet(&mut ended);
        let case = Case {
            is_far: true,
            ..*case
        };
        expects = expected(&case, 3, &mut went_on, &expects);
        assert_eq!(real.outcome(), expects, "{}", told("long after"));
    }
    assert_eq!(reports(), [""; 0], "{}", told("something was lost in"));
    // What waits for ever is dropped, and its clean-up with it.
    drop(run);
    let _ = reports();
}

fn bits(n: usize) -> Each<bool> {
    std::array::from_fn(|level| n & (1 << level) != 0)
}

/// Every order of `events`.
fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let mut rest = events.to_vec();
        rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, *event);
            all.push(order);
        }
    }
    all
}

/// The cases whose levels have one of `kinds` around what is in them.
fn cases(
    style: Style,
    first: bool,
    kinds: [Around; 2],
    after: [After; 2],
) -> impl Iterator<Item = Case> {
    let leaves = [Leaf::Pending, Leaf::Value, Leaf::Error, Leaf::Panic];
    leaves.into_iter().flat_map(move |leaf| {
        (0..8 * 8 * 8 * 8 * 4).map(move |n| Case {
            style,
            first,
            around: bits(n).map(|bit| kinds[usize::from(bit)]),
            before: bits(n >> 3),
            during: bits(n >> 6),
            due: bits(n >> 9).map(|is| if is { Due::Early } else { Due::Never }),
            moved_within: false,
            child: [Child::Absent; LEVELS],
            failed_first: [false; LEVELS],
            is_far: false,
            leaf,
            after: [after[n >> 12 & 1], after[n >> 13]],
        })
    })
}

/// Scopes that know nothing of one another hear of a cancel around when the body around is polled for
/// it, and of a deadline around then.
fn is_heard_of(case: &Case) -> bool {
    let due = case.due.iter().filter(|due| **due != Due::Never).count();
    let causes = case.before.iter().filter(|is| **is).count() + due;
    case.style != Style::Unrelated || (!case.during.contains(&true) && (causes <= 1 || due == 0))
}

fn check_all(style: Style, first: bool) {
    for case in cases(
        style,
        first,
        [Around::Nothing, Around::Shield],
        [After::Nothing, After::Waits],
    )
    .filter(|case| is_heard_of(case) && !is_said_already(case))
    {
        // A cancel from within is no event of the turn: two orders are enough beside it. And all of
        // them for one style.
        if style == Style::Planned || case.during.contains(&true) {
            check_both_ways(&case);
            continue;
        }
        for order in orders(&case.events()) {
            check(&case, &order);
        }
    }
}

#[test]
fn scopes_in_a_later_turn_end_as_the_table_says() {
    check_all(Style::Made, false);
}

#[test]
fn scopes_in_their_first_turn_end_as_the_table_says() {
    check_all(Style::Made, true);
}

#[test]
fn planned_scopes_in_a_later_turn_end_as_the_table_says() {
    check_all(Style::Planned, false);
}

#[test]
fn planned_scopes_in_their_first_turn_end_as_the_table_says() {
    check_all(Style::Planned, true);
}

#[test]
fn scopes_that_are_unrelated_end_as_the_table_says() {
    for first in [false, true] {
        check_all(Style::Unrelated, first);
    }
}

/// Cancels from within one at a time, and errors left out, which are as values.
fn few_within(case: &Case) -> bool {
    case.leaf != Leaf::Error
        && !is_said_already(case)
        && case.during.iter().filter(|during| **during).count() <= 1
}

#[test]
fn a_cancelled_body_passes_no_leaf_of_ours_after_a_shield_or_a_clean_up() {
    let after = [After::Ours, After::Waits];
    for kinds in [
        [Around::Nothing, Around::Shield],
        [Around::Shield, Around::Slow],
    ] {
        for case in cases(Style::Made, false, kinds, after).filter(few_within) {
            check(&case, &case.events());
        }
    }
}

fn check_clean_ups(style: Style) {
    use Around::{Finally, Nothing, Shield, Slow};
    for kinds in [[Nothing, Finally], [Nothing, Slow], [Shield, Slow]] {
        for first in [false, true] {
            for case in
                cases(style, first, kinds, [After::Nothing, After::Waits]).filter(few_within)
            {
                check(&case, &case.events());
            }
        }
    }
}

#[test]
fn scopes_with_clean_ups_end_as_the_table_says() {
    check_clean_ups(Style::Made);
}

#[test]
fn planned_scopes_with_clean_ups_end_as_the_table_says() {
    check_clean_ups(Style::Planned);
}

/// Choices, one after the other, out of a number: all numbers below the product of their counts give
/// all combinations.
struct Choices(usize);

impl Choices {
    fn of<T: Copy>(&mut self, among: &[T]) -> T {
        let chosen = among[self.0 % among.len()];
        self.0 /= among.len();
        chosen
    }

    fn each<T: Copy>(&mut self, among: &[T]) -> Each<T> {
        std::array::from_fn(|_| self.of(among))
    }

    /// For at most one level.
    fn for_one(&mut self) -> Each<bool> {
        self.of(&[bits(0), bits(1), bits(2), bits(4)])
    }
}

const LEAVES: [Leaf; 4] = [Leaf::Pending, Leaf::Value, Leaf::Panic, Leaf::Error];
const SHIELDS: [Around; 2] = [Around::Nothing, Around::Shield];

/// Nothing happens.
const QUIET: Case = Case {
    style: Style::Made,
    first: false,
    around: [Around::Nothing; LEVELS],
    before: [false; LEVELS],
    during: [false; LEVELS],
    due: [Due::Never; LEVELS],
    moved_within: false,
    child: [Child::Absent; LEVELS],
    failed_first: [false; LEVELS],
    is_far: false,
    leaf: Leaf::Pending,
    after: [After::Nothing; LEVELS - 1],
};

/// In the order in which they are told, and in the opposite one.
fn check_both_ways(case: &Case) {
    let mut events = case.events();
    check(case, &events);
    if events.len() > 1 {
        events.reverse();
        check(case, &events);
    }
}

#[test]
fn deadlines_at_different_times_end_as_the_table_says() {
    for n in 0..2 * 2 * 27 * 8 * 8 * 4 * 4 {
        let mut choices = Choices(n);
        let case = Case {
            style: choices.of(&[Style::Made, Style::Planned]),
            first: choices.of(&[false, true]),
            due: choices.each(&[Due::Never, Due::Early, Due::Late]),
            before: choices.each(&[false, true]),
            around: choices.each(&SHIELDS),
            leaf: choices.of(&LEAVES),
            after: [0; 2].map(|_| choices.of(&[After::Nothing, After::Waits])),
            ..QUIET
        };
        if case.due.contains(&Due::Late) && !is_said_already(&case) {
            check_both_ways(&case);
        }
    }
}

#[test]
fn deadlines_that_are_moved_in_the_turn_count_as_they_are_left() {
    use Due::{BroughtForward, Early, Never, PutOff, SetInThePast};
    for n in 0..3 * 125 * 8 * 8 * 2 * 2 {
        let mut choices = Choices(n);
        let (first, moved_within) = choices.of(&[(false, false), (false, true), (true, true)]);
        let case = Case {
            first,
            moved_within,
            due: choices.each(&[Never, Early, PutOff, BroughtForward, SetInThePast]),
            before: choices.each(&[false, true]),
            around: choices.each(&SHIELDS),
            leaf: choices.of(&LEAVES[..2]),
            after: choices.of(&[[After::Nothing; 2], [After::Waits; 2]]),
            ..QUIET
        };
        if case.due.iter().any(|due| due.moved_to().is_some()) && !is_said_already(&case) {
            check_both_ways(&case);
        }
    }
}

#[test]
fn scopes_whose_children_fail_or_linger_end_as_the_table_says() {
    use Child::{Absent, Fails, FailsSlowly, Lives};
    for n in 0..64 * 4 * 4 * 8 * 3 * 2 {
        let mut choices = Choices(n);
        let case = Case {
            child: choices.each(&[Absent, Fails, FailsSlowly, Lives]),
            before: choices.for_one(),
            due: choices
                .for_one()
                .map(|is| if is { Due::Early } else { Due::Never }),
            around: choices.each(&SHIELDS),
            leaf: choices.of(&LEAVES[..3]),
            after: choices.of(&[[After::Nothing; 2], [After::Waits; 2]]),
            ..QUIET
        };
        if case.child != QUIET.child && !is_said_already(&case) {
            check_both_ways(&case);
        }
    }
}

/// Numbers that look as if by lot, and are the same in each run.
struct Lot(u64);

impl Lot {
    fn next(&mut self) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (n ^ (n >> 31)) as usize
    }

    fn of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.next() % among.len()]
    }

    fn each<T: Copy>(&mut self, among: &[T]) -> Each<T> {
        std::array::from_fn(|_| self.of(among))
    }
}

/// The whole product is too large: some cases of it, in which whatever may happen to one level meets with
/// whatever may happen to another.
#[test]
fn whatever_happens_at_once_ends_as_the_table_says() {
    use Around::{Finally, Nothing, Shield, Slow};
    use Child::{Absent, Fails, FailsSlowly, Lives};
    use Due::{BroughtForward, Early, Late, Never, PutOff, SetInThePast};
    let mut lot = Lot(0);
    for _ in 0..80_000 {
        let first = lot.of(&[false, false, true]);
        let case = Case {
            style: lot.of(&[Style::Made, Style::Planned]),
            first,
            around: lot.each(&[Nothing, Nothing, Shield, Finally, Slow]),
            before: lot.each(&[false, false, false, true]),
            during: lot.each(&[false, false, false, true]),
            due: lot.each(&[
                Never,
                Never,
                Early,
                Late,
                PutOff,
                BroughtForward,
                SetInThePast,
            ]),
            moved_within: first || lot.of(&[false, true]),
            child: match first {
                true => QUIET.child,
                false => lot.each(&[Absent, Absent, Absent, Fails, FailsSlowly, Lives]),
            },
            failed_first: QUIET.failed_first,
            is_far: false,
            leaf: lot.of(&LEAVES),
            after: [0; 2].map(|_| lot.of(&[After::Nothing, After::Waits, After::Ours])),
        };
        let mut order = case.events();
        for left in (1..order.len()).rev() {
            order.swap(left, lot.next() % (left + 1));
        }
        check(&case, &order);
    }
}
