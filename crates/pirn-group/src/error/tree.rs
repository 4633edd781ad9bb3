//! Failures and the groups that they were in.
//!
//! The parts lie in one list, in the order in which they occurred, and branches are brackets in it: so
//! nothing here recurses, however deep the groups were.
//!
//! | `Part` | meaning |
//! |---|---|
//! | `Leaf` | a failure |
//! | `Open` | a task whose error was that of a group: what follows was in there |
//! | `Stop` | a group without failures, and why it gave no value: alone in the tree or its branch |
//! | `Close` | the end of the last branch that was opened |

use super::Failure;
use pirn_core::{Cause, Missing, TaskMeta};
use std::fmt::{self, Write};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Tree<E> {
    parts: Vec<Part<E>>,
}

#[derive(Clone, Debug)]
pub(super) enum Part<E> {
    Leaf(Failure<E>),
    Open(TaskMeta),
    Stop(Stop),
    Close,
}

#[derive(Clone, Debug)]
pub(super) enum Stop {
    Cancelled(Arc<Cause>),
    Missing(Missing),
    Refused(&'static str),
}

/// What a split takes of one failure.
pub(super) enum Taken<E> {
    Error(E),
    Group(Tree<E>),
}

impl<E> Default for Tree<E> {
    fn default() -> Self {
        Tree { parts: Vec::new() }
    }
}

impl<E> Tree<E> {
    pub(super) fn stopped(stop: Stop) -> Self {
        Tree {
            parts: vec![Part::Stop(stop)],
        }
    }

    pub(super) fn push(&mut self, part: Part<E>) {
        // A branch in which nothing is left is dropped.
        match (&part, self.parts.last()) {
            (Part::Close, Some(Part::Open(_))) => drop(self.parts.pop()),
            _ => self.parts.push(part),
        }
    }

    /// Adds what a task's group failed with.
    pub(super) fn graft(&mut self, task: TaskMeta, branch: Tree<E>) {
        self.push(Part::Open(task));
        self.parts.extend(branch.parts);
        self.push(Part::Close);
    }

