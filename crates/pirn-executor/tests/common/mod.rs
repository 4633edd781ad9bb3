//! What the tests share: counting wakers, a channel for one value, a hook for reports.
#![allow(dead_code)]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

/// Gives way once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    pub(crate) fn new() -> Arc<Counter> {
        Arc::default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

type Slot<T> = Arc<Mutex<(Option<T>, Option<Waker>)>>;

/// Gives a value to the receiver.
pub(crate) struct Sender<T>(Slot<T>);
/// Waits for the value.
pub(crate) struct Receiver<T>(Slot<T>);

pub(crate) fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Slot::default_slot();
    (Sender(slot.clone()), Receiver(slot))
}

trait DefaultSlot {
    fn default_slot() -> Self;
}

impl<T> DefaultSlot for Slot<T> {
    fn default_slot() -> Self {
        Arc::new(Mutex::new((None, None)))
    }
}

impl<T> Sender<T> {
    pub(crate) fn send(self, value: T) {
        let waker = {
            let mut slot = self.0.lock().unwrap();
            slot.0 = Some(value);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = T;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap();
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The reports that were made since the hook was set, by any test of the process.
pub(crate) struct Reports(());

static REPORTS: OnceLock<Mutex<Vec<String>>> = OnceLock::new();

fn reports() -> MutexGuard<'static, Vec<String>> {
    REPORTS.get_or_init(Mutex::default).lock().unwrap()
}

/// Collects reports. Tests share the process: each looks for a text of its own.
pub(crate) fn hook() -> Reports {
    pirn_core::report::set_hook(Some(Arc::new(|report| {
        reports().push(report.to_string());
    })));
    Reports(())
}

impl Reports {
    pub(crate) fn matching(&self, text: &str) -> Vec<String> {
        reports()
            .iter()
            .filter(|r| r.contains(text))
            .cloned()
            .collect()
    }
}
