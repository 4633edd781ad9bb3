//! Panics of user code, as values.

use pin_project_lite::pin_project;
use pirn_core::{Payload, TaskMeta, report::Report, report::report};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A future whose panic is its output.
    pub(crate) struct Catch<F> {
        #[pin]
        pub(crate) inner: F,
    }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Payload>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner;
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

/// Runs what drops a value of the user's; a panic of its destructor is reported.
pub(crate) fn drop_quietly(task: &TaskMeta, drops: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(drops)) {
        report_panic(task.clone(), payload);
    }
}

/// As [`drop_quietly`], where nothing says whose it is.
#[cold]
pub(crate) fn drop_nameless(drops: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(drops)) {
        let task = None;
        report(Report::Panic { task, payload });
    }
}

/// Tells the hook of a panic: nobody else is left.
#[cold]
pub(crate) fn report_panic(task: TaskMeta, payload: Payload) {
    let task = Some(task);
    report(Report::Panic { task, payload });
}

/// Tells the hook of an error: nobody else is left. In words, since reports are kept, and the error
/// itself may be neither `Send` nor an `Error`.
#[cold]
pub(crate) fn report_error(task: TaskMeta, error: impl fmt::Display) {
    let shown = catch_unwind(AssertUnwindSafe(|| format!("{error:#}")));
    let text = shown.unwrap_or_else(|payload| {
        report_panic(task.clone(), payload);
        "(an error whose Display panicked)".to_owned()
    });
    drop_quietly(&task, || drop(error));
    report(Report::Error {
        task: Some(task),
        error: text.into(),
    });
}
