//! Whether the reads of a transaction still hold.

use bytes::Bytes;
use proto::transaction::TxValidationCode;

/// Marks the second and later transaction with one id in a block as duplicates. Only transactions
/// still valid count, so a copy that failed earlier checks does not spoil a good one.
pub fn mark_duplicates(_envelopes: &[Bytes], _codes: &mut [TxValidationCode]) {
    todo!()
}
