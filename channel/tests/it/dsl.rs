//! The text form of policies.

use channel::policy::{self, dsl, print};
use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::fixtures;

#[test]
fn texts_become_the_messages_of_fabric() {
    let cases: Vec<Value> =
        serde_json::from_slice(&fixtures::read("signature_policies.json")).unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let parsed = dsl::parse(text);
        if case["error"].is_string() {
            assert!(parsed.is_err(), "{text}");
            continue;
        }
        let envelope = parsed.unwrap_or_else(|error| panic!("{text}: {error}"));
        let hex = hex::encode(envelope.encode_to_vec());
        assert_eq!(hex, case["signature_policy_envelope_hex"].as_str().unwrap(), "{text}");
        assert_eq!(dsl::parse(&print(&envelope)), Ok(envelope.clone()), "{text}");
        if let Some(expected) = case["application_policy_hex"].as_str() {
            let hex = hex::encode(policy::signature_policy(envelope).encode_to_vec());
            assert_eq!(hex, expected, "{text}");
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(dsl::parse(text).map(|policy| print(&policy)).unwrap(), expected);
}

#[test]
fn inner_gates_number_their_principals_first() {
    let policy = dsl::parse("OR('A.member', AND('B.peer','C.peer'), 'A.member')").unwrap();
    let same = dsl::parse("OR( \"A.member\" ,and( 'B.peer' , 'C.peer' ),\n'A.member')").unwrap();
    assert_eq!(policy, same);
    let hex = hex::encode(policy.rule.unwrap().encode_to_vec());
    assert_eq!(hex, "1218080112020802120c120a0802120208001202080112020803");
}

#[test]
fn spellings_and_quotes() {
    check("or('A.peer')", "OR('A.peer')");
    check("And('A.peer',\"B.b-2.admin\")", "AND('A.peer', 'B.b-2.admin')");
    check("outof(2, 'A.peer', 'B.peer', 'C.client')", "OutOf(2, 'A.peer', 'B.peer', 'C.client')");
    check("OUTOF(0,'A.peer')", "OutOf(0, 'A.peer')");
}

#[test]
fn errors_say_what_and_where() {
    for (text, expected) in [
        ("", "expected AND, OR or OutOf at column 1, found the end"),
        ("NAND('A.peer')", "expected AND, OR or OutOf at column 1, found 'N'"),
        ("AND 'A.peer'", "expected '(' at column 5, found '''"),
        ("AND('A.peer' 'B.peer')", "expected ',' or ')' at column 14, found '''"),
        ("AND('A.peer')x", "expected the end at column 14, found 'x'"),
        ("AND('A.peer", "expected a closing quote at column 6, found 'A'"),
        ("OutOf('A.peer')", "expected a number at column 7, found '''"),
        ("OutOf(99999999999999999999, 'A.peer')", "expected a number at column 7, found '9'"),
        ("OutOf(3, 'A.peer')", "3 of 1 is out of range"),
        ("OR('A_1.peer')", "'A_1.peer' is not a principal"),
        ("OR('.peer')", "'.peer' is not a principal"),
        ("OR('A.Peer')", "'A.Peer' is not a principal"),
    ] {
        let error = dsl::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn deep_and_long_texts_are_refused() {
    let deep = "OR(".repeat(50_000 / 3);
    assert_eq!(dsl::parse(&deep), Err(dsl::Error::TooDeep));
    assert_eq!(dsl::parse(&" ".repeat(1 << 20)), Err(dsl::Error::TooLong));
}

#[test]
fn implicit_meta_texts() {
    let policy = dsl::parse_policy("MAJORITY Endorsement").unwrap();
    assert_eq!(
        (policy.r#type, hex::encode(policy.value)),
        (3, "0a0b456e646f7273656d656e741002".into())
    );
    for text in ["MAJORITY", "SOME Readers", "ANY Readers Writers", "any Readers"] {
        assert!(dsl::parse_policy(text).is_err(), "{text}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let principal =
        ("[A-Za-z0-9.-]{1,6}", prop_oneof!["member", "admin", "client", "peer", "orderer"])
            .prop_map(|(msp_id, role)| format!("'{msp_id}.{role}'"));
    principal.prop_recursive(4, 24, 4, |inner| {
        (0..4usize, prop::collection::vec(inner, 1..4)).prop_map(|(kind, arguments)| {
            let list = arguments.join(", ");
            match kind {
                0 => format!("AND({list})"),
                1 => format!("OR({list})"),
                n => format!("OutOf({}, {list})", n % (arguments.len() + 2)),
            }
        })
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(text in text().prop_map(|inner| format!("OR({inner})"))) {
        let policy = dsl::parse(&text).unwrap();
        prop_assert_eq!(dsl::parse(&print(&policy)).unwrap(), policy);
    }

    #[test]
    fn no_text_panics(text in "[ANDORutf0-9(),'\". ]{0,60}|.{0,40}") {
        let _ = dsl::parse(&text);
    }
}
