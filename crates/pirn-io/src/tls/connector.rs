//! A client's side.

use super::{TlsStream, invalid, provider};
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

/// Makes encrypted streams of a client's connections. Cheap to clone.
///
/// It trusts the system's roots, or Mozilla's where the system has none, and what the
/// [builder](Connector::builder) was given.
///
/// # Examples
///
/// ```no_run
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use pirn_io::{TcpStream, tls::Connector};
///
/// # pirn_core::shim::block_on(async {
/// let stream = TcpStream::connect("example.org:443").await?;
/// let mut stream = Connector::default().connect("example.org", stream).await?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").await?;
/// stream.flush().await?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).await?;
/// assert!(answer.starts_with("HTTP/1."));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Connector(Arc<Inner>);

#[derive(Default)]
struct Inner {
    extra: Vec<CertificateDer<'static>>,
    without_system: bool,
    protocols: Vec<Vec<u8>>,
    /// Made with the first connection: reading the system's roots takes a while.
    config: OnceLock<Arc<ClientConfig>>,
}

/// How to make a [`Connector`].
///
/// # Examples
///
/// ```
/// use pirn_io::tls::Connector;
///
/// let error = Connector::builder().root_certificates_pem("nothing").build().unwrap_err();
/// assert_eq!(error.to_string(), "there is no certificate in it");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct ConnectorBuilder {
    pem: Vec<Vec<u8>>,
    without_system: bool,
    protocols: Vec<Vec<u8>>,
}

impl Connector {
    /// What a connector is made from.
    pub fn builder() -> ConnectorBuilder {
        ConnectorBuilder::default()
    }

    /// Makes `stream` one that is encrypted, to a peer that has proved to be `host`: a name, or an
    /// address as text.
    ///
    /// # Errors
    ///
    /// If the peer's certificate is not trusted, is another host's or has run out, or the peer does
    /// not speak TLS ([`is_tls`](super::is_tls)); if `host` is no name
    /// ([`InvalidInput`](io::ErrorKind::InvalidInput)); or the stream's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(invalid)?;
        let connector = TlsConnector::from(self.0.config().await?);
        let stream = connector.connect(name, stream).await?;
        Ok(TlsStream(stream.into()))
    }
}

impl Inner {
    async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = match self.without_system {
            true => RootCertStore::empty(),
            false => system_roots().await?.clone(),
        };
        for certificate in &self.extra {
            roots.add(certificate.clone()).map_err(invalid)?;
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols.clone_from(&self.protocols);
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
    let load = crate::to_thread(|| {
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

impl ConnectorBuilder {
    /// Trusts the certificates in `pem` too, beside the system's roots: those of a private
    /// authority, or of one server that signed its own.
    ///
    /// What is not PEM is found by [`build`](Self::build).
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.pem.push(pem.into());
        self
    }

    /// Trusts the certificates in `pem`, and not the system's roots.
    pub fn only_root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.without_system = true;
        self.root_certificates_pem(pem)
    }

    /// Offers these protocols (ALPN), the best first.
    pub fn protocols(mut self, protocols: &[&[u8]]) -> Self {
        self.protocols = protocols.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// The connector.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if something given as a certificate is none.
    pub fn build(self) -> io::Result<Connector> {
        let mut extra = Vec::new();
        let mut store = RootCertStore::empty();
        for pem in self.pem {
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
        Ok(Connector(Arc::new(Inner {
            extra,
            without_system: self.without_system,
            protocols: self.protocols,
            config: OnceLock::new(),
        })))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("extra", &self.0.extra.len())
            .field("without_system", &self.0.without_system)
            .finish_non_exhaustive()
    }
}
