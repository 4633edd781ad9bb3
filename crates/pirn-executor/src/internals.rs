//! Parts of the schedulers for their models, and of the ways in for the facade. Exempt from semver.

pub use crate::entry::or_ended;
pub use crate::pool::claimed::Claimed;
pub use crate::pool::deque::{CAPACITY, Local, Stealer, Word, deque};
pub use crate::pool::idle::{Idle, Woken};
pub use crate::pool::injector::Injector;
pub use crate::pool::lanes::Lanes;
pub use crate::pool::spin::{PATIENCE, Spin};
pub use crate::pool::watch::Watches;
pub use crate::priority::{Lane, Turns, Waiting};
pub use crate::room::{KEPT, PART, after_rest};
pub use crate::task::label::spend as spend_ids;
pub use crate::task::sites::{NONE, Sites, fill as fill_sites};
