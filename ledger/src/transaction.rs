//! Transactions as they stand in blocks.

use bytes::Bytes;
use proto::transaction::TxValidationCode;

/// A transaction of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The encoded envelope.
    pub envelope: Bytes,
    /// What validation said.
    pub code: TxValidationCode,
    /// Number of its block.
    pub block: u64,
    /// Position in the block.
    pub index: u32,
}
