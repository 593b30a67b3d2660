//! Access to electronic health records: who may see which record of which patient, why, and until
//! when; decided on the chain, recorded on the chain, without any of the record on the chain.
//!
//! The chain holds pseudonyms, pointers (`cid`, the hash of a ciphertext), commitments, consent
//! terms, decisions and the access log. Names, dates of birth, texts and keys never enter it.
//!
//! Keys are laid out so that care does not wait for care: every access writes keys of its own,
//! and nothing is counted on the chain. One thing conflicts on purpose: a decision reads the
//! patient's consents as a range, so a consent that changes in the same block invalidates it.

#![deny(unsafe_code)]

pub mod access;
pub mod audit;
pub mod consent;
pub mod consents;
pub mod decision;
pub mod fault;
pub mod identifier;
pub mod organization;
pub mod patient;
pub mod records;
pub mod vocabulary;
pub mod who;

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use access::{AccessRequest, Request};
use audit::Access;
use consent::{Consent, ConsentVersion, Terms};
use organization::{Organization, Practitioner};
use patient::Patient;
use records::{NewRecord, Version};
use vocabulary::Kind;

/// Consent, access decisions and audit for electronic health records.
#[contract(name = "ehr", version = "1.0.0")]
#[derive(Debug)]
pub struct Ehr;

#[transactions]
impl Ehr {
    /// Registers the caller's organization. For its administrators.
    #[submit]
    pub fn register_org(
        tx: &mut Tx<'_>,
        fhir_org_id: &str,
        kinds: BTreeSet<Kind>,
        vault_url: &str,
        vault_key: &str,
    ) -> Result<()> {
        organization::register(tx, fhir_org_id, kinds, vault_url, vault_key)
    }

    /// A registered organization.
    #[evaluate]
    pub fn get_org(tx: &Tx<'_>, msp_id: &str) -> Result<Organization> {
        Organization::active(tx, msp_id)
    }

    /// Attests role and National Provider Identifier of a practitioner of the caller's
    /// organization. For its registrars.
    #[submit]
    pub fn attest_practitioner(
        tx: &mut Tx<'_>,
        prac_id: &str,
        npi: &str,
        role: &str,
        specialties: Vec<String>,
        not_after: Timestamp,
    ) -> Result<()> {
        organization::attest(tx, prac_id, npi, role, specialties, not_after)
    }

    /// An attested practitioner.
    #[evaluate]
    pub fn get_practitioner(tx: &Tx<'_>, msp_id: &str, prac_id: &str) -> Result<Practitioner> {
        tx.load(Practitioner::at(msp_id, prac_id))
    }

    /// Registers a patient under a random pseudonym. Transient input `link` (mrn, name, birthDate,
    /// salt) goes to the custodian's private collection. For registrars.
    #[submit]
    pub fn register_patient(
        tx: &mut Tx<'_>,
        pid: &str,
        key_fingerprint: &str,
        time_zone: &str,
    ) -> Result<String> {
        patient::register(tx, pid, key_fingerprint, time_zone)
    }

    /// A registered patient.
    #[evaluate]
    pub fn get_patient(tx: &Tx<'_>, pid: &str) -> Result<Patient> {
        Patient::load(tx, pid)
    }

    /// The fingerprint of the caller's key, as `RegisterPatient` wants it.
    #[evaluate]
    pub fn my_fingerprint(tx: &Tx<'_>) -> Result<String> {
        Ok(who::fingerprint(&tx.caller()?)?)
    }

    /// Registers a record kept by the caller's organization, or a new version of one. Answers with
    /// the version.
    #[submit]
    pub fn register_record(tx: &mut Tx<'_>, record: NewRecord) -> Result<u32> {
        records::register(tx, record)
    }

    /// The newest version of a record's pointer.
    #[evaluate]
    pub fn get_record(tx: &Tx<'_>, pid: &str, custodian: &str, rec_id: &str) -> Result<Version> {
        records::get(tx, pid, custodian, rec_id)
    }

