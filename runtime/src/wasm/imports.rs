//! The interfaces of `runtime/wit`, function by function.

use bytes::Bytes;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower};

use super::host::{Host, serve, tell};
use crate::session::Span;
use crate::stub::{self, Level};

type Store<'a> = StoreContextMut<'a, Host>;
/// A WIT `result<T, string>` as a host function's only result.
type Answer<T> = wasmtime::Result<(Result<T, String>,)>;
type Value = Option<Vec<u8>>;

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    state(&mut linker.instance("gauze:chaincode/state@0.1.0")?)?;
    private_state(&mut linker.instance("gauze:chaincode/private-state@0.1.0")?)?;
    history(&mut linker.instance("gauze:chaincode/history@0.1.0")?)?;
    context(&mut linker.instance("gauze:chaincode/context@0.1.0")?)?;
    events(&mut linker.instance("gauze:chaincode/events@0.1.0")?)?;
    invoke(&mut linker.instance("gauze:chaincode/invoke@0.1.0")?)?;
    log(&mut linker.instance("gauze:chaincode/log@0.1.0")?)
}

fn state(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap("get", |s: Store<'_>, (key,): (String,)| -> Answer<Value> {
        answer(serve(s, |h| h.get(None, &key)), value)
    })?;
    i.func_wrap("get-multiple", |s: Store<'_>, (keys,): (Vec<String>,)| -> Answer<Vec<Value>> {
        answer(serve(s, |h| h.get_multiple(None, &keys)), values)
    })?;
    i.func_wrap("put", |s: Store<'_>, (key, value): (String, Vec<u8>)| -> Answer<()> {
        answer(serve(s, |h| h.put(None, &key, value.into())), same)
    })?;
    i.func_wrap("delete", |s: Store<'_>, (key,): (String,)| -> Answer<()> {
        answer(serve(s, |h| h.delete(None, &key)), same)
    })?;
    i.func_wrap("range", |s: Store<'_>, (start, end): (String, String)| -> Answer<WireBatch> {
        answer(serve(s, |h| h.range(None, Span::Plain(&start, &end))), WireBatch::from)
    })?;
    i.func_wrap(
        "range-page",
        |s: Store<'_>,
         (start, end, size, mark): (String, String, u32, String)|
         -> Answer<WirePage> {
            let span = Span::Plain(&start, &end);
            answer(serve(s, |h| h.page(span, size, &mark)), WirePage::from)
        },
    )?;
    i.func_wrap(
        "composite-range",
        |s: Store<'_>, (kind, attributes): (String, Vec<String>)| -> Answer<WireBatch> {
            let span = Span::Composite(&kind, &attributes);
            answer(serve(s, |h| h.range(None, span)), WireBatch::from)
        },
    )?;
    i.func_wrap(
        "composite-range-page",
        |s: Store<'_>,
         (kind, attributes, size, mark): (String, Vec<String>, u32, String)|
         -> Answer<WirePage> {
            let span = Span::Composite(&kind, &attributes);
            answer(serve(s, |h| h.page(span, size, &mark)), WirePage::from)
        },
    )?;
    i.func_wrap(
        "all-composite-page",
        |s: Store<'_>, (size, mark): (u32, String)| -> Answer<WirePage> {
            answer(serve(s, |h| h.page(Span::AllComposite, size, &mark)), WirePage::from)
        },
    )?;
    i.func_wrap("next", |s: Store<'_>, (iterator,): (u32,)| -> Answer<WireBatch> {
        answer(serve(s, |h| h.next(iterator)), WireBatch::from)
    })?;
    i.func_wrap("close", |s: Store<'_>, (iterator,): (u32,)| -> wasmtime::Result<()> {
        tell(s, |h| h.close(iterator)).map(drop)
    })?;
    i.func_wrap("get-validation-parameter", |s: Store<'_>, (key,): (String,)| -> Answer<Value> {
        answer(serve(s, |h| h.get_validation_parameter(None, &key)), value)
    })?;
    i.func_wrap(
        "set-validation-parameter",
        |s: Store<'_>, (key, policy): (String, Vec<u8>)| -> Answer<()> {
            answer(serve(s, |h| h.set_validation_parameter(None, &key, policy.into())), same)
        },
    )
}

