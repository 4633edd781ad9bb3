//! What groups fail with: trees of failures, taken apart by their handlers.

mod support;

use pirn_core::{Cause, shield};
use pirn_group::{GroupBuilder, GroupError};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::num::ParseIntError;
use std::pin::Pin;
use support::{Hand, yield_now};

type Boxed = Box<dyn Error + Send + Sync>;

/// What a group is to fail with.
#[derive(Clone)]
enum Plan {
    Number(u64),
    Group(Vec<Plan>),
}

/// An error with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.0)
    }
}

impl Error for Number {}

type Ended<E> = Pin<Box<dyn Future<Output = Result<(), GroupError<E>>> + Send>>;

/// A group that fails as planned, each nested group through a child, with `E` made from both.
fn group<E>(hand: Hand, plan: Vec<Plan>) -> Ended<E>
where
    E: From<Number> + From<GroupError<E>> + fmt::Display + Send + 'static,
{
    Box::pin(async move {
        let spawner = hand.clone();
        let run = GroupBuilder::on(hand).run(async |g| {
            for plan in plan {
                let hand = spawner.clone();
                // Shielded from the siblings' failures.
                g.spawn_named(
                    "planned",
                    shield(async move {
                        yield_now().await;
                        match plan {
                            Plan::Number(number) => Err::<(), E>(Number(number).into()),
                            Plan::Group(plan) => Ok(group::<E>(hand, plan).await?),
                        }
                    }),
                );
            }
            shield(async {
                while g.live() > 0 {
                    yield_now().await;
                }
            })
            .await;
            Ok(())
        });
        shield(run).await
    })
}

fn fail<E>(plan: Vec<Plan>) -> GroupError<E>
where
    E: From<Number> + From<GroupError<E>> + fmt::Display + Send + 'static,
{
    let hand = Hand::default();
    hand.finish(group(hand.clone(), plan)).unwrap_err()
}

/// Its lines, without names and places.
fn lines(error: &impl fmt::Display) -> Vec<String> {
    let line = |line: &str| match line.split_once(" spawned at ") {
        Some((before, after)) => {
            let margin = before.split("task").next().unwrap();
            format!("{margin}{}", after.split_once(": ").unwrap().1)
        }
        None => line.to_owned(),
    };
    error.to_string().lines().map(line).collect()
}

fn example() -> Vec<Plan> {
    use Plan::{Group, Number};
    vec![
        Number(1),
        Group(vec![Number(2)]),
        Group(vec![Number(3), Number(4), Group(vec![Number(5)])]),
    ]
}

#[test]
fn nested_groups_are_shown_as_branches_with_each_tasks_name_and_place() {
    let error = fail::<Boxed>(example());
    assert_eq!(
        lines(&error),
        [
            "3 tasks of a group failed",
            "├─ number 1",
            "├─ 1 task of a group failed",
            "│  └─ number 2",
            "└─ 3 tasks of a group failed",
            "   ├─ number 3",
            "   ├─ number 4",
            "   └─ 1 task of a group failed",
            "      └─ number 5",
        ]
    );
    let text = error.to_string();
    let line = text.lines().nth(3).unwrap();
    assert!(
        line.contains("task `planned` spawned at ") && line.contains("error.rs:"),
        "{line}"
    );
}

#[test]
fn it_is_iterated_in_the_order_of_its_tree() {
    let error = fail::<Boxed>(example());
    let numbers = |error: &Boxed| error.downcast_ref::<Number>().unwrap().0;
    let seen: Vec<_> = error.iter().map(|f| numbers(f.error())).collect();
    assert_eq!((error.len(), &seen[..]), (5, &[1, 2, 3, 4, 5][..]));
    assert_eq!(numbers(error.first().unwrap().error()), 1);
    let errors = error.into_errors();
    assert_eq!(errors.iter().map(numbers).collect::<Vec<_>>(), seen);
}

