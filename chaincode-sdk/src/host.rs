//! What the SDK asks of whoever executes the contract: the peer, or a test.
//!
//! This mirrors the WIT interfaces in `runtime/wit`. Authors use [`Tx`](crate::Tx).

use std::collections::BTreeMap;

use crate::caller::Caller;
use crate::contract::Response;
use crate::timestamp::Timestamp;

/// A host's answer; the error is a refusal in words.
pub type Answer<T> = Result<T, String>;

/// One key with its committed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, complete.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
}

/// One committed change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyModification {
    /// The transaction that made it.
    pub tx_id: String,
    /// The value it wrote; empty when deleted.
    pub value: Vec<u8>,
    /// The time its client wrote into the transaction.
    pub timestamp: Timestamp,
    /// Whether the key was deleted.
    pub is_delete: bool,
}

/// Part of a range or a history.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    /// Names the open range.
    pub iterator: u32,
    /// The results.
    pub entries: Vec<T>,
    /// Whether there is more to ask for.
    pub has_more: bool,
}

/// One page of a range.
#[derive(Clone, Debug)]
pub struct Page {
    /// The results.
    pub entries: Vec<KeyValue>,
    /// Where the next page starts; empty after the last.
    pub bookmark: String,
}

/// The keys a range covers.
#[derive(Clone, Copy, Debug)]
pub enum Span<'a> {
    /// Plain keys in `[start, end)`; an empty bound is open.
    Plain {
        /// The first key.
        start: &'a str,
        /// The key after the last.
        end: &'a str,
    },
    /// Composite keys that begin with these attributes.
    Composite {
        /// The type.
        object_type: &'a str,
        /// The leading attributes.
        attributes: &'a [String],
    },
    /// All composite keys.
    AllComposite,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something is odd.
    Warn,
    /// Worth knowing.
    Info,
    /// For the author.
    Debug,
}

/// The host of one call. A `collection` of `None` is the world state.
pub trait Host {
    /// The chaincode's name.
    fn chaincode(&self) -> String;
    /// The transaction's id.
    fn tx_id(&self) -> String;
    /// The channel.
    fn channel_id(&self) -> String;
    /// The client's time.
    fn timestamp(&self) -> Timestamp;
    /// The serialized identity of the caller.
    fn creator(&self) -> Vec<u8>;
    /// The caller's certificate, read.
    fn caller(&self) -> Answer<Caller>;
    /// Inputs that are not recorded.
    fn transient(&self) -> BTreeMap<String, Vec<u8>>;
    /// What the peer added to the input.
    fn decorations(&self) -> BTreeMap<String, Vec<u8>>;
    /// Hash of nonce, creator and epoch.
    fn binding(&self) -> Answer<Vec<u8>>;
    /// The encoded proposal.
    fn signed_proposal(&self) -> Option<Vec<u8>>;
    /// Whether the client asked for initialization.
    fn is_init(&self) -> bool;

    /// The committed value.
    fn get(&self, collection: Option<&str>, key: &str) -> Answer<Option<Vec<u8>>>;
    /// Several committed values, in order.
    fn get_multiple(
        &self,
        collection: Option<&str>,
        keys: &[String],
    ) -> Answer<Vec<Option<Vec<u8>>>>;
    /// The hash of a private value.
    fn get_hash(&self, collection: &str, key: &str) -> Answer<Option<Vec<u8>>>;
    /// Writes.
    fn put(&self, collection: Option<&str>, key: &str, value: &[u8]) -> Answer<()>;
    /// Deletes.
    fn delete(&self, collection: Option<&str>, key: &str) -> Answer<()>;
    /// Deletes a private key and its past.
    fn purge(&self, collection: &str, key: &str) -> Answer<()>;
    /// Opens a range.
    fn range(&self, collection: Option<&str>, span: Span<'_>) -> Answer<Batch<KeyValue>>;
    /// One page of the world state.
    fn page(&self, span: Span<'_>, page_size: u32, bookmark: &str) -> Answer<Page>;
    /// The next part of a range.
    fn next(&self, iterator: u32) -> Answer<Batch<KeyValue>>;
    /// Closes a range or a history.
    fn close(&self, iterator: u32);
    /// The key's endorsement policy.
    fn get_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
    ) -> Answer<Option<Vec<u8>>>;
    /// Sets the key's endorsement policy.
    fn set_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
        policy: &[u8],
    ) -> Answer<()>;
    /// Opens a key's history.
    fn history(&self, key: &str) -> Answer<Batch<KeyModification>>;
    /// The next part of a history.
    fn next_history(&self, iterator: u32) -> Answer<Batch<KeyModification>>;

    /// Sets the transaction's event.
    fn set_event(&self, name: &str, payload: &[u8]) -> Answer<()>;
    /// Calls another chaincode.
    fn invoke(&self, chaincode: &str, channel: &str, args: &[Vec<u8>]) -> Answer<Response>;
    /// Writes to the peer's log.
    fn log(&self, level: Level, message: &str);
}
