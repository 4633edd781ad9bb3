//! Models of pirn-sync.

mod barrier;
mod block_on;
mod broadcast;
mod capacity_limiter;
mod condition;
mod count;
mod event;
mod lock;
mod once_cell;
mod oneshot;
mod queue;
mod rendezvous;
mod rwlock;
mod semaphore;
mod watch;
