//! Checking all of a snapshot.

use std::collections::BTreeMap;

use super::format::{PRIVATE_HASHES, PUBLIC_STATE, TX_IDS};
use super::read::Part;
use super::{Error, Snapshot};

/// What is in a snapshot, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Public keys by namespace.
    pub public_keys: BTreeMap<String, u64>,
    /// Hashed private keys by namespace and collection.
    pub private_keys: BTreeMap<(String, String), u64>,
    /// Ids of transactions.
    pub transactions: u64,
    /// Definitions of collections.
    pub collection_configs: u64,
}

impl Snapshot {
    /// Reads and checks all of it. `progress` is told the kind of the records being read, and how
    /// many records there have been in all.
    pub fn verify(&self, progress: &mut dyn FnMut(&'static str, u64)) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let mut count = 0;
        let mut tell = |kind| {
            count += 1;
            progress(kind, count);
        };
        self.entries::<Error>(Part::Public, &mut |key, _| {
            *contents.public_keys.entry(key.namespace().to_owned()).or_default() += 1;
            tell(PUBLIC_STATE);
            Ok(())
        })?;
        self.entries::<Error>(Part::Hashes, &mut |key, _| {
            if let Some((namespace, collection)) = key.namespace().split_once("$$h") {
                let key = (namespace.to_owned(), collection.to_owned());
                *contents.private_keys.entry(key).or_default() += 1;
            }
            tell(PRIVATE_HASHES);
            Ok(())
        })?;
        self.tx_ids::<Error>(&mut |_| {
            contents.transactions += 1;
            tell(TX_IDS);
            Ok(())
        })?;
        self.collections::<Error>(&mut |_, _, _| {
            contents.collection_configs += 1;
            Ok(())
        })?;
        Ok(contents)
    }
}
