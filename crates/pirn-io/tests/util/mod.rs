//! The same test on three drivers.
#![allow(dead_code, reason = "each test file uses a part")]

use pirn_core::{Instant, Park, Unpark, Until};
use pirn_io::{ReactorPark, ReactorUnpark};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Runs the test over the fallback thread with a bare `block_on`, on tokio, and on a reactor that
/// the test's own thread drives.
pub(crate) fn everywhere<F: Future<Output = ()>>(test: impl Fn() -> F) {
    pirn_core::shim::block_on(test());
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(test());
    on_own_reactor(test());
}

struct Ring(ReactorUnpark);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A `block_on` that sleeps in a reactor of its own, at most ten seconds at a time.
pub(crate) fn on_own_reactor<F: Future>(future: F) -> F::Output {
    let start = std::time::Instant::now();
    let now = move || Instant::EPOCH + start.elapsed();
    let mut park = ReactorPark::new(now).unwrap();
    let _entered = park.handle().enter();
    let waker = Waker::from(Arc::new(Ring(park.unparker())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        park.park(Until::At(now() + Duration::from_secs(10)))
            .unwrap();
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A path in the temporary folder that no other test uses.
pub(crate) fn temporary(name: &str) -> std::path::PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, SeqCst);
    std::env::temp_dir().join(format!("pirn-io-{name}-{}-{number}", std::process::id()))
}
