//! Granting, changing and withdrawing consents.

use gauze_chaincode::prelude::*;

use crate::consent::{CONSENTS_MAX, Consent, ConsentVersion, Status, Terms};
use crate::fault::Fault;
use crate::patient::Patient;
use crate::records::slot;
use crate::{identifier, who};

/// Makes a new consent, version 1.
pub fn grant(tx: &mut Tx<'_>, pid: &str, id: &str, terms: Terms) -> Result<u32> {
    let signer = controller(tx, pid, "granting")?;
    identifier::name("consent id", id)?;
    terms.validate()?;
    let exists = Fault::Exists { what: "consent".to_owned(), id: id.to_owned() };
    ensure!(!tx.exists(Consent::at(pid, id))?, exists);
    let limit = Fault::Limit { what: "consents of one patient".to_owned(), max: CONSENTS_MAX };
    ensure!(tx.list(Consent::all().under(pid))?.count() < CONSENTS_MAX, limit);
    let consent = Consent {
        pid: pid.to_owned(),
        id: id.to_owned(),
        version: 1,
        status: Status::Active,
        terms,
    };
    write(tx, consent, None, signer)
}

/// Replaces the terms by a new version; also how a withdrawn consent is given again.
pub fn change(
    tx: &mut Tx<'_>,
    pid: &str,
    id: &str,
    expected_version: u32,
    terms: Terms,
) -> Result<u32> {
    let signer = controller(tx, pid, "changing a consent")?;
    terms.validate()?;
    let consent = expected(tx, pid, id, expected_version)?;
    let version = consent.version + 1;
    write(tx, Consent { version, status: Status::Active, terms, ..consent }, None, signer)
}

/// Withdraws a consent from the block on in which this is committed.
pub fn revoke(
    tx: &mut Tx<'_>,
    pid: &str,
    id: &str,
    expected_version: u32,
    reason: &str,
) -> Result<u32> {
    let signer = controller(tx, pid, "revoking")?;
    identifier::limit("reason", reason)?;
    let consent = expected(tx, pid, id, expected_version)?;
    let again = Fault::AlreadyRevoked { id: id.to_owned() };
    ensure!(consent.status == Status::Active, again);
    let version = consent.version + 1;
    let revoked = Consent { version, status: Status::Revoked, ..consent };
    write(tx, revoked, Some(reason.to_owned()), signer)
}

/// The newest version; for the patient and for organizations it names.
pub fn get(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Consent> {
    identifier::pid(pid)?;
    let unknown = || Fault::NotFound { what: "consent".to_owned(), id: id.to_owned() };
    Ok(tx.find(Consent::at(pid, id))?.ok_or_else(unknown)?)
}

/// All consents of a patient, newest version of each.
pub fn list(tx: &Tx<'_>, pid: &str) -> Result<Vec<Consent>> {
    identifier::pid(pid)?;
    tx.list(Consent::all().under(pid))?.collect()
}

/// All versions, oldest first.
pub fn history(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Vec<ConsentVersion>> {
    identifier::pid(pid)?;
    tx.list(ConsentVersion::all().under(pid).under(id))?.collect()
}

fn controller(tx: &Tx<'_>, pid: &str, action: &str) -> Result<String> {
    let caller = tx.caller()?;
    let patient = Patient::load(tx, pid)?;
    who::require_controller(&patient, &caller, action)?;
    Ok(patient.controller)
}

fn expected(tx: &Tx<'_>, pid: &str, id: &str, given: u32) -> Result<Consent> {
    let consent = get(tx, pid, id)?;
    let current = consent.version;
    ensure!(given == current, Fault::Version { given, current });
    Ok(consent)
}

fn write(tx: &mut Tx<'_>, consent: Consent, reason: Option<String>, signer: String) -> Result<u32> {
    let version = consent.version;
    tx.emit(
        "ConsentChanged",
        &serde_json::json!({
            "pid": consent.pid, "id": consent.id, "version": version, "status": consent.status,
        }),
    )?;
    tx.save(&consent)?;
    tx.save(&ConsentVersion {
        slot: slot(version),
        pid: consent.pid,
        id: consent.id,
        version,
        status: consent.status,
        terms: consent.terms,
        reason,
        signer,
        tx_id: tx.id(),
        at: tx.timestamp(),
    })?;
    Ok(version)
}
