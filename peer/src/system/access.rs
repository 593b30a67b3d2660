//! Who may use which resource of the peer.
//!
//! A resource is a service or a function of a system chaincode. Those of a channel follow the
//! channel's configuration; those of the peer as a whole belong to the administrators or members
//! of the peer's own organization, and no channel can open them.

use std::sync::Arc;

use channel::acl::{self, Local};
use channel::{Bundle, SignedData};
use msp::{Identity, Manager, principal};

use crate::channels::Channel;

/// The creator of a request is not allowed what it asks for. The text is Fabric's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// Decides about access, with the peer's own organization and the channels' policies.
#[derive(Debug, Clone)]
pub struct Access {
    msp_id: String,
    local: Arc<Manager>,
}

impl Access {
    /// Access to a peer of organization `msp_id`, whose MSP is the only one in `local`.
    pub fn new(msp_id: impl Into<String>, local: Arc<Manager>) -> Self {
        Self { msp_id: msp_id.into(), local }
    }

    /// MSP id of the peer's own organization.
    pub fn msp_id(&self) -> &str {
        &self.msp_id
    }

    /// The peer's own organization, which judges requests that name no channel.
    pub fn local(&self) -> &Arc<Manager> {
        &self.local
    }

    /// Whether the signer of `request` may use `resource`, which belongs to `channel` unless it is
    /// one of the peer's own. Verifies the signature.
    pub fn check(
        &self,
        resource: &str,
        channel: Option<&Channel>,
        request: &SignedData,
    ) -> Result<(), Denied> {
        if let Some(who) = acl::local(resource) {
            return self.check_local(who, request);
        }
        let channel = channel.ok_or_else(|| needs_channel(resource))?;
        let bundle = channel.bundle();
        let path = policy_path(&bundle, resource)?;
        let outcome = bundle.evaluate(path, std::slice::from_ref(request));
        outcome.map_err(|error| refused(channel.id(), path, &error))
    }

    /// As [`check`](Self::check), for a creator whose signature was verified before.
    pub fn check_identity(
        &self,
        resource: &str,
        channel: &Channel,
        creator: &Identity,
    ) -> Result<(), Denied> {
        let bundle = channel.bundle();
        let path = policy_path(&bundle, resource)?;
        let outcome = bundle
            .policy(path)
            .and_then(|policy| policy.evaluate_identities(std::slice::from_ref(creator)));
        outcome.map_err(|error| refused(channel.id(), path, &error))
    }

    /// Whether the signer of `request` is an administrator of the peer's own organization.
    pub fn check_local_admin(&self, request: &SignedData) -> Result<(), Denied> {
        self.check_local(Local::Admins, request)
    }

    fn check_local(&self, who: Local, request: &SignedData) -> Result<(), Denied> {
        let (name, wanted) = match who {
            Local::Admins => ("Admins", principal::admin(&self.msp_id)),
            Local::Members => ("Members", principal::member(&self.msp_id)),
        };
        let identity = self.verified(request).map_err(|error| {
            Denied(format!(
                "Failed verifying proposal's signature during channelless check policy with \
                 policy [{name}]: [{error}]"
            ))
        })?;
        identity.check(&wanted).map_err(|error| {
            let role = if who == Local::Admins { "an admin" } else { "a member" };
            Denied(format!(
                "Failed verifying that proposal's creator satisfies local MSP principal during \
                 channelless check policy with policy [{name}]: [The identity is not {role} under \
                 this MSP [{}]: {error}]",
                self.msp_id
            ))
        })
    }

    fn verified(&self, request: &SignedData) -> Result<Identity, msp::Error> {
        let identity = self.local.deserialize(&request.identity)?;
        identity.verify(&request.data, &request.signature)?;
        Ok(identity)
    }
}

fn policy_path<'a>(bundle: &'a Bundle, resource: &str) -> Result<&'a str, Denied> {
    acl::policy_for(bundle, resource)
        .ok_or_else(|| Denied(format!("unmapped policy for resource {resource}")))
}

fn needs_channel(resource: &str) -> Denied {
    Denied(format!("resource {resource} needs a channel"))
}

fn refused(channel: &str, path: &str, error: &channel::policy::Error) -> Denied {
    Denied(format!(
        "failed evaluating policy on signed data during check policy on channel [{channel}] with \
         policy [{path}]: [{error}]"
    ))
}
