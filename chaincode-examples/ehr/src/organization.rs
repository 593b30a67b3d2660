//! Organizations and the practitioners they answer for.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::vocabulary::Kind;
use crate::{identifier, who};

/// An organization of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "org/{msp_id}")]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its MSP id.
    pub msp_id: String,
    /// Its FHIR Organization id.
    pub fhir_id: String,
    /// What it does.
    pub kinds: BTreeSet<Kind>,
    /// Where its vault answers.
    pub vault_url: String,
    /// SHA-256 of the vault's key.
    pub vault_key: String,
    /// Whether it may act at present.
    pub suspended: bool,
}

impl Organization {
    /// The registered organization; unknown and suspended ones are refused.
    pub fn active(tx: &Tx<'_>, msp_id: &str) -> Result<Self> {
        let unknown = || Fault::NotFound { what: "organization".into(), id: msp_id.to_owned() };
        let found = tx.find(Self::at(msp_id))?.ok_or_else(unknown)?;
        let who = "organizations that are not suspended".to_owned();
        ensure!(!found.suspended, Fault::Caller { action: "acting".to_owned(), who });
        Ok(found)
    }

    /// Refuses an organization that is none of these kinds.
    pub fn require_kind(&self, wanted: &[Kind]) -> Result<(), Fault> {
        if wanted.iter().any(|kind| self.kinds.contains(kind)) {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.iter().map(|kind| format!("{kind:?}").to_lowercase()).collect();
        Err(Fault::OrgKind { msp_id: self.msp_id.clone(), wanted: wanted.join(" or ") })
    }
}

/// A practitioner, attested by the organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "prac/{msp_id}/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Practitioner {
    /// The organization.
    pub msp_id: String,
    /// The id within it.
    pub id: String,
    /// What the practitioner is.
    pub role: String,
    /// SHA-256 of the National Provider Identifier.
    pub npi_hash: String,
    /// Specialties.
    pub specialties: Vec<String>,
    /// When the attestation ends.
    pub not_after: Timestamp,
}

/// Enters the caller's organization.
pub fn register(
    tx: &mut Tx<'_>,
    fhir_id: &str,
    kinds: BTreeSet<Kind>,
    vault_url: &str,
    vault_key: &str,
) -> Result<()> {
    let caller = tx.caller()?;
    let who = "an administrator of the organization".to_owned();
    let refused = Fault::Caller { action: "registering an organization".to_owned(), who };
    ensure!(caller.role() == Some("admin"), refused);
    identifier::name("fhirOrgId", fhir_id)?;
    identifier::limit("vaultUrl", vault_url)?;
    identifier::sha256("vaultKey", vault_key)?;
    let organization = Organization {
        msp_id: caller.msp_id.clone(),
        fhir_id: fhir_id.to_owned(),
        kinds,
        vault_url: vault_url.to_owned(),
        vault_key: vault_key.to_owned(),
        suspended: false,
    };
    let exists = Fault::Exists { what: "organization".to_owned(), id: caller.msp_id };
    ensure!(!tx.exists(organization.key())?, exists);
    tx.save(&organization)
}

/// Attests a practitioner of the caller's organization.
pub fn attest(
    tx: &mut Tx<'_>,
    id: &str,
    npi: &str,
    role: &str,
    specialties: Vec<String>,
    not_after: Timestamp,
) -> Result<()> {
    let caller = tx.caller()?;
    who::require_role(&caller, "registrar")?;
    Organization::active(tx, &caller.msp_id)?;
    identifier::name("pracId", id)?;
    identifier::name("role", role)?;
    identifier::npi(npi)?;
    for specialty in &specialties {
        identifier::name("specialty", specialty)?;
    }
    let now = tx.timestamp();
    ensure!(now < not_after, Fault::RoleExpired { practitioner: id.to_owned() });
    let attested = Practitioner {
        msp_id: caller.msp_id,
        id: id.to_owned(),
        role: role.to_owned(),
        npi_hash: who::hash(npi.as_bytes()),
        specialties,
        not_after,
    };
    let current = tx.find(attested.key())?.is_some_and(|found| now < found.not_after);
    ensure!(!current, Fault::Exists { what: "attestation".to_owned(), id: id.to_owned() });
    tx.save(&attested)
}
