//! One transaction, as a contract's function sees it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::composite;
use crate::contract::Response;
use crate::error::{Error, Result};
use crate::host::{Host, KeyModification, KeyValue, Level, Page, Span};
use crate::private::{Private, PrivateMut};
use crate::range::{Entries, Modifications, Records};
use crate::record::{Key, Prefix, Record, Store};
use crate::schema::{Field, Schema, Shape};
use crate::timestamp::Timestamp;

/// One transaction: the ledger, the caller, and nothing else of the world.
///
/// Functions marked `#[evaluate]` receive `&Tx` and can only read; `#[submit]` gives `&mut Tx`.
/// Reads see what is committed: a write of the same transaction is not visible to them.
///
/// ```compile_fail,E0596
/// use gauze_chaincode::prelude::*;
/// #[contract(name = "c", version = "1")] struct C;
/// #[transactions]
/// impl C {
///     #[evaluate]
///     fn sly(tx: &Tx) -> Result<()> { tx.put_state("k", b"v") }
/// }
/// # fn main() {}
/// ```
pub struct Tx<'a> {
    host: &'a dyn Host,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// One page of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// The records.
    pub records: Vec<T>,
    /// Where the next page starts; empty after the last.
    pub bookmark: String,
}

impl<T: Schema> Schema for Paged<T> {
    const SHAPE: Shape = Shape::Object {
        name: "Paged",
        doc: "",
        fields: &[
            Field { name: "records", doc: "", shape: Shape::Array(&T::SHAPE), required: true },
            Field { name: "bookmark", doc: "", shape: Shape::Text, required: true },
        ],
    };
}

impl<'a> Tx<'a> {
    /// A transaction over a host; for tests and other hosts.
    pub fn new(host: &'a dyn Host) -> Self {
        Self { host }
    }

    fn store(&self) -> Store<'a> {
        Store::new(self.host, None)
    }
}

/// The context.
impl<'a> Tx<'a> {
    /// The transaction's id.
    pub fn id(&self) -> String {
        self.host.tx_id()
    }

    /// The channel.
    pub fn channel_id(&self) -> String {
        self.host.channel_id()
    }

    /// The name this chaincode is deployed under.
    pub fn chaincode(&self) -> String {
        self.host.chaincode()
    }

    /// The time the client wrote into the proposal: the same for each endorser, and as true as
    /// the client is.
    pub fn timestamp(&self) -> Timestamp {
        self.host.timestamp()
    }

    /// Who sent the proposal.
    pub fn caller(&self) -> Result<Caller> {
        Ok(self.host.caller()?)
    }

    /// The caller's serialized identity.
    pub fn creator(&self) -> Vec<u8> {
        self.host.creator()
    }

    /// All transient inputs: they reach the contract and are recorded nowhere.
    pub fn transient_map(&self) -> BTreeMap<String, Vec<u8>> {
        self.host.transient()
    }

    /// One transient input as JSON; missing or malformed is `INVALID_ARGUMENT`.
    pub fn transient<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let bytes = self.host.transient().remove(name).ok_or_else(|| {
            Error::new(Error::INVALID_ARGUMENT, format!("transient input '{name}' is missing"))
        })?;
        // The cause may quote the secret, so it stays out of the text.
        serde_json::from_slice(&bytes).map_err(|_| {
            Error::new(Error::INVALID_ARGUMENT, format!("transient input '{name}' is malformed"))
        })
    }

    /// What the peer added to the input.
    pub fn decorations(&self) -> BTreeMap<String, Vec<u8>> {
        self.host.decorations()
    }

    /// Hash of nonce, creator and epoch of the proposal.
    pub fn binding(&self) -> Result<Vec<u8>> {
        Ok(self.host.binding()?)
    }

    /// The encoded `SignedProposal`.
    pub fn signed_proposal(&self) -> Option<Vec<u8>> {
        self.host.signed_proposal()
    }

    /// Whether the client asked for initialization.
    pub fn is_init(&self) -> bool {
        self.host.is_init()
    }

    /// Writes a line to the peer's log.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.host.log(level, message.as_ref());
    }

    /// Writes a line for operators to the peer's log.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(Level::Info, message);
    }

    /// Writes a line for authors to the peer's log.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.log(Level::Debug, message);
    }
}

