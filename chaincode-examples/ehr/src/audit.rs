//! The access log: appended with the transaction's id in the key, so that concurrent accesses
//! never conflict; written twice, by patient and by actor, so that both can be read in order.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::access::Request;
use crate::fault::Fault;
use crate::patient::Patient;
use crate::vocabulary::Purpose;
use crate::who;

/// Most entries one page can have.
pub const PAGE_MAX: u32 = 100;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// A request was granted, at least in part.
    Permitted,
    /// A request was denied.
    Denied,
    /// Keys left a vault.
    Released,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "acc/{pid}/{order}/{tx_id}")]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The patient.
    pub pid: String,
    /// The time as digits that sort.
    pub order: String,
    /// The transaction.
    pub tx_id: String,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub act: Act,
    /// The request it belongs to.
    pub request: String,
    /// The actor's organization.
    pub msp_id: String,
    /// The actor.
    pub actor: String,
    /// The actor's role.
    pub role: String,
    /// Why.
    pub purpose: Purpose,
    /// The vault's organization, for releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custodian: Option<String>,
    /// Consents relied on, as `id@version`.
    pub consents: BTreeSet<String>,
    /// Records permitted or released.
    pub permitted: u32,
    /// Records withheld.
    pub withheld: u32,
}

/// The same entry, found by actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "acca/{msp_id}/{actor}/{order}/{tx_id}")]
#[serde(rename_all = "camelCase")]
struct AccessByActor {
    msp_id: String,
    actor: String,
    order: String,
    tx_id: String,
    pid: String,
}

impl Access {
    /// An entry about a request, without counts.
    pub fn new(request: &Request, act: Act, tx_id: &str, at: Timestamp) -> Self {
        Self {
            pid: request.pid.clone(),
            order: format!("{:012}{:09}", at.seconds.max(0), at.nanos),
            tx_id: tx_id.to_owned(),
            at,
            act,
            request: request.id.clone(),
            msp_id: request.msp_id.clone(),
            actor: request.actor.clone(),
            role: request.role.clone(),
            purpose: request.purpose,
            custodian: None,
            consents: BTreeSet::new(),
            permitted: 0,
            withheld: 0,
        }
    }
}

/// Appends an entry.
pub fn record(tx: &mut Tx<'_>, entry: Access) -> Result<()> {
    tx.save(&AccessByActor {
        msp_id: entry.msp_id.clone(),
        actor: entry.actor.clone(),
        order: entry.order.clone(),
        tx_id: entry.tx_id.clone(),
        pid: entry.pid.clone(),
    })?;
    tx.save(&entry)
}

/// The log of one patient, oldest first: for the patient and the custodian's privacy officer.
pub fn by_patient(
    tx: &Tx<'_>,
    pid: &str,
    from: Timestamp,
    to: Timestamp,
    page_size: u32,
    bookmark: &str,
) -> Result<Paged<Access>> {
    may_audit(tx, pid)?;
    let mut page = tx.list_page(Access::all().under(pid), limit(page_size)?, bookmark)?;
    page.records.retain(|entry| from <= entry.at && entry.at < to);
    Ok(page)
}

/// The log of one actor, oldest first: for privacy officers of the actor's organization and for
/// regulators.
pub fn by_actor(
    tx: &Tx<'_>,
    msp_id: &str,
    actor: &str,
    page_size: u32,
    bookmark: &str,
) -> Result<Paged<Access>> {
    let caller = tx.caller()?;
    let role = who::attribute(&caller, who::ROLE)?;
    let own_officer = role == "privacy-officer" && caller.msp_id == msp_id;
    let who = "the organization's privacy officer or a regulator".to_owned();
    let refused = Fault::Caller { action: "auditing an actor".to_owned(), who };
    ensure!(own_officer || role == "regulator", refused);
    let index = AccessByActor::all().under(msp_id).under(actor);
    let page = tx.list_page(index, limit(page_size)?, bookmark)?;
    let load = |found: AccessByActor| tx.load(Access::at(found.pid, found.order, found.tx_id));
    let records = page.records.into_iter().map(load).collect::<Result<_>>()?;
    Ok(Paged { records, bookmark: page.bookmark })
}

/// Disclosures since a date, in the shape of 45 CFR 164.528: when, to whom, what, why. Treatment,
/// payment and operations are left out unless `full`.
pub fn disclosures(tx: &Tx<'_>, pid: &str, from: Timestamp, full: bool) -> Result<Vec<Access>> {
    may_audit(tx, pid)?;
    let wanted = |entry: &Access| {
        entry.at >= from && entry.act == Act::Released && (full || !entry.purpose.is_routine())
    };
    tx.list(Access::all().under(pid))?.filter(|entry| entry.as_ref().map_or(true, wanted)).collect()
}

fn may_audit(tx: &Tx<'_>, pid: &str) -> Result<()> {
    let caller = tx.caller()?;
    let patient = Patient::load(tx, pid)?;
    let officer = caller.attribute(who::ROLE) == Some("privacy-officer")
        && caller.msp_id == patient.custodian;
    if officer {
        return Ok(());
    }
    Ok(who::require_controller(&patient, &caller, "reading the access log")?)
}

fn limit(page_size: u32) -> Result<u32, Fault> {
    if (1..=PAGE_MAX).contains(&page_size) {
        return Ok(page_size);
    }
    Err(Fault::Limit { what: "entries of a page".to_owned(), max: PAGE_MAX as usize })
}
