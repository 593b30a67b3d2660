//! The file `config.yaml` of an MSP folder.

use serde::{Deserialize, Serialize};

/// The file `config.yaml`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Config {
    #[serde(
        rename = "OrganizationalUnitIdentifiers",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) units: Option<Vec<Unit>>,
    #[serde(rename = "NodeOUs", default, skip_serializing_if = "Option::is_none")]
    pub(super) node_units: Option<NodeUnits>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct NodeUnits {
    #[serde(rename = "Enable", default)]
    pub(super) enable: bool,
    #[serde(rename = "ClientOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<Unit>,
    #[serde(rename = "PeerOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<Unit>,
    #[serde(rename = "AdminOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<Unit>,
    #[serde(rename = "OrdererOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    pub(super) orderer: Option<Unit>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Unit {
    /// Path below the MSP folder; empty if any authority will do.
    #[serde(rename = "Certificate", default, skip_serializing_if = "String::is_empty")]
    pub(super) certificate: String,
    #[serde(rename = "OrganizationalUnitIdentifier", default)]
    pub(super) name: String,
}
