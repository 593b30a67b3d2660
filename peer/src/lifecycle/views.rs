//! The state of `_lifecycle` as seen from a view of the ledger or from a simulator.

use bytes::Bytes;
use ledger::simulator::Query;
use ledger::{Simulator, View};

use super::Error;
use super::state::{NAMESPACE, Read, ReadHash, Write, metadata_key};

/// Committed public state, unrecorded.
pub(super) struct PublicView<'a>(pub(super) &'a View);

impl Read for PublicView<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.0.get(NAMESPACE, key)?.map(|versioned| versioned.value))
    }
}

impl PublicView<'_> {
    /// Names of all records in `namespace`.
    pub(super) fn names(&self, namespace: &str) -> Result<Vec<String>, Error> {
        let prefix = metadata_key(namespace, "");
        let mut names = Vec::new();
        for entry in self.0.range(NAMESPACE, &prefix, &end_of(&prefix)) {
            let (key, _) = entry?;
            names.push(key.strip_prefix(&prefix).unwrap_or_default().to_owned());
        }
        Ok(names)
    }
}

/// The end of the range of keys that start with `prefix`; Fabric's choice.
pub(super) fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{7f}")
}

/// Hashes of a collection's committed state, unrecorded.
pub(super) struct HashView<'a> {
    pub(super) view: &'a View,
    pub(super) collection: &'a str,
}

impl ReadHash for HashView<'_> {
    fn hash(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        let key_hash = proto::sha256(key.as_bytes());
        let versioned = self.view.hash(NAMESPACE, self.collection, &key_hash)?;
        Ok(versioned.map(|versioned| versioned.value))
    }
}

fn names_of(simulator: &mut Simulator, query: Query, prefix: &str) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    while let Some(entry) = simulator.next(query)? {
        names.push(entry.key.strip_prefix(prefix).unwrap_or_default().to_owned());
    }
    simulator.close(query);
    Ok(names)
}

/// Public state of a transaction.
pub(super) struct Public<'a>(pub(super) &'a mut Simulator);

impl Read for Public<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.0.get_state(NAMESPACE, key)?)
    }
}

impl Public<'_> {
    /// Names of all records in `namespace`.
    pub(super) fn names(&mut self, namespace: &str) -> Result<Vec<String>, Error> {
        let prefix = metadata_key(namespace, "");
        let query = self.0.range(NAMESPACE, &prefix, &end_of(&prefix))?;
        names_of(self.0, query, &prefix)
    }
}

impl Write for Public<'_> {
    fn put(&mut self, key: &str, value: Bytes) -> Result<(), Error> {
        Ok(self.0.put_state(NAMESPACE, key, value)?)
    }

    fn delete(&mut self, key: &str) -> Result<(), Error> {
        Ok(self.0.del_state(NAMESPACE, key)?)
    }
}

/// A collection's state of a transaction.
pub(super) struct Private<'a> {
    pub(super) simulator: &'a mut Simulator,
    pub(super) collection: &'a str,
}

impl Read for Private<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.simulator.get_private(NAMESPACE, self.collection, key)?)
    }
}

impl Private<'_> {
    /// Names of all records in `namespace`.
    pub(super) fn names(&mut self, namespace: &str) -> Result<Vec<String>, Error> {
        let prefix = metadata_key(namespace, "");
        let end = end_of(&prefix);
        let query = self.simulator.private_range(NAMESPACE, self.collection, &prefix, &end)?;
        names_of(self.simulator, query, &prefix)
    }
}

impl Write for Private<'_> {
    fn put(&mut self, key: &str, value: Bytes) -> Result<(), Error> {
        Ok(self.simulator.put_private(NAMESPACE, self.collection, key, value)?)
    }

    fn delete(&mut self, key: &str) -> Result<(), Error> {
        Ok(self.simulator.del_private(NAMESPACE, self.collection, key)?)
    }
}

impl ReadHash for Private<'_> {
    fn hash(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.simulator.get_private_hash(NAMESPACE, self.collection, key)?)
    }
}
