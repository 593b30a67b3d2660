//! The rules of Raft settings: what an orderer checks when they change.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::etcdraft::{ConfigMetadata, Consenter};

use super::Error;
use crate::duration;

/// Checks settings on their own: ticks, limits, and no certificate used twice. Whether the
/// certificates belong to the orderer organizations is for who has their authorities.
pub fn validate(metadata: &ConfigMetadata) -> Result<(), Error> {
    let invalid = |problem: &str| Err(Error::Invalid(problem.into()));
    let Some(options) = &metadata.options else {
        return invalid("nil Raft config metadata options");
    };
    if options.heartbeat_tick == 0 || options.election_tick == 0 || options.max_inflight_blocks == 0
    {
        return invalid("none of HeartbeatTick, ElectionTick and MaxInflightBlocks can be zero");
    }
    if options.election_tick <= options.heartbeat_tick {
        return invalid("ElectionTick must be greater than HeartbeatTick");
    }
    if duration::parse(&options.tick_interval).is_none_or(|interval| interval.is_zero()) {
        return invalid("TickInterval must be a positive duration");
    }
    if metadata.consenters.is_empty() {
        return invalid("empty consenter set");
    }
    let mut certificates = BTreeSet::new();
    for consenter in &metadata.consenters {
        if consenter.client_tls_cert.is_empty() || consenter.server_tls_cert.is_empty() {
            return invalid("consenter without a TLS certificate");
        }
        if !certificates.insert(&consenter.client_tls_cert) {
            return invalid("duplicate consenter: client TLS certificate is used twice");
        }
    }
    Ok(())
}

/// Who joins and who leaves a set of consenters. A consenter is its client TLS certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Consenters that join.
    pub added: Vec<Consenter>,
    /// Consenters that leave.
    pub removed: Vec<Consenter>,
}

/// Compares two sets of consenters.
pub fn changes(current: &ConfigMetadata, next: &ConfigMetadata) -> Changes {
    Changes { added: missing(next, current), removed: missing(current, next) }
}

fn missing(of: &ConfigMetadata, from: &ConfigMetadata) -> Vec<Consenter> {
    let known: BTreeSet<&Bytes> = from.consenters.iter().map(|c| &c.client_tls_cert).collect();
    let consenters = of.consenters.iter();
    consenters.filter(|consenter| !known.contains(&consenter.client_tls_cert)).cloned().collect()
}

/// Checks a change of settings: both valid, and at most one consenter joins or leaves, or one
/// takes the place of another.
pub fn validate_change(current: &ConfigMetadata, next: &ConfigMetadata) -> Result<Changes, Error> {
    validate(next)?;
    let changes = changes(current, next);
    if changes.added.len() > 1 || changes.removed.len() > 1 {
        return Err(Error::Invalid(format!(
            "update of more than one consenter at a time is not supported, requested changes: \
             add {} node(s), remove {} node(s)",
            changes.added.len(),
            changes.removed.len()
        )));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::etcdraft::Options;

    fn settings(names: &[&'static str]) -> ConfigMetadata {
        let consenter = |name: &&'static str| Consenter {
            host: (*name).into(),
            port: 7050,
            client_tls_cert: Bytes::from_static(name.as_bytes()),
            server_tls_cert: Bytes::from_static(name.as_bytes()),
        };
        let options = Options {
            tick_interval: "500ms".into(),
            election_tick: 10,
            heartbeat_tick: 1,
            max_inflight_blocks: 5,
            snapshot_interval_size: 1,
        };
        ConfigMetadata { consenters: names.iter().map(consenter).collect(), options: Some(options) }
    }

    #[track_caller]
    fn check_bad(change: impl FnOnce(&mut ConfigMetadata, &mut Options)) {
        let mut settings = settings(&["a", "b", "c"]);
        let mut options = settings.options.take().unwrap();
        change(&mut settings, &mut options);
        settings.options = Some(options);
        assert!(validate(&settings).is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert!(validate(&settings(&["a", "b", "c"])).is_ok());
        assert!(validate(&ConfigMetadata { options: None, ..settings(&["a"]) }).is_err());
        check_bad(|_, options| options.heartbeat_tick = 0);
        check_bad(|_, options| options.election_tick = 1);
        check_bad(|_, options| options.max_inflight_blocks = 0);
        check_bad(|_, options| options.tick_interval = "soon".into());
        check_bad(|_, options| options.tick_interval = "0s".into());
        check_bad(|settings, _| settings.consenters.clear());
        check_bad(|settings, _| settings.consenters.push(settings.consenters[0].clone()));
        check_bad(|settings, _| settings.consenters[0].server_tls_cert = Bytes::new());
    }

    #[test]
    fn one_consenter_comes_goes_or_is_replaced_at_a_time() {
        let change = |next: &[&'static str]| {
            let changes = validate_change(&settings(&["a", "b", "c"]), &settings(next)).ok()?;
            Some((changes.added.len(), changes.removed.len()))
        };
        assert_eq!(change(&["c", "b", "a"]), Some((0, 0)));
        assert_eq!(change(&["a", "b", "c", "d"]), Some((1, 0)));
        assert_eq!(change(&["a", "b"]), Some((0, 1)));
        assert_eq!(change(&["a", "b", "d"]), Some((1, 1)));
        assert_eq!(change(&["a", "b", "c", "d", "e"]), None);
        assert_eq!(change(&["a"]), None);
        assert_eq!(change(&["a", "d", "e"]), None);
    }
}
