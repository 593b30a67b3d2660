//! Functions that only read.

use gauze_chaincode::prelude::*;
use gauze_chaincode::range::Entries;
use serde_json::{Value, json};

pub(super) fn run(tx: &Tx<'_>, call: &[&str]) -> Result<Vec<u8>> {
    match call {
        ["get", key] => Ok(tx.get_state(key)?.unwrap_or_default()),
        ["mget", keys @ ..] => many(tx, keys),
        ["range", start, end] => entries(tx.get_state_by_range(start, end)?),
        ["crange", object_type, attributes @ ..] => {
            let attributes: Vec<String> = attributes.iter().map(|it| (*it).to_owned()).collect();
            entries(tx.get_state_by_partial_composite_key(object_type, &attributes)?)
        }
        ["page", start, end, size, bookmark] => {
            page(tx, start, end, super::number(size)?, bookmark)
        }
        ["history", key] => history(tx, key),
        ["pget", collection, key] => Ok(tx.private(*collection).get(key)?.unwrap_or_default()),
        ["phash", collection, key] => {
            Ok(tx.private(*collection).get_hash(key)?.unwrap_or_default())
        }
        ["prange", collection, start, end] => {
            entries(tx.private(*collection).get_by_range(start, end)?)
        }
        other => Err(format!("unknown function {other:?}").into()),
    }
}

/// The values of several keys, as a JSON list of base64.
fn many(tx: &Tx<'_>, keys: &[&str]) -> Result<Vec<u8>> {
    let mut values = Vec::new();
    for key in keys {
        values.push(tx.get_state(key)?.map(|value| base64(&value)));
    }
    encode(&json!(values))
}

fn entries(entries: Entries<'_>) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    for entry in entries {
        let entry = entry?;
        list.push(json!({"k": entry.key, "v": String::from_utf8_lossy(&entry.value)}));
    }
    encode(&Value::from(list))
}

fn page(tx: &Tx<'_>, start: &str, end: &str, size: u32, bookmark: &str) -> Result<Vec<u8>> {
    let page = tx.get_state_by_range_with_pagination(start, end, size, bookmark)?;
    let list = page.records.iter();
    let list: Vec<Value> = list
        .map(|entry| json!({"k": entry.key, "v": String::from_utf8_lossy(&entry.value)}))
        .collect();
    encode(&json!({"b": page.bookmark, "n": list.len(), "r": list}))
}

fn history(tx: &Tx<'_>, key: &str) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    for change in tx.get_history_for_key(key)? {
        let change = change?;
        list.push(json!({
            "tx": change.tx_id,
            "v": String::from_utf8_lossy(&change.value),
            "del": change.is_delete,
            "ts": change.timestamp.seconds,
        }));
    }
    encode(&Value::from(list))
}

fn encode(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| error.to_string().into())
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