fn private_state(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap("get", |s: Store<'_>, (c, key): (String, String)| -> Answer<Value> {
        answer(serve(s, |h| h.get(Some(&c), &key)), value)
    })?;
    i.func_wrap(
        "get-multiple",
        |s: Store<'_>, (c, keys): (String, Vec<String>)| -> Answer<Vec<Value>> {
            answer(serve(s, |h| h.get_multiple(Some(&c), &keys)), values)
        },
    )?;
    i.func_wrap("get-hash", |s: Store<'_>, (c, key): (String, String)| -> Answer<Value> {
        answer(serve(s, |h| h.get_hash(&c, &key)), value)
    })?;
    i.func_wrap("put", |s: Store<'_>, (c, key, v): (String, String, Vec<u8>)| -> Answer<()> {
        answer(serve(s, |h| h.put(Some(&c), &key, v.into())), same)
    })?;
    i.func_wrap("delete", |s: Store<'_>, (c, key): (String, String)| -> Answer<()> {
        answer(serve(s, |h| h.delete(Some(&c), &key)), same)
    })?;
    i.func_wrap("purge", |s: Store<'_>, (c, key): (String, String)| -> Answer<()> {
        answer(serve(s, |h| h.purge(&c, &key)), same)
    })?;
    i.func_wrap(
        "range",
        |s: Store<'_>, (c, start, end): (String, String, String)| -> Answer<WireBatch> {
            answer(serve(s, |h| h.range(Some(&c), Span::Plain(&start, &end))), WireBatch::from)
        },
    )?;
    i.func_wrap(
        "composite-range",
        |s: Store<'_>, (c, kind, attributes): (String, String, Vec<String>)| -> Answer<WireBatch> {
            let span = Span::Composite(&kind, &attributes);
            answer(serve(s, |h| h.range(Some(&c), span)), WireBatch::from)
        },
    )?;
    i.func_wrap(
        "get-validation-parameter",
        |s: Store<'_>, (c, key): (String, String)| -> Answer<Value> {
            answer(serve(s, |h| h.get_validation_parameter(Some(&c), &key)), value)
        },
    )?;
    i.func_wrap(
        "set-validation-parameter",
        |s: Store<'_>, (c, key, policy): (String, String, Vec<u8>)| -> Answer<()> {
            answer(serve(s, |h| h.set_validation_parameter(Some(&c), &key, policy.into())), same)
        },
    )
}

fn history(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap("open", |s: Store<'_>, (key,): (String,)| -> Answer<WireModifications> {
        answer(serve(s, |h| h.history(&key)), WireModifications::from)
    })?;
    i.func_wrap("next", |s: Store<'_>, (iterator,): (u32,)| -> Answer<WireModifications> {
        answer(serve(s, |h| h.next_history(iterator)), WireModifications::from)
    })
}

fn context(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    type Pairs = Vec<(String, Vec<u8>)>;
    i.func_wrap("chaincode", |s: Store<'_>, (): ()| tell(s, |h| h.chaincode()))?;
    i.func_wrap("tx-id", |s: Store<'_>, (): ()| tell(s, |h| h.tx_id()))?;
    i.func_wrap("channel-id", |s: Store<'_>, (): ()| tell(s, |h| h.channel_id()))?;
    i.func_wrap("timestamp", |s: Store<'_>, (): ()| {
        tell(s, |h| h.timestamp().map(WireTimestamp::from))
    })?;
    i.func_wrap("creator", |s: Store<'_>, (): ()| tell(s, |h| Ok(h.creator()?.to_vec())))?;
    i.func_wrap("caller", |s: Store<'_>, (): ()| -> Answer<WireCaller> {
        answer(serve(s, |h| h.caller()), WireCaller::from)
    })?;
    i.func_wrap("transient", |s: Store<'_>, (): ()| -> wasmtime::Result<(Pairs,)> {
        tell(s, |h| Ok(h.transient()?.into_iter().map(|(k, v)| (k, v.to_vec())).collect()))
    })?;
    i.func_wrap("decorations", |s: Store<'_>, (): ()| -> wasmtime::Result<(Pairs,)> {
        tell(s, |h| Ok(h.decorations()?.into_iter().map(|(k, v)| (k, v.to_vec())).collect()))
    })?;
    i.func_wrap("binding", |s: Store<'_>, (): ()| -> Answer<Vec<u8>> {
        answer(serve(s, |h| h.binding()), |b| b.to_vec())
    })?;
    i.func_wrap("signed-proposal", |s: Store<'_>, (): ()| tell(s, |h| h.signed_proposal()))?;
    i.func_wrap("is-init", |s: Store<'_>, (): ()| tell(s, |h| h.is_init()))
}

fn events(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap("set", |s: Store<'_>, (name, payload): (String, Vec<u8>)| -> Answer<()> {
        answer(serve(s, |h| h.set_event(&name, payload.into())), same)
    })
}

