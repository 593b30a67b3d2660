//! The ledger's side of one chaincode call.
//!
//! Whoever executes chaincode implements [`Stub`]: the endorser over a simulator, the test harness
//! over memory. The runtime has already applied the rules of Fabric's shim ([`crate::rules`]) when
//! it calls: keys are not empty, ranges do not start inside the composite keys by accident, event
//! names exist. What stays with the implementer is what only a ledger knows.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost_types::Timestamp;
use proto::peer::{Response, SignedProposal};

use crate::chaincode::Invocation;
use crate::error::Error;

/// Why a call to the ledger has no result.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The request breaks a rule; the contract receives the text and may go on. The text must be
    /// the same on every peer.
    #[error("{0}")]
    Refused(String),
    /// This peer failed; the call ends at once and the contract never learns why.
    #[error("{0}")]
    Failed(String),
}

/// For [`Stub::invoke_chaincode`]: what the called chaincode did to itself is told to the caller,
/// what this peer failed at is not.
impl From<Error> for StubError {
    fn from(error: Error) -> Self {
        match error {
            Error::Limit(_) | Error::Trap(_) => Self::Refused(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// One key with its committed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, complete.
    pub key: String,
    /// The value.
    pub value: Bytes,
}

/// Part of a range, as Fabric's peers hand it to chaincode: the first when it is opened, the
/// following by [`Stub::next_batch`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Names the open range; meaningless when there is no more.
    pub iterator: u32,
    /// The results, in key order.
    pub entries: Vec<KeyValue>,
    /// Whether another batch can be asked for. A range without more is closed already.
    pub has_more: bool,
}

/// One page of a range, for read-only transactions.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The results, in key order.
    pub entries: Vec<KeyValue>,
    /// Where the next page starts; empty when this is the last one.
    pub bookmark: String,
}

/// One committed change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyModification {
    /// The transaction that made it.
    pub tx_id: String,
    /// The value it wrote; empty when deleted.
    pub value: Bytes,
    /// The time its client wrote into the transaction.
    pub timestamp: Timestamp,
    /// Whether the key was deleted.
    pub is_delete: bool,
}

/// Part of a key's history, newest first; the counterpart of [`Batch`].
#[derive(Clone, Debug, Default)]
pub struct HistoryBatch {
    /// Names the open history; meaningless when there is no more.
    pub iterator: u32,
    /// The changes.
    pub entries: Vec<KeyModification>,
    /// Whether another batch can be asked for.
    pub has_more: bool,
}

/// Who sent the proposal, read from the certificate by the host, so that no chaincode has to parse
/// X.509.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The organization's MSP id.
    pub msp_id: String,
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organizational units; with NodeOUs one of them is the role.
    pub organizational_units: Vec<String>,
    /// The subject's distinguished name, as Fabric's client identity library prints it.
    pub subject: String,
    /// The issuer's distinguished name, likewise.
    pub issuer: String,
    /// Attributes the certificate authority put into the certificate (OID 1.2.3.4.5.6.7.8.1).
    pub attributes: BTreeMap<String, String>,
    /// The certificate in DER.
    pub certificate: Bytes,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// A call from one chaincode to another.
#[derive(Clone, Debug)]
pub struct NestedCall {
    /// The called chaincode's name.
    pub chaincode: String,
    /// The channel; empty for the caller's own.
    pub channel: String,
    /// What to pass to [`Chaincode::invoke`](crate::Chaincode::invoke), budget included.
    pub invocation: Invocation,
}

/// One transaction as one chaincode sees it. It moves to another thread when chaincode calls
/// chaincode, hence `Send`.
///
/// Keys and values are passed on as they are: the implementer records reads and writes with
/// Fabric's rules (an empty value deletes, own writes are not visible, batches of 100).
pub trait Stub: Send {
    /// The called chaincode's name, which is its namespace.
    fn chaincode(&self) -> &str;
    /// The transaction's id; the same in nested calls.
    fn tx_id(&self) -> &str;
    /// The channel this call reads; empty for a call without one.
    fn channel_id(&self) -> &str;
    /// The `SerializedIdentity` of whoever signed the proposal.
    fn creator(&self) -> &Bytes;
    /// The creator's certificate, read.
    fn caller(&self) -> Result<Caller, StubError>;
    /// The time the client wrote into the channel header.
    fn timestamp(&self) -> Timestamp;
    /// The transient map: inputs that are not recorded.
    fn transient(&self) -> &BTreeMap<String, Bytes>;
    /// What the peer added to the input; usually nothing.
    fn decorations(&self) -> &BTreeMap<String, Bytes>;
    /// The proposal as received, when there is one.
    fn signed_proposal(&self) -> Option<&SignedProposal>;

    /// The committed value of a key.
    fn get_state(&mut self, key: &str) -> Result<Option<Bytes>, StubError>;
    /// Writes a key.
    fn put_state(&mut self, key: &str, value: Bytes) -> Result<(), StubError>;
    /// Deletes a key.
    fn del_state(&mut self, key: &str) -> Result<(), StubError>;
    /// Opens the range `[start, end)`; an empty `end` is open. `start` is never empty.
    fn get_state_by_range(&mut self, start: &str, end: &str) -> Result<Batch, StubError>;
    /// One page of `[start, end)`, from `bookmark` on when it is not empty.
    fn get_state_by_range_page(
        &mut self,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Page, StubError>;
    /// The next batch of an open range, public or private.
    fn next_batch(&mut self, iterator: u32) -> Result<Batch, StubError>;
    /// Closes a range or a history; unknown numbers are ignored.
    fn close_iterator(&mut self, iterator: u32);
    /// The key-level endorsement policy (`SignaturePolicyEnvelope`), if the key has one.
    fn get_state_validation_parameter(&mut self, key: &str) -> Result<Option<Bytes>, StubError>;
    /// Sets the key-level endorsement policy; empty removes it.
    fn set_state_validation_parameter(&mut self, key: &str, policy: Bytes)
    -> Result<(), StubError>;
    /// Opens a key's history, newest first.
    fn get_history_for_key(&mut self, key: &str) -> Result<HistoryBatch, StubError>;
    /// The next batch of an open history.
    fn next_history_batch(&mut self, iterator: u32) -> Result<HistoryBatch, StubError>;

    /// The committed value of a private key, if this peer may hold it.
    fn get_private_data(&mut self, collection: &str, key: &str)
    -> Result<Option<Bytes>, StubError>;
    /// The hash of the committed value of a private key; every peer has it.
    fn get_private_data_hash(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError>;
    /// Writes a private key.
    fn put_private_data(
        &mut self,
        collection: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), StubError>;
    /// Deletes a private key; its history stays.
    fn del_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError>;
    /// Deletes a private key with everything it ever held.
    fn purge_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError>;
    /// Opens a range of a private collection.
    fn get_private_data_by_range(
        &mut self,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Result<Batch, StubError>;
    /// The key-level policy of a private key.
    fn get_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError>;
    /// Sets the key-level policy of a private key.
    fn set_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
        policy: Bytes,
    ) -> Result<(), StubError>;

    /// Sets the transaction's event; the last one wins, and only the outermost chaincode's counts.
    fn set_event(&mut self, name: &str, payload: Bytes) -> Result<(), StubError>;
    /// Calls another chaincode: find it, make its stub, pass `call.invocation` to it unchanged.
    fn invoke_chaincode(&mut self, call: NestedCall) -> Result<Response, StubError>;
    /// Takes a line of the contract's log.
    fn log(&mut self, level: Level, message: &str);
}
