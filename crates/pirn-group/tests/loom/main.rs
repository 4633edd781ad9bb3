//! Models of pirn-group.

mod group;
mod hand;
mod token;
