//! Request, decision, release: the decision is made by the contract and committed with the
//! versions it relied on; keys leave a vault only after the release is on record, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gauze_chaincode::prelude::*;

use crate::audit::{Access, Act};
use crate::consent::{Consent, is_type};
use crate::decision::{Reason, Requester, Subject, Verdict, decide};
use crate::fault::Fault;
use crate::organization::Organization;
use crate::patient::Patient;
use crate::records::Head;
use crate::vocabulary::{ANY_TYPE, Obligation, Purpose};
use crate::{audit, identifier, who};

/// Longest access given at once: a day.
pub const WINDOW_SECONDS_MAX: u32 = 24 * 3600;

/// A request for access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessRequest {
    /// The patient.
    pub pid: String,
    /// Why.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// FHIR resource types; `*` for all.
    pub types: BTreeSet<String>,
    /// For how many seconds.
    pub window_seconds: u32,
    /// SHA-256 of the key to which records are to be released.
    pub recipient_key: String,
}

/// A record that may be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Permitted {
    /// The organization that keeps it.
    pub custodian: String,
    /// The record's id there.
    pub rec_id: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the ciphertext.
    pub cid: String,
    /// FHIR resource type.
    pub fhir_type: String,
    /// The consents relied on, as `id@version`.
    pub consent: String,
    /// What the recipient must keep to.
    pub obligations: BTreeSet<Obligation>,
    /// When the permit ends.
    pub expires: Timestamp,
}

/// How many records are withheld, and why; not which ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Withheld {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u32,
}

/// A decided request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "req/{pid}/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The patient.
    pub pid: String,
    /// The transaction that decided it.
    pub id: String,
    /// The requester's organization.
    pub msp_id: String,
    /// The requester.
    pub actor: String,
    /// The requester's attested role.
    pub role: String,
    /// Why.
    pub purpose: Purpose,
    /// The key to release to.
    pub recipient_key: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What may be released.
    pub permitted: Vec<Permitted>,
    /// What may not.
    pub withheld: Vec<Withheld>,
}

/// A release, recorded before the keys leave the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "rel/{request}/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The request.
    pub request: String,
    /// The transaction that recorded it.
    pub id: String,
    /// The patient.
    pub pid: String,
    /// The vault's organization.
    pub custodian: String,
    /// What was released.
    pub cids: BTreeSet<String>,
    /// The key it was released to.
    pub recipient_key: String,
    /// SHA-256 of each sealed envelope.
    pub envelope_digests: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// Decides a request and records the decision, whichever way it falls.
pub fn request(tx: &mut Tx<'_>, wanted: AccessRequest) -> Result<Request> {
    let caller = tx.caller()?;
    let patient = Patient::load(tx, &wanted.pid)?;
    let purpose = validate(&wanted)?;
    let own = purpose == Purpose::Patrqt;
    let (actor, role) = if own {
        who::require_controller(&patient, &caller, "requesting one's own records")?;
        (patient.controller.clone(), "patient".to_owned())
    } else {
        let practitioner = who::practitioner(tx, &caller)?;
        (practitioner.id, practitioner.role)
    };
    let requester = Requester { msp_id: &caller.msp_id, practitioner: &actor, role: &role };
    let (permitted, withheld) = verdicts(tx, &wanted, purpose, requester, own)?;
    let decided = Request {
        pid: wanted.pid,
        id: tx.id(),
        msp_id: caller.msp_id,
        actor,
        role,
        purpose,
        recipient_key: wanted.recipient_key,
        at: tx.timestamp(),
        permitted,
        withheld,
    };
    tx.save(&decided)?;
    audit::record(tx, Access::of_request(&decided))?;
    tx.emit(
        "AccessDecided",
        &serde_json::json!({
            "pid": decided.pid, "request": decided.id, "permitted": decided.permitted.len(),
        }),
    )?;
    Ok(decided)
}

fn validate(wanted: &AccessRequest) -> Result<Purpose, Fault> {
    let purpose = wanted.purpose.ok_or(Fault::PurposeRequired)?;
    if let Some(unknown) = wanted.types.iter().find(|name| !is_type(name)) {
        return Err(Fault::UnknownType { fhir_type: unknown.clone() });
    }
    identifier::sha256("recipientKey", &wanted.recipient_key)?;
    let asked = wanted.window_seconds;
    if asked == 0 || asked > WINDOW_SECONDS_MAX {
        return Err(Fault::Window { asked, max: WINDOW_SECONDS_MAX });
    }
    Ok(purpose)
}

