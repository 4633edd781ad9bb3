//! Models of pirn-timer.

mod driver;
mod thread_park;
