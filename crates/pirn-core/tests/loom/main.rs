//! Models of pirn-core.

mod count;
mod scope;
mod spin;
mod thread_park;
mod tokens;
mod wait;
