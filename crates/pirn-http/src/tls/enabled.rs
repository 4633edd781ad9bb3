//! TLS by rustls, with ring.

use crate::connect::Transport;
use crate::session::SessionBuilder;
use futures_rustls::TlsConnector;
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{self, ClientConfig, RootCertStore};
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, OnceLock};

/// What is trusted beside the system's roots: certificates as PEM.
#[derive(Default)]
pub(crate) struct Roots(Vec<Vec<u8>>);

pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    /// Made with the first connection that needs it: reading the system's roots takes a while.
    config: OnceLock<Arc<ClientConfig>>,
}

impl SessionBuilder {
    /// Trusts the certificates in `pem` too, beside the system's roots: those of a private
    /// authority, or of one server that signed its own.
    ///
    /// What is not PEM is found by [`build`](Self::build).
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.0.push(pem.into());
        self
    }
}

impl Tls {
    pub(crate) fn new(roots: Roots) -> io::Result<Tls> {
        let mut extra = Vec::new();
        let mut store = RootCertStore::empty();
        for pem in roots.0 {
            let before = extra.len();
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(invalid)?;
                store.add(certificate.clone()).map_err(invalid)?;
                extra.push(certificate);
            }
            if extra.len() == before {
                return Err(invalid("there is no certificate in it"));
            }
        }
        Ok(Tls {
            extra,
            config: OnceLock::new(),
        })
    }

    /// Makes `stream` one that is encrypted, to a peer that has proved to be `host`.
    pub(crate) async fn lay_over(
        &self,
        stream: Box<dyn Transport>,
        host: &str,
    ) -> io::Result<Box<dyn Transport>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(invalid)?;
        let connector = TlsConnector::from(self.config().await?);
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = system_roots().await?.clone();
        for certificate in &self.extra {
            roots.add(certificate.clone()).map_err(invalid)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Two tasks may get here at once; one of the two equal ones stays.
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

/// The roots that the system trusts, or Mozilla's where it has none. Read once in the process, on
/// a thread that may block.
async fn system_roots() -> io::Result<&'static RootCertStore> {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(roots);
    }
    let load = pirn_io::to_thread(|| {
        let mut roots = RootCertStore::empty();
        // Files that cannot be read are skipped: one of them must not spoil the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    });
    let loaded = load
        .await
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(ROOTS.get_or_init(|| loaded))
}

fn invalid(error: impl Into<Box<dyn StdError + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// True if rustls is underneath: the connection failed for what TLS found.
pub(crate) fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}
