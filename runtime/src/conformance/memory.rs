//! A ledger of one namespace in memory: enough for a runtime's tests, without versions or hashes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use prost_types::Timestamp;
use proto::peer::{Response, SignedProposal};

use crate::chaincode::Chaincode;
use crate::stub::{
    Batch, Caller, HistoryBatch, KeyValue, Level, NestedCall, Page, Stub, StubError,
};

/// Results in a batch.
const BATCH: usize = 100;

/// Writes are seen by reads after [`commit`](Self::commit).
#[derive(Default)]
pub struct MemoryStub {
    state: BTreeMap<String, Bytes>,
    writes: BTreeMap<String, Option<Bytes>>,
    event: Option<(String, Bytes)>,
    ranges: BTreeMap<u32, Vec<KeyValue>>,
    opened: u32,
    chaincodes: BTreeMap<String, Arc<dyn Chaincode>>,
    log: Vec<String>,
    none: BTreeMap<String, Bytes>,
    creator: Bytes,
}

impl std::fmt::Debug for MemoryStub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStub").field("state", &self.state).finish_non_exhaustive()
    }
}

impl MemoryStub {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets contracts call this chaincode; it shares the namespace.
    #[must_use]
    pub fn with_chaincode(mut self, name: &str, chaincode: &Arc<dyn Chaincode>) -> Self {
        self.chaincodes.insert(name.to_owned(), Arc::clone(chaincode));
        self
    }

    /// Makes writes visible.
    pub fn commit(&mut self) {
        for (key, value) in std::mem::take(&mut self.writes) {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
    }

    /// Sets a committed value.
    pub fn set(&mut self, key: &str, value: &'static [u8]) {
        self.state.insert(key.to_owned(), Bytes::from_static(value));
    }

    /// The writes since the last commit.
    pub fn take_writes(&mut self) -> BTreeMap<String, Option<Bytes>> {
        std::mem::take(&mut self.writes)
    }

    /// The event that was set last.
    pub fn event(&self) -> Option<(&str, &[u8])> {
        self.event.as_ref().map(|(name, payload)| (name.as_str(), &payload[..]))
    }

    /// The lines logged so far.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    fn entries(&self, start: &str, end: &str) -> Vec<KeyValue> {
        let end = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let range = self.state.range::<str, _>((Bound::Included(start), end));
        range.map(|(key, value)| KeyValue { key: key.clone(), value: value.clone() }).collect()
    }

    fn write(&mut self, key: &str, value: Option<Bytes>) {
        self.writes.insert(key.to_owned(), value.filter(|value| !value.is_empty()));
    }
}

fn private(collection: &str, key: &str) -> String {
    format!("\u{0}private\u{0}{collection}\u{0}{key}")
}

impl Stub for MemoryStub {
    fn chaincode(&self) -> &str {
        "basic"
    }

    fn tx_id(&self) -> &str {
        "tx"
    }

    fn channel_id(&self) -> &str {
        "channel"
    }

    fn creator(&self) -> &Bytes {
        &self.creator
    }

    fn caller(&self) -> Result<Caller, StubError> {
        Ok(Caller { msp_id: "OrgMSP".to_owned(), ..Caller::default() })
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp { seconds: 1_700_000_000, nanos: 0 }
    }

    fn transient(&self) -> &BTreeMap<String, Bytes> {
        &self.none
    }

    fn decorations(&self) -> &BTreeMap<String, Bytes> {
        &self.none
    }

    fn signed_proposal(&self) -> Option<&SignedProposal> {
        None
    }

    fn get_state(&mut self, key: &str) -> Result<Option<Bytes>, StubError> {
        Ok(self.state.get(key).cloned())
    }

    fn put_state(&mut self, key: &str, value: Bytes) -> Result<(), StubError> {
        self.write(key, Some(value));
        Ok(())
    }

    fn del_state(&mut self, key: &str) -> Result<(), StubError> {
        self.write(key, None);
        Ok(())
    }

    fn get_state_by_range(&mut self, start: &str, end: &str) -> Result<Batch, StubError> {
        self.opened += 1;
        let entries = self.entries(start, end);
        self.ranges.insert(self.opened, entries);
        self.next_batch(self.opened)
    }

    fn get_state_by_range_page(
        &mut self,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Page, StubError> {
        let mut entries = self.entries(if bookmark.is_empty() { start } else { bookmark }, end);
        let rest = entries.split_off(entries.len().min(page_size as usize));
        Ok(Page { entries, bookmark: rest.first().map(|kv| kv.key.clone()).unwrap_or_default() })
    }

    fn next_batch(&mut self, iterator: u32) -> Result<Batch, StubError> {
        let mut entries = self
            .ranges
            .remove(&iterator)
            .ok_or_else(|| StubError::Refused(format!("query {iterator} is not open")))?;
        let rest = entries.split_off(entries.len().min(BATCH));
        let has_more = !rest.is_empty();
        if has_more {
            self.ranges.insert(iterator, rest);
        }
        Ok(Batch { iterator, entries, has_more })
    }

    fn close_iterator(&mut self, iterator: u32) {
        self.ranges.remove(&iterator);
    }

    fn get_state_validation_parameter(&mut self, _key: &str) -> Result<Option<Bytes>, StubError> {
        Ok(None)
    }

    fn set_state_validation_parameter(
        &mut self,
        _key: &str,
        _policy: Bytes,
    ) -> Result<(), StubError> {
        Ok(())
    }

    fn get_history_for_key(&mut self, _key: &str) -> Result<HistoryBatch, StubError> {
        Ok(HistoryBatch::default())
    }

    fn next_history_batch(&mut self, iterator: u32) -> Result<HistoryBatch, StubError> {
        Err(StubError::Refused(format!("query {iterator} is not open")))
    }

    fn get_private_data(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        self.get_state(&private(collection, key))
    }

    fn get_private_data_hash(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        let value = self.get_state(&private(collection, key))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&proto::sha256(&value))))
    }

    fn put_private_data(
        &mut self,
        collection: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), StubError> {
        self.put_state(&private(collection, key), value)
    }

    fn del_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        self.del_state(&private(collection, key))
    }

    fn purge_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        self.del_state(&private(collection, key))
    }

    fn get_private_data_by_range(
        &mut self,
        _collection: &str,
        _start: &str,
        _end: &str,
    ) -> Result<Batch, StubError> {
        Ok(Batch::default())
    }

    fn get_private_data_validation_parameter(
        &mut self,
        _collection: &str,
        _key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        Ok(None)
    }

    fn set_private_data_validation_parameter(
        &mut self,
        _collection: &str,
        _key: &str,
        _policy: Bytes,
    ) -> Result<(), StubError> {
        Ok(())
    }

    fn set_event(&mut self, name: &str, payload: Bytes) -> Result<(), StubError> {
        self.event = Some((name.to_owned(), payload));
        Ok(())
    }

    fn invoke_chaincode(&mut self, call: NestedCall) -> Result<Response, StubError> {
        let chaincode = self.chaincodes.get(&call.chaincode).cloned().ok_or_else(|| {
            StubError::Refused(format!("chaincode {} is not defined", call.chaincode))
        })?;
        Ok(chaincode.invoke(self, &call.invocation)?)
    }

    fn log(&mut self, _level: Level, message: &str) {
        self.log.push(message.to_owned());
    }
}
