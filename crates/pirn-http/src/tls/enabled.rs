//! TLS: pirn-io's.

use crate::connect::Transport;
use crate::session::SessionBuilder;
use pirn_io::tls::{Connector, ConnectorBuilder};
use std::io;

pub(crate) use pirn_io::tls::is_tls;

/// What is trusted beside the system's roots.
#[derive(Default)]
pub(crate) struct Roots(ConnectorBuilder);

pub(crate) struct Tls(Connector);

impl SessionBuilder {
    /// Trusts the certificates in `pem` too, beside the system's roots: those of a private
    /// authority, or of one server that signed its own.
    ///
    /// What is not PEM is found by [`build`](Self::build).
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.0 = self.roots.0.root_certificates_pem(pem);
        self
    }
}

impl Tls {
    pub(crate) fn new(roots: Roots) -> io::Result<Tls> {
        roots.0.protocols(&[b"http/1.1"]).build().map(Tls)
    }

    /// Makes `stream` one that is encrypted, to a peer that has proved to be `host`.
    pub(crate) async fn lay_over(
        &self,
        stream: Box<dyn Transport>,
        host: &str,
    ) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(self.0.connect(host, stream).await?))
    }
}
