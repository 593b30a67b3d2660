//! Reading the values of a group.

use prost::{Message, Name};
use proto::common::ConfigGroup;

use super::Error;

/// A group with its path.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    pub(crate) path: &'a str,
    pub(crate) group: &'a ConfigGroup,
}

impl<'a> Group<'a> {
    /// Refuses values whose keys are not among `known`.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Error> {
        match self.group.values.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                Err(Error::UnexpectedKey { group: self.path.to_owned(), key: key.clone() })
            }
            None => Ok(self),
        }
    }

    /// Refuses sub-groups.
    pub(crate) fn without_groups(self) -> Result<Self, Error> {
        match self.group.groups.keys().next() {
            Some(name) => Err(Error::DisallowedGroup(format!("{}/{name}", self.path))),
            None => Ok(self),
        }
    }

    /// The value of a key, decoded; `None` if it is absent.
    pub(crate) fn find<M: Message + Name + Default>(self, key: &str) -> Result<Option<M>, Error> {
        let Some(value) = self.group.values.get(key) else { return Ok(None) };
        let decoded = proto::decode(value.value.clone())
            .map_err(|_| Error::Decode { group: self.path.to_owned(), key: key.to_owned() })?;
        Ok(Some(decoded))
    }

    /// The value of a key, decoded; the empty message if it is absent.
    pub(crate) fn get<M: Message + Name + Default>(self, key: &str) -> Result<M, Error> {
        Ok(self.find(key)?.unwrap_or_default())
    }
}