/// Records: typed values under typed keys.
impl<'a> Tx<'a> {
    /// The record, if there is one.
    pub fn find<R: Record>(&self, key: impl Into<Key<R>>) -> Result<Option<R>> {
        self.store().find(&key.into())
    }

    /// The record; missing is `NOT_FOUND`.
    pub fn load<R: Record>(&self, key: impl Into<Key<R>>) -> Result<R> {
        self.store().load(&key.into())
    }

    /// Whether there is such a record.
    pub fn exists<R: Record>(&self, key: impl Into<Key<R>>) -> Result<bool> {
        self.store().exists(&key.into())
    }

    /// The records whose keys begin with `prefix`, in key order.
    pub fn list<R: Record>(&self, prefix: Prefix<R>) -> Result<Records<'a, R>> {
        self.store().list(&prefix)
    }

    /// One page of them; `bookmark` is empty for the first. Only for functions that evaluate: the
    /// peer does not protect pages against concurrent writes.
    pub fn list_page<R: Record>(
        &self,
        prefix: Prefix<R>,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<R>> {
        let Page { entries, bookmark } = self.host.page(prefix.span()?, page_size, bookmark)?;
        let records = entries.iter().map(|kv| R::decode(&kv.key, &kv.value)).collect::<Result<_>>();
        Ok(Paged { records: records?, bookmark })
    }

    /// Adds a record; present already is `ALREADY_EXISTS`.
    pub fn insert<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store().insert(record)
    }

    /// Replaces a record; missing is `NOT_FOUND`.
    pub fn update<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store().update(record)
    }

    /// Writes a record, whether or not it is there.
    pub fn save<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store().save(record)
    }

    /// Deletes a record; missing is `NOT_FOUND`.
    pub fn remove<R: Record>(&mut self, key: impl Into<Key<R>>) -> Result<()> {
        self.store().remove(&key.into())
    }

    /// A private collection, to read.
    pub fn private(&self, collection: impl Into<String>) -> Private<'a> {
        Private::new(self.host, collection.into())
    }

    /// A private collection, to read and write.
    pub fn private_mut(&mut self, collection: impl Into<String>) -> PrivateMut<'_> {
        PrivateMut::new(self.private(collection))
    }
}

