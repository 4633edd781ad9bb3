//! Models of pirn-sync.

mod count;
mod lock;
mod semaphore;
