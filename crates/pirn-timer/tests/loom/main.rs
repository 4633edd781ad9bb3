//! Models of pirn-timer.

mod driver;
mod own;
mod timeout;
