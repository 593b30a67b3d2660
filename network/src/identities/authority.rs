//! One organization's certificate authority, as this program uses it.

use std::time::Duration;

use ca::Secret;
use ca::client::{Client, Wish, definition};
use ca::messages::{Attribute, Identity, ModifyIdentityRequest, RegisterRequest, RevokeRequest};
use msp::SigningIdentity;
use tonic::Code;

use super::Wanted;
use crate::context::Context;
use crate::failure::{Exit, Failure, Result};
use crate::layout::{IdentityFolder, Layout};
use crate::nodes::BOOTSTRAP;

const CONNECT: Duration = Duration::from_secs(10);

/// A connection to an authority.
#[derive(Debug)]
pub(crate) struct Authority {
    client: Client,
    layout: Layout,
    organization: String,
    msp_id: String,
}

impl Authority {
    pub(crate) async fn connect(context: &Context, organization: &str) -> Result<Self> {
        let msp_id = context.topology.organization(organization)?.msp_id.clone();
        let node = context.inventory.ca(organization)?;
        // The first contact trusts the root in the authority's own folder on this machine.
        let roots = context.roots(organization)?;
        let client = Client::connect(&context.address(node), &roots, CONNECT)
            .await
            .map_err(|error| fail(&error, format!("reach {}", node.name)))?;
        let layout = context.layout.clone();
        Ok(Self { client, layout, organization: organization.to_owned(), msp_id })
    }

    /// The first registrar, enrolled on first use.
    pub(crate) async fn registrar(&self, secret: &str) -> Result<SigningIdentity> {
        let folder = self.layout.registrar(&self.organization);
        if let Ok(identity) = SigningIdentity::load(&folder.msp(), &self.msp_id) {
            return Ok(identity);
        }
        let what = || format!("enroll the registrar of {}", self.organization);
        let wish = Wish::identity();
        let credential = self.client.enroll(BOOTSTRAP, &Secret::from(secret), &wish).await;
        let credential = credential.map_err(|error| fail(&error, what()))?;
        credential.store_msp(&folder.msp()).map_err(|error| fail(&error, what()))?;
        credential.into_signer(&self.msp_id).map_err(|error| fail(&error, what()))
    }

    /// Writes what others know of the organization: its roots and roles.
    pub(crate) async fn write_definition(&self) -> Result<()> {
        let what = || format!("write the definition of {}", self.organization);
        let info = self.client.info().await.map_err(|error| fail(&error, what()))?;
        let folder = self.layout.definition(&self.organization);
        msp::directory::store_config(&folder, &definition(&info, &self.msp_id))
            .map_err(|error| Failure::new(Exit::Failed, what()).because(error))
    }

    /// Registers an identity and returns its secret; one that is registered gets a new secret,
    /// since an earlier attempt may have ended before enrolling.
    pub(crate) async fn register(
        &self,
        registrar: &SigningIdentity,
        wanted: &Wanted,
    ) -> Result<Secret> {
        let request = RegisterRequest {
            id: wanted.id.clone(),
            r#type: wanted.kind.clone(),
            attributes: attributes(wanted),
            max_enrollments: -1,
            ..Default::default()
        };
        let what = || format!("register {} of {}", wanted.id, self.organization);
        match self.client.register(registrar, request).await {
            Ok(secret) => Ok(secret),
            Err(error) if code(&error) == Some(Code::AlreadyExists) => {
                let secret = hex::encode(rand::random::<[u8; 18]>());
                let request = ModifyIdentityRequest {
                    id: wanted.id.clone(),
                    secret: Some(secret.clone()),
                    attributes: attributes(wanted),
                    ..Default::default()
                };
                let changed = self.client.modify_identity(registrar, request).await;
                changed.map_err(|error| fail(&error, what()))?;
                Ok(Secret::from(secret))
            }
            Err(error) => Err(fail(&error, what())),
        }
    }

