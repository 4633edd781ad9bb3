//! Models of pirn-group.

mod collect;
mod group;
mod hand;
mod owned;
mod start;
mod token;
