//! TLS, where the feature `tls` is on; a refusal that says so where it is off.

#[cfg(not(feature = "tls"))]
#[path = "tls/disabled.rs"]
mod chosen;
#[cfg(feature = "tls")]
#[path = "tls/enabled.rs"]
mod chosen;

pub(crate) use chosen::{Roots, Tls, is_tls};
