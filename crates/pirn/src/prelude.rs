//! What nearly every program uses: `use pirn::prelude::*;`.

#[doc(no_inline)]
pub use crate::{
    Task, finally, gather, group, join, race, shield, sleep, spawn, timeout, to_thread, yield_now,
};
