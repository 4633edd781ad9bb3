//! What nearly every program uses: `use pirn::prelude::*;`.

#[doc(no_inline)]
pub use crate::{Task, gather, group, shield, sleep, spawn, timeout, to_thread};
