//! Which client certificates a server accepts.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::DigitallySignedStruct;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::Error;

/// Verifies client certificates against roots that can be replaced at run time, or, when they
/// are not required, accepts any certificate whose key the client holds.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    required: bool,
    chain: RwLock<Option<Arc<dyn ClientCertVerifier>>>,
    provider: Arc<CryptoProvider>,
}

impl ClientVerifier {
    pub(super) fn new(
        required: bool,
        roots: &[CertificateDer<'static>],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let verifier = Self { required, chain: RwLock::new(None), provider };
        verifier.set_roots(roots)?;
        Ok(verifier)
    }

    /// New handshakes use `roots`; with none, every certificate is refused where one is required.
    pub(super) fn set_roots(&self, roots: &[CertificateDer<'static>]) -> Result<(), Error> {
        let chain: Option<Arc<dyn ClientCertVerifier>> = match roots {
            [] => None,
            roots => {
                let store = Arc::new(super::client::root_store(roots)?);
                let provider = Arc::clone(&self.provider);
                let built = WebPkiClientVerifier::builder_with_provider(store, provider)
                    .build()
                    .map_err(|error| Error::ClientRoots(error.to_string()))?;
                Some(built)
            }
        };
        *self.chain.write() = chain;
        Ok(())
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        // No hints: clients send the certificate they were configured with.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if !self.required {
            return Ok(ClientCertVerified::assertion());
        }
        match self.chain.read().clone() {
            Some(chain) => chain.verify_client_cert(end_entity, intermediates, now),
            None => Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
