//! The contract of the recorded network, as far as its functions were called there: what its
//! endorsers signed must come out of this one, byte for byte.
//!
//! Its functions take as many arguments as a caller likes, so it takes calls apart itself instead
//! of by `#[transactions]`.

#![forbid(unsafe_code)]

mod queries;

use gauze_chaincode::contract::Contract;
use gauze_chaincode::interface::Interface;
use gauze_chaincode::prelude::*;
use gauze_chaincode::range::Entries;

/// Keys, ranges, private keys, events and calls of other chaincodes.
#[derive(Debug)]
pub struct Recorded;

impl Contract for Recorded {
    const INTERFACE: Interface = Interface {
        name: "recorded",
        version: "1.0",
        doc: "The contract of the recorded network.",
        transactions: &[],
    };
    const INTERFACE_JSON: &'static [u8] =
        &Self::INTERFACE.json::<{ Recorded::INTERFACE.json_length() }>();

    fn call(tx: &mut Tx<'_>, function: &str, arguments: &[Vec<u8>]) -> Option<Result<Vec<u8>>> {
        let arguments: Vec<String> =
            arguments.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        let mut call = vec![function];
        call.extend(arguments.iter().map(String::as_str));
        Some(run(tx, &call))
    }
}

#[cfg(target_arch = "wasm32")]
gauze_chaincode::export_chaincode!(Recorded);

fn run(tx: &mut Tx<'_>, call: &[&str]) -> Result<Vec<u8>> {
    let done = |()| Vec::new();
    match call {
        ["noop"] => Ok(b"ok".to_vec()),
        ["put", key, text] => tx.put_state(key, text.as_bytes()).map(done),
        ["putn", key, count] => {
            let letters: Vec<u8> = (b'a'..=b'z').cycle().take(number(count)?).collect();
            tx.put_state(key, &letters).map(done)
        }
        ["del", key] => tx.del_state(key).map(done),
        ["mput" | "batchput", pairs @ ..] => {
            let mut pairs = pairs.chunks_exact(2);
            pairs.try_for_each(|pair| tx.put_state(pair[0], pair[1].as_bytes())).map(done)
        }
        ["transfer", from, to, amount] => transfer(tx, from, to, number(amount)?),
        ["cput", text, object_type, attributes @ ..] => {
            let key = tx.create_composite_key(object_type, attributes)?;
            tx.put_state(&key, text.as_bytes()).map(done)
        }
        ["crangePut", key, object_type, attributes @ ..] => {
            let attributes: Vec<String> = attributes.iter().map(|it| (*it).to_owned()).collect();
            let entries = tx.get_state_by_partial_composite_key(object_type, &attributes)?;
            put_count(tx, key, entries, usize::MAX)
        }
        ["rangePut", start, end, key] => {
            let entries = tx.get_state_by_range(start, end)?;
            put_count(tx, key, entries, usize::MAX)
        }
        ["rangePeek", start, end, limit, key] => {
            let entries = tx.get_state_by_range(start, end)?;
            put_count(tx, key, entries, number(limit)?)
        }
        ["event", name, payload] => tx.set_event(name, payload.as_bytes()).map(done),
        ["putEvent", key, text, name, payload] => {
            tx.put_state(key, text.as_bytes())?;
            tx.set_event(name, payload.as_bytes()).map(done)
        }
        ["setep", key, orgs @ ..] => {
            tx.set_state_validation_parameter(key, &policy::all_of(Role::Peer, orgs)).map(done)
        }
        ["call", chaincode, channel, rest @ ..] => {
            let args: Vec<Vec<u8>> = rest.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            Ok(tx.invoke_chaincode(chaincode, channel, &args)?.payload)
        }
        ["ops", list] => operations(tx, list),
        _ => private(tx, call),
    }
}

fn private(tx: &mut Tx<'_>, call: &[&str]) -> Result<Vec<u8>> {
    let done = |()| Vec::new();
    match call {
        ["pput", collection, key] => {
            let value = tx.transient_map().remove(*key).unwrap_or_default();
            tx.private_mut(*collection).put(key, &value).map(done)
        }
        ["pput", collection, key, text] => {
            tx.private_mut(*collection).put(key, text.as_bytes()).map(done)
        }
        ["pdel", collection, key] => tx.private_mut(*collection).del(key).map(done),
        ["ppurge", collection, key] => tx.private_mut(*collection).purge(key).map(done),
        ["psetep", collection, key, orgs @ ..] => {
            let policy = policy::all_of(Role::Peer, orgs);
            tx.private_mut(*collection).set_validation_parameter(key, &policy).map(done)
        }
        _ => queries::run(tx, call),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N> {
    text.parse().map_err(|_| format!("{text:?} is no number").into())
}

fn transfer(tx: &mut Tx<'_>, from: &str, to: &str, amount: i64) -> Result<Vec<u8>> {
    let balance = |key: &str| -> Result<i64> {
        let value = tx.get_state(key)?.unwrap_or_default();
        number(&String::from_utf8_lossy(&value))
    };
    let (source, target) = (balance(from)?, balance(to)?);
    let rest = (source - amount).to_string().into_bytes();
    tx.put_state(from, &rest)?;
    tx.put_state(to, (target + amount).to_string().as_bytes())?;
    Ok(rest)
}

/// Writes how many entries there are, as far as `limit`.
fn put_count(tx: &mut Tx<'_>, key: &str, entries: Entries<'_>, limit: usize) -> Result<Vec<u8>> {
    let mut count = 0;
    for entry in entries.take(limit) {
        entry?;
        count += 1;
    }
    tx.put_state(key, count.to_string().as_bytes())?;
    Ok(Vec::new())
}

/// Runs a list of calls; the last answer that is not empty counts.
fn operations(tx: &mut Tx<'_>, list: &str) -> Result<Vec<u8>> {
    let list: Vec<Vec<String>> =
        serde_json::from_str(list).map_err(|error| format!("operations: {error}"))?;
    let mut last = Vec::new();
    for operation in list {
        let call: Vec<&str> = operation.iter().map(String::as_str).collect();
        let answer = run(tx, &call)?;
        if !answer.is_empty() {
            last = answer;
        }
    }
    Ok(last)
}
