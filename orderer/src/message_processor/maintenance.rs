//! Maintenance: no transactions, and the consensus settings only change on their own.

use channel::config::raft;
use channel::{Bundle, Orderer};
use proto::common::ConfigUpdate;

use super::Rejection;

pub(super) fn is_on(bundle: &Bundle) -> bool {
    bundle.orderer().is_some_and(Orderer::in_maintenance)
}

/// Refuses transactions during maintenance.
pub(super) fn check_normal(bundle: &Bundle) -> Result<(), Rejection> {
    if is_on(bundle) {
        let info = "normal transactions are rejected: maintenance mode";
        return Err(Rejection::unavailable(info));
    }
    Ok(())
}

/// Checks what a config update does to the consensus settings.
pub(super) fn check_transition(
    current: &Orderer,
    next: &Orderer,
    update: &ConfigUpdate,
) -> Result<(), Rejection> {
    let refuse = |reason: String| {
        Err(Rejection::bad_request(format_args!("config transaction inspection failed: {reason}")))
    };
    let (from, to) = (&current.consensus_type, &next.consensus_type);
    if from != to {
        if !(current.in_maintenance() && next.in_maintenance()) {
            return refuse(format!(
                "attempted to change consensus type from {from} to {to}, but not in maintenance"
            ));
        }
        return refuse(format!("consensus type {to} is not supported by this orderer"));
    }
    if current.state != next.state {
        if current.consensus_metadata != next.consensus_metadata {
            let verb = if next.in_maintenance() { "entry to" } else { "exit from" };
            return refuse(format!("{verb} maintenance mode also changes consensus metadata"));
        }
        if !only_consensus_type(update) {
            return refuse("maintenance mode changes together with other settings".to_owned());
        }
    }
    check_metadata(current, next)
}

fn check_metadata(current: &Orderer, next: &Orderer) -> Result<(), Rejection> {
    let (Some(current), Some(next)) = (current.raft(), next.raft()) else {
        return Err(Rejection::bad_request("consensus metadata does not decode"));
    };
    raft::validate_change(current, next).map(drop).map_err(Rejection::bad_request)
}

/// Whether an update writes nothing but the value that holds the maintenance state.
fn only_consensus_type(update: &ConfigUpdate) -> bool {
    let Some(root) = &update.write_set else { return false };
    let Some(orderer) = root.groups.get("Orderer") else { return false };
    root.groups.len() == 1
        && root.values.is_empty()
        && root.policies.is_empty()
        && orderer.groups.is_empty()
        && orderer.policies.is_empty()
        && orderer.values.len() == 1
        && orderer.values.contains_key("ConsensusType")
}