/// The stub: keys, bytes, and the names Fabric's shim gives to the calls.
impl<'a> Tx<'a> {
    /// The committed value of a key.
    pub fn get_state(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.host.get(None, key)?)
    }

    /// The committed values of several keys, in order.
    pub fn get_multiple_states(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(self.host.get_multiple(None, keys)?)
    }

    /// Writes a key. An empty value deletes, as in Fabric.
    pub fn put_state(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.host.put(None, key, value)?)
    }

    /// Deletes a key.
    pub fn del_state(&mut self, key: &str) -> Result<()> {
        Ok(self.host.delete(None, key)?)
    }

    /// Plain keys in `[start, end)`; empty is open. Protected against concurrent changes.
    pub fn get_state_by_range(&self, start: &str, end: &str) -> Result<Entries<'a>> {
        Entries::open(self.host, None, Span::Plain { start, end })
    }

    /// One page of a range, for functions that evaluate.
    pub fn get_state_by_range_with_pagination(
        &self,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<KeyValue>> {
        self.page(Span::Plain { start, end }, page_size, bookmark)
    }

    /// Composite keys that begin with these attributes; the exact key alone matches nothing.
    pub fn get_state_by_partial_composite_key(
        &self,
        object_type: &str,
        attributes: &[String],
    ) -> Result<Entries<'a>> {
        Entries::open(self.host, None, Span::Composite { object_type, attributes })
    }

    /// One page of composite keys, for functions that evaluate.
    pub fn get_state_by_partial_composite_key_with_pagination(
        &self,
        object_type: &str,
        attributes: &[String],
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<KeyValue>> {
        self.page(Span::Composite { object_type, attributes }, page_size, bookmark)
    }

    /// One page of all composite keys, for functions that evaluate.
    pub fn get_all_states_composite_key_with_pagination(
        &self,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<KeyValue>> {
        self.page(Span::AllComposite, page_size, bookmark)
    }

    fn page(&self, span: Span<'_>, page_size: u32, bookmark: &str) -> Result<Paged<KeyValue>> {
        let Page { entries, bookmark } = self.host.page(span, page_size, bookmark)?;
        Ok(Paged { records: entries, bookmark })
    }

    /// Joins a type and attributes to one key.
    pub fn create_composite_key(&self, object_type: &str, attributes: &[&str]) -> Result<String> {
        composite::create(object_type, attributes)
    }

    /// Takes a composite key apart: its type and its attributes.
    pub fn split_composite_key(&self, key: &str) -> Result<(String, Vec<String>)> {
        composite::split(key)
    }

    /// What a key held before, newest first.
    pub fn get_history_for_key(&self, key: &str) -> Result<Modifications<'a>> {
        Modifications::open(self.host, key)
    }

    /// What a record was before, newest first; `None` where it was deleted.
    pub fn history<R: Record>(
        &self,
        key: impl Into<Key<R>>,
    ) -> Result<impl Iterator<Item = Result<(KeyModification, Option<R>)>>> {
        let key = key.into().into_string()?;
        Ok(self.get_history_for_key(&key)?.map(move |change| {
            let change = change?;
            let record = match change.is_delete {
                true => None,
                false => Some(R::decode(&key, &change.value)?),
            };
            Ok((change, record))
        }))
    }

    /// The key's own endorsement policy, an encoded `SignaturePolicyEnvelope`.
    pub fn get_state_validation_parameter(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.host.get_validation_parameter(None, key)?)
    }

    /// Sets the key's own endorsement policy, see [`crate::policy`]; empty removes it.
    pub fn set_state_validation_parameter(&mut self, key: &str, policy: &[u8]) -> Result<()> {
        Ok(self.host.set_validation_parameter(None, key, policy)?)
    }

    /// Sets the transaction's event to bytes; the last one wins.
    pub fn set_event(&mut self, name: &str, payload: &[u8]) -> Result<()> {
        Ok(self.host.set_event(name, payload)?)
    }

    /// Sets the transaction's event to a JSON value; the last one wins.
    pub fn emit(&mut self, name: &str, payload: &impl Serialize) -> Result<()> {
        let payload = serde_json::to_vec(payload)
            .map_err(|e| Error::plain(format!("encode event {name}: {e}")))?;
        self.set_event(name, &payload)
    }

    /// Calls another chaincode. On the own channel (or `""`) its writes join this transaction.
    pub fn invoke_chaincode(
        &mut self,
        chaincode: &str,
        channel: &str,
        args: &[Vec<u8>],
    ) -> Result<Response> {
        Ok(self.host.invoke(chaincode, channel, args)?)
    }

    /// Calls a function of another chaincode; an error status becomes an error.
    pub fn invoke(&mut self, chaincode: &str, function: &str, args: &[&str]) -> Result<Vec<u8>> {
        self.query(chaincode, "", function, args)
    }

    /// The same for functions that only read, on any channel.
    pub fn query(
        &self,
        chaincode: &str,
        channel: &str,
        function: &str,
        args: &[&str],
    ) -> Result<Vec<u8>> {
        let args: Vec<_> =
            std::iter::once(&function).chain(args).map(|text| text.as_bytes().to_vec()).collect();
        let response = self.host.invoke(chaincode, channel, &args)?;
        if response.status >= 400 {
            return Err(Error::from(response.message).with_status(response.status));
        }
        Ok(response.payload)
    }
}
