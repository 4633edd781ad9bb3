//! wip
use std::sync::Arc;
/// wip
#[derive(Clone)]
pub struct Scope(#[allow(dead_code)] Arc<()>);
pub(crate) struct Winding;
