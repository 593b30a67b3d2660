//! Handing a package to a patient, once; and undoing it within ten days.

use std::time::Duration;

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1::{Epc, Scan};
use crate::master::{Kind, Party};
use crate::unit::{Dispensing, State, Unit};
use crate::verify;

/// How long a dispensing can be undone (Regulation (EU) 2016/161, article 13).
pub const UNDO: Duration = Duration::from_secs(10 * 24 * 3600);

/// Dispenses a package that verifies, is on hand, unpacked, and owned by the caller.
pub fn dispense(tx: &mut Tx<'_>, scan: &Scan, gln: &str, rx_ref: Option<String>) -> Result<()> {
    let party = dispenser(tx, gln)?;
    if let Some(reference) = &rx_ref {
        salted_hash(reference)?;
    }
    let epc = Epc::sgtin(&scan.gtin, &scan.serial)?;
    let found = verify::verify(tx, scan)?;
    if let Some(reason) = found.verification_failure_reason {
        let reason = serde_json::to_value(reason).unwrap_or_default();
        let reason = reason.as_str().unwrap_or("No_reason_provided").to_owned();
        return Err(Fault::NotVerified { epc: epc.to_string(), reason }.into());
    }
    let unit = Unit::load(tx, &epc)?;
    unit.require_state(State::Active)?;
    unit.require_top()?;
    unit.require_holder(&party.msp_id)?;
    verify::require_unexpired(tx, &unit)?;
    let dispensed = Some(Dispensing { gln: gln.to_owned(), at: tx.timestamp(), rx_ref });
    tx.emit("Dispensed", &serde_json::json!({ "epc": unit.epc }))?;
    tx.save(&Unit { state: State::Dispensed, dispensed, ..unit })
}

/// Takes a dispensing back: by the same dispenser, at the same place, within ten days, before the
/// package expires.
pub fn undo(tx: &mut Tx<'_>, epc: &str, gln: &str) -> Result<()> {
    let party = dispenser(tx, gln)?;
    let unit = Unit::load(tx, &epc.parse()?)?;
    unit.require_state(State::Dispensed)?;
    unit.require_holder(&party.msp_id)?;
    verify::require_unexpired(tx, &unit)?;
    let refuse = |why: &str| Fault::Undo { epc: unit.epc.clone(), why: why.to_owned() };
    let dispensed = unit.dispensed.as_ref().ok_or_else(|| refuse("there is no record of it"))?;
    ensure!(dispensed.gln == gln, refuse("it happened at another location"));
    ensure!(tx.timestamp().since(dispensed.at) <= UNDO, refuse("ten days have passed"));
    tx.emit("DispensingUndone", &serde_json::json!({ "epc": unit.epc }))?;
    tx.save(&Unit { state: State::Active, dispensed: None, ..unit })
}

fn dispenser(tx: &Tx<'_>, gln: &str) -> Result<Party> {
    let party = Party::own(tx, gln)?;
    let refused = Fault::Caller { action: "dispensing".to_owned(), who: "dispensers".to_owned() };
    ensure!(party.kinds.contains(&Kind::Dispenser), refused);
    Ok(party)
}

/// A prescription is named by a salted hash only, never by anything that leads to a patient.
fn salted_hash(reference: &str) -> Result<(), Fault> {
    if reference.len() == 64 && reference.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    let rule = "must be a SHA-256 in hex".to_owned();
    Err(Fault::Identifier { field: "rxRef".to_owned(), rule })
}
