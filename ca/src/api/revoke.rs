//! Revoke and GenerateCrl.

use msp::authority;

use crate::error::Error;
use crate::messages::{CertificateId, Crl, GenerateCrlRequest, Profile, RevokeRequest, Revoked};
use crate::now;
use crate::record::{Certificate, Identity, Revocation};
use crate::rights;

use super::Service;

/// Reason codes of RFC 5280; 7 is not used.
const REASONS: [u32; 10] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10];

impl Service {
    pub(super) fn revoke(
        &self,
        caller: &Identity,
        request: RevokeRequest,
    ) -> Result<Revoked, Error> {
        let reason =
            u8::try_from(request.reason).ok().filter(|_| REASONS.contains(&request.reason));
        let reason = reason.ok_or_else(|| Error::Invalid("unknown reason code".to_owned()))?;
        if request.generate_crl {
            rights::check_granted(caller, rights::GENERATE_CRL)?;
        }
        let changes = self.changes.lock();
        let certificates = match (request.id.as_str(), request.serial.as_str()) {
            (id, "") if !id.is_empty() => self.revoke_identity(caller, id, reason)?,
            ("", serial) if !serial.is_empty() => {
                self.revoke_certificate(caller, serial, &request.authority_key_id, reason)?
            }
            _ => return Err(Error::Invalid("either an id or a serial number".to_owned())),
        };
        self.store.flush()?;
        drop(changes);
        let crl = match request.generate_crl {
            true => self.revocation_list(Profile::Identity)?.into(),
            false => bytes::Bytes::new(),
        };
        Ok(Revoked { certificates, crl })
    }

    fn revoke_identity(
        &self,
        caller: &Identity,
        id: &str,
        reason: u8,
    ) -> Result<Vec<CertificateId>, Error> {
        let mut identity = self.require(id)?;
        check_may_revoke(caller, &identity)?;
        identity.revoked = true;
        self.store.put_identity(&identity)?;
        tracing::info!(id, by = caller.id, reason, "identity revoked");
        self.revoke_certificates_of(id, reason)
    }

    /// Revokes all certificates of an identity that are not revoked yet.
    pub(super) fn revoke_certificates_of(
        &self,
        id: &str,
        reason: u8,
    ) -> Result<Vec<CertificateId>, Error> {
        let mut revoked = Vec::new();
        for certificate in self.store.certificates("") {
            let certificate = certificate?;
            if certificate.id == id && certificate.revocation.is_none() {
                revoked.push(self.mark_revoked(certificate, reason)?);
            }
        }
        Ok(revoked)
    }

    fn revoke_certificate(
        &self,
        caller: &Identity,
        serial: &str,
        authority_key_id: &str,
        reason: u8,
    ) -> Result<Vec<CertificateId>, Error> {
        let serial = normal_hex(serial).trim_start_matches("00").to_owned();
        let authority_key_id = normal_hex(authority_key_id);
        for profile in [Profile::Identity, Profile::Tls] {
            let certificate = self.store.certificate(profile, &serial)?;
            let Some(certificate) =
                certificate.filter(|it| it.authority_key_id == authority_key_id)
            else {
                continue;
            };
            // Certificates may outlive the record of their identity.
            match self.store.identity(&certificate.id)? {
                Some(identity) => check_may_revoke(caller, &identity)?,
                None => {
                    rights::check_granted(caller, rights::REVOKER)?;
                    rights::check_covers(caller, "")?;
                }
            }
            if certificate.revocation.is_some() {
                return Err(Error::State("certificate is revoked already".to_owned()));
            }
            tracing::info!(id = certificate.id, serial, by = caller.id, "certificate revoked");
            return Ok(vec![self.mark_revoked(certificate, reason)?]);
        }
        Err(Error::NotFound("no certificate with this serial number and authority".to_owned()))
    }

    fn mark_revoked(
        &self,
        mut certificate: Certificate,
        reason: u8,
    ) -> Result<CertificateId, Error> {
        certificate.revocation = Some(Revocation { time: now(), reason });
        self.store.put_certificate(&certificate)?;
        Ok(CertificateId {
            profile: certificate.profile().into(),
            serial: certificate.serial,
            authority_key_id: certificate.authority_key_id,
        })
    }

    pub(super) fn generate_crl(
        &self,
        caller: &Identity,
        request: GenerateCrlRequest,
    ) -> Result<Crl, Error> {
        rights::check_granted(caller, rights::GENERATE_CRL)?;
        let profile = Profile::try_from(request.profile)
            .map_err(|_| Error::Invalid("unknown profile".to_owned()))?;
        Ok(Crl { crl: self.revocation_list(profile)?.into() })
    }

    /// All revoked certificates of a profile, expired ones too: peers do not look at expiry, so
    /// leaving one out would bring it back to life.
    fn revocation_list(&self, profile: Profile) -> Result<String, Error> {
        let _changes = self.changes.lock();
        let mut entries = Vec::new();
        for certificate in self.store.certificates("") {
            let certificate = certificate?;
            if let Some(Revocation { time, reason }) = certificate.revocation
                && certificate.profile() == profile
            {
                let serial = hex::decode(&certificate.serial)
                    .map_err(|_| Error::Internal("serial number".to_owned()))?;
                entries.push(authority::Revoked { serial, time, reason });
            }
        }
        let number = self.store.next_number(&format!("crl/{}", profile.as_str_name()))?;
        self.store.flush()?;
        self.issuer.revocation_list(profile, &entries, number)
    }
}

/// Everyone may revoke what is their own.
fn check_may_revoke(caller: &Identity, target: &Identity) -> Result<(), Error> {
    if caller.id == target.id {
        return Ok(());
    }
    rights::check_granted(caller, rights::REVOKER)?;
    rights::check_manages(caller, &target.kind, &target.affiliation)
}

/// Hex as tools print it, in the form it is stored in.
pub(super) fn normal_hex(text: &str) -> String {
    text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect()
}
