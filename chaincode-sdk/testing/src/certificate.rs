//! Certificates for users: X.509 in shape, the same for the same user in each run, and signed by
//! nobody, since no one here verifies them. Whoever reads one finds what a real one would hold.

use std::collections::BTreeMap;

use proto::sha256;
use serde_json::json;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
/// `[0]` and `[3]`, explicit.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";
const ORGANIZATIONAL_UNIT: &[u8] = b"\x06\x03\x55\x04\x0b";
/// ecPublicKey on prime256v1.
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ECDSA_WITH_SHA256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
/// 1.2.3.4.5.6.7.8.1, where Fabric's certificate authority puts attributes.
const ATTRIBUTES: &[u8] = b"\x06\x08\x2a\x03\x04\x05\x06\x07\x08\x01";

/// The certificate of a user. The key depends on organization and name alone, so it stays when
/// attributes or units change.
pub(crate) fn of(
    msp_id: &str,
    common_name: &str,
    units: &[String],
    attributes: &BTreeMap<String, String>,
) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[ECDSA_WITH_SHA256]);
    let half = |which: &str| sha256(format!("{which}/{msp_id}/{common_name}").as_bytes());
    let point = [&[0, 4][..], &half("x"), &half("y")].concat();
    let key = element(SEQUENCE, &[&element(SEQUENCE, &[P256]), &element(BIT_STRING, &[&point])]);
    let issuer = format!("ca.{msp_id}");
    let mut subject: Vec<_> = units.iter().map(|unit| named(ORGANIZATIONAL_UNIT, unit)).collect();
    subject.push(named(COMMON_NAME, common_name));
    let validity = element(
        SEQUENCE,
        &[&element(UTC_TIME, &[b"200101000000Z"]), &element(UTC_TIME, &[b"400101000000Z"])],
    );
    let attributes = json!({ "attrs": attributes }).to_string();
    let extension =
        element(SEQUENCE, &[ATTRIBUTES, &element(OCTET_STRING, &[attributes.as_bytes()])]);
    let signed = element(
        SEQUENCE,
        &[
            &element(VERSION, &[&element(INTEGER, &[&[2]])]),
            &element(INTEGER, &[&[1]]),
            &algorithm,
            &element(SEQUENCE, &[&named(COMMON_NAME, &issuer)]),
            &validity,
            &element(SEQUENCE, &[&subject.concat()]),
            &key,
            &element(EXTENSIONS, &[&element(SEQUENCE, &[&extension])]),
        ],
    );
    let signature = element(SEQUENCE, &[&element(INTEGER, &[&[1]]), &element(INTEGER, &[&[1]])]);
    let signature = element(BIT_STRING, &[&[0], &signature]);
    element(SEQUENCE, &[&signed, &algorithm, &signature])
}

/// The certificate as it stands in serialized identities.
pub(crate) fn pem(der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|letter| char::from(*letter)));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

fn named(oid: &[u8], text: &str) -> Vec<u8> {
    let value = element(UTF8_STRING, &[text.as_bytes()]);
    element(SET, &[&element(SEQUENCE, &[oid, &value])])
}

/// One DER element of these parts.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let digits: Vec<u8> =
        content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let length = match digits[..] {
        [] => vec![0],
        [short] if short < 0x80 => vec![short],
        _ => [&[0x80 | digits.len() as u8], &digits[..]].concat(),
    };
    [&[tag], &length[..], &content].concat()
}
