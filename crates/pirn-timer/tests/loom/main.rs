//! Models of pirn-timer.

mod driver;
