//! Who may use which resource of the peer.
//!
//! A resource is a service or a function of a system chaincode. Those of a channel follow the
//! channel's configuration; those of the peer as a whole belong to the administrators or members
//! of the peer's own organization, and no channel can open them.

use std::sync::Arc;

use channel::SignedData;
use msp::{Identity, Manager, principal};

use crate::channels::Channel;

/// The creator of a request is not allowed what it asks for. The text is Fabric's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// Who of the peer's own organization may use a resource that belongs to no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Local {
    Admins,
    Members,
}

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
    /// one of the peer's own.
    pub fn check(
        &self,
        resource: &str,
        channel: Option<&Channel>,
        request: &SignedData,
    ) -> Result<(), Denied> {
        if let Some(who) = local_resource(resource) {
            return self.check_local(who, request);
        }
        let Some(channel) = channel else {
            return Err(Denied(format!("resource {resource} needs a channel")));
        };
        let bundle = channel.bundle();
        let policy = channel::acl::policy_for(&bundle, resource);
        bundle.evaluate(&policy, std::slice::from_ref(request)).map_err(|error| {
            Denied(format!(
                "failed evaluating policy on signed data during check policy on channel [{}] with \
                 policy [{policy}]: [{error}]",
                channel.id()
            ))
        })
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
            Denied(format!("Failed verifying proposal's signature during channelless check policy with policy [{name}]: [{error}]"))
        })?;
        if identity.satisfies(&wanted) {
            return Ok(());
        }
        let role = if who == Local::Admins { "an admin" } else { "a member" };
        Err(Denied(format!(
            "Failed verifying that proposal's creator satisfies local MSP principal during \
             channelless check policy with policy [{name}]: [The identity is not {role} under this \
             MSP [{}]]",
            self.msp_id
        )))
    }

    fn verified(&self, request: &SignedData) -> Result<Identity, msp::Error> {
        let identity = self.local.deserialize(&request.identity)?;
        identity.verify(&request.data, &request.signature)?;
        Ok(identity)
    }
}

/// The resources no channel has a say in.
fn local_resource(resource: &str) -> Option<Local> {
    match resource {
        "_lifecycle/InstallChaincode"
        | "_lifecycle/QueryInstalledChaincode"
        | "_lifecycle/QueryInstalledChaincodes"
        | "_lifecycle/GetInstalledChaincodePackage"
        | "_lifecycle/ApproveChaincodeDefinitionForMyOrg"
        | "_lifecycle/QueryApprovedChaincodeDefinition"
        | "_lifecycle/QueryApprovedChaincodeDefinitions"
        | "snapshot/submitrequest"
        | "snapshot/cancelrequest"
        | "snapshot/listpending"
        | "cscc/JoinChain"
        | "cscc/JoinChainBySnapshot"
        | "cscc/JoinBySnapshotStatus"
        | "lscc/Install"
        | "lscc/GetInstalledChaincodes" => Some(Local::Admins),
        "cscc/GetChannels" => Some(Local::Members),
        _ => None,
    }
}
