//! Enroll and Reenroll: certificates for keys that their holders made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use msp::request::Request;

use crate::error::Error;
use crate::issuer::Holder;
use crate::messages::{AttributeRequest, EnrollRequest, Enrolled, Profile, ReenrollRequest};
use crate::record::{Certificate, Identity};
use crate::rights;
use crate::secret::SecretHash;

use super::Service;

const HOSTS_MAX: usize = 64;
const HOST_BYTES_MAX: usize = 253;

/// What is asked for, whoever asks.
struct Wish {
    certificate_request: bytes::Bytes,
    profile: i32,
    hosts: Vec<String>,
    attributes: Vec<AttributeRequest>,
}

impl Service {
    /// The first certificate, for the secret of an identity.
    pub(super) fn enroll(&self, request: EnrollRequest) -> Result<Enrolled, Error> {
        let EnrollRequest { id, secret, certificate_request, profile, hosts, attributes } = request;
        let checked = self.check_secret(&id, &secret)?;
        let _changes = self.changes.lock();
        // Hashing took a while and was done without the lock.
        let mut identity = self.store.identity(&id)?.filter(|it| it.secret == checked.secret);
        let identity = identity.as_mut().ok_or(Error::Authentication("secret was changed"))?;
        if identity.is_locked(self.config.registry.wrong_secrets_max) {
            return Err(Error::Authentication("identity is locked"));
        }
        if identity.revoked {
            return Err(Error::Denied(format!("identity {id:?} is revoked")));
        }
        self.check_enrollments(identity)?;
        identity.enrollments = identity.enrollments.saturating_add(1);
        identity.wrong_secrets = 0;
        let wish = Wish { certificate_request, profile, hosts, attributes };
        let certificate = self.certify(identity, wish)?;
        // If only the first of the two reaches the disk, an enrolment is lost, never one too many.
        self.store.put_identity(identity)?;
        self.store.put_certificate(&certificate)?;
        self.store.flush()?;
        Ok(self.enrolled(certificate))
    }

    /// A further certificate, for the current one.
    pub(super) fn reenroll(
        &self,
        caller: &Identity,
        request: ReenrollRequest,
    ) -> Result<Enrolled, Error> {
        let ReenrollRequest { certificate_request, profile, hosts, attributes } = request;
        let wish = Wish { certificate_request, profile, hosts, attributes };
        let _changes = self.changes.lock();
        let certificate = self.certify(caller, wish)?;
        self.store.put_certificate(&certificate)?;
        self.store.flush()?;
        Ok(self.enrolled(certificate))
    }

    fn enrolled(&self, certificate: Certificate) -> Enrolled {
        let Certificate { id, tls, serial, pem, .. } = certificate;
        tracing::info!(id, tls, serial, "certificate issued");
        Enrolled { certificate: pem.into(), info: Some(self.info()) }
    }

    /// Compares secrets; unknown, locked and wrong look the same from outside.
    fn check_secret(&self, id: &str, secret: &str) -> Result<Identity, Error> {
        let registry = &self.config.registry;
        let identity = self.store.identity(id)?;
        let open = identity.filter(|it| !it.is_locked(registry.wrong_secrets_max));
        let Some(identity) = open else {
            SecretHash::waste_time(registry.secret_rounds, secret);
            return Err(Error::Authentication("unknown or locked identity"));
        };
        if identity.secret.matches(secret) {
            return Ok(identity);
        }
        let _changes = self.changes.lock();
        if let Some(mut identity) = self.store.identity(id)? {
            identity.wrong_secrets = identity.wrong_secrets.saturating_add(1);
            self.store.put_identity(&identity)?;
            self.store.flush()?;
        }
        Err(Error::Authentication("wrong secret"))
    }

    fn check_enrollments(&self, identity: &Identity) -> Result<(), Error> {
        let limits = [self.config.registry.max_enrollments, identity.max_enrollments];
        let exhausted = |limit: i32| limit >= 0 && i64::from(identity.enrollments) >= limit.into();
        // 0 of an identity means that only the limit of the authority holds.
        let [ours, own] = limits;
        if exhausted(ours) || (own != 0 && exhausted(own)) {
            return Err(Error::State(format!("enrolments of {:?} are used up", identity.id)));
        }
        Ok(())
    }

