//! Models of pirn-core.

mod block_on;
mod branch;
mod calls;
mod count;
mod members;
mod offers;
mod run;
mod scope;
mod spin;
mod thread_park;
mod tokens;
mod wait;
