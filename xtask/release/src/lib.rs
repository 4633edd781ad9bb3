//! Releases: what the versions become, the changelog, publishing, and a registry to rehearse it
//! all with. `cargo xtask release` comes here; `tests/` checks the parts that are pure.

pub mod apply;
pub mod breaks;
pub mod changelog;
pub mod facts;
pub mod gate;
pub mod history;
pub mod manifests;
pub mod packages;
pub mod plan;
pub mod publish;
pub mod registry;
pub mod rehearse;
pub mod target;
pub mod verify;
