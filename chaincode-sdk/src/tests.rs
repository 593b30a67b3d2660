//! What the macros make of a contract's source.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::argument::{Argument, Output};
use crate::contract::Contract;
use crate::prelude::*;
use crate::schema::Shape;
use crate::{composite, interface};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Acute,
    LongTerm,
    #[serde(rename = "other")]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
struct Name(String);

/// A \"quoted\" ward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema, Record)]
#[serde(rename_all = "camelCase")]
#[record(key = "ward/{house}/{number}")]
struct Ward {
    /// Which house.
    house: String,
    number: u32,
    kind: Kind,
    head_nurse: Option<Name>,
    #[serde(default)]
    beds: Vec<u8>,
    #[serde(rename = "extra", skip_serializing_if = "BTreeMap::is_empty", default)]
    more: BTreeMap<String, Value>,
    #[serde(skip)]
    hidden: u8,
}

#[derive(Serialize, Deserialize, Record)]
#[record(key = "{id}")]
struct Plain {
    id: String,
}

#[derive(Debug, ContractError)]
enum Fault {
    #[code("GONE", "no {what} since {since}", status = 404)]
    Gone { what: &'static str, since: Timestamp },
    #[code("PAIR", "{0} and {1:?}")]
    Pair(u8, &'static str),
    #[code("SILENT_FIELD", "nothing to see")]
    Silent(#[allow(dead_code, reason = "fields need not be in the text")] String),
    #[code("PLAIN")]
    NotSaid,
}

/// Wards of a house.
#[contract(name = "wards", version = "2.1")]
struct Wards;

#[transactions]
impl Wards {
    /// Opens a ward.
    ///
    /// Only once.
    #[submit]
    fn open_ward(tx: &mut Tx, ward: Ward, at: Timestamp, note: Option<String>) -> Result<()> {
        let _ = (at, note);
        tx.insert(&ward)
    }

    #[evaluate(name = "kinds")]
    fn all_kinds(_tx: &Tx, names: &[String]) -> Result<Vec<Kind>, Fault> {
        let _ = names;
        Err(Fault::NotSaid)
    }
}

#[test]
fn the_interface_says_what_the_source_says() {
    let json: Value = serde_json::from_slice(Wards::INTERFACE_JSON).unwrap();
    assert_eq!(
        json["info"],
        json!({ "title": "wards", "version": "2.1", "description": "Wards of a house." })
    );
    let transactions = &json["contracts"]["wards"]["transactions"];
    assert_eq!(transactions[0]["name"], "OpenWard");
    assert_eq!(transactions[0]["description"], "Opens a ward.\n\nOnly once.");
    assert_eq!(transactions[1]["tag"], json!(["evaluate", "EVALUATE"]));
    assert_eq!(transactions[1]["name"], "kinds");
    assert_eq!(transactions[1]["parameters"][0]["schema"]["items"]["type"], "string");
    let ward = &transactions[0]["parameters"][0]["schema"];
    assert_eq!(ward["description"], "A \\\"quoted\\\" ward.");
    assert_eq!(ward["required"], json!(["house", "number", "kind"]));
    assert_eq!(ward["properties"]["kind"]["enum"], json!(["ACUTE", "LONG_TERM", "other"]));
    assert_eq!(ward["properties"]["headNurse"], json!({ "type": "string" }));
    assert_eq!(ward["properties"]["beds"]["items"]["format"], "uint8");
    assert_eq!(ward["properties"]["extra"]["additionalProperties"], json!({}));
    assert!(ward["properties"].get("hidden").is_none());
    let at = json!({ "name": "at", "schema": { "type": "string", "format": "date-time" } });
    assert_eq!(transactions[0]["parameters"][1], at);
    assert!(transactions[0].get("returns").is_none());
}

#[test]
fn text_travels_bare_and_the_rest_as_json() {
    assert_eq!(String::parse(b"\"a\""), Ok("\"a\"".to_owned()));
    assert_eq!(Name::parse(b"Eva"), Ok(Name("Eva".into())));
    assert_eq!(Kind::parse(b"LONG_TERM"), Ok(Kind::LongTerm));
    assert_eq!(Option::<Kind>::parse(b""), Ok(None));
    assert_eq!(Option::<u32>::parse(b"7"), Ok(Some(7)));
    assert_eq!(u32::parse(b"7"), Ok(7));
    assert_eq!(Raw::parse(b"\xff"), Ok(Raw(vec![0xff])));
    for bad in [u32::parse(b"seven"), u32::parse(b"-1"), u32::parse(b"")] {
        assert!(bad.is_err());
    }
    assert!(String::parse(b"\xff").is_err());
    assert!(Kind::parse(b"\"ACUTE\"").is_err());
    let payload = |output: Result<Vec<u8>>| String::from_utf8(output.unwrap()).unwrap();
    assert_eq!(payload("a\"".to_owned().payload()), "a\"");
    assert_eq!(payload(Kind::Unknown.payload()), "other");
    assert_eq!(payload(Timestamp::default().payload()), "1970-01-01T00:00:00Z");
    assert_eq!(payload(Some(true).payload()), "true");
    assert_eq!(payload(None::<bool>.payload()), "");
    assert_eq!(payload(().payload()), "");
    assert_eq!(payload(vec!["a"].payload()), "[\"a\"]");
}

#[test]
fn faults_become_errors_with_code_text_and_status() {
    let since = Timestamp::default();
    let cases: [(Error, &str, i32); 4] = [
        (Fault::Gone { what: "bed", since }.into(), "GONE: no bed since 1970-01-01T00:00:00Z", 404),
        (Fault::Pair(1, "b").into(), "PAIR: 1 and \"b\"", 500),
        (Fault::Silent("x".into()).into(), "SILENT_FIELD: nothing to see", 500),
        (Fault::NotSaid.into(), "PLAIN: not said", 500),
    ];
    for (error, text, status) in cases {
        assert_eq!((error.to_string().as_str(), error.status()), (text, status));
    }
}

#[test]
fn records_know_their_keys() {
    let key = Ward::at("north", 7).into_string().unwrap();
    assert_eq!(key, "\0ward\0north\x007\0");
    assert_eq!(composite::split(&key).unwrap(), ("ward".into(), vec!["north".into(), "7".into()]));
    assert!(Ward::at("no\0rth", 7).into_string().is_err());
    assert_eq!(Plain { id: "a".into() }.key().into_string().unwrap(), "a");
    assert!(Plain::at("").into_string().is_err());
    assert!(composite::split("plain").is_err());
}

#[test]
fn rendering_counts_what_it_writes() {
    const INTERFACE: interface::Interface = interface::Interface {
        name: "a\"b",
        version: "\u{1}ü",
        doc: "line\nline",
        transactions: &[],
    };
    const JSON: [u8; INTERFACE.json_length()] = INTERFACE.json();
    let json: Value = serde_json::from_slice(&JSON).unwrap();
    let info = json!({ "title": "a\"b", "version": "\u{1}ü", "description": "line\nline" });
    assert_eq!(json["info"], info);
    assert!(Shape::Optional(&Shape::Text).is_text() && !Shape::Number.is_text());
}
