//! Which collections a chaincode had, and since which block.

use proto::common::CollectionConfigPackage;

/// Collections of a chaincode as committed by a block.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionConfigAt {
    /// The block that committed the definition.
    pub block: u64,
    /// The collections.
    pub collections: CollectionConfigPackage,
}
