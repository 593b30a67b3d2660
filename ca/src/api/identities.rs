//! Listing, reading, modifying and removing identities.

use crate::Secret;
use crate::error::Error;
use crate::messages::{
    self, GetIdentityRequest, Identities, ListIdentitiesRequest, ModifyIdentityRequest,
    RemoveIdentityRequest,
};
use crate::record::{Attribute, Identity};
use crate::rights;
use crate::secret::SecretHash;

use super::Service;
use super::register::{check_max_enrollments, check_secret, from_messages};

/// "Cessation of operation": the identity is gone.
const REASON_REMOVED: u8 = 5;

impl Service {
    /// The identities the caller manages, in order of their ids.
    pub(super) fn list_identities(
        &self,
        caller: &Identity,
        request: ListIdentitiesRequest,
    ) -> Result<Identities, Error> {
        if caller.attribute(rights::ROLES).is_none() {
            return Err(Error::Denied(format!("{} is no registrar", caller.id)));
        }
        let limit = self.limit(request.limit);
        let mut answer = Identities::default();
        for identity in self.store.identities(&request.after) {
            let identity = identity?;
            if rights::check_manages(caller, &identity.kind, &identity.affiliation).is_err() {
                continue;
            }
            if answer.identities.len() == limit {
                answer.more = true;
                break;
            }
            answer.identities.push(self.message(&identity));
        }
        Ok(answer)
    }

    pub(super) fn get_identity(
        &self,
        caller: &Identity,
        request: GetIdentityRequest,
    ) -> Result<messages::Identity, Error> {
        if request.id == caller.id {
            return Ok(self.message(caller));
        }
        let identity = self.require(&request.id)?;
        rights::check_manages(caller, &identity.kind, &identity.affiliation)?;
        Ok(self.message(&identity))
    }

    pub(super) fn modify_identity(
        &self,
        caller: &Identity,
        request: ModifyIdentityRequest,
    ) -> Result<messages::Identity, Error> {
        let _changes = self.changes.lock();
        let mut identity = self.require(&request.id)?;
        rights::check_governs(caller, &identity)?;
        if let Some(kind) = request.r#type {
            rights::check_type(&kind)?;
            identity.kind = kind;
        }
        if let Some(affiliation) = request.affiliation {
            self.check_affiliation_exists(&affiliation)?;
            identity.affiliation = affiliation;
        }
        rights::check_manages(caller, &identity.kind, &identity.affiliation)?;
        change_attributes(caller, &mut identity, from_messages(request.attributes))?;
        if let Some(max) = request.max_enrollments {
            check_max_enrollments(max)?;
            identity.max_enrollments = max;
        }
        if let Some(secret) = request.secret.map(Secret::from) {
            check_secret(&secret)?;
            if secret.is_empty() {
                return Err(Error::Invalid("the new secret is empty".to_owned()));
            }
            identity.secret = SecretHash::new(&secret, self.config.registry.secret_rounds)?;
            identity.wrong_secrets = 0;
        }
        self.store.put_identity(&identity)?;
        self.store.flush()?;
        tracing::info!(id = identity.id, by = caller.id, "identity modified");
        Ok(self.message(&identity))
    }

    /// Removes an identity and revokes its certificates.
    pub(super) fn remove_identity(
        &self,
        caller: &Identity,
        request: RemoveIdentityRequest,
    ) -> Result<messages::Identity, Error> {
        if !self.config.registry.allow_removal {
            return Err(Error::State("identities cannot be removed here".to_owned()));
        }
        let _changes = self.changes.lock();
        let identity = self.require(&request.id)?;
        rights::check_governs(caller, &identity)?;
        if identity.id == caller.id && !request.force {
            return Err(Error::State("removing oneself needs force".to_owned()));
        }
        self.revoke_certificates_of(&identity.id, REASON_REMOVED)?;
        self.store.remove_identity(&identity.id)?;
        self.store.flush()?;
        tracing::info!(id = identity.id, by = caller.id, "identity removed");
        Ok(self.message(&identity))
    }

    fn message(&self, identity: &Identity) -> messages::Identity {
        identity.message(self.config.registry.wrong_secrets_max)
    }
}

/// Sets attributes; those with an empty value are removed.
fn change_attributes(
    caller: &Identity,
    identity: &mut Identity,
    changes: Vec<Attribute>,
) -> Result<(), Error> {
    let (removed, set): (Vec<_>, Vec<_>) = changes.into_iter().partition(|it| it.value.is_empty());
    removed.iter().try_for_each(|it| rights::check_may_name(caller, &it.name))?;
    rights::check_grants(caller, &set)?;
    let kept = |it: &Attribute| !removed.iter().chain(&set).any(|change| change.name == it.name);
    identity.attributes.retain(kept);
    identity.attributes.extend(set);
    rights::check_attributes(&identity.attributes)
}
