//! The section of the organizations that use the channel.

use std::collections::BTreeMap;

use proto::peer::{AcLs, AnchorPeers};

use super::capabilities::{Capabilities, Section};
use super::organization::Organizations;
use super::{Error, key, values::Group};

/// The organizations that use the channel and what they agreed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Application {
    /// By the names of their groups.
    pub orgs: BTreeMap<String, ApplicationOrg>,
    /// Full policy names by resource, for resources whose default was changed.
    pub acls: BTreeMap<String, String>,
    /// What every peer must understand.
    pub capabilities: Capabilities,
}

/// An organization that uses the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplicationOrg {
    /// Its MSP ID.
    pub msp_id: String,
    /// Host and port of the peers through which others find its peers.
    pub anchor_peers: Vec<(String, u16)>,
}

impl Application {
    pub(crate) fn read(group: Group<'_>, organizations: &mut Organizations) -> Result<Self, Error> {
        let group = group.only(&[key::ACLS, key::CAPABILITIES])?;
        let capabilities = Capabilities::read(Section::Application, group)?;
        let acls: Option<AcLs> = group.find(key::ACLS)?;
        if acls.is_some() && !capabilities.any(&["V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"]) {
            let problem = "ACLs may not be specified without the required capability";
            return Err(Error::Invalid(problem.into()));
        }
        let orgs = group
            .group
            .groups
            .iter()
            .map(|(name, org)| {
                let path = format!("{}/{name}", group.path);
                let org = ApplicationOrg::read(Group { path: &path, group: org }, organizations)?;
                Ok((name.clone(), org))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { orgs, acls: full_names(acls.unwrap_or_default(), group.path), capabilities })
    }
}

/// Resources with the full names of their policies; an empty reference means the default.
fn full_names(acls: AcLs, path: &str) -> BTreeMap<String, String> {
    let named = acls.acls.into_iter().filter(|(_, resource)| !resource.policy_ref.is_empty());
    named
        .map(|(name, resource)| {
            let policy = resource.policy_ref;
            (name, if policy.starts_with('/') { policy } else { format!("{path}/{policy}") })
        })
        .collect()
}

impl ApplicationOrg {
    fn read(group: Group<'_>, organizations: &mut Organizations) -> Result<Self, Error> {
        let group = group.without_groups()?.only(&[key::MSP, key::ANCHOR_PEERS])?;
        let anchor_peers: AnchorPeers = group.get(key::ANCHOR_PEERS)?;
        let anchor_peers = anchor_peers
            .anchor_peers
            .into_iter()
            .filter_map(|peer| Some((peer.host, u16::try_from(peer.port).ok()?)))
            .collect();
        Ok(Self { msp_id: organizations.read(group)?, anchor_peers })
    }
}
