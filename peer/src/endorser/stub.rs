//! The ledger's side of one chaincode call: what chaincode asks for becomes recorded reads and
//! writes of the transaction.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::Position;
use ledger::simulator::{Error as SimulatorError, Query};
use prost_types::Timestamp;
use proto::peer::{Response, SignedProposal};
use runtime::{
    Batch, Caller, HistoryBatch, KeyModification, KeyValue, Level, NestedCall, Page, Stub,
    StubError,
};

use super::caller;
use super::collections::Use;
use super::transaction::{CallError, Transaction};

/// Changes of a key's history handed out at a time.
const HISTORY_BATCH: usize = 100;

/// Metadata entry that holds a key-level endorsement policy.
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";

/// A range or history a call holds open.
enum Iterator {
    Range(Query),
    History { key: String, before: Option<Position> },
}

/// One call of one chaincode within a transaction.
pub(super) struct CallStub<'t, 'a> {
    transaction: &'t mut Transaction<'a>,
    chaincode: String,
    event: Option<(String, Bytes)>,
    iterators: BTreeMap<u32, Iterator>,
    next_iterator: u32,
}

type Answer<T> = Result<T, StubError>;

impl<'t, 'a> CallStub<'t, 'a> {
    pub(super) fn new(transaction: &'t mut Transaction<'a>, chaincode: &str) -> Self {
        let (event, iterators) = (None, BTreeMap::new());
        Self { transaction, chaincode: chaincode.to_owned(), event, iterators, next_iterator: 1 }
    }

    /// Ends the call; gives its event.
    pub(super) fn into_event(mut self) -> Option<(String, Bytes)> {
        self.event.take()
    }

    fn open(&mut self, iterator: Iterator) -> Answer<u32> {
        let max = self.transaction.proposal.endorser.config.iterators_max;
        if self.transaction.iterators >= max {
            return Err(refused(format!("more than {max} iterators are open")));
        }
        self.transaction.iterators += 1;
        let number = self.next_iterator;
        self.next_iterator += 1;
        self.iterators.insert(number, iterator);
        Ok(number)
    }

    /// Hands out the next results of a range; it is closed when it has no more.
    fn batch(&mut self, iterator: u32, query: Query) -> Answer<Batch> {
        let (results, has_more) = self.transaction.simulator.next_batch(query).map_err(failure)?;
        if !has_more {
            self.close_iterator(iterator);
        }
        Ok(Batch { iterator, entries: results.into_iter().map(entry).collect(), has_more })
    }

    fn open_range(&mut self, query: Query) -> Answer<Batch> {
        let iterator = self.open(Iterator::Range(query))?;
        self.batch(iterator, query)
    }

    fn history_batch(
        &mut self,
        iterator: u32,
        key: &str,
        before: Option<Position>,
    ) -> Answer<HistoryBatch> {
        let ledger = self.transaction.channel.ledger();
        let changes = ledger
            .history(&self.chaincode, key, before, HISTORY_BATCH)
            .map_err(|error| StubError::Failed(error.to_string()))?;
        let has_more = changes.len() == HISTORY_BATCH;
        if has_more {
            let before = changes.last().map(|change| change.position);
            let rest = Iterator::History { key: key.to_owned(), before };
            self.iterators.insert(iterator, rest);
        } else {
            self.close_iterator(iterator);
        }
        let entries = changes.into_iter().map(|change| KeyModification {
            tx_id: change.tx_id,
            value: change.value,
            timestamp: change.timestamp.unwrap_or_default(),
            is_delete: change.is_delete,
        });
        Ok(HistoryBatch { iterator, entries: entries.collect(), has_more })
    }

    fn check_collection(&mut self, collection: &str, what: Use) -> Answer<()> {
        self.transaction.check_collection(&self.chaincode, collection, what)
    }

    /// Runs chaincode on another channel in a transaction of its own, which is thrown away.
    fn invoke_on(&self, channel: &str, call: &NestedCall) -> Answer<Response> {
        let proposal = self.transaction.proposal;
        let channel = proposal
            .endorser
            .channels
            .get(channel)
            .ok_or_else(|| refused(format!("failed to find ledger for channel: {channel}")))?;
        self.authorize(&channel, call)?;
        let mut other = Transaction::new(proposal, channel)
            .map_err(|error| StubError::Failed(error.to_string()))?;
        answer(proposal.tx_id(), other.call(&call.chaincode, &call.invocation, true))
    }

    /// Contracts are guarded by the channel they are on, the peer's own guard themselves. The
    /// signature was verified before; who signed may be somebody else on another channel.
    fn authorize(&self, channel: &crate::channels::Channel, call: &NestedCall) -> Answer<()> {
        let endorser = self.transaction.proposal.endorser;
        if endorser.system.get(&call.chaincode).is_some() {
            return Ok(());
        }
        let creator =
            channel.bundle().msps().deserialize(self.creator()).map_err(|error| {
                refused(format!("creator is unknown on {}: {error}", channel.id()))
            })?;
        endorser
            .access
            .check_identity("peer/ChaincodeToChaincode", channel, &creator)
            .map_err(|denied| refused(denied.to_string()))
    }
}

