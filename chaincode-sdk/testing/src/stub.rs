//! A call's ledger: the real simulator.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::simulator::{self, Query};
use ledger::{Modification, Position, Simulator};
use prost_types::Timestamp;
use proto::peer::{Response, SignedProposal};
use runtime::{
    Batch, Caller, HistoryBatch, KeyModification, KeyValue, Level, NestedCall, Page, Stub,
    StubError,
};

use crate::chain::Proposal;
use crate::network::Network;
use crate::session::Session;

/// Name of a key's endorsement policy among its metadata.
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";
/// Changes in one batch of a history.
const HISTORY_BATCH: usize = 100;

/// One transaction; `namespace` changes while chaincode calls chaincode.
pub(crate) struct LedgerStub<'a> {
    network: &'a Network,
    session: &'a Session<'a>,
    proposal: &'a Proposal,
    namespace: String,
    depth: u32,
    pub(crate) simulator: Simulator,
    pub(crate) event: Option<(String, Bytes)>,
    pub(crate) log: Vec<String>,
    histories: BTreeMap<u32, (String, Position)>,
    decorations: BTreeMap<String, Bytes>,
}

impl<'a> LedgerStub<'a> {
    pub(crate) fn new(
        network: &'a Network,
        session: &'a Session<'a>,
        proposal: &'a Proposal,
        simulator: Simulator,
    ) -> Self {
        Self {
            network,
            session,
            proposal,
            namespace: session.chaincode.clone(),
            depth: 0,
            simulator,
            event: None,
            log: Vec::new(),
            histories: BTreeMap::new(),
            decorations: BTreeMap::new(),
        }
    }

    fn batch(&mut self, query: Query) -> Result<Batch, StubError> {
        let (entries, has_more) = self.simulator.next_batch(query).map_err(stub_error)?;
        Ok(Batch { iterator: query.id(), entries: key_values(entries), has_more })
    }

    fn history_batch(
        &mut self,
        iterator: u32,
        key: String,
        before: Option<Position>,
    ) -> Result<HistoryBatch, StubError> {
        let ledger = self.network.ledger();
        let changes = ledger
            .history(&self.namespace, &key, before, HISTORY_BATCH)
            .map_err(|e| StubError::Failed(e.to_string()))?;
        let has_more = changes.len() == HISTORY_BATCH;
        if let (true, Some(last)) = (has_more, changes.last()) {
            self.histories.insert(iterator, (key, last.position));
        }
        let entries = changes.into_iter().map(key_modification).collect();
        Ok(HistoryBatch { iterator, entries, has_more })
    }
}

fn stub_error(error: simulator::Error) -> StubError {
    match error {
        simulator::Error::State(_) => StubError::Failed(error.to_string()),
        refused => StubError::Refused(refused.to_string()),
    }
}

fn key_values(entries: Vec<simulator::KeyValue>) -> Vec<KeyValue> {
    entries.into_iter().map(|kv| KeyValue { key: kv.key, value: kv.value }).collect()
}

fn key_modification(change: Modification) -> KeyModification {
    KeyModification {
        tx_id: change.tx_id,
        value: change.value,
        timestamp: change.timestamp.unwrap_or_default(),
        is_delete: change.is_delete,
    }
}

