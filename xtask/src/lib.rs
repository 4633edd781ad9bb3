//! The project's own commands, one file each. `main.rs` picks one; this library exists so that
//! `tests/` can check the checks.

pub mod alone;
pub mod audit;
pub mod bench;
pub mod binary;
pub mod book;
pub mod ci;
pub mod course;
pub mod interop;
pub mod loom;
pub mod metadata;
pub mod process;
pub mod release;
pub mod source;
pub mod steps;
pub mod test;
pub mod tidy;
pub mod weaken;

/// What every command returns: an error is one line for the reader, already complete.
pub type Result<T = ()> = std::result::Result<T, String>;

/// Turns an argument error into our own.
pub(crate) fn usage(error: lexopt::Error) -> String {
    format!("{error} (see `cargo xtask help`)")
}
