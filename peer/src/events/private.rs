//! Which private data of a block a caller may see: that of the collections his organization was a
//! member of when the block was made.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::{CollectionConfigAt, Ledger};
use msp::Identity;
use prost::Message;
use proto::peer::{CollectionConfigPackage, StaticCollectionConfig};
use proto::rwset::TxPvtReadWriteSet;

use crate::channels::Channel;
use crate::lifecycle::definition::static_collections;
use crate::lifecycle::definitions::implicit_organization;
use crate::private_data::is_member;

/// The private data of block `number` the serialized identity `caller` may see, by position of the
/// transaction.
pub(super) fn visible(
    channel: &Channel,
    number: u64,
    caller: &Bytes,
) -> Result<BTreeMap<u32, TxPvtReadWriteSet>, ledger::Error> {
    let mut sets = channel.ledger().private_data(number)?;
    let bundle = channel.bundle();
    let Ok(identity) = bundle.msps().deserialize(caller) else {
        return Ok(BTreeMap::new());
    };
    let mut rules = Rules { ledger: channel.ledger(), number, known: BTreeMap::new() };
    for set in sets.values_mut() {
        for namespace in &mut set.ns_pvt_rwset {
            let mut kept = Vec::new();
            for collection in std::mem::take(&mut namespace.collection_pvt_rwset) {
                if rules.allow(
                    &bundle,
                    &identity,
                    &namespace.namespace,
                    &collection.collection_name,
                )? {
                    kept.push(collection);
                }
            }
            namespace.collection_pvt_rwset = kept;
        }
        set.ns_pvt_rwset.retain(|namespace| !namespace.collection_pvt_rwset.is_empty());
    }
    sets.retain(|_, set| !set.ns_pvt_rwset.is_empty());
    Ok(sets)
}

struct Rules<'a> {
    ledger: &'a Ledger,
    number: u64,
    known: BTreeMap<String, Vec<StaticCollectionConfig>>,
}

impl Rules<'_> {
    fn allow(
        &mut self,
        bundle: &channel::Bundle,
        identity: &Identity,
        chaincode: &str,
        collection: &str,
    ) -> Result<bool, ledger::Error> {
        if let Some(msp_id) = implicit_organization(collection) {
            return Ok(identity.msp_id() == msp_id && identity.validate().is_ok());
        }
        if !self.known.contains_key(chaincode) {
            let at = self.ledger.collections_below(chaincode, self.number)?;
            self.known.insert(chaincode.to_owned(), at.map(configs).unwrap_or_default());
        }
        let configs = self.known.get(chaincode).map_or(&[][..], Vec::as_slice);
        let config = configs.iter().find(|config| config.name == collection);
        Ok(config.is_some_and(|config| is_member(bundle, config, identity)))
    }
}

/// The two packages of protocol messages hold the same message twice.
fn configs(at: CollectionConfigAt) -> Vec<StaticCollectionConfig> {
    let package = CollectionConfigPackage::decode(at.collections.encode_to_vec().as_slice());
    let package = package.unwrap_or_default();
    static_collections(&package).cloned().collect()
}
