//! One call of one chaincode: the rules of the shim and the meter between a guest and a [`Stub`].
//!
//! The Wasm host passes each import through a session, and native tests do the same, so that a
//! contract meets the same refusals and limits in both.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use proto::common::{ChannelHeader, Header, SignatureHeader};
use proto::peer::{Proposal, Response, SignedProposal};

use crate::chaincode::{Budget, Invocation, Usage};
use crate::error::{Error, Limit};
use crate::rules;
use crate::stub::{
    Batch, Caller, HistoryBatch, KeyValue, Level, NestedCall, Page, Stub, StubError,
};
use crate::wasm::Config;

/// What host calls cost, in fuel. One unit is about a nanosecond of guest code; what touches the
/// database is charged far above what it costs here, since it costs the same on a slower disk.
mod cost {
    pub(super) const CONTEXT: u64 = 200;
    pub(super) const READ: u64 = 5_000;
    pub(super) const WRITE: u64 = 2_000;
    pub(super) const RANGE: u64 = 10_000;
    pub(super) const ENTRY: u64 = 500;
    pub(super) const INVOKE: u64 = 20_000;
    pub(super) const LOG: u64 = 500;
    pub(super) const BYTE: u64 = 1;
}

/// Why a host call has no result.
#[derive(Debug)]
pub enum Stop {
    /// The guest is told and goes on.
    Refused(String),
    /// The call ends.
    Abort(Error),
}

impl From<StubError> for Stop {
    fn from(error: StubError) -> Self {
        match error {
            StubError::Refused(text) => Self::Refused(text),
            StubError::Failed(text) => Self::Abort(Error::Host(text)),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Abort(error)
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

/// A host call's result.
pub type Outcome<T> = Result<T, Stop>;

/// The keys a range covers.
#[derive(Clone, Copy, Debug)]
pub enum Span<'a> {
    /// Plain keys in `[start, end)`; empty is open.
    Plain(&'a str, &'a str),
    /// Composite keys of a type that begin with these attributes.
    Composite(&'a str, &'a [String]),
    /// All composite keys.
    AllComposite,
}

impl Span<'_> {
    fn bounds(self) -> Result<(String, String), String> {
        match self {
            Self::Plain(start, end) => rules::range(start, end),
            Self::Composite(object_type, attributes) => {
                rules::composite_range(object_type, attributes)
            }
            Self::AllComposite => Ok(rules::all_composite()),
        }
    }
}

/// One call's access to the ledger, metered.
pub struct Session<'a> {
    stub: &'a mut dyn Stub,
    config: &'a Config,
    budget: Budget,
    is_init: bool,
    /// Fuel left to this call, and how much there was when it was last settled with the budget.
    fuel: u64,
    settled: u64,
    open_iterators: u64,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("fuel", &self.fuel).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// Begins a call: checks its depth and arguments and takes the fuel that is left.
    pub fn begin(
        stub: &'a mut dyn Stub,
        config: &'a Config,
        invocation: &Invocation,
    ) -> Result<Self, Error> {
        let budget = invocation.budget.clone();
        if budget.depth() >= config.call_depth_max {
            return Err(limit("call_depth_max", u64::from(config.call_depth_max)));
        }
        let args = invocation.args.iter().map(|arg| arg.len() as u64).sum();
        at_most(args, "args_bytes_max", config.args_bytes_max)?;
        let fuel = budget.fill(config.fuel);
        let is_init = invocation.is_init;
        Ok(Self { stub, config, budget, is_init, fuel, settled: fuel, open_iterators: 0 })
    }

    /// Ends the call: settles the fuel and checks the size of the response.
    pub fn end(mut self, response: Response) -> Result<Response, Error> {
        self.settle();
        let size = response.payload.len() + response.message.len();
        at_most(size as u64, "response_bytes_max", self.config.response_bytes_max)?;
        Ok(response)
    }

    /// Fuel left.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Takes over the guest's own meter.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// Tells the budget what this call consumed since the last time.
    pub fn settle(&mut self) {
        self.budget.spend(self.settled.saturating_sub(self.fuel));
        self.settled = self.fuel;
    }

    fn charge(&mut self, fuel: u64) -> Outcome<()> {
        match self.fuel.checked_sub(fuel) {
            Some(left) => self.fuel = left,
            None => {
                self.fuel = 0;
                return Err(limit("fuel", self.budget.limit()).into());
            }
        }
        Ok(())
    }

    fn charge_bytes(&mut self, base: u64, bytes: usize) -> Outcome<()> {
        self.charge(base.saturating_add(bytes as u64 * cost::BYTE))
    }

