//! The contract of the recorded network, as far as its functions were called there.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::common::SignaturePolicyEnvelope;
use proto::peer::Response;
use runtime::{
    Budget, Chaincode, ChaincodeRuntime, Error, Invocation, NestedCall, Package, Stub, StubError,
};

/// Runs the contract under whatever package id.
pub(super) struct Native;

impl ChaincodeRuntime for Native {
    fn package_type(&self) -> &str {
        "native"
    }

    fn install(&self, _package: &Package) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self, _package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        Ok(Arc::new(Contract))
    }

    fn remove(&self, _package_id: &str) {}
}

struct Contract;

impl Chaincode for Contract {
    fn invoke(&self, stub: &mut dyn Stub, invocation: &Invocation) -> Result<Response, Error> {
        let text = |arg: &Bytes| String::from_utf8_lossy(arg).into_owned();
        let args: Vec<String> = invocation.args.iter().map(text).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let answer = call(stub, &args);
        answer.map(|payload| Response { status: 200, message: String::new(), payload }).or_else(
            |error| match error {
                StubError::Refused(message) => {
                    Ok(Response { status: 500, message, payload: Bytes::new() })
                }
                StubError::Failed(text) => Err(Error::Host(text)),
            },
        )
    }

    fn metadata(&self) -> Option<Bytes> {
        None
    }
}

type Answer = Result<Bytes, StubError>;

fn call(stub: &mut dyn Stub, args: &[&str]) -> Answer {
    let value = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let done = |_| Bytes::new();
    match args {
        ["noop"] => Ok(value("ok")),
        ["get", key] => Ok(stub.get_state(key)?.unwrap_or_default()),
        ["put", key, text] => stub.put_state(key, value(text)).map(done),
        ["putn", key, count] => {
            let letters = (b'a'..=b'z').cycle().take(count.parse().unwrap());
            stub.put_state(key, letters.collect()).map(done)
        }
        ["del", key] => stub.del_state(key).map(done),
        ["mput" | "batchput", pairs @ ..] => {
            let mut pairs = pairs.chunks(2);
            pairs.try_for_each(|pair| stub.put_state(pair[0], value(pair[1]))).map(done)
        }
        ["mget", keys @ ..] => many(stub, keys),
        ["transfer", from, to, amount] => transfer(stub, from, to, amount.parse().unwrap()),
        ["cput", text, parts @ ..] => stub.put_state(&composite(parts), value(text)).map(done),
        ["crangePut", key, parts @ ..] => {
            let start = composite(parts);
            let count = count(stub, &start, &format!("{start}\u{10ffff}"), usize::MAX)?;
            stub.put_state(key, value(&count.to_string())).map(done)
        }
        ["rangePut", start, end, key] => {
            let count = count(stub, start, end, usize::MAX)?;
            stub.put_state(key, value(&count.to_string())).map(done)
        }
        ["rangePeek", start, end, limit, key] => {
            let count = count(stub, start, end, limit.parse().unwrap())?;
            stub.put_state(key, value(&count.to_string())).map(done)
        }
        ["event", name, payload] => stub.set_event(name, value(payload)).map(done),
        ["putEvent", key, text, name, payload] => {
            stub.put_state(key, value(text))?;
            stub.set_event(name, value(payload)).map(done)
        }
        ["setep", key, orgs @ ..] => {
            stub.set_state_validation_parameter(key, policy(orgs)).map(done)
        }
        ["call", chaincode, channel, rest @ ..] => nested(stub, chaincode, channel, rest),
        ["ops", list] => operations(stub, list),
        _ => private(stub, args),
    }
}

