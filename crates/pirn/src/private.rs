//! What the macros expand to. Not for use by hand.

use crate::Builder;
use std::future::Future;

#[track_caller]
pub fn main<F: Future>(builder: Builder, main: impl FnOnce() -> F) -> F::Output {
    let ended = match builder.build() {
        Ok(mut runtime) => runtime.run(main()),
        Err(error) => panic!("#[pirn::main] cannot start: {error}"),
    };
    match ended {
        Ok(output) => output,
        Err(error) => panic!("#[pirn::main]: {error}"),
    }
}

#[cfg(feature = "test")]
#[track_caller]
pub fn test<F: Future>(sim: crate::sim::Sim, name: &str, test: impl FnOnce() -> F) -> F::Output {
    sim.run_test(name, test, |_| false)
}

/// The first output that is an error, or the last.
#[cfg(feature = "test")]
#[track_caller]
pub fn test_seeds<F: Future<Output: Outcome>>(
    sim: crate::sim::Sim,
    name: &str,
    seeds: u64,
    test: impl Fn() -> F,
) -> F::Output {
    let output = sim.explore(seeds, Some(name), test, Outcome::is_failure);
    output.unwrap_or_else(|| panic!("`seeds = 0` tests nothing"))
}

/// What a test under many seeds may return.
#[cfg(feature = "test")]
#[diagnostic::on_unimplemented(
    message = "a test under many seeds returns nothing or a `Result`, not `{Self}`"
)]
pub trait Outcome {
    fn is_failure(&self) -> bool;
}

#[cfg(feature = "test")]
impl Outcome for () {
    fn is_failure(&self) -> bool {
        false
    }
}

#[cfg(feature = "test")]
impl<T, E> Outcome for Result<T, E> {
    fn is_failure(&self) -> bool {
        self.is_err()
    }
}