#[test]
fn a_split_keeps_the_branches_of_each_part_and_drops_those_that_are_empty() {
    let error = fail::<Boxed>(example());
    let (odd, even) = error.split_by(|error| error.downcast_ref::<Number>().unwrap().0 % 2 == 1);
    assert_eq!(
        lines(&odd.unwrap()),
        [
            "2 tasks of a group failed",
            "├─ number 1",
            "└─ 2 tasks of a group failed",
            "   ├─ number 3",
            "   └─ 1 task of a group failed",
            "      └─ number 5",
        ]
    );
    assert_eq!(
        lines(&even.unwrap()),
        [
            "2 tasks of a group failed",
            "├─ 1 task of a group failed",
            "│  └─ number 2",
            "└─ 1 task of a group failed",
            "   └─ number 4",
        ]
    );
    let (all, none) = fail::<Boxed>(example()).split_by(|_| true);
    assert_eq!((all.unwrap().len(), none.is_none()), (5, true));
    let (none, all) = fail::<Boxed>(example()).split_by(|_| false);
    assert_eq!((none.is_none(), all.unwrap().len()), (true, 5));
}

#[test]
fn several_handlers_each_take_their_type_and_the_rest_goes_on() {
    fn failing(hand: &Hand) -> GroupError<Boxed> {
        let inner = hand.clone();
        let ended: Result<(), _> = hand.finish(GroupBuilder::on(hand.clone()).run(async |g| {
            g.spawn_named(
                "parse",
                shield(async {
                    yield_now().await;
                    Ok(_ = "x".parse::<u32>()?)
                }),
            );
            g.spawn_named(
                "nested",
                shield(async move {
                    let run = GroupBuilder::on(inner).run(async |g| {
                        g.spawn_named("disk", async {
                            Err::<(), Boxed>(io::Error::other("disk").into())
                        });
                        g.spawn_named("parse too", async { Ok(_ = "y".parse::<u32>()?) });
                        yield_now().await;
                        yield_now().await;
                        Err::<(), Boxed>(Number(7).into())
                    });
                    Ok(run.await?)
                }),
            );
            shield(async {
                while g.live() > 0 {
                    yield_now().await;
                }
            })
            .await;
            Ok(())
        }));
        ended.unwrap_err()
    }
    fn handle(hand: &Hand, seen: &mut Vec<String>) -> Result<(), GroupError<Boxed>> {
        let (parsing, rest) = failing(hand).split::<ParseIntError>();
        let names = parsing.into_iter().flatten().map(|failure| {
            let _: &ParseIntError = failure.error();
            failure.task().name().unwrap().to_owned()
        });
        seen.extend(names);
        let Some(rest) = rest else { return Ok(()) };
        let (disk, rest) = rest.split::<io::Error>();
        seen.extend(lines(&disk.unwrap()));
        rest.map_or(Ok(()), Err)
    }
    let mut seen = Vec::new();
    let rest = handle(&Hand::default(), &mut seen);
    // The first of the nested ones cancelled the second before it began.
    assert_eq!(
        seen,
        [
            "parse",
            "1 task of a group failed",
            "└─ 1 task of a group failed",
            "   └─ disk"
        ]
    );
    assert!(rest.is_ok());
}

