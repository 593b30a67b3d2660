//! Writing X.509: names, extensions, and the signed frame around certificates, requests and lists.

use std::net::IpAddr;

use crate::authority::{Subject, Usage};
use crate::der::{self, BOOLEAN, OCTET_STRING, OID, SEQUENCE, SET, UTF8_STRING};
use crate::keys::{Algorithm, Error, PrivateKey, PublicKey};

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 0x04, 0x0b];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(crate) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
pub(crate) const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
pub(crate) const ATTRIBUTES: &[u8] = &[0x2a, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x01];
pub(crate) const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const KEY_ID: u8 = 0x80;

/// Context-specific, constructed tag `number`.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// `SEQUENCE { body, algorithm, signature }`.
pub(crate) fn signed(key: &PrivateKey, body: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = der::bits(&key.sign(body)?);
    Ok(der::nest(SEQUENCE, [body, &signature_algorithm(key.public()), &signature]))
}

pub(crate) fn signature_algorithm(key: &PublicKey) -> Vec<u8> {
    let oid = if key.algorithm() == Algorithm::Ed25519 { ED25519 } else { ECDSA_WITH_SHA256 };
    der::nest(SEQUENCE, [&der::element(OID, oid)[..]])
}

pub(crate) fn name(subject: &Subject) -> Vec<u8> {
    let organization = (!subject.organization.is_empty()).then_some(&subject.organization);
    let parts = organization.map(|it| (ORGANIZATION, it)).into_iter();
    let parts =
        parts.chain(subject.organizational_units.iter().map(|it| (ORGANIZATIONAL_UNIT, it)));
    let parts = parts.chain([(COMMON_NAME, &subject.common_name)]);
    let encode = |(kind, text): (&[u8], &String)| {
        let (kind, text) = (der::element(OID, kind), der::element(UTF8_STRING, text.as_bytes()));
        der::element(SET, &der::nest(SEQUENCE, [&kind[..], &text]))
    };
    der::element(SEQUENCE, &parts.flat_map(encode).collect::<Vec<_>>())
}

pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der::element(BOOLEAN, &[0xff]) } else { Vec::new() };
    let (oid, value) = (der::element(OID, oid), der::element(OCTET_STRING, value));
    der::nest(SEQUENCE, [&oid[..], &critical, &value])
}

/// What a certificate may be used for.
pub(crate) fn usage(usage: Usage) -> Vec<u8> {
    // The first byte of a bit string counts the unused bits at its end.
    let (bits, constraints): (&[u8], Vec<u8>) = match usage {
        Usage::Identity => (&[7, 0x80], Vec::new()),
        Usage::Tls => (&[5, 0xa0], Vec::new()),
        Usage::Authority { intermediates_max } => {
            let longest = intermediates_max.map(|it| der::unsigned(&[it])).unwrap_or_default();
            (&[1, 0x86], [der::element(BOOLEAN, &[0xff]), longest].concat())
        }
    };
    let mut out = extension(KEY_USAGE, true, &der::element(der::BIT_STRING, bits));
    if usage == Usage::Tls {
        let both = [SERVER_AUTHENTICATION, CLIENT_AUTHENTICATION].map(|it| der::element(OID, it));
        out.extend(extension(EXTENDED_KEY_USAGE, false, &der::element(SEQUENCE, &both.concat())));
    }
    out.extend(extension(BASIC_CONSTRAINTS, true, &der::element(SEQUENCE, &constraints)));
    out
}

pub(crate) fn subject_key_id(id: &[u8]) -> Vec<u8> {
    extension(SUBJECT_KEY_ID, false, &der::element(OCTET_STRING, id))
}

pub(crate) fn authority_key_id(id: &[u8]) -> Vec<u8> {
    extension(AUTHORITY_KEY_ID, false, &der::nest(SEQUENCE, [&der::element(KEY_ID, id)[..]]))
}

/// Host names and addresses; nothing if there are none.
pub(crate) fn alternative_names(hosts: &[String]) -> Vec<u8> {
    if hosts.is_empty() {
        return Vec::new();
    }
    let encode = |host: &String| match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => der::element(IP_ADDRESS, &address.octets()),
        Ok(IpAddr::V6(address)) => der::element(IP_ADDRESS, &address.octets()),
        Err(_) => der::element(DNS_NAME, host.as_bytes()),
    };
    let names: Vec<u8> = hosts.iter().flat_map(encode).collect();
    extension(ALTERNATIVE_NAME, false, &der::element(SEQUENCE, &names))
}
