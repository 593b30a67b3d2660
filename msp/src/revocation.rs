//! Certificate revocation lists.

use std::collections::BTreeSet;

use bytes::Bytes;
use x509_parser::extensions::ParsedExtension;

use crate::certificate::{Certificate, Error, tbs_range};
use crate::keys::SignatureAlgorithm;
use crate::pem;

/// A parsed list. Its dates are not looked at: revoked is revoked.
#[derive(Debug)]
pub(crate) struct RevocationList {
    tbs: Bytes,
    signature_algorithm: SignatureAlgorithm,
    signature: Bytes,
    authority_key_id: Option<Bytes>,
    serials: BTreeSet<Vec<u8>>,
}

impl RevocationList {
    /// Parses PEM or DER.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed("not a revocation list");
        let block = pem::decode(bytes).filter(|block| block.label == pem::CRL);
        let der: Bytes = block.map_or_else(|| bytes.to_vec(), |block| block.content).into();
        let (rest, crl) = x509_parser::parse_x509_crl(&der).map_err(|_| malformed.clone())?;
        if !rest.is_empty() {
            return Err(Error::Malformed("trailing bytes"));
        }
        let authority_key_id = crl.extensions().iter().find_map(|it| match it.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(it) => Some(
                it.key_identifier
                    .as_ref()
                    .map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.0)),
            ),
            _ => None,
        });
        Ok(Self {
            tbs: der.slice(tbs_range(&der).ok_or(malformed)?),
            signature_algorithm: SignatureAlgorithm::from_oid(&crl.signature_algorithm.algorithm),
            signature: Bytes::copy_from_slice(crl.signature_value.as_ref()),
            authority_key_id,
            serials: crl.iter_revoked_certificates().map(|it| it.serial().to_bytes_be()).collect(),
        })
    }

    /// Whether the list says whose it is; without that nothing can be validated against it.
    pub(crate) fn names_its_issuer(&self) -> bool {
        self.authority_key_id.is_some()
    }

    /// Whether this list, signed by the certificate's own issuer, names the certificate.
    pub(crate) fn revokes(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.authority_key_id.as_ref() == issuer.subject_key_id()
            && self.serials.contains(certificate.serial())
            && issuer
                .public_key()
                .verify_x509(self.signature_algorithm, &self.tbs, &self.signature)
                .is_ok()
    }
}
