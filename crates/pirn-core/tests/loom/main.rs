//! Models of pirn-core.

mod count;
mod scope;
mod tokens;
mod wait;
