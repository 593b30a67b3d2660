//! A configuration tree as a map from paths to elements, and back.

use std::collections::BTreeMap;
use std::fmt;

use proto::common::{ConfigGroup, ConfigPolicy, ConfigValue};

use crate::config::key;

/// Deepest nesting of groups.
pub const DEPTH_MAX: usize = 16;

/// Longest name of an element.
const NAME_MAX: usize = 249;

/// Why a tree is out of shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A name has characters that are not allowed, or is empty or too long.
    #[error("illegal name '{0}'")]
    Name(String),
    /// The groups are nested deeper than [`DEPTH_MAX`].
    #[error("groups are nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A group lists an element that is not there.
    #[error("missing element {0}")]
    Missing(String),
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A group.
    Group,
    /// A value.
    Value,
    /// A policy.
    Policy,
}

/// Kind and place of an element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Path of the group it stands in; empty for the root group.
    pub parent: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of the root group.
    pub fn root() -> Self {
        Self { kind: Kind::Group, parent: String::new(), name: "Channel".into() }
    }

    /// The path of the element.
    pub fn path(&self) -> String {
        format!("{}/{}", self.parent, self.name)
    }

    fn child(kind: Kind, parent: &str, name: &str) -> Self {
        Self { kind, parent: parent.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Group => "[Group]  ",
            Kind::Value => "[Value]  ",
            Kind::Policy => "[Policy] ",
        };
        write!(f, "{kind}{}/{}", self.parent, self.name)
    }
}

/// An element of a tree.
#[derive(Debug, Clone, Copy)]
pub enum Element<'a> {
    /// A group.
    Group(&'a ConfigGroup),
    /// A value.
    Value(&'a ConfigValue),
    /// A policy.
    Policy(&'a ConfigPolicy),
}

impl<'a> Element<'a> {
    /// How often it was changed.
    pub fn version(self) -> u64 {
        match self {
            Self::Group(group) => group.version,
            Self::Value(value) => value.version,
            Self::Policy(policy) => policy.version,
        }
    }

    /// Name of the policy that guards it.
    pub fn mod_policy(self) -> &'a str {
        match self {
            Self::Group(group) => &group.mod_policy,
            Self::Value(value) => &value.mod_policy,
            Self::Policy(policy) => &policy.mod_policy,
        }
    }
}

/// A tree's elements by kind and path.
pub type Map<'a> = BTreeMap<Key, Element<'a>>;

/// Maps a tree. Names and depth are checked.
pub fn map(root: &ConfigGroup) -> Result<Map<'_>, TreeError> {
    let mut map = Map::new();
    add(&mut map, Key::root(), root, DEPTH_MAX)?;
    Ok(map)
}

fn add<'a>(
    map: &mut Map<'a>,
    key: Key,
    group: &'a ConfigGroup,
    depth: usize,
) -> Result<(), TreeError> {
    let depth = depth.checked_sub(1).ok_or(TreeError::TooDeep)?;
    let path = key.path();
    map.insert(key, Element::Group(group));
    let names = group.groups.keys().chain(group.values.keys()).chain(group.policies.keys());
    for name in names {
        check_name(name)?;
    }
    for (name, value) in &group.values {
        map.insert(Key::child(Kind::Value, &path, name), Element::Value(value));
    }
    for (name, policy) in &group.policies {
        map.insert(Key::child(Kind::Policy, &path, name), Element::Policy(policy));
    }
    for (name, sub_group) in &group.groups {
        add(map, Key::child(Kind::Group, &path, name), sub_group, depth)?;
    }
    Ok(())
}

/// Checks the name of an element.
pub fn check_name(name: &str) -> Result<(), TreeError> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
    let fits = !name.is_empty() && name.len() <= NAME_MAX && !matches!(name, "." | "..");
    if fits && name.bytes().all(allowed) { Ok(()) } else { Err(TreeError::Name(name.to_owned())) }
}

/// Builds the tree again: a group has exactly the members it lists.
pub fn build(map: &Map<'_>) -> Result<ConfigGroup, TreeError> {
    let orderer = Key::child(Kind::Value, "/Channel/Orderer", key::CAPABILITIES);
    // Channels born before capabilities may have elements nobody could ever change.
    let default_mod_policy = if map.contains_key(&orderer) { "Admins" } else { "" };
    Builder { map, default_mod_policy }.group(Key::root(), DEPTH_MAX)
}

struct Builder<'a> {
    map: &'a Map<'a>,
    default_mod_policy: &'static str,
}

impl Builder<'_> {
    fn group(&self, key: Key, depth: usize) -> Result<ConfigGroup, TreeError> {
        let depth = depth.checked_sub(1).ok_or(TreeError::TooDeep)?;
        let Some(Element::Group(listed)) = self.map.get(&key) else {
            return Err(TreeError::Missing(key.to_string()));
        };
        let path = key.path();
        let groups = listed.groups.keys().map(|name| {
            Ok((name.clone(), self.group(Key::child(Kind::Group, &path, name), depth)?))
        });
        Ok(ConfigGroup {
            version: listed.version,
            groups: groups.collect::<Result<_, _>>()?,
            values: self.values(&path, listed)?,
            policies: self.policies(&path, listed)?,
            mod_policy: self.mod_policy(&listed.mod_policy),
        })
    }

    fn values(
        &self,
        path: &str,
        listed: &ConfigGroup,
    ) -> Result<BTreeMap<String, ConfigValue>, TreeError> {
        let value = |name: &String| {
            let key = Key::child(Kind::Value, path, name);
            let Some(Element::Value(value)) = self.map.get(&key) else {
                return Err(TreeError::Missing(key.to_string()));
            };
            let mod_policy = self.mod_policy(&value.mod_policy);
            Ok((name.clone(), ConfigValue { mod_policy, ..(*value).clone() }))
        };
        listed.values.keys().map(value).collect()
    }

    fn policies(
        &self,
        path: &str,
        listed: &ConfigGroup,
    ) -> Result<BTreeMap<String, ConfigPolicy>, TreeError> {
        let policy = |name: &String| {
            let key = Key::child(Kind::Policy, path, name);
            let Some(Element::Policy(policy)) = self.map.get(&key) else {
                return Err(TreeError::Missing(key.to_string()));
            };
            let mod_policy = self.mod_policy(&policy.mod_policy);
            Ok((name.clone(), ConfigPolicy { mod_policy, ..(*policy).clone() }))
        };
        listed.policies.keys().map(policy).collect()
    }

    fn mod_policy(&self, current: &str) -> String {
        if current.is_empty() { self.default_mod_policy.to_owned() } else { current.to_owned() }
    }
}
