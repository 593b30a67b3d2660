//! Patients under a pseudonym. Who a pseudonym is stands in the custodian's private collection.

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::organization::Organization;
use crate::vocabulary::Kind;
use crate::{identifier, who};

/// Transient input that carries the identifying link.
const LINK: &str = "link";

/// A patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "pt/{pid}")]
#[serde(rename_all = "camelCase")]
pub struct Patient {
    /// The pseudonym: 128 random bits.
    pub pid: String,
    /// SHA-256 of the public key that signs consents.
    pub controller: String,
    /// The organization that registered the patient and knows who it is.
    pub custodian: String,
    /// Time zone (IANA name), for dates that count in the patient's day.
    pub time_zone: String,
}

impl Patient {
    /// The registered patient.
    pub fn load(tx: &Tx<'_>, pid: &str) -> Result<Self> {
        identifier::pid(pid)?;
        let unknown = || Fault::NotFound { what: "patient".to_owned(), id: pid.to_owned() };
        Ok(tx.find(Self::at(pid))?.ok_or_else(unknown)?)
    }
}

/// Who a pseudonym is; kept by the custodian only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "link/{pid}")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Link {
    #[serde(default)]
    pid: String,
    mrn: String,
    name: String,
    birth_date: String,
    /// Makes the hash on the chain impossible to guess.
    salt: String,
}

/// Registers a patient; the identifying link, if the client sends one, goes to the custodian's
/// private collection.
pub fn register(
    tx: &mut Tx<'_>,
    pid: &str,
    key_fingerprint: &str,
    time_zone: &str,
) -> Result<String> {
    let caller = tx.caller()?;
    who::require_role(&caller, "registrar")?;
    Organization::active(tx, &caller.msp_id)?.require_kind(&[Kind::Provider, Kind::Acute])?;
    identifier::pid(pid)?;
    identifier::sha256("keyFingerprint", key_fingerprint)?;
    identifier::limit("tz", time_zone)?;
    let exists = Fault::Exists { what: "patient".to_owned(), id: pid.to_owned() };
    ensure!(!tx.exists(Patient::at(pid))?, exists);
    if tx.transient_map().contains_key(LINK) {
        let link: Link = tx.transient(LINK)?;
        let rule = "of the link must have at least 16 characters".to_owned();
        ensure!(link.salt.len() >= 16, Fault::Identifier { field: "salt".to_owned(), rule });
        let own_collection = format!("_implicit_org_{}", caller.msp_id);
        tx.private_mut(own_collection).save(&Link { pid: pid.to_owned(), ..link })?;
    }
    tx.save(&Patient {
        pid: pid.to_owned(),
        controller: key_fingerprint.to_owned(),
        custodian: caller.msp_id,
        time_zone: time_zone.to_owned(),
    })?;
    tx.emit("PatientRegistered", &[pid])?;
    Ok(pid.to_owned())
}
