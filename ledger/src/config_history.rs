//! Which collections a chaincode had, and since which block.
//!
//! Committing a chaincode definition writes its collections to the `_lifecycle` namespace. Each
//! such write is kept beside the state, under the chaincode and the block, newest first.

use bytes::Bytes;
use proto::common::{CollectionConfigPackage, collection_config};
use proto::lifecycle::{StateData, state_data};

use crate::mvcc::Updates;
use crate::state::{Scan, StateBatch, StateKey};
use crate::{Version, Versioned, View, state};

/// Namespace of the chaincode definitions.
const LIFECYCLE: &str = "_lifecycle";
/// Kind of these entries among the ledger's own.
pub(crate) const KIND: u8 = b'c';

/// Collections of a chaincode as committed by a block.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionConfigAt {
    /// The block that committed the definition.
    pub block: u64,
    /// The collections.
    pub collections: CollectionConfigPackage,
}

/// The chaincode whose collections a key of `_lifecycle` holds.
fn chaincode_of(key: &StateKey) -> Option<String> {
    if key.namespace() != LIFECYCLE {
        return None;
    }
    let key = String::from_utf8(key.key().to_vec()).ok()?;
    Some(key.strip_prefix("namespaces/fields/")?.strip_suffix("/Collections")?.to_owned())
}

/// The collections in a stored field; nothing if there are none.
fn decode(field: &Bytes) -> Option<(Bytes, CollectionConfigPackage)> {
    let data: StateData = proto::decode(field.clone()).ok()?;
    let Some(state_data::Type::Bytes(bytes)) = data.r#type else {
        return None;
    };
    let package: CollectionConfigPackage = proto::decode(bytes.clone()).ok()?;
    (!package.config.is_empty()).then_some((bytes, package))
}

fn entry_key(chaincode: &str, block: u64) -> StateKey {
    let age = (u64::MAX - block).to_be_bytes();
    StateKey::internal(KIND, &[chaincode.as_bytes(), b"\0", &age])
}

/// How a definition stands in the state.
pub(crate) fn entry(chaincode: &str, block: u64, value: Bytes) -> (StateKey, Versioned) {
    let entry = Versioned { value, metadata: Bytes::new(), version: Version::new(block, 0) };
    (entry_key(chaincode, block), entry)
}

/// Adds the definitions a block commits.
pub(crate) fn record(updates: &Updates, batch: &mut StateBatch) {
    let start = StateKey::public(LIFECYCLE, "namespaces/fields/");
    let fields = updates.range(&start, &StateKey::end_of(LIFECYCLE)).into_iter().flatten();
    for (key, update) in fields {
        let package = update.value.as_ref().and_then(decode);
        if let (Some(chaincode), Some((value, _))) = (chaincode_of(key), package) {
            let (key, entry) = entry(&chaincode, batch.block, value);
            batch.updates.insert(key, Some(entry));
        }
    }
}

/// The newest definition committed below `height`.
pub(crate) fn below(
    view: &View,
    chaincode: &str,
    height: u64,
) -> Result<Option<CollectionConfigAt>, state::Error> {
    let Some(newest) = height.checked_sub(1) else { return Ok(None) };
    let end = StateKey::internal(KIND, &[chaincode.as_bytes(), b"\x01"]);
    let mut found = Scan::new(view.state().clone(), entry_key(chaincode, newest), end);
    let Some((_, entry)) = found.next().transpose()? else { return Ok(None) };
    let collections =
        proto::decode(entry.value).map_err(|_| state::Error::Damaged("collections"))?;
    Ok(Some(CollectionConfigAt { block: entry.version.block, collections }))
}

/// All definitions as chaincode, block and encoded package, by chaincode, newest first.
pub(crate) fn all(
    view: &View,
) -> impl Iterator<Item = Result<(String, u64, Bytes), state::Error>> + use<> {
    let (start, end) = (StateKey::internal(KIND, &[]), StateKey::internal(b'd', &[]));
    Scan::new(view.state().clone(), start, end).map(|entry| {
        let (key, entry) = entry?;
        let name = key.as_bytes().get(2..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        Ok((name, entry.version.block, entry.value))
    })
}

/// After how many blocks private data of a collection expires; nothing if never.
pub(crate) fn block_to_live(
    view: &View,
    chaincode: &str,
    collection: &str,
) -> Result<Option<u64>, state::Error> {
    let key = format!("namespaces/fields/{chaincode}/Collections");
    let Some(field) = view.get(LIFECYCLE, &key)? else { return Ok(None) };
    let Some((_, package)) = decode(&field.value) else { return Ok(None) };
    Ok(life_in(package, collection))
}

/// The same as it was for block `height`.
pub(crate) fn life_below(
    view: &View,
    chaincode: &str,
    collection: &str,
    height: u64,
) -> Result<Option<u64>, state::Error> {
    let found = below(view, chaincode, height)?;
    Ok(found.and_then(|found| life_in(found.collections, collection)))
}

fn life_in(package: CollectionConfigPackage, collection: &str) -> Option<u64> {
    let statics = package.config.into_iter().filter_map(|config| config.payload);
    let mut named = statics.filter_map(|payload| {
        let collection_config::Payload::StaticCollectionConfig(config) = payload;
        (config.name == collection).then_some(config.block_to_live)
    });
    named.next().filter(|blocks| *blocks > 0)
}
