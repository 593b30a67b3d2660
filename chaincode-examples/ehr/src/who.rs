//! Who calls: always the certificate, never an argument.

use gauze_chaincode::prelude::*;
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::organization::{Organization, Practitioner};
use crate::patient::Patient;

/// Attribute that names the caller's role in care.
pub const ROLE: &str = "role";
/// Attribute that names the practitioner.
pub const PRACTITIONER: &str = "practitioner";
/// Attribute with the practitioner's National Provider Identifier.
pub const NPI: &str = "npi";

/// Refuses callers without this role.
pub fn require_role(caller: &Caller, wanted: &str) -> Result<(), Fault> {
    let found = attribute(caller, ROLE)?;
    if found == wanted {
        return Ok(());
    }
    Err(Fault::Role { found: found.to_owned(), wanted: wanted.to_owned() })
}

/// An attribute that must be there.
pub fn attribute<'a>(caller: &'a Caller, name: &str) -> Result<&'a str, Fault> {
    caller.attribute(name).ok_or_else(|| Fault::NoRole { attribute: name.to_owned() })
}

/// The caller as an attested practitioner: certificate and attestation must say the same.
pub fn practitioner(tx: &Tx<'_>, caller: &Caller) -> Result<Practitioner> {
    let role = attribute(caller, ROLE)?;
    let id = attribute(caller, PRACTITIONER)?;
    let npi = attribute(caller, NPI)?;
    let not_current = || Fault::RoleExpired { practitioner: id.to_owned() };
    let attested = tx
        .find(Practitioner::at(&caller.msp_id, id))?
        .filter(|attested| tx.timestamp() < attested.not_after)
        .ok_or_else(not_current)?;
    for (attribute, agrees) in
        [(ROLE, attested.role == role), (NPI, attested.npi_hash == hash(npi.as_bytes()))]
    {
        ensure!(agrees, Fault::CallerMismatch { argument: format!("the attested {attribute}") });
    }
    Organization::active(tx, &caller.msp_id)?;
    Ok(attested)
}

/// Refuses callers who do not control the patient's chart.
pub fn require_controller(patient: &Patient, caller: &Caller, action: &str) -> Result<(), Fault> {
    if fingerprint(caller)? == patient.controller {
        return Ok(());
    }
    Err(Fault::Caller { action: action.to_owned(), who: "the patient".to_owned() })
}

/// SHA-256 of the public key in the caller's certificate: stays the same when it is renewed.
pub fn fingerprint(caller: &Caller) -> Result<String, Fault> {
    public_key(&caller.certificate)
        .map(hash)
        .ok_or_else(|| Fault::NoRole { attribute: "public key".to_owned() })
}

/// Lower-case hex of the SHA-256.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `SubjectPublicKeyInfo` of a certificate (RFC 5280 §4.1): after an optional version, the
/// sixth element of the part that is signed.
fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (_, signed, _) = element(element(certificate)?.1)?;
    let mut rest = signed;
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    for _serial_algorithm_issuer_validity_subject in 0..5 {
        rest = element(rest)?.2;
    }
    element(rest).map(|(whole, _, _)| whole)
}

/// Splits one DER element off: all of it, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = usize::from(*bytes.get(1)?);
    let (header, length) = match first {
        0..=0x7f => (2, first),
        0x81..=0x83 => {
            let digits = bytes.get(2..2 + (first - 0x80))?;
            let length = digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (2 + digits.len(), length)
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    Some((bytes.get(..end)?, bytes.get(header..end)?, bytes.get(end..)?))
}
