//! Private data of blocks from before the snapshot a ledger began from.

use std::collections::BTreeMap;

use prost::Message;
use proto::kvrwset::KvrwSet;

use super::Ledger;
use crate::{Error, Missing, PrivateWriteSets, Version, View, private_data};

impl Ledger {
    /// Adds private data of a block that is not here to compare it with. What its transaction
    /// wrote counts for each key whose hash in the state still is the one of that write; what was
    /// overwritten since is not kept.
    pub(super) fn add_earlier(&self, number: u64, private: &PrivateWriteSets) -> Result<(), Error> {
        let (view, known) = (self.view()?, self.private.block(number)?);
        let mut present = BTreeMap::new();
        for (tx, set) in &private.write_sets {
            for namespace in &set.ns_pvt_rwset {
                for collection in &namespace.collection_pvt_rwset {
                    let at = Missing {
                        tx: *tx,
                        namespace: namespace.namespace.clone(),
                        collection: collection.collection_name.clone(),
                    };
                    let Ok(set) = KvrwSet::decode(collection.rwset.clone()) else { continue };
                    let kept = still_there(&view, number, &at, set)?;
                    if !kept.writes.is_empty() && !known.contains_key(&at) {
                        present.insert(at, kept.encode_to_vec().into());
                    }
                }
            }
        }
        // The state first: if a crash comes between, the data still counts as missing.
        self.state.amend(&private_data::late(&view, number, &present)?)?;
        self.state.flush()?;
        self.show()?;
        Ok(self.private.append(number, &present, &[])?)
    }
}

/// The writes of a set whose hashes the state still holds.
fn still_there(view: &View, block: u64, at: &Missing, set: KvrwSet) -> Result<KvrwSet, Error> {
    let version = Version::new(block, u64::from(at.tx));
    let mut kept = KvrwSet::default();
    for write in set.writes {
        let key_hash = proto::sha256(write.key.as_bytes());
        let hashed = view.hash(&at.namespace, &at.collection, &key_hash)?;
        let is_value = |hash: &[u8]| hash == proto::sha256(&write.value);
        if hashed.is_some_and(|it| it.version == version && is_value(&it.value)) {
            kept.writes.push(write);
        }
    }
    Ok(kept)
}
