//! Models of pirn-group.

mod child;
mod collect;
mod gather;
mod group;
mod hand;
mod in_task;
mod inside;
mod owned;
mod race;
mod signal;
mod slot;
mod start;
mod token;