    fn count(&self, usage: Usage, amount: u64) -> Outcome<()> {
        let (name, max) = match usage {
            Usage::Reads => ("reads_max", self.config.reads_max),
            Usage::ReadBytes => ("read_bytes_max", self.config.read_bytes_max),
            Usage::Writes => ("writes_max", self.config.writes_max),
            Usage::WriteBytes => ("write_bytes_max", self.config.write_bytes_max),
            Usage::LogBytes => ("log_bytes_max", self.config.log_bytes_max),
        };
        Ok(at_most(self.budget.count(usage, amount), name, max)?)
    }

    fn check_key(&self, collection: Option<&str>, key: &str) -> Outcome<()> {
        rules::key(key)?;
        collection.map_or(Ok(()), rules::collection)?;
        Ok(at_most(key.len() as u64, "key_bytes_max", self.config.key_bytes_max)?)
    }

    fn before_read(&mut self, collection: Option<&str>, key: &str) -> Outcome<()> {
        self.check_key(collection, key)?;
        self.charge_bytes(cost::READ, key.len())?;
        self.count(Usage::Reads, 1)
    }

    fn after_read(&mut self, value: Option<Bytes>) -> Outcome<Option<Bytes>> {
        let size = value.as_ref().map_or(0, Bytes::len);
        self.charge_bytes(0, size)?;
        self.count(Usage::ReadBytes, size as u64)?;
        Ok(value)
    }

    fn before_write(&mut self, collection: Option<&str>, key: &str, value: usize) -> Outcome<()> {
        self.check_key(collection, key)?;
        at_most(value as u64, "value_bytes_max", self.config.value_bytes_max)?;
        let size = key.len() + value;
        self.charge_bytes(cost::WRITE, size)?;
        self.count(Usage::Writes, 1)?;
        self.count(Usage::WriteBytes, size as u64)
    }
}

/// The context.
impl Session<'_> {
    fn told<T>(&mut self, size: usize, value: T) -> Outcome<T> {
        self.charge_bytes(cost::CONTEXT, size)?;
        Ok(value)
    }

    /// The chaincode's name.
    pub fn chaincode(&mut self) -> Outcome<String> {
        let name = self.stub.chaincode().to_owned();
        self.told(name.len(), name)
    }

    /// The transaction's id.
    pub fn tx_id(&mut self) -> Outcome<String> {
        let id = self.stub.tx_id().to_owned();
        self.told(id.len(), id)
    }

    /// The channel.
    pub fn channel_id(&mut self) -> Outcome<String> {
        let id = self.stub.channel_id().to_owned();
        self.told(id.len(), id)
    }

    /// The client's time.
    pub fn timestamp(&mut self) -> Outcome<Timestamp> {
        let timestamp = self.stub.timestamp();
        self.told(0, timestamp)
    }

    /// The serialized identity of the caller.
    pub fn creator(&mut self) -> Outcome<Bytes> {
        let creator = self.stub.creator().clone();
        self.told(creator.len(), creator)
    }

    /// The caller's certificate, read.
    pub fn caller(&mut self) -> Outcome<Caller> {
        let caller = self.stub.caller()?;
        let attributes: usize = caller.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        self.told(caller.certificate.len() + attributes, caller)
    }

    /// Inputs that are not recorded.
    pub fn transient(&mut self) -> Outcome<BTreeMap<String, Bytes>> {
        let map = self.stub.transient().clone();
        self.told(map.iter().map(|(k, v)| k.len() + v.len()).sum(), map)
    }

    /// What the peer added to the input.
    pub fn decorations(&mut self) -> Outcome<BTreeMap<String, Bytes>> {
        let map = self.stub.decorations().clone();
        self.told(map.iter().map(|(k, v)| k.len() + v.len()).sum(), map)
    }

    /// Hash of nonce, creator and epoch of the proposal.
    pub fn binding(&mut self) -> Outcome<Bytes> {
        self.charge(cost::CONTEXT)?;
        let proposal = self.stub.signed_proposal().ok_or_else(|| "no proposal".to_owned())?;
        Ok(binding(proposal).map_err(|e| format!("malformed proposal: {e}"))?)
    }

    /// The encoded proposal.
    pub fn signed_proposal(&mut self) -> Outcome<Option<Vec<u8>>> {
        let proposal = self.stub.signed_proposal().map(Message::encode_to_vec);
        self.told(proposal.as_ref().map_or(0, Vec::len), proposal)
    }

    /// Whether the client asked for initialization.
    pub fn is_init(&mut self) -> Outcome<bool> {
        self.told(0, self.is_init)
    }
}