#[test]
fn both_halves_of_a_split_hold_every_leaf_once_in_order() {
    fn random(rng: &mut fastrand::Rng, next: &mut u64, depth: usize) -> Vec<Plan> {
        let mut plan = Vec::new();
        for _ in 0..rng.usize(1..4) {
            if depth > 0 && rng.bool() {
                plan.push(Plan::Group(random(rng, next, depth - 1)));
            } else {
                plan.push(Plan::Number(*next));
                *next += 1;
            }
        }
        plan
    }
    fn numbers(error: Option<&GroupError<Boxed>>) -> Vec<u64> {
        let number = |error: &Boxed| error.downcast_ref::<Number>().unwrap().0;
        let failures = error.into_iter().flatten();
        failures.map(|failure| number(failure.error())).collect()
    }
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut next = 0;
        let plan = random(&mut rng, &mut next, 4);
        let whole = fail::<Boxed>(plan);
        let all = numbers(Some(&whole));
        assert_eq!(
            all.iter().copied().collect::<BTreeSet<_>>(),
            (0..next).collect()
        );
        let shown = lines(&whole);
        let chosen: BTreeSet<u64> = (0..next).filter(|_| rng.bool()).collect();
        let is_chosen = |error: &Boxed| chosen.contains(&error.downcast_ref::<Number>().unwrap().0);
        let (taken, rest) = whole.split_by(is_chosen);
        let keep = |wanted: bool| {
            let kept = |number: &&u64| chosen.contains(number) == wanted;
            all.iter().filter(kept).copied().collect::<Vec<_>>()
        };
        assert_eq!(numbers(taken.as_ref()), keep(true), "seed {seed}");
        assert_eq!(numbers(rest.as_ref()), keep(false), "seed {seed}");
        // Each line of a half is a line of the whole, but for its margin and counts.
        for half in [taken, rest].into_iter().flatten() {
            let bare = |line: &String| {
                line.trim_start_matches(['├', '│', '└', '─', ' '])
                    .to_owned()
            };
            let leaf = |line: &String| line.starts_with("number");
            let mut of_whole = shown.iter().map(bare).filter(leaf);
            for line in lines(&half).iter().map(bare).filter(leaf) {
                assert!(of_whole.any(|other| other == line), "seed {seed}");
            }
            let branches =
                |lines: &[String]| lines.iter().filter(|l| l.contains("of a group")).count();
            assert!(branches(&lines(&half)) <= branches(&shown), "seed {seed}");
        }
    }
}

#[test]
fn the_source_is_the_first_failure_and_a_boxed_one_is_found_in_the_chain() {
    let error = fail::<Boxed>(example());
    assert_eq!(error.source().unwrap().downcast_ref(), Some(&Number(1)));
    let hand = Hand::default();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn_named("bad", async { Err::<(), _>("two\nlines") });
        Ok(())
    });
    let error = hand.finish(run).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.starts_with("task `bad` spawned at ") && source.ends_with(": two …"));
    let text = format!("{:#}", error.first().unwrap());
    assert!(text.ends_with(": two\nlines"));
    assert!(lines(&error).ends_with(&["└─ two".to_owned(), "   lines".to_owned()]));
}

/// An error type of one's own that can carry a group.
#[derive(Debug)]
enum Own {
    Number(Number),
    Group(GroupError<Own>),
}

impl From<Number> for Own {
    fn from(number: Number) -> Self {
        Own::Number(number)
    }
}

impl From<GroupError<Own>> for Own {
    fn from(group: GroupError<Own>) -> Self {
        Own::Group(group)
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Own::Number(number) => number.fmt(f),
            Own::Group(group) => group.fmt(f),
        }
    }
}

#[test]
fn errors_that_carry_groups_become_branches_when_told_how() {
    let shown = lines(&fail::<Boxed>(example()));
    let own = fail::<Own>(example());
    assert_eq!(
        (own.len(), lines(&own)),
        (3, shown.clone()),
        "they are shown as branches anyway"
    );
    let nested = own.nest(|error| match error {
        Own::Group(group) => Ok(group),
        number => Err(number),
    });
    assert_eq!((nested.len(), lines(&nested)), (5, shown.clone()));
    let anyhow = fail::<anyhow::Error>(example()).nest(|error| error.downcast());
    assert_eq!((anyhow.len(), lines(&anyhow)), (5, shown.clone()));
    let (threes, rest) = anyhow.split_map(|error| match error.downcast() {
        Ok(Number(3)) => Ok(3),
        Ok(other) => Err(other.into()),
        Err(other) => Err(other),
    });
    assert_eq!(
        (threes.unwrap().into_errors(), rest.unwrap().len()),
        (vec![3], 4)
    );
    let eyre = fail::<eyre::Report>(example()).nest(|error| error.downcast());
    assert_eq!((eyre.len(), lines(&eyre)), (5, shown.clone()));
    // An error that is a group's.
    let hand = Hand::default();
    let inner = hand.clone();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn(async move { group::<Boxed>(inner, example()).await });
        Ok(())
    });
    let flat = hand.finish(run).unwrap_err().flatten();
    assert_eq!(flat.len(), 5);
    assert_eq!(lines(&flat)[1], "└─ 3 tasks of a group failed");
}

