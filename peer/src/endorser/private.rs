//! Private writes of an endorsed transaction: kept aside until it is committed.

use std::collections::BTreeMap;

use ledger::{Ledger, Simulation, TransientEntry, View};
use proto::peer::{CollectionConfig, CollectionConfigPackage, collection_config::Payload};
use proto::rwset::TxPvtReadWriteSet;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use crate::lifecycle::definition::static_collections;
use crate::lifecycle::{self, definitions};

/// Why private writes could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("collections of private writes: {0}")]
    Collections(#[from] lifecycle::Error),
    #[error("transient store")]
    Store(#[from] ledger::Error),
    #[error(
        "failed to distribute private collection {collection}: required to disseminate to at \
         least {required} peers, but know of only 0 eligible peers"
    )]
    Distribute { collection: String, required: i32 },
}

/// Keeps the private writes of a simulation, if there are any, for the commit of its transaction.
/// They stay on this peer, so a collection that wants them elsewhere before the endorsement cannot
/// be written to.
pub(super) fn keep(
    ledger: &Ledger,
    view: &View,
    tx_id: &str,
    simulation: &Simulation,
) -> Result<(), Error> {
    let Some(private) = &simulation.private else { return Ok(()) };
    let collection_configs = collection_configs(view, private)?;
    for config in collection_configs.values().flat_map(static_collections) {
        if config.required_peer_count > 0 {
            let (collection, required) = (config.name.clone(), config.required_peer_count);
            return Err(Error::Distribute { collection, required });
        }
    }
    let entry = TransientEntry {
        received_at: ledger.height(),
        private: TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: simulation.height,
            pvt_rwset: Some(private.clone()),
            collection_configs,
        },
    };
    Ok(ledger.transient_store().persist(tx_id, &entry)?)
}

/// The configurations of the collections written to, by chaincode.
fn collection_configs(
    view: &View,
    private: &TxPvtReadWriteSet,
) -> Result<BTreeMap<String, CollectionConfigPackage>, lifecycle::Error> {
    let mut configs = BTreeMap::new();
    for namespace in &private.ns_pvt_rwset {
        let mut package = CollectionConfigPackage::default();
        for collection in &namespace.collection_pvt_rwset {
            let name = &collection.collection_name;
            if let Some(config) = definitions::collection(view, &namespace.namespace, name)? {
                let payload = Some(Payload::StaticCollectionConfig(config));
                package.config.push(CollectionConfig { payload });
            }
        }
        configs.insert(namespace.namespace.clone(), package);
    }
    Ok(configs)
}