    /// As [`Authority::register`], but an identity that exists is a conflict.
    pub(crate) async fn register_new(
        &self,
        registrar: &SigningIdentity,
        wanted: &Wanted,
        secret: Option<&str>,
    ) -> Result<Secret> {
        let request = RegisterRequest {
            id: wanted.id.clone(),
            r#type: wanted.kind.clone(),
            attributes: attributes(wanted),
            max_enrollments: -1,
            secret: secret.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let what = format!("register {} of {}", wanted.id, self.organization);
        self.client.register(registrar, request).await.map_err(|error| fail(&error, what))
    }

    /// Enrolls for both authorities and writes the folder.
    pub(crate) async fn enroll(
        &self,
        id: &str,
        secret: &Secret,
        hosts: &[String],
        folder: &IdentityFolder,
    ) -> Result<()> {
        let what = || format!("enroll {id} of {}", self.organization);
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let failed = |error: ca::client::Error| fail(&error, what());
        let identity = self.client.enroll(id, secret, &Wish::identity()).await.map_err(failed)?;
        let tls = self.client.enroll(id, secret, &Wish::tls(&hosts)).await.map_err(failed)?;
        replace(&identity, &tls, folder).map_err(failed)
    }

    /// New keys and certificates for an identity that proves itself by its present one.
    pub(crate) async fn reenroll(
        &self,
        present: &SigningIdentity,
        hosts: &[String],
        folder: &IdentityFolder,
    ) -> Result<()> {
        let what = || format!("enroll an identity of {} again", self.organization);
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let failed = |error: ca::client::Error| fail(&error, what());
        let tls = self.client.reenroll(present, &Wish::tls(&hosts)).await.map_err(failed)?;
        let identity = self.client.reenroll(present, &Wish::identity()).await.map_err(failed)?;
        replace(&identity, &tls, folder).map_err(failed)
    }

    /// Revokes all certificates of an identity; returns how many, and the revocation list.
    pub(crate) async fn revoke(
        &self,
        caller: &SigningIdentity,
        id: &str,
        reason: u32,
    ) -> Result<(usize, bytes::Bytes)> {
        let request =
            RevokeRequest { id: id.to_owned(), reason, generate_crl: true, ..Default::default() };
        let what = format!("revoke {id} of {}", self.organization);
        let revoked =
            self.client.revoke(caller, request).await.map_err(|error| fail(&error, what))?;
        Ok((revoked.certificates.len(), revoked.crl))
    }

    pub(crate) async fn list(&self, caller: &SigningIdentity) -> Result<Vec<Identity>> {
        let what = format!("list the identities of {}", self.organization);
        self.client.identities(caller).await.map_err(|error| fail(&error, what))
    }
}

/// Replaces a folder's certificates and keys; the old ones would be found next to the new.
fn replace(
    identity: &ca::client::Credential,
    tls: &ca::client::Credential,
    folder: &IdentityFolder,
) -> std::result::Result<(), ca::client::Error> {
    for part in ["signcerts", "keystore"] {
        let _ = std::fs::remove_dir_all(folder.msp().join(part));
    }
    identity.store_msp(&folder.msp())?;
    tls.store_tls(&folder.tls(), folder.role())
}

fn attributes(wanted: &Wanted) -> Vec<Attribute> {
    let visible = wanted.attributes.iter().map(|(name, value)| (name, value, true));
    let hidden = wanted.rights.iter().map(|(name, value)| (name, value, false));
    visible
        .chain(hidden)
        .map(|(name, value, ecert)| Attribute { name: name.clone(), value: value.clone(), ecert })
        .collect()
}

fn code(error: &ca::client::Error) -> Option<Code> {
    match error {
        ca::client::Error::Refused(status) => Some(status.code()),
        _ => None,
    }
}

fn fail(error: &ca::client::Error, what: String) -> Failure {
    let exit = match (error, code(error)) {
        (ca::client::Error::Connect(_), _) => Exit::Unavailable,
        (_, Some(Code::NotFound)) => Exit::NotFound,
        (_, Some(Code::AlreadyExists)) => Exit::Conflict,
        (_, Some(Code::PermissionDenied | Code::Unauthenticated)) => Exit::Denied,
        _ => Exit::Failed,
    };
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    let failure = Failure::new(exit, what).because(why);
    if exit == Exit::Unavailable { failure.next("gauze network ps") } else { failure }
}
