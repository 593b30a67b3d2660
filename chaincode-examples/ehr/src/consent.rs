//! Consents: whom a patient lets see what, why, and until when.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::decision::Requester;
use crate::fault::Fault;
use crate::identifier;
use crate::vocabulary::{
    ANY_TYPE, Decision, Label, Obligation, Operation, Purpose, RESOURCE_TYPES,
};

/// Longest validity of a consent: ten years, in seconds.
pub const VALIDITY_SECONDS_MAX: i64 = 10 * 366 * 24 * 3600;

/// Most consents one patient can have.
pub const CONSENTS_MAX: usize = 200;

/// Whom a consent is about. All fields absent means anyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grantee {
    /// The organization's MSP id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// A practitioner of that organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<String>,
    /// A role, at that organization or anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Grantee {
    /// How narrow the match is, 0 the narrowest; `None` if the requester is not meant.
    pub fn reach(&self, who: Requester<'_>) -> Option<u8> {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let matches = is(&self.organization, who.msp_id)
            && is(&self.practitioner, who.practitioner)
            && is(&self.role, who.role);
        matches.then_some(match (&self.organization, &self.practitioner, &self.role) {
            (_, Some(_), _) => 0,
            (Some(_), None, Some(_)) => 1,
            (Some(_), None, None) => 2,
            (None, None, Some(_)) => 3,
            (None, None, None) => 4,
        })
    }

    fn validate(&self) -> Result<(), Fault> {
        if self.practitioner.is_some() && self.organization.is_none() {
            return Err(Fault::Terms("a practitioner needs an organization".to_owned()));
        }
        for (field, value) in [
            ("organization", &self.organization),
            ("practitioner", &self.practitioner),
            ("role", &self.role),
        ] {
            if let Some(value) = value {
                identifier::name(field, value)?;
            }
        }
        Ok(())
    }
}

/// What the patient signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terms {
    /// Permit or deny.
    pub decision: Decision,
    /// Whom it is about.
    pub grantees: Vec<Grantee>,
    /// For which purposes.
    pub purposes: BTreeSet<Purpose>,
    /// FHIR resource types; `*` for all.
    pub types: BTreeSet<String>,
    /// Sensitive labels a permit admits, or a denial holds back.
    #[serde(default)]
    pub labels: BTreeSet<Label>,
    /// Earliest clinical day covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_from: Option<String>,
    /// Latest clinical day covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_to: Option<String>,
    /// When it begins.
    pub valid_from: Timestamp,
    /// When it ends; at this instant it no longer holds.
    pub valid_to: Timestamp,
    /// What may be done.
    pub operations: BTreeSet<Operation>,
    /// What recipients must keep to.
    #[serde(default)]
    pub obligations: BTreeSet<Obligation>,
}

impl Terms {
    /// Refuses what no patient can mean or no regulation allows.
    pub fn validate(&self) -> Result<(), Fault> {
        let refuse = |why: &str| Err(Fault::Terms(why.to_owned()));
        if self.grantees.is_empty() || self.grantees.len() > 32 {
            return refuse("between 1 and 32 grantees are needed");
        }
        self.grantees.iter().try_for_each(Grantee::validate)?;
        if self.purposes.is_empty() || self.types.is_empty() || self.operations.is_empty() {
            return refuse("purposes, types and operations must not be empty");
        }
        if let Some(unknown) = self.types.iter().find(|name| !is_type(name)) {
            return Err(Fault::UnknownType { fhir_type: unknown.clone() });
        }
        for day in [&self.data_from, &self.data_to].into_iter().flatten() {
            identifier::day(day)?;
        }
        if self.valid_to <= self.valid_from {
            return refuse("the validity ends before it begins");
        }
        if self.valid_to.seconds - self.valid_from.seconds > VALIDITY_SECONDS_MAX {
            return refuse("the validity is longer than ten years");
        }
        if self.decision == Decision::Permit {
            self.validate_permit()?;
        }
        Ok(())
    }

    fn validate_permit(&self) -> Result<(), Fault> {
        let refuse = |why: &str| Err(Fault::Terms(why.to_owned()));
        if self.types.contains(ANY_TYPE) && self.purposes.iter().any(|p| p.needs_listed_types()) {
            return refuse("payment, operations and research need a list of types, not '*'");
        }
        if self.purposes.contains(&Purpose::Patrqt) {
            return refuse("the purpose PATRQT is the patient's own and cannot be granted");
        }
        Ok(())
    }
}

/// Whether this is a type a record can have, or `*`.
pub fn is_type(name: &str) -> bool {
    name == ANY_TYPE || RESOURCE_TYPES.contains(&name)
}

/// Whether a consent still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In force, within its validity.
    Active,
    /// Withdrawn.
    Revoked,
}

/// A consent: its newest version, and in `ConsentVersion` each of the past ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "con/{pid}/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The patient.
    pub pid: String,
    /// The consent's id.
    pub id: String,
    /// 1, 2, …
    pub version: u32,
    /// Whether it stands.
    pub status: Status,
    /// What was signed.
    pub terms: Terms,
}

impl Consent {
    /// Whether it is in force at this instant.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.status == Status::Active && self.terms.valid_from <= now && now < self.terms.valid_to
    }

    /// `id@version`, as decisions and audits name it.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }
}

/// One version of a consent, never changed after it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "conv/{pid}/{id}/{slot}")]
#[serde(rename_all = "camelCase")]
pub struct ConsentVersion {
    /// The patient.
    pub pid: String,
    /// The consent's id.
    pub id: String,
    /// 1, 2, …
    pub version: u32,
    /// The version with leading zeros, so that keys sort by it.
    pub slot: String,
    /// Whether it granted or withdrew.
    pub status: Status,
    /// What was signed.
    pub terms: Terms,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who signed, by key fingerprint.
    pub signer: String,
    /// The transaction.
    pub tx_id: String,
    /// When.
    pub at: Timestamp,
}
