//! A contract as it was compiled into the test, behind the runtime's trait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use gauze_chaincode::host::{Answer, Batch, Host, KeyModification, KeyValue, Level, Page, Span};
use gauze_chaincode::{Caller, Contract, Response, Timestamp, contract};
use runtime::session::{self, Outcome, Session, Stop};
use runtime::{Chaincode, Error, Invocation, Stub, wasm};

/// Runs a contract natively with the rules and limits of the real runtime, except those of fuel
/// spent by the contract itself, of memory and of the stack.
#[derive(Debug)]
pub struct Native<C> {
    config: wasm::Config,
    contract: PhantomData<fn() -> C>,
}

impl<C> Native<C> {
    /// The contract with these limits.
    pub fn new(config: wasm::Config) -> Self {
        Self { config, contract: PhantomData }
    }
}

impl<C: Contract> Chaincode for Native<C> {
    fn invoke(
        &self,
        stub: &mut dyn Stub,
        invocation: &Invocation,
    ) -> Result<proto::peer::Response, Error> {
        let session = Session::begin(stub, &self.config, invocation)?;
        let host = NativeHost { session: RefCell::new(session), aborted: Cell::new(None) };
        let args: Vec<Vec<u8>> = invocation.args.iter().map(|arg| arg.to_vec()).collect();
        let run = AssertUnwindSafe(|| contract::dispatch::<C>(&host, &args));
        let outcome = catch_unwind(run);
        let NativeHost { session, aborted } = host;
        let mut session = session.into_inner();
        session.settle();
        match (aborted.into_inner(), outcome) {
            (Some(reason), _) => Err(reason),
            (None, Err(_)) => Err(Error::Trap("panic".to_owned())),
            (None, Ok(Response { status, message, payload })) => {
                session.end(proto::peer::Response { status, message, payload: payload.into() })
            }
        }
    }

    fn metadata(&self) -> Option<Bytes> {
        Some(Bytes::from_static(C::INTERFACE_JSON))
    }
}

/// The SDK's host over the runtime's session. A call the host ends cannot be torn out of native
/// code, so it goes on with refusals until it returns; what it then answers is not used.
struct NativeHost<'a> {
    session: RefCell<Session<'a>>,
    aborted: Cell<Option<Error>>,
}

impl<'a> NativeHost<'a> {
    fn ask<T>(&self, call: impl FnOnce(&mut Session<'a>) -> Outcome<T>) -> Answer<T> {
        if let Some(reason) = self.aborted.take() {
            let text = reason.to_string();
            self.aborted.set(Some(reason));
            return Err(text);
        }
        call(&mut self.session.borrow_mut()).map_err(|stop| match stop {
            Stop::Refused(text) => text,
            Stop::Abort(reason) => {
                let text = reason.to_string();
                self.aborted.set(Some(reason));
                text
            }
        })
    }

    fn tell<T: Default>(&self, call: impl FnOnce(&mut Session<'a>) -> Outcome<T>) -> T {
        self.ask(call).unwrap_or_default()
    }
}

impl Host for NativeHost<'_> {
    fn chaincode(&self) -> String {
        self.tell(Session::chaincode)
    }

    fn tx_id(&self) -> String {
        self.tell(Session::tx_id)
    }

    fn channel_id(&self) -> String {
        self.tell(Session::channel_id)
    }

    fn timestamp(&self) -> Timestamp {
        timestamp(self.tell(Session::timestamp))
    }

    fn creator(&self) -> Vec<u8> {
        self.tell(Session::creator).to_vec()
    }

    fn caller(&self) -> Answer<Caller> {
        let caller = self.ask(Session::caller)?;
        Ok(Caller {
            msp_id: caller.msp_id,
            common_name: caller.common_name,
            organizational_units: caller.organizational_units,
            subject: caller.subject,
            issuer: caller.issuer,
            attributes: caller.attributes,
            certificate: caller.certificate.to_vec(),
        })
    }

    fn transient(&self) -> BTreeMap<String, Vec<u8>> {
        vectors(self.tell(Session::transient))
    }

    fn decorations(&self) -> BTreeMap<String, Vec<u8>> {
        vectors(self.tell(Session::decorations))
    }

    fn binding(&self) -> Answer<Vec<u8>> {
        self.ask(Session::binding).map(Into::into)
    }

    fn signed_proposal(&self) -> Option<Vec<u8>> {
        self.tell(Session::signed_proposal)
    }

    fn is_init(&self) -> bool {
        self.tell(Session::is_init)
    }

    fn get(&self, collection: Option<&str>, key: &str) -> Answer<Option<Vec<u8>>> {
        self.ask(|s| s.get(collection, key)).map(vector)
    }

    fn get_multiple(
        &self,
        collection: Option<&str>,
        keys: &[String],
    ) -> Answer<Vec<Option<Vec<u8>>>> {
        let values = self.ask(|s| s.get_multiple(collection, keys))?;
        Ok(values.into_iter().map(vector).collect())
    }

    fn get_hash(&self, collection: &str, key: &str) -> Answer<Option<Vec<u8>>> {
        self.ask(|s| s.get_hash(collection, key)).map(vector)
    }

    fn put(&self, collection: Option<&str>, key: &str, value: &[u8]) -> Answer<()> {
        self.ask(|s| s.put(collection, key, Bytes::copy_from_slice(value)))
    }

    fn delete(&self, collection: Option<&str>, key: &str) -> Answer<()> {
        self.ask(|s| s.delete(collection, key))
    }

    fn purge(&self, collection: &str, key: &str) -> Answer<()> {
        self.ask(|s| s.purge(collection, key))
    }

    fn range(&self, collection: Option<&str>, span: Span<'_>) -> Answer<Batch<KeyValue>> {
        self.ask(|s| s.range(collection, session_span(span))).map(batch)
    }

    fn page(&self, span: Span<'_>, page_size: u32, bookmark: &str) -> Answer<Page> {
        let page = self.ask(|s| s.page(session_span(span), page_size, bookmark))?;
        Ok(Page { entries: key_values(page.entries), bookmark: page.bookmark })
    }

    fn next(&self, iterator: u32) -> Answer<Batch<KeyValue>> {
        self.ask(|s| s.next(iterator)).map(batch)
    }

    fn close(&self, iterator: u32) {
        self.tell(|s| s.close(iterator));
    }

    fn get_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
    ) -> Answer<Option<Vec<u8>>> {
        self.ask(|s| s.get_validation_parameter(collection, key)).map(vector)
    }