fn private(stub: &mut dyn Stub, args: &[&str]) -> Answer {
    let done = |_| Bytes::new();
    match args {
        ["pget", collection, key] => {
            Ok(stub.get_private_data(collection, key)?.unwrap_or_default())
        }
        ["phash", collection, key] => {
            Ok(stub.get_private_data_hash(collection, key)?.unwrap_or_default())
        }
        ["pput", collection, key] => {
            let value = stub.transient().get(*key).cloned().unwrap_or_default();
            stub.put_private_data(collection, key, value).map(done)
        }
        ["pput", collection, key, text] => {
            let value = Bytes::copy_from_slice(text.as_bytes());
            stub.put_private_data(collection, key, value).map(done)
        }
        ["pdel", collection, key] => stub.del_private_data(collection, key).map(done),
        ["ppurge", collection, key] => stub.purge_private_data(collection, key).map(done),
        ["psetep", collection, key, orgs @ ..] => {
            stub.set_private_data_validation_parameter(collection, key, policy(orgs)).map(done)
        }
        other => Err(StubError::Refused(format!("unknown function {other:?}"))),
    }
}

fn many(stub: &mut dyn Stub, keys: &[&str]) -> Answer {
    let mut values = Vec::new();
    for key in keys {
        let value = stub.get_state(key)?;
        let text = value.map(|value| format!("\"{}\"", base64(&value)));
        values.push(text.unwrap_or_else(|| "null".into()));
    }
    Ok(format!("[{}]", values.join(",")).into())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (group >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

fn transfer(stub: &mut dyn Stub, from: &str, to: &str, amount: i64) -> Answer {
    let mut balance = |key: &str| -> Result<i64, StubError> {
        let value = stub.get_state(key)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&value).parse().unwrap())
    };
    let (source, target) = (balance(from)?, balance(to)?);
    let rest = Bytes::from((source - amount).to_string());
    stub.put_state(from, rest.clone())?;
    stub.put_state(to, (target + amount).to_string().into())?;
    Ok(rest)
}

fn composite(parts: &[&str]) -> String {
    parts.iter().fold("\u{0}".to_owned(), |key, part| format!("{key}{part}\u{0}"))
}

/// Counts a range, as far as `limit`.
fn count(stub: &mut dyn Stub, start: &str, end: &str, limit: usize) -> Result<usize, StubError> {
    let start = if start.is_empty() { "\u{1}" } else { start };
    let mut batch = stub.get_state_by_range(start, end)?;
    let mut count = batch.entries.len();
    while batch.has_more && count < limit {
        batch = stub.next_batch(batch.iterator)?;
        count += batch.entries.len();
    }
    if batch.has_more {
        stub.close_iterator(batch.iterator);
    }
    Ok(count.min(limit))
}

/// All of the organizations' peers.
fn policy(orgs: &[&str]) -> Bytes {
    use proto::common::SignaturePolicy;
    use proto::common::signature_policy::{NOutOf, Type};
    let signed_by = |index| SignaturePolicy { r#type: Some(Type::SignedBy(index)) };
    let n = i32::try_from(orgs.len()).unwrap();
    let gate = Type::NOutOf(NOutOf { n, rules: (0..n).map(signed_by).collect() });
    let policy = SignaturePolicyEnvelope {
        version: 0,
        rule: Some(SignaturePolicy { r#type: Some(gate) }),
        identities: orgs.iter().map(|org| msp::principal::peer(org)).collect(),
    };
    policy.encode_to_vec().into()
}

fn nested(stub: &mut dyn Stub, chaincode: &str, channel: &str, args: &[&str]) -> Answer {
    let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
    let response = stub.invoke_chaincode(NestedCall {
        chaincode: chaincode.to_owned(),
        channel: channel.to_owned(),
        invocation: Invocation { args, is_init: false, budget: Budget::default() },
    })?;
    Ok(response.payload)
}

/// Runs a list of calls; the last answer that is not empty counts.
fn operations(stub: &mut dyn Stub, list: &str) -> Answer {
    let list: Vec<Vec<String>> = serde_json::from_str(list).unwrap();
    let mut last = Bytes::new();
    for operation in list {
        let args: Vec<&str> = operation.iter().map(String::as_str).collect();
        let answer = call(stub, &args)?;
        if !answer.is_empty() {
            last = answer;
        }
    }
    Ok(last)
}