fn invoke(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap(
        "chaincode",
        |s: Store<'_>,
         (name, channel, args): (String, String, Vec<Vec<u8>>)|
         -> Answer<WireResponse> {
            let args = args.into_iter().map(Bytes::from).collect();
            answer(serve(s, |h| h.invoke(&name, &channel, args)), WireResponse::from)
        },
    )
}

fn log(i: &mut LinkerInstance<'_, Host>) -> wasmtime::Result<()> {
    i.func_wrap(
        "write",
        |s: Store<'_>, (level, message): (WireLevel, String)| -> wasmtime::Result<()> {
            tell(s, |h| h.log(level.into(), &message)).map(drop)
        },
    )
}

fn answer<T, U>(
    served: wasmtime::Result<Result<T, String>>,
    to_wire: impl FnOnce(T) -> U,
) -> Answer<U> {
    Ok((served?.map(to_wire),))
}

fn same<T>(value: T) -> T {
    value
}

fn value(value: Option<Bytes>) -> Value {
    value.map(|bytes| bytes.to_vec())
}

fn values(values: Vec<Option<Bytes>>) -> Vec<Value> {
    values.into_iter().map(value).collect()
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireKeyValue {
    key: String,
    value: Vec<u8>,
}

fn key_values(entries: Vec<stub::KeyValue>) -> Vec<WireKeyValue> {
    let wire = |kv: stub::KeyValue| WireKeyValue { key: kv.key, value: kv.value.to_vec() };
    entries.into_iter().map(wire).collect()
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireBatch {
    iterator: u32,
    entries: Vec<WireKeyValue>,
    #[component(name = "has-more")]
    has_more: bool,
}

impl From<stub::Batch> for WireBatch {
    fn from(stub::Batch { iterator, entries, has_more }: stub::Batch) -> Self {
        Self { iterator, entries: key_values(entries), has_more }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WirePage {
    entries: Vec<WireKeyValue>,
    bookmark: String,
}

impl From<stub::Page> for WirePage {
    fn from(stub::Page { entries, bookmark }: stub::Page) -> Self {
        Self { entries: key_values(entries), bookmark }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireTimestamp {
    seconds: i64,
    nanos: i32,
}

impl From<prost_types::Timestamp> for WireTimestamp {
    fn from(prost_types::Timestamp { seconds, nanos }: prost_types::Timestamp) -> Self {
        Self { seconds, nanos }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireModification {
    #[component(name = "tx-id")]
    tx_id: String,
    value: Vec<u8>,
    timestamp: WireTimestamp,
    #[component(name = "is-delete")]
    is_delete: bool,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireModifications {
    iterator: u32,
    entries: Vec<WireModification>,
    #[component(name = "has-more")]
    has_more: bool,
}

impl From<stub::HistoryBatch> for WireModifications {
    fn from(stub::HistoryBatch { iterator, entries, has_more }: stub::HistoryBatch) -> Self {
        let entries = entries.into_iter().map(|m| WireModification {
            tx_id: m.tx_id,
            value: m.value.to_vec(),
            timestamp: m.timestamp.into(),
            is_delete: m.is_delete,
        });
        Self { iterator, entries: entries.collect(), has_more }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireCaller {
    #[component(name = "msp-id")]
    msp_id: String,
    #[component(name = "common-name")]
    common_name: String,
    #[component(name = "organizational-units")]
    organizational_units: Vec<String>,
    subject: String,
    issuer: String,
    attributes: Vec<(String, String)>,
    certificate: Vec<u8>,
}

impl From<stub::Caller> for WireCaller {
    fn from(caller: stub::Caller) -> Self {
        Self {
            msp_id: caller.msp_id,
            common_name: caller.common_name,
            organizational_units: caller.organizational_units,
            subject: caller.subject,
            issuer: caller.issuer,
            attributes: caller.attributes.into_iter().collect(),
            certificate: caller.certificate.to_vec(),
        }
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct WireResponse {
    pub(super) status: i32,
    pub(super) message: String,
    pub(super) payload: Vec<u8>,
}

impl From<proto::peer::Response> for WireResponse {
    fn from(response: proto::peer::Response) -> Self {
        Self {
            status: response.status,
            message: response.message,
            payload: response.payload.to_vec(),
        }
    }
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes the variants")]
enum WireLevel {
    #[component(name = "error")]
    Error,
    #[component(name = "warn")]
    Warn,
    #[component(name = "info")]
    Info,
    #[component(name = "debug")]
    Debug,
}

impl From<WireLevel> for Level {
    fn from(level: WireLevel) -> Self {
        match level {
            WireLevel::Error => Self::Error,
            WireLevel::Warn => Self::Warn,
            WireLevel::Info => Self::Info,
            WireLevel::Debug => Self::Debug,
        }
    }
}
