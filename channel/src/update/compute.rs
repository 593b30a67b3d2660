//! The update that leads from one configuration to another.
//!
//! A group whose members or modification policy change gets the next version and lists all its
//! members in both sets; otherwise only what differs is listed. This is the smallest update that
//! states what it depends on.

use std::collections::BTreeMap;

use proto::common::{Config, ConfigGroup, ConfigPolicy, ConfigUpdate, ConfigValue};

use super::Error;

/// Computes the update that turns `current` into `wanted`. Versions in `wanted` do not matter.
pub fn compute(channel_id: &str, current: &Config, wanted: &Config) -> Result<ConfigUpdate, Error> {
    let current = current.channel_group.as_ref().ok_or(Error::Missing("channel group"))?;
    let wanted = wanted.channel_group.as_ref().ok_or(Error::Missing("channel group"))?;
    super::tree::map(current).map_err(|source| Error::Tree { set: "current config", source })?;
    super::tree::map(wanted).map_err(|source| Error::Tree { set: "wanted config", source })?;
    let step = group(current, wanted);
    if !step.changed {
        return Err(Error::NoDifference);
    }
    Ok(ConfigUpdate {
        channel_id: channel_id.to_owned(),
        read_set: Some(step.read),
        write_set: Some(step.write),
        isolated_data: BTreeMap::new(),
    })
}

/// What an update reads and writes of one element.
struct Step<T> {
    read: T,
    write: T,
    changed: bool,
}

/// What an update reads and writes of one kind of members.
struct Members<T> {
    read: BTreeMap<String, T>,
    write: BTreeMap<String, T>,
    /// Members that stay as they are.
    same: BTreeMap<String, T>,
    /// Whether members come or go.
    membership: bool,
}

fn members<T>(
    current: &BTreeMap<String, T>,
    wanted: &BTreeMap<String, T>,
    step: impl Fn(&T, &T) -> Step<T>,
    create: impl Fn(&T) -> T,
    reads_changed: bool,
) -> Members<T> {
    let mut members = Members {
        read: BTreeMap::new(),
        write: BTreeMap::new(),
        same: BTreeMap::new(),
        membership: current.keys().any(|name| !wanted.contains_key(name)),
    };
    for (name, wanted) in wanted {
        let Some(current) = current.get(name) else {
            members.membership = true;
            members.write.insert(name.clone(), create(wanted));
            continue;
        };
        let step = step(current, wanted);
        if !step.changed {
            members.same.insert(name.clone(), step.read);
            continue;
        }
        if reads_changed {
            members.read.insert(name.clone(), step.read);
        }
        members.write.insert(name.clone(), step.write);
    }
    members
}

impl<T: Clone> Members<T> {
    /// Lists the members that stay, too.
    fn list_all(&mut self) {
        for (name, member) in std::mem::take(&mut self.same) {
            self.read.insert(name.clone(), member.clone());
            self.write.insert(name, member);
        }
    }
}

fn value(current: &ConfigValue, wanted: &ConfigValue) -> Step<ConfigValue> {
    Step {
        read: ConfigValue { version: current.version, ..Default::default() },
        write: ConfigValue { version: current.version.saturating_add(1), ..wanted.clone() },
        changed: (&current.value, &current.mod_policy) != (&wanted.value, &wanted.mod_policy),
    }
}

fn policy(current: &ConfigPolicy, wanted: &ConfigPolicy) -> Step<ConfigPolicy> {
    Step {
        read: ConfigPolicy { version: current.version, ..Default::default() },
        write: ConfigPolicy { version: current.version.saturating_add(1), ..wanted.clone() },
        changed: (&current.policy, &current.mod_policy) != (&wanted.policy, &wanted.mod_policy),
    }
}

fn group(current: &ConfigGroup, wanted: &ConfigGroup) -> Step<ConfigGroup> {
    let create_value = |new: &ConfigValue| ConfigValue { version: 0, ..new.clone() };
    let create_policy = |new: &ConfigPolicy| ConfigPolicy { version: 0, ..new.clone() };
    let mut values = members(&current.values, &wanted.values, value, create_value, false);
    let mut policies = members(&current.policies, &wanted.policies, policy, create_policy, false);
    let mut groups = members(&current.groups, &wanted.groups, group, create_group, true);
    let itself = values.membership
        || policies.membership
        || groups.membership
        || current.mod_policy != wanted.mod_policy;
    let changed = itself
        || !(values.write.is_empty() && policies.write.is_empty() && groups.write.is_empty());
    if itself {
        values.list_all();
        policies.list_all();
        groups.list_all();
    }
    Step {
        read: ConfigGroup {
            version: current.version,
            groups: groups.read,
            values: values.read,
            policies: policies.read,
            mod_policy: String::new(),
        },
        write: ConfigGroup {
            version: current.version.saturating_add(u64::from(itself)),
            groups: groups.write,
            values: values.write,
            policies: policies.write,
            mod_policy: if itself { wanted.mod_policy.clone() } else { String::new() },
        },
        changed,
    }
}

/// A group that did not exist: all its elements are new.
fn create_group(new: &ConfigGroup) -> ConfigGroup {
    let mut group = new.clone();
    reset(&mut group);
    group
}

fn reset(group: &mut ConfigGroup) {
    group.version = 0;
    group.values.values_mut().for_each(|value| value.version = 0);
    group.policies.values_mut().for_each(|policy| policy.version = 0);
    group.groups.values_mut().for_each(reset);
}
