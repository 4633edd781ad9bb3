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
pub fn test<F: Future>(sim: crate::sim::Sim, test: impl FnOnce() -> F) -> F::Output {
    sim.run(test())
}
