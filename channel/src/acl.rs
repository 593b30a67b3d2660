//! Access control: which policy guards which resource.
//!
//! A channel's configuration may name another policy for any of its resources. Resources of the
//! node itself are guarded by its own organization and cannot be opened by a channel.

use crate::policy::{self, Policy};
use crate::{Bundle, SignedData};

/// Policy of resources that read.
pub const READERS: &str = "/Channel/Application/Readers";
/// Policy of resources that write.
pub const WRITERS: &str = "/Channel/Application/Writers";

const READERS_RESOURCES: &[&str] = &[
    "qscc/GetChainInfo",
    "qscc/GetBlockByNumber",
    "qscc/GetBlockByHash",
    "qscc/GetTransactionByID",
    "qscc/GetBlockByTxID",
    "cscc/GetConfigBlock",
    "cscc/GetChannelConfig",
    "lscc/ChaincodeExists",
    "lscc/GetDeploymentSpec",
    "lscc/GetChaincodeData",
    "lscc/GetInstantiatedChaincodes",
    "lscc/GetCollectionsConfig",
    "event/Block",
    "event/FilteredBlock",
    "gateway/CommitStatus",
    "gateway/ChaincodeEvents",
];

const WRITERS_RESOURCES: &[&str] = &[
    "peer/Propose",
    "peer/ChaincodeToChaincode",
    "_lifecycle/CommitChaincodeDefinition",
    "_lifecycle/QueryChaincodeDefinition",
    "_lifecycle/QueryChaincodeDefinitions",
    "_lifecycle/CheckCommitReadiness",
];

const LOCAL_ADMIN_RESOURCES: &[&str] = &[
    "_lifecycle/InstallChaincode",
    "_lifecycle/QueryInstalledChaincode",
    "_lifecycle/QueryInstalledChaincodes",
    "_lifecycle/GetInstalledChaincodePackage",
    "_lifecycle/ApproveChaincodeDefinitionForMyOrg",
    "_lifecycle/QueryApprovedChaincodeDefinition",
    "_lifecycle/QueryApprovedChaincodeDefinitions",
    "snapshot/submitrequest",
    "snapshot/cancelrequest",
    "snapshot/listpending",
    "cscc/JoinChain",
    "cscc/JoinChainBySnapshot",
    "cscc/JoinBySnapshotStatus",
    "lscc/Install",
    "lscc/GetInstalledChaincodes",
];

const LOCAL_MEMBER_RESOURCES: &[&str] = &["cscc/GetChannels"];

/// Who may use a resource of the node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// Administrators of the node's organization.
    Admins,
    /// All members of the node's organization.
    Members,
}

/// Who may use a resource of the node itself; `None` for a channel's resources.
pub fn local(resource: &str) -> Option<Local> {
    if LOCAL_ADMIN_RESOURCES.contains(&resource) {
        Some(Local::Admins)
    } else if LOCAL_MEMBER_RESOURCES.contains(&resource) {
        Some(Local::Members)
    } else {
        None
    }
}

/// Full name of the policy that guards a channel's resource: the one the configuration names,
/// else the default. `None` for unknown resources and those of the node itself.
pub fn policy_for<'a>(bundle: &'a Bundle, resource: &str) -> Option<&'a str> {
    if local(resource).is_some() {
        return None;
    }
    let named = bundle.application().and_then(|application| application.acls.get(resource));
    named.map(String::as_str).or_else(|| default_policy(resource))
}

fn default_policy(resource: &str) -> Option<&'static str> {
    if READERS_RESOURCES.contains(&resource) {
        Some(READERS)
    } else if WRITERS_RESOURCES.contains(&resource) {
        Some(WRITERS)
    } else {
        None
    }
}

/// The policy that guards a channel's resource.
pub fn policy(bundle: &Bundle, resource: &str) -> Result<Policy, policy::Error> {
    let path =
        policy_for(bundle, resource).ok_or_else(|| policy::Error::Unknown(resource.to_owned()))?;
    bundle.policy(path)
}

/// Whether the signers may use a channel's resource.
pub fn check(
    bundle: &Bundle,
    resource: &str,
    signatures: &[SignedData],
) -> Result<(), policy::Error> {
    policy(bundle, resource)?.evaluate(signatures)
}
