//! Record pointers: where a record is and what it must hash to. The record itself, encrypted, is
//! in its custodian's vault.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::consent::is_type;
use crate::fault::Fault;
use crate::identifier;
use crate::organization::Organization;
use crate::patient::Patient;
use crate::vocabulary::{ANY_TYPE, Kind, Label};

/// A record's pointer, as its custodian registers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRecord {
    /// The patient.
    pub pid: String,
    /// The record's id at its custodian.
    pub rec_id: String,
    /// FHIR resource type.
    pub fhir_type: String,
    /// SHA-256 of the ciphertext.
    pub cid: String,
    /// HMAC-SHA-256 of the plaintext under a key of its own.
    pub commit: String,
    /// Bytes of the ciphertext.
    pub size: u64,
    /// Sensitive labels.
    #[serde(default)]
    pub labels: BTreeSet<Label>,
    /// Clinical day, or month where the day would say too much.
    #[serde(default)]
    pub day: Option<String>,
    /// The encounter it belongs to.
    #[serde(default)]
    pub encounter_ref: Option<String>,
    /// The version this one amends.
    #[serde(default)]
    pub supersedes: Option<u32>,
}

/// The newest version of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "rec/{pid}/{custodian}/{rec_id}")]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The patient.
    pub pid: String,
    /// The organization that keeps it.
    pub custodian: String,
    /// The record's id there.
    pub rec_id: String,
    /// 1, 2, …
    pub version: u32,
    /// FHIR resource type.
    pub fhir_type: String,
    /// SHA-256 of the ciphertext.
    pub cid: String,
    /// Sensitive labels.
    pub labels: BTreeSet<Label>,
    /// Clinical day or month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
}

/// One version of a record, never changed after it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "recv/{pid}/{custodian}/{rec_id}/{slot}")]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The patient.
    pub pid: String,
    /// The organization that keeps it.
    pub custodian: String,
    /// The record's id there.
    pub rec_id: String,
    /// 1, 2, …
    pub version: u32,
    /// The version with leading zeros, so that keys sort by it.
    pub slot: String,
    /// FHIR resource type.
    pub fhir_type: String,
    /// SHA-256 of the ciphertext.
    pub cid: String,
    /// HMAC-SHA-256 of the plaintext.
    pub commit: String,
    /// Bytes of the ciphertext.
    pub size: u64,
    /// Sensitive labels.
    pub labels: BTreeSet<Label>,
    /// Clinical day or month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The encounter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter_ref: Option<String>,
    /// The transaction that registered it.
    pub tx_id: String,
    /// When.
    pub at: Timestamp,
}

/// Which record a ciphertext belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "cid/{cid}")]
#[serde(rename_all = "camelCase")]
struct Content {
    cid: String,
    pid: String,
    custodian: String,
    rec_id: String,
}

/// A version number as part of a key.
pub fn slot(version: u32) -> String {
    format!("{version:010}")
}

/// Registers a record or a new version of one; answers with the version.
pub fn register(tx: &mut Tx<'_>, record: NewRecord) -> Result<u32> {
    let custodian = tx.caller()?.msp_id;
    let organization = Organization::active(tx, &custodian)?;
    organization.require_kind(&[Kind::Provider, Kind::Acute, Kind::Lab, Kind::Pharmacy])?;
    validate(&record)?;
    Patient::load(tx, &record.pid)?;
    let version = next_version(tx, &record, &custodian)?;
    ensure!(!tx.exists(Content::at(&record.cid))?, Fault::CidReused);
    tx.save(&Content {
        cid: record.cid.clone(),
        pid: record.pid.clone(),
        custodian: custodian.clone(),
        rec_id: record.rec_id.clone(),
    })?;
    write(tx, record, custodian, version)?;
    Ok(version)
}

fn validate(record: &NewRecord) -> Result<(), Fault> {
    identifier::name("recId", &record.rec_id)?;
    identifier::sha256("cid", &record.cid)?;
    identifier::sha256("commit", &record.commit)?;
    if record.fhir_type == ANY_TYPE || !is_type(&record.fhir_type) {
        return Err(Fault::UnknownType { fhir_type: record.fhir_type.clone() });
    }
    if record.size == 0 {
        let rule = "must not be 0".to_owned();
        return Err(Fault::Identifier { field: "size".to_owned(), rule });
    }
    record.day.as_deref().map_or(Ok(()), identifier::day)?;
    record.encounter_ref.as_deref().map_or(Ok(()), |text| identifier::limit("encounterRef", text))
}

fn next_version(tx: &Tx<'_>, record: &NewRecord, custodian: &str) -> Result<u32> {
    let head = tx.find(Head::at(&record.pid, custodian, &record.rec_id))?;
    match (head, record.supersedes) {
        (None, None) => Ok(1),
        (Some(_), None) => {
            Err(Fault::Exists { what: "record".to_owned(), id: record.rec_id.clone() }.into())
        }
        (Some(head), Some(given)) => {
            let current = head.version;
            ensure!(given == current, Fault::Version { given, current });
            Ok(current + 1)
        }
        (None, Some(_)) => Err(elsewhere(tx, &record.pid, &record.rec_id)?.into()),
    }
}

/// Why there is nothing to amend: another custodian's record, or none at all.
fn elsewhere(tx: &Tx<'_>, pid: &str, rec_id: &str) -> Result<Fault> {
    for head in tx.list(Head::all().under(pid))? {
        let head = head?;
        if head.rec_id == rec_id {
            return Ok(Fault::NotCustodian { custodian: head.custodian });
        }
    }
    Ok(Fault::NotFound { what: "record".to_owned(), id: rec_id.to_owned() })
}

fn write(tx: &mut Tx<'_>, record: NewRecord, custodian: String, version: u32) -> Result<()> {
    tx.emit(
        "RecordRegistered",
        &serde_json::json!({
            "pid": record.pid, "custodian": custodian, "recId": record.rec_id, "version": version,
        }),
    )?;
    tx.save(&Head {
        pid: record.pid.clone(),
        custodian: custodian.clone(),
        rec_id: record.rec_id.clone(),
        version,
        fhir_type: record.fhir_type.clone(),
        cid: record.cid.clone(),
        labels: record.labels.clone(),
        day: record.day.clone(),
    })?;
    tx.save(&Version {
        pid: record.pid,
        custodian,
        rec_id: record.rec_id,
        version,
        slot: slot(version),
        fhir_type: record.fhir_type,
        cid: record.cid,
        commit: record.commit,
        size: record.size,
        labels: record.labels,
        day: record.day,
        encounter_ref: record.encounter_ref,
        tx_id: tx.id(),
        at: tx.timestamp(),
    })
}

/// The newest version of a record.
pub fn get(tx: &Tx<'_>, pid: &str, custodian: &str, rec_id: &str) -> Result<Version> {
    identifier::pid(pid)?;
    let unknown = || Fault::NotFound { what: "record".to_owned(), id: rec_id.to_owned() };
    let head = tx.find(Head::at(pid, custodian, rec_id))?.ok_or_else(unknown)?;
    Ok(tx.find(Version::at(pid, custodian, rec_id, slot(head.version)))?.ok_or_else(unknown)?)
}

/// Whether this is the hash under which that version was registered.
pub fn verify(
    tx: &Tx<'_>,
    pid: &str,
    custodian: &str,
    rec_id: &str,
    version: u32,
    sha256: &str,
) -> Result<bool> {
    let found = tx.find(Version::at(pid, custodian, rec_id, slot(version)))?;
    Ok(found.is_some_and(|found| found.cid == sha256))
}
