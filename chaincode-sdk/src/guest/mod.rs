//! The chaincode's side of the component: imports, the export, memory and panics.
//!
//! This is the only place of the SDK with `unsafe`: the generated bindings and the allocator.

mod allocator;

use std::collections::BTreeMap;

use crate::caller::Caller;
use crate::contract::{self, Contract, Response};
use crate::host::{self, Answer, Batch, Host, KeyModification, KeyValue, Page, Span};
use crate::timestamp::Timestamp;

#[allow(
    unsafe_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../runtime/wit",
        world: "contract",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "gauze_chaincode::guest::bindings",
    });
}

use bindings::exports::gauze::chaincode::chaincode::Response as ExportedResponse;
use bindings::gauze::chaincode::{
    context, events, history, invoke, log, private_state, state, types,
};

/// Makes a contract the component's export; `#[transactions]` calls it.
#[macro_export]
macro_rules! export_chaincode {
    ($contract:ty) => {
        const _: () = {
            use $crate::guest::bindings;

            struct Component;

            impl bindings::exports::gauze::chaincode::chaincode::Guest for Component {
                fn invoke(
                    args: ::std::vec::Vec<::std::vec::Vec<u8>>,
                ) -> bindings::exports::gauze::chaincode::chaincode::Response {
                    $crate::guest::run::<$contract>(&args)
                }
            }

    bindings::export_component!(Component with_types_in bindings);

            #[used]
            #[unsafe(link_section = "gauze:contract")]
            static INTERFACE: [u8; <$contract as $crate::Contract>::INTERFACE_JSON.len()] =
                $crate::interface::to_array(<$contract as $crate::Contract>::INTERFACE_JSON);
        };
    };
}

/// Runs one call.
pub fn run<C: Contract>(args: &[Vec<u8>]) -> ExportedResponse {
    std::panic::set_hook(Box::new(|panic| {
        log::write(log::Level::Error, &panic.to_string());
    }));
    let Response { status, message, payload } = contract::dispatch::<C>(&Imports, args);
    ExportedResponse { status, message, payload }
}

/// The host behind the component's imports.
struct Imports;

impl Host for Imports {
    fn chaincode(&self) -> String {
        context::chaincode()
    }

    fn tx_id(&self) -> String {
        context::tx_id()
    }

    fn channel_id(&self) -> String {
        context::channel_id()
    }

    fn timestamp(&self) -> Timestamp {
        context::timestamp().into()
    }

    fn creator(&self) -> Vec<u8> {
        context::creator()
    }

    fn caller(&self) -> Answer<Caller> {
        let caller = context::caller()?;
        Ok(Caller {
            msp_id: caller.msp_id,
            common_name: caller.common_name,
            organizational_units: caller.organizational_units,
            subject: caller.subject,
            issuer: caller.issuer,
            attributes: caller.attributes.into_iter().collect(),
            certificate: caller.certificate,
        })
    }

    fn transient(&self) -> BTreeMap<String, Vec<u8>> {
        context::transient().into_iter().collect()
    }

    fn decorations(&self) -> BTreeMap<String, Vec<u8>> {
        context::decorations().into_iter().collect()
    }

    fn binding(&self) -> Answer<Vec<u8>> {
        context::binding()
    }

    fn signed_proposal(&self) -> Option<Vec<u8>> {
        context::signed_proposal()
    }

    fn is_init(&self) -> bool {
        context::is_init()
    }

    fn get(&self, collection: Option<&str>, key: &str) -> Answer<Option<Vec<u8>>> {
        match collection {
            None => state::get(key),
            Some(collection) => private_state::get(collection, key),
        }
    }

    fn get_multiple(
        &self,
        collection: Option<&str>,
        keys: &[String],
    ) -> Answer<Vec<Option<Vec<u8>>>> {
        match collection {
            None => state::get_multiple(keys),
            Some(collection) => private_state::get_multiple(collection, keys),
        }
    }

    fn get_hash(&self, collection: &str, key: &str) -> Answer<Option<Vec<u8>>> {
        private_state::get_hash(collection, key)
    }

    fn put(&self, collection: Option<&str>, key: &str, value: &[u8]) -> Answer<()> {
        match collection {
            None => state::put(key, value),
            Some(collection) => private_state::put(collection, key, value),
        }
    }