/// Reads the patient's consents as a range on purpose: whoever changes one of them in the same
/// block makes this decision invalid instead of outdated.
fn verdicts(
    tx: &Tx<'_>,
    wanted: &AccessRequest,
    purpose: Purpose,
    requester: Requester<'_>,
    own: bool,
) -> Result<(Vec<Permitted>, Vec<Withheld>)> {
    let consents: Vec<Consent> =
        tx.list(Consent::all().under(&wanted.pid))?.collect::<Result<_>>()?;
    let now = tx.timestamp();
    let latest = now + Duration::from_secs(u64::from(wanted.window_seconds));
    let mut permitted = Vec::new();
    let mut withheld: BTreeMap<Reason, u32> = BTreeMap::new();
    for head in tx.list(Head::all().under(&wanted.pid))? {
        let head = head?;
        if !wanted.types.contains(ANY_TYPE) && !wanted.types.contains(&head.fhir_type) {
            continue;
        }
        let subject =
            Subject { fhir_type: &head.fhir_type, labels: &head.labels, day: head.day.as_deref() };
        let verdict = if own {
            let consent = "own".to_owned();
            Verdict::Permit { consent, obligations: BTreeSet::new(), until: latest }
        } else {
            decide(&consents, requester, purpose, subject, now)
        };
        match verdict {
            Verdict::Deny(reason) => *withheld.entry(reason).or_default() += 1,
            Verdict::Permit { consent, obligations, until } => permitted.push(Permitted {
                custodian: head.custodian,
                rec_id: head.rec_id,
                version: head.version,
                cid: head.cid,
                fhir_type: head.fhir_type,
                consent,
                obligations,
                expires: until.min(latest),
            }),
        }
    }
    let withheld = withheld.into_iter().map(|(reason, count)| Withheld { reason, count }).collect();
    Ok((permitted, withheld))
}

/// A decided request.
pub fn get(tx: &Tx<'_>, pid: &str, id: &str) -> Result<Request> {
    identifier::pid(pid)?;
    let unknown = || Fault::NotFound { what: "request".to_owned(), id: id.to_owned() };
    Ok(tx.find(Request::at(pid, id))?.ok_or_else(unknown)?)
}

/// Records that the caller's vault releases these contents to the key the request names.
pub fn release(
    tx: &mut Tx<'_>,
    pid: &str,
    request_id: &str,
    cids: BTreeSet<String>,
    envelope_digests: Vec<String>,
    recipient_key: &str,
) -> Result<()> {
    let custodian = tx.caller()?.msp_id;
    Organization::active(tx, &custodian)?;
    let request = get(tx, pid, request_id)?;
    ensure!(request.recipient_key == recipient_key, Fault::Recipient);
    let rule = "must be one digest for each content".to_owned();
    let miscounted = Fault::Identifier { field: "envelopeDigests".to_owned(), rule };
    ensure!(!cids.is_empty() && cids.len() == envelope_digests.len(), miscounted);
    for digest in &envelope_digests {
        identifier::sha256("envelopeDigest", digest)?;
    }
    for cid in &cids {
        check_release(&request, cid, &custodian, tx.timestamp())?;
    }
    let release = Release {
        request: request.id.clone(),
        id: tx.id(),
        pid: pid.to_owned(),
        custodian,
        cids,
        recipient_key: recipient_key.to_owned(),
        envelope_digests,
        at: tx.timestamp(),
    };
    tx.save(&release)?;
    audit::record(tx, Access::of_release(&request, &release))?;
    tx.emit("KeyReleased", &serde_json::json!({ "pid": pid, "request": request.id }))
}

fn check_release(
    request: &Request,
    cid: &str,
    custodian: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let not_permitted = || Fault::NotPermitted { request: request.id.clone(), cid: cid.to_owned() };
    let permitted = request
        .permitted
        .iter()
        .find(|permitted| permitted.cid == cid)
        .ok_or_else(not_permitted)?;
    if permitted.custodian != custodian {
        return Err(Fault::NotCustodian { custodian: permitted.custodian.clone() });
    }
    if now >= permitted.expires {
        return Err(Fault::Expired { until: permitted.expires.to_string() });
    }
    Ok(())
}

impl Access {
    fn of_request(request: &Request) -> Self {
        let consents = request.permitted.iter().map(|permitted| permitted.consent.clone());
        let act = if request.permitted.is_empty() { Act::Denied } else { Act::Permitted };
        Self {
            consents: consents.collect(),
            permitted: request.permitted.len() as u32,
            withheld: request.withheld.iter().map(|withheld| withheld.count).sum(),
            ..Self::new(request, act, &request.id, request.at)
        }
    }

    fn of_release(request: &Request, release: &Release) -> Self {
        Self {
            custodian: Some(release.custodian.clone()),
            permitted: release.cids.len() as u32,
            ..Self::new(request, Act::Released, &release.id, release.at)
        }
    }
}