/// The state, public (`collection` is `None`) and private.
impl Session<'_> {
    /// The committed value of a key.
    pub fn get(&mut self, collection: Option<&str>, key: &str) -> Outcome<Option<Bytes>> {
        self.before_read(collection, key)?;
        let value = match collection {
            None => self.stub.get_state(key),
            Some(collection) => self.stub.get_private_data(collection, key),
        }?;
        self.after_read(value)
    }

    /// Several committed values, in order.
    pub fn get_multiple(
        &mut self,
        collection: Option<&str>,
        keys: &[String],
    ) -> Outcome<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(collection, key)).collect()
    }

    /// The hash of a private value.
    pub fn get_hash(&mut self, collection: &str, key: &str) -> Outcome<Option<Bytes>> {
        self.before_read(Some(collection), key)?;
        let hash = self.stub.get_private_data_hash(collection, key)?;
        self.after_read(hash)
    }

    /// Writes a key.
    pub fn put(&mut self, collection: Option<&str>, key: &str, value: Bytes) -> Outcome<()> {
        self.before_write(collection, key, value.len())?;
        Ok(match collection {
            None => self.stub.put_state(key, value),
            Some(collection) => self.stub.put_private_data(collection, key, value),
        }?)
    }

    /// Deletes a key.
    pub fn delete(&mut self, collection: Option<&str>, key: &str) -> Outcome<()> {
        self.before_write(collection, key, 0)?;
        Ok(match collection {
            None => self.stub.del_state(key),
            Some(collection) => self.stub.del_private_data(collection, key),
        }?)
    }

    /// Deletes a private key with its past.
    pub fn purge(&mut self, collection: &str, key: &str) -> Outcome<()> {
        self.before_write(Some(collection), key, 0)?;
        Ok(self.stub.purge_private_data(collection, key)?)
    }

    /// Opens a range.
    pub fn range(&mut self, collection: Option<&str>, span: Span<'_>) -> Outcome<Batch> {
        let (start, end) = span.bounds()?;
        collection.map_or(Ok(()), rules::collection)?;
        self.before_open()?;
        let batch = match collection {
            None => self.stub.get_state_by_range(&start, &end),
            Some(collection) => self.stub.get_private_data_by_range(collection, &start, &end),
        }?;
        self.open_iterators += u64::from(batch.has_more);
        self.after_entries(&batch.entries)?;
        Ok(batch)
    }

    /// One page of the world state.
    pub fn page(&mut self, span: Span<'_>, page_size: u32, bookmark: &str) -> Outcome<Page> {
        let (start, end) = span.bounds()?;
        self.charge(cost::RANGE)?;
        let page = self.stub.get_state_by_range_page(&start, &end, page_size, bookmark)?;
        self.after_entries(&page.entries)?;
        Ok(page)
    }

    /// The next part of a range.
    pub fn next(&mut self, iterator: u32) -> Outcome<Batch> {
        self.charge(cost::RANGE)?;
        let batch = self.stub.next_batch(iterator)?;
        self.after_batch(batch.has_more);
        self.after_entries(&batch.entries)?;
        Ok(batch)
    }

    /// Closes a range or a history.
    pub fn close(&mut self, iterator: u32) -> Outcome<()> {
        self.charge(cost::CONTEXT)?;
        self.after_batch(false);
        self.stub.close_iterator(iterator);
        Ok(())
    }

    fn before_open(&mut self) -> Outcome<()> {
        self.charge(cost::RANGE)?;
        Ok(at_most(self.open_iterators + 1, "iterators_max", self.config.iterators_max)?)
    }

    fn after_batch(&mut self, has_more: bool) {
        if !has_more {
            self.open_iterators = self.open_iterators.saturating_sub(1);
        }
    }

    fn after_entries(&mut self, entries: &[KeyValue]) -> Outcome<()> {
        let size: usize = entries.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
        self.charge_bytes(entries.len() as u64 * cost::ENTRY, size)?;
        self.count(Usage::ReadBytes, size as u64)
    }

    /// The key's endorsement policy.
    pub fn get_validation_parameter(
        &mut self,
        collection: Option<&str>,
        key: &str,
    ) -> Outcome<Option<Bytes>> {
        self.before_read(collection, key)?;
        let policy = match collection {
            None => self.stub.get_state_validation_parameter(key),
            Some(c) => self.stub.get_private_data_validation_parameter(c, key),
        }?;
        self.after_read(policy)
    }

    /// Sets the key's endorsement policy.
    pub fn set_validation_parameter(
        &mut self,
        collection: Option<&str>,
        key: &str,
        policy: Bytes,
    ) -> Outcome<()> {
        self.before_write(collection, key, policy.len())?;
        Ok(match collection {
            None => self.stub.set_state_validation_parameter(key, policy),
            Some(c) => self.stub.set_private_data_validation_parameter(c, key, policy),
        }?)
    }

    /// Opens a key's history.
    pub fn history(&mut self, key: &str) -> Outcome<HistoryBatch> {
        self.check_key(None, key)?;
        self.before_open()?;
        let batch = self.stub.get_history_for_key(key)?;
        self.open_iterators += u64::from(batch.has_more);
        self.after_history(batch)
    }

    /// The next part of a history.
    pub fn next_history(&mut self, iterator: u32) -> Outcome<HistoryBatch> {
        self.charge(cost::RANGE)?;
        let batch = self.stub.next_history_batch(iterator)?;
        self.after_batch(batch.has_more);
        self.after_history(batch)
    }

    fn after_history(&mut self, batch: HistoryBatch) -> Outcome<HistoryBatch> {
        let size: usize = batch.entries.iter().map(|m| m.tx_id.len() + m.value.len()).sum();
        self.charge_bytes(batch.entries.len() as u64 * cost::ENTRY, size)?;
        self.count(Usage::ReadBytes, size as u64)?;
        Ok(batch)
    }
}

