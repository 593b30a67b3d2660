//! What the files of a snapshot are called, and its two files of metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// First byte of each data file: the version of its format.
pub(super) const FORMAT: u8 = 1;

/// What is hashed and compared between peers.
pub(super) const SIGNABLE: &str = "_snapshot_signable_metadata.json";
/// What goes with it.
pub(super) const ADDITIONAL: &str = "_snapshot_additional_metadata.json";

/// Public keys.
pub(super) const PUBLIC_STATE: &str = "public_state";
/// Hashes of private keys and values.
pub(super) const PRIVATE_HASHES: &str = "private_state_hashes";
/// Ids of all transactions.
pub(super) const TX_IDS: &str = "txids";
/// Collections of all chaincodes.
pub(super) const CONFIG_HISTORY: &str = "confighistory";

/// Before the chaincode in a key of the collection history, and behind it.
pub(super) const COLLECTION_KEY: (&[u8], &[u8]) = (b"slscc\0", b"~collection");

/// The kind of state database this ledger names in its snapshots.
pub(super) const STATE_DB: &str = "SimpleKeyValueDB";
/// The kinds whose snapshots can be read: they differ in nothing but the name.
pub(super) const STATE_DBS: [&str; 2] = [STATE_DB, "CouchDB"];

/// Name of the file with the records of a kind.
pub(super) fn data(kind: &str) -> String {
    format!("{kind}.data")
}

/// Name of the file that counts the records of a kind.
pub(super) fn metadata(kind: &str) -> String {
    format!("{kind}.metadata")
}

/// Bounds of reading snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnapshotConfig {
    /// Bytes one record of a snapshot may have.
    pub record_bytes_max: u64,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { record_bytes_max: 256 << 20 }
    }
}

/// What a snapshot is of, in the order of the fields of `_snapshot_signable_metadata.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotMetadata {
    /// The channel.
    pub channel_name: String,
    /// The newest block in it.
    pub last_block_number: u64,
    /// Hex of that block's hash.
    pub last_block_hash: String,
    /// Hex of the hash of the block before.
    pub previous_block_hash: String,
    /// Hex of the hash of each data file, by name.
    pub snapshot_files_raw_hashes: BTreeMap<String, String>,
    /// The kind of state database, as Fabric names it.
    pub state_db_type: String,
}

/// `_snapshot_additional_metadata.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdditionalMetadata {
    /// Hex of the hash of the signable metadata's bytes.
    pub(super) snapshot_hash: String,
    /// Hex of the last block's commit hash; empty if it has none.
    pub(super) last_block_commit_hash: String,
}