impl Drop for CallStub<'_, '_> {
    fn drop(&mut self) {
        for number in self.iterators.keys().copied().collect::<Vec<_>>() {
            self.close_iterator(number);
        }
    }
}

impl Stub for CallStub<'_, '_> {
    fn chaincode(&self) -> &str {
        &self.chaincode
    }

    fn tx_id(&self) -> &str {
        self.transaction.proposal.tx_id()
    }

    fn channel_id(&self) -> &str {
        self.transaction.channel.id()
    }

    fn creator(&self) -> &Bytes {
        &self.transaction.proposal.peeled.signature_header.creator
    }

    fn caller(&self) -> Answer<Caller> {
        caller::of(self.transaction.proposal.creator).map_err(|error| refused(error.to_string()))
    }

    fn timestamp(&self) -> Timestamp {
        self.transaction.proposal.peeled.channel_header.timestamp.unwrap_or_default()
    }

    fn transient(&self) -> &BTreeMap<String, Bytes> {
        &self.transaction.proposal.peeled.transient
    }

    fn decorations(&self) -> &BTreeMap<String, Bytes> {
        &self.transaction.proposal.peeled.input.decorations
    }

    fn signed_proposal(&self) -> Option<&SignedProposal> {
        Some(self.transaction.proposal.signed)
    }

    fn get_state(&mut self, key: &str) -> Answer<Option<Bytes>> {
        self.transaction.simulator.get_state(&self.chaincode, key).map_err(failure)
    }

    fn put_state(&mut self, key: &str, value: Bytes) -> Answer<()> {
        self.transaction.simulator.put_state(&self.chaincode, key, value).map_err(failure)
    }

    fn del_state(&mut self, key: &str) -> Answer<()> {
        self.transaction.simulator.del_state(&self.chaincode, key).map_err(failure)
    }

    fn get_state_by_range(&mut self, start: &str, end: &str) -> Answer<Batch> {
        let query =
            self.transaction.simulator.range(&self.chaincode, start, end).map_err(failure)?;
        self.open_range(query)
    }

