//! The id under which a transaction of a block is found.

use bytes::Bytes;
use proto::common::Block;

use crate::transaction::indexed_id;

/// The id under which an envelope is indexed: that of its channel header or, if the header has
/// none (config updates made by orderers), the hash of nonce and creator. Nothing for bytes that
/// have neither.
pub fn indexed_tx_id(envelope: &Bytes) -> Option<String> {
    indexed_id(envelope)
}

/// The ids of all transactions of a block.
pub(crate) fn ids(block: &Block) -> Vec<Option<String>> {
    proto::block::envelopes(block).iter().map(indexed_tx_id).collect()
}
