//! Models of pirn-group.

mod collect;
mod group;
mod hand;
mod token;
mod owned;
mod start;
