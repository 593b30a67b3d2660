//! The decision: may this caller have this record for this purpose, now?
//!
//! A pure function over the consents that are active, so that every endorser, and everyone who
//! replays the chain, comes to the same verdict. The order matters:
//!
//! 1. The narrowest grantee scope that matches decides: a practitioner before a role at an
//!    organization, before the organization, before a role anywhere, before anyone.
//! 2. At that scope a denial wins.
//! 3. A sensitive record needs permits that admit every label it carries.
//! 4. Without an applicable consent the answer is no (the network's default is opt-in).

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::consent::{Consent, Terms};
use crate::vocabulary::{ANY_TYPE, Decision, Label, Obligation, Operation, Purpose};

/// Who asks, as attested and certified.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The organization.
    pub msp_id: &'a str,
    /// The practitioner's id in it.
    pub practitioner: &'a str,
    /// The attested role.
    pub role: &'a str,
}

/// What of a record matters for the decision.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// FHIR resource type.
    pub fhir_type: &'a str,
    /// Sensitive labels.
    pub labels: &'a BTreeSet<Label>,
    /// Clinical day or month.
    pub day: Option<&'a str>,
}

/// Why a record is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// No consent covers the request.
    NoConsent,
    /// A consent forbids it.
    Denied,
    /// The record is sensitive and no permit admits its label.
    LabelWithheld,
}

/// The verdict on one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be released until the consent ends.
    Permit {
        /// The consent relied on, as `id@version`.
        consent: String,
        /// What the recipient must keep to.
        obligations: BTreeSet<Obligation>,
        /// When the consent ends.
        until: Timestamp,
    },
    /// It is withheld.
    Deny(Reason),
}

/// Decides about reading one record.
pub fn decide(
    consents: &[Consent],
    who: Requester<'_>,
    purpose: Purpose,
    subject: Subject<'_>,
    now: Timestamp,
) -> Verdict {
    let mut scope = Scope::None;
    let mut deciding: Vec<&Consent> = Vec::new();
    for consent in consents.iter().filter(|consent| applies(consent, purpose, subject, now)) {
        let reach = consent.terms.grantees.iter().filter_map(|grantee| grantee.reach(who)).min();
        let Some(reach) = reach.map(Scope::Of) else { continue };
        if reach < scope {
            scope = reach;
            deciding.clear();
        }
        if reach == scope {
            deciding.push(consent);
        }
    }
    let (denials, permits): (Vec<&Consent>, Vec<&Consent>) =
        deciding.into_iter().partition(|consent| consent.terms.decision == Decision::Deny);
    if !denials.is_empty() {
        return Verdict::Deny(Reason::Denied);
    }
    permit(&permits, subject.labels)
}

/// Scopes seen so far; no scope is wider than any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Of(u8),
    None,
}

fn applies(consent: &Consent, purpose: Purpose, subject: Subject<'_>, now: Timestamp) -> bool {
    let terms = &consent.terms;
    consent.is_active(now)
        && terms.purposes.contains(&purpose)
        && terms.operations.contains(&Operation::R)
        && covers_type(terms, subject.fhir_type)
        && covers_day(terms, subject.day)
        && (terms.decision == Decision::Permit || concerns_labels(terms, subject.labels))
}

fn covers_type(terms: &Terms, fhir_type: &str) -> bool {
    terms.types.iter().any(|listed| listed == ANY_TYPE || listed == fhir_type)
}

/// Compares at the coarser of both precisions; an undated record is outside every period.
fn covers_day(terms: &Terms, day: Option<&str>) -> bool {
    let bound = |bound: &Option<String>, inside: fn(&str, &str) -> bool| match (bound, day) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(bound), Some(day)) => {
            let length = bound.len().min(day.len());
            inside(day.get(..length).unwrap_or(day), bound.get(..length).unwrap_or(bound))
        }
    };
    bound(&terms.data_from, |day, from| day >= from) && bound(&terms.data_to, |day, to| day <= to)
}

/// A denial that names labels holds back the records that carry one of them.
fn concerns_labels(terms: &Terms, labels: &BTreeSet<Label>) -> bool {
    terms.labels.is_empty() || !terms.labels.is_disjoint(labels)
}

fn permit(permits: &[&Consent], labels: &BTreeSet<Label>) -> Verdict {
    let admitted: BTreeSet<Label> =
        permits.iter().flat_map(|consent| consent.terms.labels.iter().copied()).collect();
    if permits.is_empty() {
        return Verdict::Deny(Reason::NoConsent);
    }
    if !labels.is_subset(&admitted) {
        return Verdict::Deny(Reason::LabelWithheld);
    }
    let used: Vec<&&Consent> = permits
        .iter()
        .filter(|consent| labels.is_empty() || !consent.terms.labels.is_disjoint(labels))
        .collect();
    let mut obligations: BTreeSet<Obligation> =
        used.iter().flat_map(|consent| consent.terms.obligations.iter().copied()).collect();
    if labels.iter().any(|label| matches!(label, Label::Sud | Label::Ethud | Label::Opioidud)) {
        obligations.insert(Obligation::NoRedisclosure);
    }
    let consent = used.iter().map(|consent| consent.reference()).collect::<Vec<_>>().join(",");
    let until = used.iter().map(|consent| consent.terms.valid_to).min().unwrap_or_default();
    Verdict::Permit { consent, obligations, until }
}

#[cfg(test)]
mod tests;
