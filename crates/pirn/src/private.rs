//! What the macros expand to. Not for use by hand.

use crate::{RunError, Runtime};
use std::future::Future;

/// The arguments of an attribute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    workers: Option<usize>,
    current_thread: bool,
    seed: Option<u64>,
}

impl Options {
    pub fn new() -> Self {
        Options::default()
    }

    #[must_use]
    pub fn current_thread(self) -> Self {
        Options { current_thread: true, ..self }
    }

    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Options { workers: Some(workers), ..self }
    }

    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Options { seed: Some(seed), ..self }
    }
}

#[track_caller]
pub fn main<F: Future>(options: Options, main: impl FnOnce() -> F) -> F::Output {
    let builder = Runtime::builder();
    let _ = options;
    let ended = match builder.build() {
        Ok(mut runtime) => runtime.run(main()),
        Err(error) => panic!("#[pirn::main] cannot start: {error}"),
    };
    match ended {
        Ok(output) => output,
        Err(error @ RunError::Nested) => panic!("#[pirn::main]: {error}"),
        Err(error) => panic!("#[pirn::main]: {error}"),
    }
}

#[cfg(feature = "test")]
#[track_caller]
pub fn test<F: Future>(options: Options, test: impl FnOnce() -> F) -> F::Output {
    let sim = pirn_sim::Sim::new();
    match options.seed {
        Some(seed) => sim.seed(seed).run(test()),
        None => sim.run(test()),
    }
}
