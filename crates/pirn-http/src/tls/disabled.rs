//! No TLS: the feature is off.

use crate::connect::Transport;
use std::io;

/// Nothing can be trusted.
#[derive(Default)]
pub(crate) struct Roots(());

pub(crate) struct Tls;

impl Tls {
    pub(crate) fn new(_: Roots) -> io::Result<Tls> {
        Ok(Tls)
    }

    pub(crate) async fn lay_over(
        &self,
        _: Box<dyn Transport>,
        _host: &str,
    ) -> io::Result<Box<dyn Transport>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "https needs the feature `tls` of pirn-http, which is off",
        ))
    }
}

pub(crate) fn is_tls(_: &io::Error) -> bool {
    false
}
