//! Applying an update: versions, policies, and the resulting tree.

use proto::common::{ConfigGroup, ConfigUpdateEnvelope};

use super::tree::{self, Element, Key, Kind, Map};
use super::{Error, decode};
use crate::policy::{self, Policy, verified_identities};
use crate::{Bundle, SignedData};

/// The root group an update leads to.
pub(super) fn apply(
    current: &Bundle,
    envelope: &ConfigUpdateEnvelope,
) -> Result<ConfigGroup, Error> {
    let update = decode(envelope)?;
    if update.channel_id != current.channel_id() {
        let channel = current.channel_id().to_owned();
        return Err(Error::Channel { update: update.channel_id, channel });
    }
    let (read_set, write_set) =
        (update.read_set.unwrap_or_default(), update.write_set.unwrap_or_default());
    let read = tree::map(&read_set).map_err(|source| Error::Tree { set: "read set", source })?;
    let write = tree::map(&write_set).map_err(|source| Error::Tree { set: "write set", source })?;
    let config = tree::map(current.root()).map_err(Error::Result)?;
    check_read(&config, &read)?;
    let delta = delta(&read, &write);
    let signatures = SignedData::of_config_update(envelope)
        .map_err(|_| Error::Decode("signature header of a config signature"))?;
    check_delta(current, &config, &delta, &signatures)?;
    let mut result = config;
    result.extend(delta);
    match write.keys().find(|key| !result.contains_key(key)) {
        Some(key) => Err(Error::Result(tree::TreeError::Missing(key.to_string()))),
        None => tree::build(&result).map_err(Error::Result),
    }
}

/// Everything read must exist and have the version read.
fn check_read(config: &Map<'_>, read: &Map<'_>) -> Result<(), Error> {
    for (key, element) in read {
        let Some(existing) = config.get(key) else {
            return Err(Error::NotInConfig(key.to_string()));
        };
        let (read, current) = (element.version(), existing.version());
        if read != current {
            return Err(Error::ReadVersion { key: key.to_string(), read, current });
        }
    }
    Ok(())
}

/// What is written and was not read in the same version.
fn delta<'a>(read: &Map<'_>, write: &Map<'a>) -> Map<'a> {
    let changed = |(key, element): &(&Key, &Element<'_>)| {
        read.get(key).is_none_or(|known| known.version() != element.version())
    };
    write.iter().filter(changed).map(|(key, element)| (key.clone(), *element)).collect()
}

fn check_delta(
    current: &Bundle,
    config: &Map<'_>,
    delta: &Map<'_>,
    signatures: &[SignedData],
) -> Result<(), Error> {
    if delta.is_empty() {
        return Err(Error::Empty);
    }
    let mut guards = Vec::new();
    for (key, element) in delta {
        if !mod_policy_is_valid(element.mod_policy()) {
            return Err(Error::ModPolicy(key.to_string()));
        }
        let version = element.version();
        match config.get(key) {
            None if version != 0 => {
                return Err(Error::NewVersion { key: key.to_string(), version });
            }
            None => {}
            Some(existing) if Some(version) != existing.version().checked_add(1) => {
                let current = existing.version();
                return Err(Error::WriteVersion { key: key.to_string(), version, current });
            }
            Some(existing) => guards.push((key, guard(current, key, *existing)?)),
        }
    }
    let identities = verified_identities(current.msps(), signatures);
    for (key, policy) in guards {
        policy
            .evaluate_identities(&identities)
            .map_err(|source| Error::Policy { key: key.to_string(), source })?;
    }
    Ok(())
}

/// The policy that guards an element. Relative names start at the group itself, for values and
/// policies at the group they stand in.
fn guard(current: &Bundle, key: &Key, element: Element<'_>) -> Result<Policy, Error> {
    let name = element.mod_policy();
    let path = if key.kind == Kind::Group { key.path() } else { key.parent.clone() };
    current.policies().get(&path, name).ok_or_else(|| Error::Policy {
        key: key.to_string(),
        source: policy::Error::Unknown(name.to_owned()),
    })
}

fn mod_policy_is_valid(name: &str) -> bool {
    let relative = name.strip_prefix('/').unwrap_or(name);
    relative.split('/').all(|part| tree::check_name(part).is_ok())
}