#[test]
fn a_split_by_type_takes_nested_groups_of_that_type_out_of_their_boxes() {
    let hand = Hand::default();
    let inner = hand.clone();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        let spawner = inner.clone();
        g.spawn_named("numbers", async move {
            let numbers = GroupBuilder::on(spawner).run(async |g| {
                g.spawn(shield(async { Err::<(), _>(Number(1)) }));
                g.spawn(shield(async { Err::<(), _>(Number(2)) }));
                yield_now().await;
                Ok(())
            });
            Ok::<(), Boxed>(shield(numbers).await?)
        });
        g.spawn(shield(async {
            Err::<(), Boxed>(io::Error::other("no disk").into())
        }));
        shield(yield_now()).await;
        Ok(())
    });
    let error = hand.finish(run).unwrap_err();
    let shown = lines(&error);
    let (numbers, rest) = error.split::<Number>();
    let numbers = numbers.unwrap();
    assert!(!numbers.is_empty());
    let (first, task) = (numbers.to_string(), "task `numbers` spawned at ");
    assert!(first.lines().nth(1).unwrap().contains(task), "{first}");
    let (disk, rest) = rest.unwrap().split::<io::Error>();
    assert_eq!((disk.unwrap().len(), rest.is_none()), (1, true));
    let taken = numbers.into_errors();
    assert!(
        shown.iter().any(|line| line.ends_with("number 1")),
        "{shown:?}"
    );
    assert!(taken.starts_with(&[Number(1)]), "{taken:?}");
}

#[test]
fn a_group_whose_errors_are_boxed_one_by_one_has_their_chain() {
    let hand = Hand::default();
    let run = GroupBuilder::on(hand.clone()).run(async |_| Err::<(), _>(Number(1)));
    let typed = hand.finish(run).unwrap_err();
    assert!(typed.source().unwrap().source().is_none());
    let boxed = typed.map(Boxed::from);
    assert_eq!(boxed.source().unwrap().downcast_ref(), Some(&Number(1)));
    // And is a branch where it fails a child of another.
    let run = GroupBuilder::on(hand.clone()).run(async |_| Err::<(), _>(Boxed::from(boxed)));
    let outer = hand.finish(run).unwrap_err();
    assert_eq!(outer.source().unwrap().downcast_ref(), Some(&Number(1)));
}

#[test]
fn lines_of_names_stay_in_their_branch() {
    let hand = Hand::default();
    let inner = hand.clone();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn_named("one\ntwo", group::<Boxed>(inner, vec![Plan::Number(1)]));
        Ok(())
    });
    let text = hand.finish(run).unwrap_err().flatten().to_string();
    let starts: Vec<_> = text
        .lines()
        .map(|line| line.chars().take(8).collect::<String>())
        .collect();
    assert_eq!(
        starts,
        ["1 task o", "└─ task ", "   two` ", "   └─ ta"],
        "{text}"
    );
}