    fn get_state_by_range_page(
        &mut self,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Answer<Page> {
        let simulator = &mut self.transaction.simulator;
        let page = simulator
            .range_page(&self.chaincode, start, end, page_size, bookmark)
            .map_err(failure)?;
        let entries = page.results.into_iter().map(entry).collect();
        Ok(Page { entries, bookmark: page.bookmark })
    }

    fn next_batch(&mut self, iterator: u32) -> Answer<Batch> {
        match self.iterators.get(&iterator) {
            Some(Iterator::Range(query)) => {
                let query = *query;
                self.batch(iterator, query)
            }
            _ => Err(refused(format!("range {iterator} is not open"))),
        }
    }

    fn close_iterator(&mut self, iterator: u32) {
        if let Some(open) = self.iterators.remove(&iterator) {
            self.transaction.iterators -= 1;
            if let Iterator::Range(query) = open {
                self.transaction.simulator.close(query);
            }
        }
    }

    fn get_state_validation_parameter(&mut self, key: &str) -> Answer<Option<Bytes>> {
        let metadata = self.transaction.simulator.get_state_metadata(&self.chaincode, key);
        Ok(metadata.map_err(failure)?.remove(VALIDATION_PARAMETER))
    }

    fn set_state_validation_parameter(&mut self, key: &str, policy: Bytes) -> Answer<()> {
        let simulator = &mut self.transaction.simulator;
        if policy.is_empty() {
            return simulator.del_state_metadata(&self.chaincode, key).map_err(failure);
        }
        simulator
            .set_state_metadata(&self.chaincode, key, VALIDATION_PARAMETER, policy)
            .map_err(failure)
    }

    fn get_history_for_key(&mut self, key: &str) -> Answer<HistoryBatch> {
        let opened = Iterator::History { key: key.to_owned(), before: None };
        let iterator = self.open(opened)?;
        self.history_batch(iterator, key, None)
    }

    fn next_history_batch(&mut self, iterator: u32) -> Answer<HistoryBatch> {
        match self.iterators.get(&iterator) {
            Some(Iterator::History { key, before }) => {
                let (key, before) = (key.clone(), *before);
                self.history_batch(iterator, &key, before)
            }
            _ => Err(refused(format!("history {iterator} is not open"))),
        }
    }

    fn get_private_data(&mut self, collection: &str, key: &str) -> Answer<Option<Bytes>> {
        self.check_collection(collection, Use::Read)?;
        let simulator = &mut self.transaction.simulator;
        simulator.get_private(&self.chaincode, collection, key).map_err(failure)
    }

    fn get_private_data_hash(&mut self, collection: &str, key: &str) -> Answer<Option<Bytes>> {
        self.check_collection(collection, Use::ReadHash)?;
        let simulator = &mut self.transaction.simulator;
        simulator.get_private_hash(&self.chaincode, collection, key).map_err(failure)
    }

    fn put_private_data(&mut self, collection: &str, key: &str, value: Bytes) -> Answer<()> {
        self.check_collection(collection, Use::Write)?;
        let simulator = &mut self.transaction.simulator;
        simulator.put_private(&self.chaincode, collection, key, value).map_err(failure)
    }

    fn del_private_data(&mut self, collection: &str, key: &str) -> Answer<()> {
        self.check_collection(collection, Use::Write)?;
        let simulator = &mut self.transaction.simulator;
        simulator.del_private(&self.chaincode, collection, key).map_err(failure)
    }

    fn purge_private_data(&mut self, collection: &str, key: &str) -> Answer<()> {
        let application = self.transaction.bundle.application();
        if !application.is_some_and(|application| application.capabilities.any(&["V2_5"])) {
            return Err(refused(
                "purge private data is not enabled, channel application capability of V2_5 or \
                 later is required"
                    .into(),
            ));
        }
        self.check_collection(collection, Use::Write)?;
        let simulator = &mut self.transaction.simulator;
        simulator.purge_private(&self.chaincode, collection, key).map_err(failure)
    }

    fn get_private_data_by_range(
        &mut self,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Answer<Batch> {
        self.check_collection(collection, Use::Read)?;
        let simulator = &mut self.transaction.simulator;
        let query =
            simulator.private_range(&self.chaincode, collection, start, end).map_err(failure)?;
        self.open_range(query)
    }

    fn get_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Answer<Option<Bytes>> {
        self.check_collection(collection, Use::Read)?;
        let simulator = &mut self.transaction.simulator;
        let metadata = simulator.get_private_metadata(&self.chaincode, collection, key);
        Ok(metadata.map_err(failure)?.remove(VALIDATION_PARAMETER))
    }

    fn set_private_data_validation_parameter(
        &mut self,
        collection: &str,
        key: &str,
        policy: Bytes,
    ) -> Answer<()> {
        self.check_collection(collection, Use::Write)?;
        let simulator = &mut self.transaction.simulator;
        simulator
            .set_private_metadata(&self.chaincode, collection, key, VALIDATION_PARAMETER, policy)
            .map_err(failure)
    }

    fn set_event(&mut self, name: &str, payload: Bytes) -> Answer<()> {
        self.event = Some((name.to_owned(), payload));
        Ok(())
    }

    fn invoke_chaincode(&mut self, call: NestedCall) -> Answer<Response> {
        if !call.channel.is_empty() && call.channel != self.transaction.channel.id() {
            return self.invoke_on(&call.channel, &call);
        }
        let channel = self.transaction.channel.clone();
        self.authorize(&channel, &call)?;
        let called = self.transaction.call(&call.chaincode, &call.invocation, true);
        answer(self.transaction.proposal.tx_id(), called)
    }

    fn log(&mut self, level: Level, message: &str) {
        let (chaincode, tx_id) = (self.chaincode.as_str(), self.tx_id());
        match level {
            Level::Error => tracing::error!(target: "chaincode", chaincode, tx_id, "{message}"),
            Level::Warn => tracing::warn!(target: "chaincode", chaincode, tx_id, "{message}"),
            Level::Info => tracing::info!(target: "chaincode", chaincode, tx_id, "{message}"),
            Level::Debug => tracing::debug!(target: "chaincode", chaincode, tx_id, "{message}"),
        }
    }
}

fn entry(found: ledger::simulator::KeyValue) -> KeyValue {
    KeyValue { key: found.key, value: found.value }
}

fn refused(text: String) -> StubError {
    StubError::Refused(text)
}

/// A simulator refuses by rules that hold on every peer; what it cannot read is this peer's fault.
fn failure(error: SimulatorError) -> StubError {
    match error {
        SimulatorError::State(_) | SimulatorError::PrivateDataNotAvailable { .. } => {
            StubError::Failed(error.to_string())
        }
        rule => StubError::Refused(rule.to_string()),
    }
}

/// What the calling chaincode is told about a call it made.
fn answer(tx_id: &str, called: Result<super::transaction::Called, CallError>) -> Answer<Response> {
    use runtime::Error as E;
    let error = match called {
        Ok(called) => return Ok(called.response),
        Err(error) => error,
    };
    let text = format!("INVOKE_CHAINCODE failed: transaction ID: {tx_id}: execute failed: {error}");
    match error {
        CallError::Runtime(E::Host(_) | E::Deadline(_)) | CallError::Simulator(_) => {
            Err(StubError::Failed(text))
        }
        _ => Err(refused(text)),
    }
}
