//! What a network description must keep to.

use std::collections::BTreeSet;

use super::{Channel, Organization, Topology};

type Check = Result<(), String>;

/// Refuses a description no network can be built from.
pub(super) fn check(topology: &Topology) -> Check {
    if topology.organizations.is_empty() {
        return Err("no organization is described".to_owned());
    }
    let mut msp_ids = BTreeSet::new();
    for (name, organization) in &topology.organizations {
        check_organization(name, organization)?;
        if !msp_ids.insert(&organization.msp_id) {
            return Err(format!("two organizations have the MSP id {}", organization.msp_id));
        }
    }
    for (name, described) in &topology.channels {
        check_channel(topology, name, described)
            .map_err(|why| format!("channel `{name}`: {why}"))?;
    }
    Ok(())
}

fn check_organization(name: &str, organization: &Organization) -> Check {
    check_name("organization", name)?;
    for user in organization.users.keys() {
        check_name("user", user)?;
        if user == "admin" {
            return Err(format!("{name}: every organization has a user `admin` already"));
        }
    }
    if organization.orderers > 0 && organization.orderers.is_multiple_of(2) {
        return Err(format!("{name}: the number of orderers must be odd, to have a majority"));
    }
    if organization.msp_id.is_empty() || organization.domain.is_empty() {
        return Err(format!("{name}: msp_id and domain must not be empty"));
    }
    Ok(())
}

fn check_channel(topology: &Topology, name: &str, described: &Channel) -> Check {
    channel::validate_channel_id(name).map_err(|error| error.to_string())?;
    let known = |member: &String| {
        topology.organizations.get(member).ok_or_else(|| format!("no organization `{member}`"))
    };
    if described.organizations.is_empty() || described.ordered_by.is_empty() {
        return Err("organizations and ordered_by must not be empty".to_owned());
    }
    for member in &described.organizations {
        if known(member)?.peers == 0 {
            return Err(format!("organization `{member}` has no peers"));
        }
    }
    for member in &described.ordered_by {
        if known(member)?.orderers == 0 {
            return Err(format!("organization `{member}` has no orderers"));
        }
    }
    for (key, text) in
        [("batch.timeout", &described.batch.timeout), ("raft_tick", &described.raft_tick)]
    {
        node::config::duration::parse(text)
            .ok_or_else(|| format!("{key} `{text}` is not a duration such as 200ms or 2s"))?;
    }
    for (name, text) in &described.policies {
        channel::policy::dsl::parse_policy(text)
            .map_err(|error| format!("policy {name} `{text}`: {error}"))?;
    }
    for (name, chaincode) in &described.chaincode {
        let text = chaincode.endorsement.as_deref().unwrap_or("/");
        if !text.starts_with('/') {
            channel::policy::dsl::parse(text)
                .map_err(|error| format!("endorsement of {name} `{text}`: {error}"))?;
        }
    }
    Ok(())
}

fn check_name(kind: &str, name: &str) -> Check {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.len() <= 40 && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!("{kind} name `{name}` must be 1 to 40 lower-case letters, digits and dashes"))
}
