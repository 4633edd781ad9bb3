//! Models of the shipped types. They also run once under plain `cargo test`.

mod blocking;
mod doorbell;
mod readiness;
mod to_thread;