    /// Whether a ciphertext's SHA-256 is the one registered for that version.
    #[evaluate]
    pub fn verify_record(
        tx: &Tx<'_>,
        pid: &str,
        custodian: &str,
        rec_id: &str,
        version: u32,
        sha256: &str,
    ) -> Result<bool> {
        records::verify(tx, pid, custodian, rec_id, version, sha256)
    }

    /// Makes a consent. For the patient.
    #[submit]
    pub fn grant_consent(tx: &mut Tx<'_>, pid: &str, id: &str, terms: Terms) -> Result<u32> {
        consents::grant(tx, pid, id, terms)
    }

    /// Replaces a consent's terms by a new version. For the patient.
    #[submit]
    pub fn change_consent(
        tx: &mut Tx<'_>,
        pid: &str,
        id: &str,
        expected_version: u32,
        terms: Terms,
    ) -> Result<u32> {
        consents::change(tx, pid, id, expected_version, terms)
    }

    /// Withdraws a consent. It stops future releases; it cannot recall what was seen. For the
    /// patient.
    #[submit]
    pub fn revoke_consent(
        tx: &mut Tx<'_>,
        pid: &str,
        id: &str,
        expected_version: u32,
        reason: &str,
    ) -> Result<u32> {
        consents::revoke(tx, pid, id, expected_version, reason)
    }

    /// A consent as it stands.
    #[evaluate]
    pub fn get_consent(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Consent> {
        consents::get(tx, pid, id)
    }

    /// All consents of a patient as they stand.
    #[evaluate]
    pub fn list_consents(tx: &Tx<'_>, pid: &str) -> Result<Vec<Consent>> {
        consents::list(tx, pid)
    }

    /// Every version of a consent, oldest first.
    #[evaluate]
    pub fn get_consent_history(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Vec<ConsentVersion>> {
        consents::history(tx, pid, id)
    }

    /// Decides which records the caller may have, and records the decision, also a denial. For
    /// attested practitioners; with purpose PATRQT for the patient.
    #[submit]
    pub fn request_access(tx: &mut Tx<'_>, request: AccessRequest) -> Result<Request> {
        access::request(tx, request)
    }

    /// A decided request.
    #[evaluate]
    pub fn get_request(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Request> {
        access::get(tx, pid, id)
    }

    /// Records a release before the keys leave the vault. For the custodian of the records.
    #[submit]
    pub fn log_release(
        tx: &mut Tx<'_>,
        pid: &str,
        request: &str,
        cids: BTreeSet<String>,
        envelope_digests: Vec<String>,
        recipient_key: &str,
    ) -> Result<()> {
        access::release(tx, pid, request, cids, envelope_digests, recipient_key)
    }

    /// The access log of a patient, oldest first. For the patient and the custodian's privacy
    /// officer.
    #[evaluate]
    pub fn audit_by_patient(
        tx: &Tx<'_>,
        pid: &str,
        from: Timestamp,
        to: Timestamp,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<Access>> {
        audit::by_patient(tx, pid, from, to, page_size, bookmark)
    }

    /// The access log of an actor, oldest first. For the organization's privacy officer and
    /// regulators.
    #[evaluate]
    pub fn audit_by_actor(
        tx: &Tx<'_>,
        msp_id: &str,
        actor: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<Access>> {
        audit::by_actor(tx, msp_id, actor, page_size, bookmark)
    }

    /// Accounting of disclosures (45 CFR 164.528) since a date; with `full` also those for
    /// treatment, payment and operations.
    #[evaluate]
    pub fn accounting_of_disclosures(
        tx: &Tx<'_>,
        pid: &str,
        from: Timestamp,
        full: bool,
    ) -> Result<Vec<Access>> {
        audit::disclosures(tx, pid, from, full)
    }
}
