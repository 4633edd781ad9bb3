//! A server's side.

use super::{TlsStream, invalid, provider};
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Makes encrypted streams of a server's connections. Cheap to clone.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt, future::try_join};
/// use pirn_io::net::UnixStream;
/// use pirn_io::tls::{Acceptor, Connector};
///
/// # pirn_core::shim::block_on(async {
/// let made = rcgen::generate_simple_self_signed(["loom.example".to_owned()]).unwrap();
/// let acceptor = Acceptor::new(made.cert.pem(), made.signing_key.serialize_pem())?;
/// let connector = Connector::builder().only_root_certificates_pem(made.cert.pem()).build()?;
///
/// let (one, other) = UnixStream::pair()?;
/// let (mut server, mut client) =
///     try_join(acceptor.accept(one), connector.connect("loom.example", other)).await?;
/// client.write_all(b"secret").await?;
/// client.close().await?;
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "secret");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// The side of a server that has these certificates, its own first, and this private key, all
    /// as PEM.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if they are no such things, or do not belong
    /// together.
    pub fn new(certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<Acceptor> {
        Acceptor::with_protocols(certificates, key, &[])
    }

    /// As [`new`](Self::new), for a server that speaks these protocols (ALPN), the best first.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_protocols(
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        protocols: &[&[u8]],
    ) -> io::Result<Acceptor> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificates.as_ref())
                .collect::<Result<_, _>>()
                .map_err(|error| invalid(format!("the certificates: {error}")))?;
        if certificates.is_empty() {
            return Err(invalid("the certificates: there is none"));
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|error| invalid(format!("the private key: {error}")))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(invalid)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
    }

    /// Makes `stream`, which a client has connected, an encrypted one.
    ///
    /// # Errors
    ///
    /// If the client does not speak TLS, or does not trust the certificate; or the stream's own. A
    /// peer may take for ever: set a time limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.0.accept(stream).await?;
        Ok(TlsStream(stream.into()))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}
