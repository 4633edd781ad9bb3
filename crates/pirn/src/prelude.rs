//! What nearly every program uses: `use pirn::prelude::*;`.

#[doc(no_inline)]
pub use crate::{Task, shield, sleep, spawn, to_thread};
