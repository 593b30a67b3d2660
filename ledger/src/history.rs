//! The history of keys: which transactions wrote them.

use bytes::Bytes;

/// A transaction in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the block.
    pub block: u64,
    /// Position in the block.
    pub tx: u32,
}

/// One write in the history of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Modification {
    /// Where it was written; continue a listing after it.
    pub position: Position,
    /// Id of the transaction.
    pub tx_id: String,
    /// The value written; empty if deleted.
    pub value: Bytes,
    /// The time the transaction's creator gave it.
    pub timestamp: Option<prost_types::Timestamp>,
    /// Whether the key was deleted.
    pub is_delete: bool,
}
