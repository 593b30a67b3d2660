//! The id under which a transaction of a block is found.

use bytes::Bytes;
use proto::common::Block;
use proto::envelope::Envelope;

/// The id under which an envelope is indexed: that of its channel header or, if the header has
/// none (config updates made by orderers), the hash of nonce and creator. Nothing for bytes that
/// are no envelope.
pub fn indexed_tx_id(envelope: &Bytes) -> Option<String> {
    let envelope = Envelope::parse(envelope.clone()).ok()?;
    let id = envelope.channel_header.tx_id;
    if !id.is_empty() {
        return Some(id);
    }
    let header = envelope.signature_header;
    Some(proto::transaction::tx_id(&header.nonce, &header.creator))
}

/// The ids of all transactions of a block.
pub(crate) fn ids(block: &Block) -> Vec<Option<String>> {
    proto::block::envelopes(block).iter().map(indexed_tx_id).collect()
}
