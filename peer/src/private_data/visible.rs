//! Which private data of a block, or of a transaction still on its way, a caller may see: that of the
//! collections his organization was a member of when it was made.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::{CollectionConfigAt, Ledger};
use msp::Identity;
use prost::Message;
use proto::peer::{CollectionConfigPackage, StaticCollectionConfig};
use proto::rwset::{NsPvtReadWriteSet, TxPvtReadWriteSet};

use crate::channels::Channel;
use crate::lifecycle::definition::static_collections;
use crate::lifecycle::definitions::implicit_organization;

use super::is_member;

/// The private data of block `number` the serialized identity `caller` may see, by position of the
/// transaction.
pub(crate) fn visible(
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
        if implicit_organization(collection).is_some() {
            return Ok(may_see(bundle, &[], collection, identity));
        }
        if !self.known.contains_key(chaincode) {
            let at = self.ledger.collections_below(chaincode, self.number)?;
            self.known.insert(chaincode.to_owned(), at.map(configs).unwrap_or_default());
        }
        let configs = self.known.get(chaincode).map_or(&[][..], Vec::as_slice);
        Ok(may_see(bundle, configs, collection, identity))
    }
}

/// Whether `identity` belongs to a member of a collection, which one of `configs` describes unless
/// it is an organization's own.
fn may_see(
    bundle: &channel::Bundle,
    configs: &[StaticCollectionConfig],
    collection: &str,
    identity: &Identity,
) -> bool {
    if let Some(msp_id) = implicit_organization(collection) {
        return identity.msp_id() == msp_id && identity.validate().is_ok();
    }
    let config = configs.iter().find(|config| config.name == collection);
    config.is_some_and(|config| is_member(bundle, config, identity))
}

/// The write sets of a collection that endorsements of `tx_id` left on this peer, if the serialized
/// identity `caller` may see them. They differ if the endorsements did.
pub(crate) fn endorsed(
    channel: &Channel,
    tx_id: &str,
    namespace: &str,
    collection: &str,
    caller: &Bytes,
) -> Result<Vec<Bytes>, ledger::Error> {
    let bundle = channel.bundle();
    let Ok(identity) = bundle.msps().deserialize(caller) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in channel.ledger().transient_store().get(tx_id)? {
        let package = entry.private.collection_configs.get(namespace);
        let configs: Vec<_> = package.into_iter().flat_map(static_collections).cloned().collect();
        if !may_see(&bundle, &configs, collection, &identity) {
            continue;
        }
        let sets = entry.write_set().map_or(&[][..], |set| set.ns_pvt_rwset.as_slice());
        for rwset in of_collection(sets, namespace, collection) {
            if !found.contains(rwset) {
                found.push(rwset.clone());
            }
        }
    }
    Ok(found)
}

/// The write sets of one collection.
pub(crate) fn of_collection<'a>(
    sets: &'a [NsPvtReadWriteSet],
    namespace: &'a str,
    collection: &'a str,
) -> impl Iterator<Item = &'a Bytes> {
    sets.iter()
        .filter(move |set| set.namespace == namespace)
        .flat_map(|set| &set.collection_pvt_rwset)
        .filter(move |set| set.collection_name == collection)
        .map(|set| &set.rwset)
}

/// The two packages of protocol messages hold the same message twice.
fn configs(at: CollectionConfigAt) -> Vec<StaticCollectionConfig> {
    let package = CollectionConfigPackage::decode(at.collections.encode_to_vec().as_slice());
    let package = package.unwrap_or_default();
    static_collections(&package).cloned().collect()
}
