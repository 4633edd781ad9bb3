//! wip
#![forbid(unsafe_code)]

pub mod wheel;