    fn delete(&self, collection: Option<&str>, key: &str) -> Answer<()> {
        match collection {
            None => state::delete(key),
            Some(collection) => private_state::delete(collection, key),
        }
    }

    fn purge(&self, collection: &str, key: &str) -> Answer<()> {
        private_state::purge(collection, key)
    }

    fn range(&self, collection: Option<&str>, span: Span<'_>) -> Answer<Batch<KeyValue>> {
        let batch = match (collection, span) {
            (None, Span::Plain { start, end }) => state::range(start, end),
            (None, Span::Composite { object_type, attributes }) => {
                state::composite_range(object_type, attributes)
            }
            (Some(c), Span::Plain { start, end }) => private_state::range(c, start, end),
            (Some(c), Span::Composite { object_type, attributes }) => {
                private_state::composite_range(c, object_type, attributes)
            }
            (_, Span::AllComposite) => Err("all composite keys come in pages only".to_owned()),
        };
        batch.map(Into::into)
    }

    fn page(&self, span: Span<'_>, page_size: u32, bookmark: &str) -> Answer<Page> {
        let page = match span {
            Span::Plain { start, end } => state::range_page(start, end, page_size, bookmark),
            Span::Composite { object_type, attributes } => {
                state::composite_range_page(object_type, attributes, page_size, bookmark)
            }
            Span::AllComposite => state::all_composite_page(page_size, bookmark),
        }?;
        Ok(Page { entries: key_values(page.entries), bookmark: page.bookmark })
    }

    fn next(&self, iterator: u32) -> Answer<Batch<KeyValue>> {
        state::next(iterator).map(Into::into)
    }

    fn close(&self, iterator: u32) {
        state::close(iterator);
    }

    fn get_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
    ) -> Answer<Option<Vec<u8>>> {
        match collection {
            None => state::get_validation_parameter(key),
            Some(collection) => private_state::get_validation_parameter(collection, key),
        }
    }

    fn set_validation_parameter(
        &self,
        collection: Option<&str>,
        key: &str,
        policy: &[u8],
    ) -> Answer<()> {
        match collection {
            None => state::set_validation_parameter(key, policy),
            Some(collection) => private_state::set_validation_parameter(collection, key, policy),
        }
    }

    fn history(&self, key: &str) -> Answer<Batch<KeyModification>> {
        history::open(key).map(Into::into)
    }

    fn next_history(&self, iterator: u32) -> Answer<Batch<KeyModification>> {
        history::next(iterator).map(Into::into)
    }

    fn set_event(&self, name: &str, payload: &[u8]) -> Answer<()> {
        events::set(name, payload)
    }

    fn invoke(&self, chaincode: &str, channel: &str, args: &[Vec<u8>]) -> Answer<Response> {
        let types::Response { status, message, payload } =
            invoke::chaincode(chaincode, channel, args)?;
        Ok(Response { status, message, payload })
    }

    fn log(&self, level: host::Level, message: &str) {
        let level = match level {
            host::Level::Error => log::Level::Error,
            host::Level::Warn => log::Level::Warn,
            host::Level::Info => log::Level::Info,
            host::Level::Debug => log::Level::Debug,
        };
        log::write(level, message);
    }
}

impl From<types::Instant> for Timestamp {
    fn from(types::Instant { seconds, nanos }: types::Instant) -> Self {
        Self { seconds, nanos }
    }
}

impl From<types::Batch> for Batch<KeyValue> {
    fn from(batch: types::Batch) -> Self {
        Self {
            iterator: batch.iterator,
            entries: key_values(batch.entries),
            has_more: batch.has_more,
        }
    }
}

impl From<history::Modifications> for Batch<KeyModification> {
    fn from(batch: history::Modifications) -> Self {
        let entries = batch.entries.into_iter().map(|change| KeyModification {
            tx_id: change.tx_id,
            value: change.value,
            timestamp: change.timestamp.into(),
            is_delete: change.is_delete,
        });
        Self { iterator: batch.iterator, entries: entries.collect(), has_more: batch.has_more }
    }
}

fn key_values(entries: Vec<types::KeyValue>) -> Vec<KeyValue> {
    entries.into_iter().map(|types::KeyValue { key, value }| KeyValue { key, value }).collect()
}
