//! The accepting side.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;

use super::verifier::ClientVerifier;
use super::{Config, Error, load_certificates, pem, provider};

/// The TLS of a listener; clones share the client roots.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    verifier: Arc<ClientVerifier>,
}

impl ServerTls {
    /// Loads certificate, key and client roots.
    ///
    /// # Errors
    /// When a file is unreadable or unusable, or certificate and key do not belong together.
    pub fn load(config: &Config) -> Result<Self, Error> {
        let certificate = pem::read(&config.certificate)?;
        let chain = pem::certificates(&certificate, &config.certificate.display().to_string())?;
        let origin = config.private_key.display().to_string();
        let key = pem::private_key(&pem::read(&config.private_key)?, &origin)?;
        let roots = load_certificates(&config.client_root_cas)?;
        let verifier =
            Arc::new(ClientVerifier::new(config.client_auth_required, &roots, provider())?);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::clone(&verifier) as _)
            .with_single_cert(chain, key)?;
        // Every connection shows its client certificate: no tickets, no resumption.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), verifier })
    }

    /// Loads when `config.enabled`; plain text otherwise.
    ///
    /// # Errors
    /// As [`ServerTls::load`].
    pub fn load_if_enabled(config: &Config) -> Result<Option<Self>, Error> {
        config.enabled.then(|| Self::load(config)).transpose()
    }

    /// Replaces the authorities whose client certificates are accepted, for new connections.
    ///
    /// # Errors
    /// When one of them cannot be used; the old ones stay in force.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over a fresh list")]
    pub fn set_client_roots(&self, roots: Vec<CertificateDer<'static>>) -> Result<(), Error> {
        self.verifier.set_roots(&roots)
    }

    /// The rustls configuration offering one application protocol.
    pub(crate) fn acceptor(&self, alpn: &[u8]) -> tokio_rustls::TlsAcceptor {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![alpn.to_vec()];
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }
}