#[test]
fn it_passes_through_boxes_anyhow_and_eyre_and_comes_back_whole() {
    let text = fail::<Boxed>(example()).to_string();
    let boxed: Boxed = fail::<Boxed>(example()).into();
    assert_eq!(boxed.to_string(), text);
    let back = boxed.downcast::<GroupError<Boxed>>().unwrap();
    assert_eq!((back.len(), back.to_string()), (5, text.clone()));

    let anyhow = anyhow::Error::from(fail::<Boxed>(example())).context("the whole of it");
    assert!(anyhow.chain().any(|error| error.is::<Number>()));
    let back = anyhow.downcast::<GroupError<Boxed>>().unwrap();
    assert_eq!((back.len(), back.to_string()), (5, text.clone()));

    let eyre = eyre::Report::from(fail::<Boxed>(example()));
    assert_eq!(eyre.to_string(), text);
    let back = eyre.downcast::<GroupError<Boxed>>().unwrap();
    assert_eq!((back.len(), back.to_string()), (5, text));
}

#[test]
fn a_nested_group_that_was_cancelled_is_a_failure_of_its_own() {
    let hand = Hand::default();
    let inner = hand.clone();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.spawn_named("nested", async {
            let run = GroupBuilder::on(inner).run(async |g| {
                g.cancel(Cause::requested("no more"));
                pending::<Result<(), Boxed>>().await
            });
            Ok(run.await?)
        });
        Ok::<_, Boxed>(())
    });
    let error = hand.finish(run).unwrap_err();
    assert_eq!(error.len(), 1);
    let (cancelled, rest) = error.split::<GroupError<Boxed>>();
    let cancelled = cancelled.unwrap();
    let inner = cancelled.first().unwrap().error();
    assert_eq!(inner.cause().unwrap().text(), "no more");
    assert!(rest.is_none());
    // As a branch, if one insists: without a leaf, and never lost.
    let nested = cancelled.flatten();
    assert!(nested.is_empty() && nested.source().is_none());
    assert_eq!(nested.cause().unwrap().text(), "no more");
    assert!(lines(&nested)[1].starts_with("└─ the group was cancelled on request: no more"));
    let (none, rest) = nested.split_by(|_| true);
    assert!(none.is_none() && rest.unwrap().is_empty());
}

#[test]
fn what_is_no_failure_goes_with_the_rest() {
    let hand = Hand::default();
    let run = GroupBuilder::on(hand.clone()).run(async |g| {
        g.cancel(Cause::requested("no more"));
        pending::<Result<(), Number>>().await
    });
    let (none, rest) = hand.finish(run).unwrap_err().split_by(|_| true);
    assert!(none.is_none());
    assert_eq!(
        rest.unwrap().map(Own::from).cause().unwrap().text(),
        "no more"
    );
}

#[test]
fn groups_nested_without_end_need_no_stack() {
    let mut error = fail::<Boxed>(vec![Plan::Number(1)]);
    // Through `flatten`, as each level of a program would.
    for _ in 0..2_000 {
        let hand = Hand::default();
        let run = GroupBuilder::on(hand.clone()).run(async |_| Err::<(), _>(error));
        error = hand.finish(run).unwrap_err().flatten();
    }
    assert_eq!(error.len(), 1);
    assert_eq!(error.to_string().lines().count(), 2_002);
    let (one, rest) = error.split::<Number>();
    assert!(one.is_some() && rest.is_none());
}

/// Counts what is written.
#[derive(Default)]
struct Counted {
    pieces: usize,
    bytes: usize,
    lines: usize,
}

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.pieces += 1;
        self.bytes += text.len();
        // All but the first piece of a line are short.
        self.lines += usize::from(text.starts_with('\n'));
        Ok(())
    }
}

/// A tree of `levels` groups, each in the one around, each with a failure of its own after that.
fn deep(levels: u64) -> GroupError<Number> {
    let two = || fail::<Boxed>(vec![Plan::Number(0), Plan::Number(0)]);
    let level = two().map(|_| Number(0));
    let of = |level: &GroupError<Number>, depth| {
        let mut is_first = true;
        level.clone().map(|_| match std::mem::take(&mut is_first) {
            true => Number(depth),
            false => Number(u64::MAX),
        })
    };
    of(&level, 1).nest(|Number(depth)| match depth < levels {
        true => Ok(of(&level, depth + 1)),
        false => Err(Number(depth)),
    })
}

