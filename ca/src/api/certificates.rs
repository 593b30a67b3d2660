//! ListCertificates.

use crate::error::Error;
use crate::messages::{Certificates, ListCertificatesRequest};
use crate::now;
use crate::record::{Certificate, Identity};
use crate::rights;
use crate::store::certificate_key;

use super::Service;
use super::revoke::normal_hex;

impl Service {
    /// The caller's own certificates and those of identities it manages, filtered.
    pub(super) fn list_certificates(
        &self,
        caller: &Identity,
        request: ListCertificatesRequest,
    ) -> Result<Certificates, Error> {
        let limit = self.limit(request.limit);
        let mut answer = Certificates::default();
        let mut last = String::new();
        for certificate in self.store.certificates(&request.after) {
            let certificate = certificate?;
            if !matches(&certificate, &request) || !self.may_see(caller, &certificate)? {
                continue;
            }
            if answer.certificates.len() == limit {
                answer.next = last;
                break;
            }
            last = certificate_key(certificate.profile(), &certificate.serial);
            answer.certificates.push(certificate.message());
        }
        Ok(answer)
    }

    fn may_see(&self, caller: &Identity, certificate: &Certificate) -> Result<bool, Error> {
        if certificate.id == caller.id {
            return Ok(true);
        }
        let (kind, affiliation) = match self.store.identity(&certificate.id)? {
            Some(owner) => (owner.kind, owner.affiliation),
            // Of removed identities only those see who see everything.
            None => ("*".to_owned(), String::new()),
        };
        Ok(rights::check_manages(caller, &kind, &affiliation).is_ok())
    }
}

fn matches(certificate: &Certificate, wanted: &ListCertificatesRequest) -> bool {
    let is = |wanted: &str, actual: &str| wanted.is_empty() || normal_hex(wanted) == actual;
    (wanted.id.is_empty() || wanted.id == certificate.id)
        && is(&wanted.serial, &certificate.serial)
        && is(&wanted.authority_key_id, &certificate.authority_key_id)
        && !(wanted.not_revoked && certificate.revocation.is_some())
        && !(wanted.not_expired && certificate.not_after < now())
        && (wanted.expires_before == 0 || certificate.not_after < wanted.expires_before)
}
