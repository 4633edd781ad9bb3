//! Models of pirn-core.

mod count;
mod scope;
mod thread_park;
mod tokens;
mod wait;