impl Stub for LedgerStub<'_> {
    fn chaincode(&self) -> &str {
        &self.namespace
    }

    fn tx_id(&self) -> &str {
        &self.proposal.tx_id
    }

    fn channel_id(&self) -> &str {
        &self.proposal.channel_id
    }

    fn creator(&self) -> &Bytes {
        &self.proposal.creator
    }

    fn caller(&self) -> Result<Caller, StubError> {
        Ok(self.session.user.caller.clone())
    }

    fn timestamp(&self) -> Timestamp {
        self.proposal.timestamp
    }

    fn transient(&self) -> &BTreeMap<String, Bytes> {
        &self.session.transient
    }

    fn decorations(&self) -> &BTreeMap<String, Bytes> {
        &self.decorations
    }

    fn signed_proposal(&self) -> Option<&SignedProposal> {
        Some(&self.proposal.signed)
    }

    fn get_state(&mut self, key: &str) -> Result<Option<Bytes>, StubError> {
        self.simulator.get_state(&self.namespace, key).map_err(stub_error)
    }

    fn put_state(&mut self, key: &str, value: Bytes) -> Result<(), StubError> {
        self.simulator.put_state(&self.namespace, key, value).map_err(stub_error)
    }

    fn del_state(&mut self, key: &str) -> Result<(), StubError> {
        self.simulator.del_state(&self.namespace, key).map_err(stub_error)
    }

    fn get_state_by_range(&mut self, start: &str, end: &str) -> Result<Batch, StubError> {
        let query = self.simulator.range(&self.namespace, start, end).map_err(stub_error)?;
        self.batch(query)
    }

    fn get_state_by_range_page(
        &mut self,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Page, StubError> {
        let page = self
            .simulator
            .range_page(&self.namespace, start, end, page_size, bookmark)
            .map_err(stub_error)?;
        Ok(Page { entries: key_values(page.results), bookmark: page.bookmark })
    }

    fn next_batch(&mut self, iterator: u32) -> Result<Batch, StubError> {
        self.batch(Query::from(iterator))
    }

    fn close_iterator(&mut self, iterator: u32) {
        if self.histories.remove(&iterator).is_none() {
            self.simulator.close(Query::from(iterator));
        }
    }

    fn get_state_validation_parameter(&mut self, key: &str) -> Result<Option<Bytes>, StubError> {
        let mut metadata =
            self.simulator.get_state_metadata(&self.namespace, key).map_err(stub_error)?;
        Ok(metadata.remove(VALIDATION_PARAMETER))
    }

    fn set_state_validation_parameter(
        &mut self,
        key: &str,
        policy: Bytes,
    ) -> Result<(), StubError> {
        self.simulator
            .set_state_metadata(&self.namespace, key, VALIDATION_PARAMETER, policy)
            .map_err(stub_error)
    }

    fn get_history_for_key(&mut self, key: &str) -> Result<HistoryBatch, StubError> {
        // Numbers of histories begin above those of queries.
        let iterator = u32::MAX - self.histories.len() as u32;
        self.history_batch(iterator, key.to_owned(), None)
    }

    fn next_history_batch(&mut self, iterator: u32) -> Result<HistoryBatch, StubError> {
        let (key, before) = self
            .histories
            .remove(&iterator)
            .ok_or_else(|| StubError::Refused(format!("query {iterator} is not open")))?;
        self.history_batch(iterator, key, Some(before))
    }

    fn get_private_data(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        self.simulator.get_private(&self.namespace, collection, key).map_err(stub_error)
    }

    fn get_private_data_hash(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        self.simulator.get_private_hash(&self.namespace, collection, key).map_err(stub_error)
    }

    fn put_private_data(
        &mut self,
        collection: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), StubError> {
        self.simulator.put_private(&self.namespace, collection, key, value).map_err(stub_error)
    }

    fn del_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        self.simulator.del_private(&self.namespace, collection, key).map_err(stub_error)
    }

    fn purge_private_data(&mut self, collection: &str, key: &str) -> Result<(), StubError> {
        self.simulator.purge_private(&self.namespace, collection, key).map_err(stub_error)
    }

    fn get_private_data_by_range(
        &mut self,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Result<Batch, StubError> {
        let query = self
            .simulator
            .private_range(&self.namespace, collection, start, end)
            .map_err(stub_error)?;
        self.batch(query)
    }

    fn get_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, StubError> {
        let mut metadata = self
            .simulator
            .get_private_metadata(&self.namespace, collection, key)
            .map_err(stub_error)?;
        Ok(metadata.remove(VALIDATION_PARAMETER))
    }

    fn set_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
        policy: Bytes,
    ) -> Result<(), StubError> {
        self.simulator
            .set_private_metadata(&self.namespace, collection, key, VALIDATION_PARAMETER, policy)
            .map_err(stub_error)
    }

    fn set_event(&mut self, name: &str, payload: Bytes) -> Result<(), StubError> {
        if self.depth == 0 {
            self.event = Some((name.to_owned(), payload));
        }
        Ok(())
    }

    fn invoke_chaincode(&mut self, call: NestedCall) -> Result<Response, StubError> {
        let network = self.network;
        let Some(chaincode) = network.chaincodes.get(&call.chaincode) else {
            return Err(StubError::Refused(format!(
                "make sure the chaincode {} has been successfully defined on channel {} and try \
                 again",
                call.chaincode, self.proposal.channel_id
            )));
        };
        if !(call.channel.is_empty() || call.channel == self.proposal.channel_id) {
            return Err(StubError::Refused(format!("channel '{}' not found", call.channel)));
        }
        let caller = std::mem::replace(&mut self.namespace, call.chaincode);
        self.depth += 1;
        let answer = chaincode.invoke(self, &call.invocation);
        self.depth -= 1;
        self.namespace = caller;
        Ok(answer?)
    }

    fn log(&mut self, _level: Level, message: &str) {
        self.log.push(message.to_owned());
    }
}
