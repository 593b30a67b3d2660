//! Certificate signing requests: what someone with a key sends to an authority.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::authority::Subject;
use crate::certificate::tbs_range;
use crate::der::{self, OID, SEQUENCE, SET};
use crate::encode::{self, context};
use crate::keys::{self, PrivateKey, PublicKey, SignatureAlgorithm};
use crate::pem;

/// Why bytes are not a request to act upon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no PEM block of the right kind.
    #[error("no PEM block labelled CERTIFICATE REQUEST")]
    Pem,
    /// The DER does not parse.
    #[error("certificate request is malformed")]
    Malformed,
    /// The key cannot be used, or did not sign the request.
    #[error("key of certificate request")]
    Key(#[from] keys::Error),
}

/// A request whose signature holds: the sender has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The common name asked for; empty if there is none.
    pub common_name: String,
    /// Host names and addresses asked for.
    pub hosts: Vec<String>,
    /// The key to be certified.
    pub public_key: PublicKey,
}

/// Makes a request for `key`, as PEM.
pub fn create(key: &PrivateKey, subject: &Subject, hosts: &[String]) -> Result<String, Error> {
    let attributes = match hosts.is_empty() {
        true => Vec::new(),
        false => {
            let extensions = der::element(SEQUENCE, &encode::alternative_names(hosts));
            let kind = der::element(OID, encode::EXTENSION_REQUEST);
            der::nest(SEQUENCE, [&kind[..], &der::element(SET, &extensions)])
        }
    };
    let (version, name) = (der::unsigned(&[0]), encode::name(subject));
    let attributes = der::element(context(0), &attributes);
    let body = der::nest(SEQUENCE, [&version[..], &name, key.public().spki(), &attributes]);
    Ok(pem::encode(pem::CERTIFICATE_REQUEST, &encode::signed(key, &body)?))
}

impl Request {
    /// Parses PEM and verifies the signature.
    pub fn from_pem(text: &[u8]) -> Result<Self, Error> {
        let mut blocks = pem::blocks(text);
        let block = blocks.find(|block| block.label == pem::CERTIFICATE_REQUEST);
        let der = block.ok_or(Error::Pem)?.content;
        let (rest, csr) = X509CertificationRequest::from_der(&der).map_err(|_| Error::Malformed)?;
        let body = tbs_range(&der).and_then(|range| der.get(range)).ok_or(Error::Malformed)?;
        if !rest.is_empty() || csr.signature_value.unused_bits != 0 {
            return Err(Error::Malformed);
        }
        let info = &csr.certification_request_info;
        let public_key = PublicKey::from_parsed(&info.subject_pki)?;
        let algorithm = SignatureAlgorithm::from_oid(&csr.signature_algorithm.algorithm);
        public_key.verify_x509(algorithm, body, csr.signature_value.as_ref())?;
        let mut names = info.subject.iter_common_name();
        let common_name = names.next().and_then(|it| it.as_str().ok()).unwrap_or_default();
        let mut hosts = Vec::new();
        for extension in csr.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                hosts.extend(names.general_names.iter().filter_map(host));
            }
        }
        Ok(Self { common_name: common_name.to_owned(), hosts, public_key })
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => {
                <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
            }
        },
        _ => None,
    }
}