/// Events, other chaincode, the log.
impl Session<'_> {
    /// Sets the transaction's event.
    pub fn set_event(&mut self, name: &str, payload: Bytes) -> Outcome<()> {
        rules::event(name)?;
        let size = name.len() + payload.len();
        at_most(size as u64, "event_bytes_max", self.config.event_bytes_max)?;
        self.charge_bytes(cost::WRITE, size)?;
        Ok(self.stub.set_event(name, payload)?)
    }

    /// Calls another chaincode. It runs on a thread of its own, whose stack is known to suffice:
    /// the caller's frames, native ones included, already lie on this one.
    pub fn invoke(
        &mut self,
        chaincode: &str,
        channel: &str,
        args: Vec<Bytes>,
    ) -> Outcome<Response> {
        let size = args.iter().map(Bytes::len).sum();
        self.charge_bytes(cost::INVOKE, size)?;
        self.settle();
        let budget = self.budget.nested();
        if budget.depth() >= self.config.call_depth_max {
            return Err(limit("call_depth_max", u64::from(self.config.call_depth_max)).into());
        }
        let call = NestedCall {
            chaincode: chaincode.to_owned(),
            channel: channel.to_owned(),
            invocation: Invocation { args, is_init: false, budget },
        };
        let answer = on_own_thread(self.config, self.stub, call);
        self.fuel = self.budget.fill(self.config.fuel);
        self.settled = self.fuel;
        let response = answer?;
        self.charge_bytes(0, response.payload.len())?;
        self.count(Usage::ReadBytes, response.payload.len() as u64)?;
        Ok(response)
    }

    /// Writes to the peer's log.
    pub fn log(&mut self, level: Level, message: &str) -> Outcome<()> {
        self.charge_bytes(cost::LOG, message.len())?;
        self.count(Usage::LogBytes, message.len() as u64)?;
        self.stub.log(level, message);
        Ok(())
    }
}

/// Native frames beside the guest's stack: the host functions and the ledger below them.
const HOST_STACK_BYTES: u64 = 1 << 20;

fn on_own_thread(
    config: &Config,
    stub: &mut dyn Stub,
    call: NestedCall,
) -> Result<Response, StubError> {
    let stack = usize::try_from(config.stack_bytes_max + HOST_STACK_BYTES).unwrap_or(usize::MAX);
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("chaincode".to_owned())
            .stack_size(stack)
            .spawn_scoped(scope, || stub.invoke_chaincode(call))
            .map_err(|e| StubError::Failed(format!("start thread: {e}")))?
            .join()
            .unwrap_or_else(|_| Err(StubError::Failed("nested call panicked".to_owned())))
    })
}

fn limit(name: &'static str, value: u64) -> Error {
    Error::Limit(Limit { name, value })
}

fn at_most(amount: u64, name: &'static str, max: u64) -> Result<(), Error> {
    if amount > max { Err(limit(name, max)) } else { Ok(()) }
}

/// SHA-256 of nonce, creator and the little-endian epoch.
fn binding(signed: &SignedProposal) -> Result<Bytes, prost::DecodeError> {
    let proposal = Proposal::decode(signed.proposal_bytes.clone())?;
    let header = Header::decode(proposal.header)?;
    let channel = ChannelHeader::decode(header.channel_header)?;
    let signature = SignatureHeader::decode(header.signature_header)?;
    let bytes = [&signature.nonce[..], &signature.creator[..], &channel.epoch.to_le_bytes()[..]];
    Ok(Bytes::copy_from_slice(&proto::sha256(&bytes.concat())))
}
