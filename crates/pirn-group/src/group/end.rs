//! What a group gives when all have ended.

use super::shared::{Exit, Failed, What};
use crate::branches::stay;
use crate::catch::drop_quietly;
use crate::error::{Failure, GroupError};
use pirn_core::{Cause, Kind, Payload, Scope};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

/// Ends a group whose run has `ended`, in the scope `around`: gives the body's `value` if it had
/// one and nothing is against it.
pub(super) async fn end<T, E: fmt::Display + 'static>(
    exit: Exit<E>,
    value: Option<T>,
    ended: Result<Result<(), Arc<Cause>>, Payload>,
    around: Option<&Scope>,
) -> Result<T, GroupError<E>> {
    let (mut failures, incomplete) = exit.leave();
    let cause = match ended {
        Ok(ended) => ended.err(),
        Err(payload) => {
            let task = exit.0.meta.clone();
            let what = What::Panic(payload);
            failures.push(Failed { task, what });
            None
        }
    };
    if !failures.is_empty() {
        drop_quietly(&exit.0.meta, || drop(value));
        return Err(GroupError::failed(raise(failures)));
    }
    let cause = incomplete.or(cause);
    if cause.is_some() && around.is_some_and(Scope::is_over) {
        stay().await;
    }
    match (value, cause) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(cause)) if cause.kind() == Kind::Requested => Ok(value),
        (value, Some(cause)) => {
            drop_quietly(&exit.0.meta, || drop(value));
            Err(GroupError::cancelled(cause))
        }
        (None, None) => unreachable!("a body that gave no value failed or was cancelled"),
    }
}

/// Goes on with the first panic, if there is one, the others and the errors having been reported.
fn raise<E: fmt::Display>(failures: Vec<Failed<E>>) -> Vec<Failure<E>> {
    if !failures
        .iter()
        .any(|failed| matches!(failed.what, What::Panic(_)))
    {
        let errors = failures.into_iter().filter_map(|failed| match failed.what {
            What::Error(error) => Some(Failure::new(failed.task, error)),
            What::Panic(_) => None,
        });
        return errors.collect();
    }
    let mut first = None;
    for failed in failures {
        match failed.what {
            What::Panic(payload) if first.is_none() => first = Some(payload),
            what => Failed { what, ..failed }.report(),
        }
    }
    match first {
        Some(payload) => resume_unwind(payload),
        None => Vec::new(),
    }
}
