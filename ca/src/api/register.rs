//! Register: who may enrol, decided by someone entitled to.

use crate::Secret;
use crate::error::Error;
use crate::messages::{self, RegisterRequest, Registered};
use crate::record::{Attribute, Identity};
use crate::rights;
use crate::secret::SecretHash;

use super::Service;

const SECRET_BYTES_MAX: usize = 512;

impl Service {
    pub(super) fn register(
        &self,
        caller: &Identity,
        request: RegisterRequest,
    ) -> Result<Registered, Error> {
        let kind = if request.r#type.is_empty() { "client" } else { &request.r#type };
        let affiliation =
            if request.affiliation.is_empty() { &caller.affiliation } else { &request.affiliation };
        rights::check_id(&request.id)?;
        rights::check_type(kind)?;
        let attributes = from_messages(request.attributes);
        rights::check_attributes(&attributes)?;
        rights::check_manages(caller, kind, affiliation)?;
        rights::check_grants(caller, &attributes)?;
        check_max_enrollments(request.max_enrollments)?;
        let secret = match request.secret {
            empty if empty.is_empty() => Secret::generate()?,
            given => Secret::from(given),
        };
        check_secret(&secret)?;
        let identity = Identity {
            id: request.id,
            kind: kind.to_owned(),
            affiliation: affiliation.clone(),
            attributes,
            secret: SecretHash::new(&secret, self.config.registry.secret_rounds)?,
            max_enrollments: request.max_enrollments,
            enrollments: 0,
            wrong_secrets: 0,
            revoked: false,
        };
        let _changes = self.changes.lock();
        self.check_affiliation_exists(&identity.affiliation)?;
        if self.store.identity(&identity.id)?.is_some() {
            return Err(Error::Exists(format!("identity {:?} is registered already", identity.id)));
        }
        self.store.put_identity(&identity)?;
        self.store.flush()?;
        tracing::info!(id = identity.id, kind = identity.kind, by = caller.id, "registered");
        Ok(Registered { secret: secret.expose().to_owned() })
    }

    pub(super) fn check_affiliation_exists(&self, affiliation: &str) -> Result<(), Error> {
        if affiliation.is_empty() || self.store.has_affiliation(affiliation)? {
            return Ok(());
        }
        Err(Error::NotFound(format!("affiliation {affiliation:?} does not exist")))
    }
}

pub(super) fn from_messages(attributes: Vec<messages::Attribute>) -> Vec<Attribute> {
    let convert =
        |it: messages::Attribute| Attribute { name: it.name, value: it.value, ecert: it.ecert };
    attributes.into_iter().map(convert).collect()
}

pub(super) fn check_max_enrollments(max: i32) -> Result<(), Error> {
    if max >= -1 {
        return Ok(());
    }
    Err(Error::Invalid("max_enrollments must be -1 or more".to_owned()))
}

pub(super) fn check_secret(secret: &Secret) -> Result<(), Error> {
    if secret.expose().len() > SECRET_BYTES_MAX {
        return Err(Error::Invalid(format!("secrets have at most {SECRET_BYTES_MAX} bytes")));
    }
    Ok(())
}
