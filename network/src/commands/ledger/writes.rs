//! Writes of keys, shown to people and as JSON.

use client::admin::{Change, Entry, Modification};
use serde_json::{Value, json};

use crate::describe::time;
use crate::keys;
use crate::output::{bold, faint, payload, payload_json, short};

pub(super) fn write_json(write: &Modification) -> Value {
    let at = write.position.unwrap_or_default();
    json!({
        "block": at.block, "transaction": at.transaction, "txId": write.tx_id,
        "time": write.timestamp.as_ref().map(time), "deleted": write.is_delete,
        "value": if write.is_delete { Value::Null } else { payload_json(&write.value) },
    })
}

pub(super) fn write_text(write: &Modification) -> String {
    let at = write.position.unwrap_or_default();
    let when = write.timestamp.as_ref().map(time).unwrap_or_default();
    let place = format!("block {}, transaction {}", at.block, at.transaction);
    let head = format!("{}  {}  {}", bold(place), short(&write.tx_id), faint(when));
    format!("{head}\n{}", indented(&value(Some(write))))
}

/// A value for people.
fn value(write: Option<&Modification>) -> String {
    match write {
        None => "(nothing)".to_owned(),
        Some(write) if write.is_delete => "(deleted)".to_owned(),
        Some(write) => payload(&write.value),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

pub(super) fn entry_json(entry: &Entry) -> Value {
    let mut json = keys::json(&entry.key);
    let at = entry.version.unwrap_or_default();
    json["block"] = at.block.into();
    json["transaction"] = at.transaction.into();
    json["value"] = payload_json(&entry.value);
    json
}

pub(super) fn entry_row(entry: &Entry) -> Vec<String> {
    const WIDTH: usize = 80;
    let at = entry.version.unwrap_or_default();
    let value = match payload_json(&entry.value) {
        Value::String(text) => text,
        json => json.to_string(),
    };
    let mut line: String = value.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    if let Some((cut, _)) = line.char_indices().nth(WIDTH) {
        line.truncate(cut);
        line.push('…');
    }
    vec![keys::shown(&entry.key), format!("{}:{}", at.block, at.transaction), line]
}

pub(super) fn change_json(change: &Change) -> Value {
    let mut json = keys::json(&change.key);
    json["chaincode"] = change.namespace.clone().into();
    json["before"] = change.before.as_ref().map_or(Value::Null, write_json);
    json["after"] = change.after.as_ref().map_or(Value::Null, write_json);
    json
}

pub(super) fn change_text(change: &Change) -> String {
    let name = format!("{} {}", change.namespace, keys::shown(&change.key));
    let at = change.after.as_ref().and_then(|it| it.position).unwrap_or_default();
    let marked = |mark: &str, text: String| {
        text.lines().map(|line| format!("  {mark} {line}")).collect::<Vec<_>>().join("\n")
    };
    let before = marked("-", value(change.before.as_ref()));
    let after = marked("+", value(change.after.as_ref()));
    let place = faint(format!("block {}, transaction {}", at.block, at.transaction));
    format!("{}  {place}\n{before}\n{after}", bold(name))
}

#[cfg(test)]
mod tests {
    use client::admin::Place;

    use super::*;

    #[test]
    fn changes_are_told_line_by_line() {
        let write = |value: &'static [u8], is_delete| Modification {
            position: Some(Place { block: 4, transaction: 1 }),
            value: value.into(),
            is_delete,
            ..Modification::default()
        };
        let change = Change {
            namespace: "ehr".into(),
            key: "\0grant\0p\0".into(),
            before: Some(write(b"{\"a\":1}", false)),
            after: Some(write(b"", true)),
        };
        let text = console::strip_ansi_codes(&change_text(&change)).into_owned();
        assert_eq!(
            text,
            "ehr grant/p  block 4, transaction 1\n  - {\n  -   \"a\": 1\n  - }\n  + (deleted)"
        );
        assert_eq!(change_json(&change)["after"]["value"], Value::Null);
    }
}
