//! The dialing side.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Error, pem, provider};

/// A stream to a server whose name and chain were verified.
pub type Connection = tokio_rustls::client::TlsStream<TcpStream>;

/// The certificate and key a client presents.
#[derive(Debug)]
pub struct ClientTls {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Clone for ClientTls {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl ClientTls {
    /// Loads PEM files.
    ///
    /// # Errors
    /// When a file is unreadable or holds nothing usable.
    pub fn load(certificate: &Path, private_key: &Path) -> Result<Self, Error> {
        let chain =
            pem::certificates(&pem::read(certificate)?, &certificate.display().to_string())?;
        let key = pem::private_key(&pem::read(private_key)?, &private_key.display().to_string())?;
        Ok(Self { chain, key })
    }

    /// Reads PEM texts.
    ///
    /// # Errors
    /// When a text holds nothing usable.
    pub fn from_pem(certificate: &[u8], private_key: &[u8]) -> Result<Self, Error> {
        let chain = pem::certificates(certificate, "client certificate")?;
        let key = pem::private_key(private_key, "client private key")?;
        Ok(Self { chain, key })
    }

    /// The leaf certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        // `pem::certificates` never returns an empty chain.
        &self.chain[0]
    }

    /// SHA-256 of the DER of the leaf: what binds requests to this connection.
    #[must_use]
    pub fn certificate_hash(&self) -> [u8; 32] {
        super::certificate_hash(self.certificate())
    }
}

/// A rustls client configuration that trusts `roots`, presents `identity` if given, and offers
/// the protocols `alpn`.
///
/// # Errors
/// When a root or the identity cannot be used, or there is no root.
pub fn client_config(
    roots: &[CertificateDer<'static>],
    identity: Option<&ClientTls>,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(root_store(roots)?);
    let mut config = match identity {
        Some(tls) => builder.with_client_auth_cert(tls.chain.clone(), tls.key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // A resumed session would hide a certificate changed between two connections.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

pub(super) fn root_store(roots: &[CertificateDer<'static>]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| Error::Certificate {
            origin: "root authorities".to_owned(),
            reason: error.to_string(),
        })?;
    }
    if store.is_empty() {
        return Err(Error::Certificate {
            origin: "root authorities".to_owned(),
            reason: "none given".to_owned(),
        });
    }
    Ok(store)
}

/// Connects to `host:port` and verifies that the server's certificate names `server_name`
/// (the host itself when `None`).
///
/// # Errors
/// What the network or the handshake said.
pub async fn connect(
    address: &str,
    server_name: Option<&str>,
    config: Arc<ClientConfig>,
) -> io::Result<Connection> {
    let name = server_name_of(server_name.unwrap_or(address))?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// The name in `host:port`, `[v6]:port` or a bare host.
fn server_name_of(address: &str) -> io::Result<ServerName<'static>> {
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    };
    ServerName::try_from(host.to_owned()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("`{host}` is not a host name"))
    })
}