    pub(super) fn non_empty(self) -> Option<Self> {
        (!self.parts.is_empty()).then_some(self)
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = &Failure<E>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Leaf(failure) => Some(failure),
            _ => None,
        })
    }

    pub(super) fn into_leaves(self) -> std::vec::IntoIter<Failure<E>> {
        let leaves = self.parts.into_iter().filter_map(|part| match part {
            Part::Leaf(failure) => Some(failure),
            _ => None,
        });
        leaves.collect::<Vec<_>>().into_iter()
    }

    /// Why the whole of it has no failures. Of several nested groups, why the first has none.
    pub(super) fn stop(&self) -> Option<&Stop> {
        if self.leaves().next().is_some() {
            return None;
        }
        self.parts.iter().find_map(|part| match part {
            Part::Stop(stop) => Some(stop),
            _ => None,
        })
    }

    /// What `take` takes, and the rest.
    pub(super) fn split<F>(
        self,
        mut take: impl FnMut(E) -> Result<Taken<F>, E>,
    ) -> (Tree<F>, Tree<E>) {
        let (mut taken, mut rest) = (Tree::default(), Tree::default());
        for part in self.parts {
            match part {
                Part::Leaf(Failure { task, error }) => match take(error) {
                    Ok(Taken::Error(error)) => taken.push(Part::Leaf(Failure { task, error })),
                    Ok(Taken::Group(group)) => taken.graft(task, group),
                    Err(error) => rest.push(Part::Leaf(Failure { task, error })),
                },
                Part::Open(task) => {
                    taken.push(Part::Open(task.clone()));
                    rest.push(Part::Open(task));
                }
                Part::Stop(stop) => rest.push(Part::Stop(stop)),
                Part::Close => {
                    taken.push(Part::Close);
                    rest.push(Part::Close);
                }
            }
        }
        (taken, rest)
    }

    pub(super) fn map<F>(self, mut f: impl FnMut(E) -> F) -> Tree<F> {
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Leaf(Failure { task, error }) => {
                let error = f(error);
                Part::Leaf(Failure { task, error })
            }
            Part::Open(task) => Part::Open(task),
            Part::Stop(stop) => Part::Stop(stop),
            Part::Close => Part::Close,
        });
        Tree {
            parts: parts.collect(),
        }
    }

    /// Makes branches of the leaves that `open` opens, and of those in them.
    pub(super) fn nest(self, mut open: impl FnMut(E) -> Result<Tree<E>, E>) -> Self {
        let mut nested = Tree::default();
        // The next part is the last of these.
        let mut ahead: Vec<Part<E>> = self.parts.into_iter().rev().collect();
        while let Some(part) = ahead.pop() {
            let Part::Leaf(Failure { task, error }) = part else {
                nested.push(part);
                continue;
            };
            match open(error) {
                Ok(branch) => {
                    nested.push(Part::Open(task));
                    ahead.push(Part::Close);
                    ahead.extend(branch.parts.into_iter().rev());
                }
                Err(error) => nested.push(Part::Leaf(Failure { task, error })),
            }
        }
        nested
    }

    /// Makes branches of all leaves.
    pub(super) fn flatten<F>(self, tree: impl Fn(E) -> Tree<F>) -> Tree<F> {
        let mut flat = Tree::default();
        for part in self.parts {
            match part {
                Part::Leaf(Failure { task, error }) => flat.graft(task, tree(error)),
                Part::Open(task) => flat.push(Part::Open(task)),
                Part::Stop(stop) => flat.push(Part::Stop(stop)),
                Part::Close => flat.push(Part::Close),
            }
        }
        flat
    }

    /// How each part stands among its neighbours, and at the end how the whole does.
    fn places(&self) -> Vec<Place> {
        let mut places = vec![Place::default(); self.parts.len() + 1];
        // From the end: how many parts were seen in each branch that is open here.
        let mut seen = vec![0];
        for (part, place) in self.parts.iter().zip(&mut places).rev() {
            if let Part::Close = part {
                seen.push(0);
                continue;
            }
            if let Part::Open(_) = part {
                place.children = seen.pop().unwrap_or(0);
            }
            if let Some(siblings) = seen.last_mut() {
                place.last = *siblings == 0;
                *siblings += 1;
            }
        }
        places[self.parts.len()].children = seen[0];
        places
    }
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Nothing follows in its branch.
    last: bool,
    /// How many parts are directly in it.
    children: usize,
}

/// What is said of a group before its failures.
struct Headline<'a, E> {
    first: Option<&'a Part<E>>,
    children: usize,
}

impl<E> fmt::Display for Headline<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.children) {
            (Some(Part::Stop(Stop::Missing(missing))), _) => write!(f, "{missing}"),
            (Some(Part::Stop(Stop::Cancelled(cause))), _) => write!(f, "the group was {cause}"),
            (Some(Part::Stop(Stop::Refused(reason))), _) => f.write_str(reason),
            (_, 1) => f.write_str("1 task of a group failed"),
            (_, failed) => write!(f, "{failed} tasks of a group failed"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Tree<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places();
        let headline = |first, children| Headline {
            first: self.parts.get(first),
            children,
        };
        write!(f, "{}", headline(0, places[self.parts.len()].children))?;
        // What each line begins with, and how long that was before each branch.
        let (mut margin, mut shorter) = (String::from("\n"), Vec::new());
        for (index, (part, place)) in self.parts.iter().zip(&places).enumerate() {
            let (branch, below) = match place.last {
                true => ("└─ ", "   "),
                false => ("├─ ", "│  "),
            };
            let mut put = |margin: &str, mut text: String| {
                if text.contains('\n') {
                    text = text.replace('\n', &format!("{margin}{below}"));
                }
                write!(f, "{margin}{branch}{text}")
            };
            match part {
                Part::Leaf(failure) => put(&margin, format!("{failure:#}"))?,
                Part::Open(task) => {
                    let headline = headline(index + 1, place.children);
                    put(&margin, format!("{task}: {headline}"))?;
                    shorter.push(margin.len());
                    margin.write_str(below)?;
                }
                // Said in the headline.
                Part::Stop(_) => {}
                Part::Close => margin.truncate(shorter.pop().unwrap_or(1)),
            }
        }
        Ok(())
    }
}
