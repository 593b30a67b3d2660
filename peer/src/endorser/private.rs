//! Private writes of an endorsed transaction: kept aside until it is committed.

use std::collections::BTreeMap;

use ledger::{Ledger, Simulation, TransientEntry, View};
use proto::peer::{CollectionConfig, CollectionConfigPackage, collection_config::Payload};
use proto::rwset::TxPvtReadWriteSet;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use crate::lifecycle::{self, definitions};

/// Why private writes could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("collections of private writes: {0}")]
    Collections(#[from] lifecycle::Error),
    #[error("transient store")]
    Store(#[from] ledger::Error),
}

/// Keeps the private writes of a simulation, if there are any, for the commit of its transaction.
pub(super) fn keep(
    ledger: &Ledger,
    view: &View,
    tx_id: &str,
    simulation: &Simulation,
) -> Result<(), Error> {
    let Some(private) = &simulation.private else { return Ok(()) };
    let entry = TransientEntry {
        received_at: ledger.height(),
        private: TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: simulation.height,
            pvt_rwset: Some(private.clone()),
            collection_configs: collection_configs(view, private)?,
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