    fn certify(&self, identity: &Identity, wish: Wish) -> Result<Certificate, Error> {
        let profile = Profile::try_from(wish.profile);
        let profile = profile.map_err(|_| Error::Invalid("unknown profile".to_owned()))?;
        let request = Request::from_pem(&wish.certificate_request)
            .map_err(|error| Error::Invalid(explain(&error)))?;
        if request.common_name != identity.id {
            let name = request.common_name;
            return Err(Error::Invalid(format!("common name {name:?} is not the id")));
        }
        let mut holder = Holder {
            id: &identity.id,
            units: units(identity),
            hosts: Vec::new(),
            attributes: BTreeMap::new(),
        };
        match profile {
            Profile::Identity if !wish.hosts.is_empty() => {
                return Err(Error::Invalid("hosts are for TLS certificates".to_owned()));
            }
            Profile::Tls if !wish.attributes.is_empty() => {
                return Err(Error::Invalid("attributes are for identities".to_owned()));
            }
            Profile::Identity => holder.attributes = attributes(identity, &wish.attributes)?,
            Profile::Tls => {
                holder.hosts = if wish.hosts.is_empty() { request.hosts } else { wish.hosts };
                check_hosts(&holder.hosts)?;
            }
        }
        let certificate = self.issuer.issue(profile, &request.public_key, holder)?;
        Ok(Certificate {
            id: identity.id.clone(),
            tls: profile == Profile::Tls,
            serial: hex::encode(certificate.serial()),
            authority_key_id: certificate.authority_key_id().map(hex::encode).unwrap_or_default(),
            pem: certificate.to_pem(),
            not_after: certificate.not_after(),
            revocation: None,
        })
    }
}

/// The type, which is the role, and the parts of the affiliation.
fn units(identity: &Identity) -> Vec<String> {
    let parts = identity.affiliation.split('.').filter(|part| !part.is_empty());
    std::iter::once(identity.kind.as_str()).chain(parts).map(str::to_owned).collect()
}

/// Those every certificate has, those marked so, and those asked for.
fn attributes(
    identity: &Identity,
    asked: &[AttributeRequest],
) -> Result<BTreeMap<String, String>, Error> {
    let fixed = [
        (rights::ENROLLMENT_ID, &identity.id),
        (rights::TYPE, &identity.kind),
        (rights::AFFILIATION, &identity.affiliation),
    ];
    let mut all: BTreeMap<String, String> =
        fixed.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    let marked = identity.attributes.iter().filter(|it| it.ecert);
    all.extend(marked.map(|it| (it.name.clone(), it.value.clone())));
    for AttributeRequest { name, optional } in asked {
        match identity.attribute(name) {
            Some(value) => {
                all.insert(name.clone(), value.to_owned());
            }
            None if *optional || all.contains_key(name) => {}
            None => return Err(Error::Invalid(format!("{} has no attribute {name}", identity.id))),
        }
    }
    Ok(all)
}

fn check_hosts(hosts: &[String]) -> Result<(), Error> {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let proper = |host: &String| {
        let name = host.strip_prefix("*.").unwrap_or(host);
        host.parse::<IpAddr>().is_ok()
            || (host.len() <= HOST_BYTES_MAX && name.split('.').all(label))
    };
    if hosts.is_empty() || hosts.len() > HOSTS_MAX {
        return Err(Error::Invalid(format!("TLS needs 1 to {HOSTS_MAX} hosts")));
    }
    match hosts.iter().find(|host| !proper(host)) {
        Some(host) => Err(Error::Invalid(format!("{host:?} is neither host name nor address"))),
        None => Ok(()),
    }
}

fn explain(error: &msp::request::Error) -> String {
    let cause = std::error::Error::source(error).map(|it| format!(": {it}")).unwrap_or_default();
    format!("certificate request: {error}{cause}")
}