    fn set_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
        policy: &[u8],
    ) -> Answer<()> {
        let policy = Bytes::copy_from_slice(policy);
        self.ask(|s| s.set_validation_parameter(collection, key, policy))
    }

    fn history(&self, key: &str) -> Answer<Batch<KeyModification>> {
        self.ask(|s| s.history(key)).map(modifications)
    }

    fn next_history(&self, iterator: u32) -> Answer<Batch<KeyModification>> {
        self.ask(|s| s.next_history(iterator)).map(modifications)
    }

    fn set_event(&self, name: &str, payload: &[u8]) -> Answer<()> {
        self.ask(|s| s.set_event(name, Bytes::copy_from_slice(payload)))
    }

    fn invoke(&self, chaincode: &str, channel: &str, args: &[Vec<u8>]) -> Answer<Response> {
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
        let response = self.ask(|s| s.invoke(chaincode, channel, args))?;
        Ok(Response {
            status: response.status,
            message: response.message,
            payload: response.payload.to_vec(),
        })
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Error => runtime::Level::Error,
            Level::Warn => runtime::Level::Warn,
            Level::Info => runtime::Level::Info,
            Level::Debug => runtime::Level::Debug,
        };
        self.tell(|s| s.log(level, message));
    }
}

fn session_span(span: Span<'_>) -> session::Span<'_> {
    match span {
        Span::Plain { start, end } => session::Span::Plain(start, end),
        Span::Composite { object_type, attributes } => {
            session::Span::Composite(object_type, attributes)
        }
        Span::AllComposite => session::Span::AllComposite,
    }
}

fn timestamp(timestamp: prost_types::Timestamp) -> Timestamp {
    Timestamp { seconds: timestamp.seconds, nanos: timestamp.nanos }
}

fn vector(value: Option<Bytes>) -> Option<Vec<u8>> {
    value.map(Into::into)
}

fn vectors(map: BTreeMap<String, Bytes>) -> BTreeMap<String, Vec<u8>> {
    map.into_iter().map(|(name, value)| (name, value.into())).collect()
}

fn key_values(entries: Vec<runtime::KeyValue>) -> Vec<KeyValue> {
    let convert = |kv: runtime::KeyValue| KeyValue { key: kv.key, value: kv.value.into() };
    entries.into_iter().map(convert).collect()
}

fn batch(batch: runtime::Batch) -> Batch<KeyValue> {
    let runtime::Batch { iterator, entries, has_more } = batch;
    Batch { iterator, entries: key_values(entries), has_more }
}

fn modifications(batch: runtime::HistoryBatch) -> Batch<KeyModification> {
    let entries = batch.entries.into_iter().map(|change| KeyModification {
        tx_id: change.tx_id,
        value: change.value.into(),
        timestamp: timestamp(change.timestamp),
        is_delete: change.is_delete,
    });
    Batch { iterator: batch.iterator, entries: entries.collect(), has_more: batch.has_more }
}