#[test]
fn trees_100_000_deep_need_next_to_no_stack() {
    const LEVELS: u64 = 100_000;
    let (error, boxed) = (deep(LEVELS), deep(LEVELS).map(Boxed::from));
    let failures = LEVELS as usize + 1;
    let small = fail::<Boxed>(vec![Plan::Number(0)]).map(|_| Number(0));
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let tried = thread.spawn(move || {
        let mut shown = Counted::default();
        fmt::Write::write_fmt(&mut shown, format_args!("{error}")).unwrap();
        let lines = failures + LEVELS as usize - 1;
        assert_eq!(shown.lines, lines);
        // What it does is in proportion to what it writes, and margins go in one piece.
        assert!(shown.pieces < 16 * lines && shown.bytes > lines * lines);
        let mut debugged = Counted::default();
        fmt::Write::write_fmt(&mut debugged, format_args!("{error:?}{error:#?}")).unwrap();
        assert!(debugged.bytes > lines);

        assert_eq!((error.len(), error.iter().count()), (failures, failures));
        assert_eq!(error.first().unwrap().error(), &Number(LEVELS));
        assert!(!error.is_empty() && error.cause().is_none() && error.missing().is_none());
        let source = error.source().unwrap().to_string();
        assert!(source.ends_with(": number 100000"));
        assert_eq!(error.clone().into_errors().len(), failures);
        assert_eq!(
            error.clone().map(|Number(n)| n).into_iter().count(),
            failures
        );
        assert_eq!(error.clone().nest(Err).len(), failures);
        let outer = error.clone().map(|Number(n)| match n {
            u64::MAX => small.clone(),
            _ => error.clone(),
        });
        let flat = outer.flatten();
        assert_eq!(flat.len(), 2 * failures - 1);

        let (taken, rest) = error.split_by(|&Number(n)| n == LEVELS);
        assert_eq!(
            (taken.unwrap().len(), rest.unwrap().len()),
            (1, failures - 1)
        );

        // In a box, and in one's hands again.
        let source = boxed.source().unwrap();
        assert_eq!(source.downcast_ref(), Some(&Number(LEVELS)));
        let again: Boxed = boxed.into();
        let boxed = *again.downcast::<GroupError<Boxed>>().unwrap();
        let ends = Hand::default();
        let run = GroupBuilder::on(ends.clone()).run(async |_| Err::<(), _>(Boxed::from(boxed)));
        let boxed = ends.finish(run).unwrap_err();
        let anyhow = anyhow::Error::from(boxed);
        assert!(anyhow.chain().any(|error| error.is::<Number>()));
        let (numbers, rest) = anyhow
            .downcast::<GroupError<Boxed>>()
            .unwrap()
            .split::<Number>();
        assert_eq!((numbers.unwrap().len(), rest.is_none()), (failures, true));
    });
    tried.unwrap().join().unwrap();
}

#[test]
fn of_a_long_error_one_line_is_made_where_one_is_shown() {
    struct Long(std::rc::Rc<std::cell::Cell<usize>>);
    impl fmt::Display for Long {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for _ in 0..1000 {
                self.0.set(self.0.get() + 1);
                writeln!(f, "a line")?;
            }
            Ok(())
        }
    }
    let made = std::rc::Rc::default();
    let error = fail::<Boxed>(vec![Plan::Number(1)]).map(|_| Long(std::rc::Rc::clone(&made)));
    let failure = error.first().unwrap();
    assert!(failure.to_string().ends_with(": a line …"));
    assert_eq!(made.get(), 1);
    assert_eq!(format!("{failure:#}").lines().count(), 1000);
}
