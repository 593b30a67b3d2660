//! Verifying a product identifier, in the words of GS1's Lightweight Messaging Standard; and what
//! follows when it does not hold.

use gauze_chaincode::prelude::*;

use crate::commission::Lot;
use crate::fault::Fault;
use crate::gs1::{self, Epc, Scan};
use crate::unit::{State, Unit};

/// Why a product identifier does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "PascalCase")]
pub enum FailureReason {
    /// No such serial.
    #[serde(rename = "No_match_GTIN_Serial")]
    NoMatch,
    /// The lot differs.
    #[serde(rename = "No_match_GTIN_Serial_Lot")]
    Lot,
    /// The expiry differs.
    #[serde(rename = "No_match_GTIN_Serial_Expiry")]
    Expiry,
    /// Lot and expiry differ.
    #[serde(rename = "No_match_GTIN_Serial_Lot_Expiry")]
    LotAndExpiry,
}

/// What else the asker should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum AdditionalInfo {
    /// Was handed to a patient.
    Dispensed,
    /// Its last day has passed.
    Expired,
}

/// The answer to a verification request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether GTIN, serial, lot and expiry are those of one commissioned unit.
    pub verified: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_failure_reason: Option<FailureReason>,
    /// What else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_info: Option<AdditionalInfo>,
}

/// An alert that a package is not what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "alr/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The transaction that raised it.
    pub id: String,
    /// The package, as read.
    pub epc: String,
    /// Who reports it.
    pub reported_by: String,
    /// Where it was found.
    pub gln: String,
    /// Why it does not verify, or why it could not be dispensed.
    pub finding: Verification,
    /// When.
    pub at: Timestamp,
}

/// Verifies the four data of a package.
pub fn verify(tx: &Tx<'_>, scan: &Scan) -> Result<Verification> {
    let epc = Epc::sgtin(&scan.gtin, &scan.serial)?;
    let expiry = gs1::expiry_date(&scan.expiry)?;
    let Some(unit) = tx.find(Unit::at(&epc))? else {
        return Ok(refusal(FailureReason::NoMatch));
    };
    let known = lot_of(tx, &unit)?;
    let lot_matches = known.as_ref().is_some_and(|known| known.lot == scan.lot);
    let expiry_matches = known.as_ref().is_some_and(|known| known.expiry == expiry);
    Ok(match (lot_matches, expiry_matches) {
        (false, false) => refusal(FailureReason::LotAndExpiry),
        (false, true) => refusal(FailureReason::Lot),
        (true, false) => refusal(FailureReason::Expiry),
        (true, true) => Verification {
            verified: true,
            verification_failure_reason: None,
            additional_info: additional(tx, &unit, &expiry),
        },
    })
}

fn refusal(reason: FailureReason) -> Verification {
    Verification {
        verified: false,
        verification_failure_reason: Some(reason),
        additional_info: None,
    }
}

fn additional(tx: &Tx<'_>, unit: &Unit, expiry: &str) -> Option<AdditionalInfo> {
    if unit.state == State::Dispensed {
        return Some(AdditionalInfo::Dispensed);
    }
    (tx.timestamp().date().as_str() > expiry).then_some(AdditionalInfo::Expired)
}

/// The lot of a trade item; logistic units have none.
pub fn lot_of(tx: &Tx<'_>, unit: &Unit) -> Result<Option<Lot>> {
    match (unit.epc.parse()?, &unit.lot) {
        (Epc::Sgtin { gtin, .. }, Some(lot)) => Ok(tx.find(Lot::at(gtin, lot))?),
        _ => Ok(None),
    }
}

/// Refuses trade items whose last day has passed.
pub fn require_unexpired(tx: &Tx<'_>, unit: &Unit) -> Result<()> {
    let Some(lot) = lot_of(tx, unit)? else { return Ok(()) };
    let current = tx.timestamp().date() <= lot.expiry;
    ensure!(current, Fault::Expired { what: unit.epc.clone(), expiry: lot.expiry });
    Ok(())
}

/// Puts on record that a package did not verify, or was dispensed before. Refused when there is
/// nothing wrong with it.
pub fn report(tx: &mut Tx<'_>, scan: &Scan, gln: &str) -> Result<Alert> {
    let party = crate::master::Party::own(tx, gln)?;
    let finding = verify(tx, scan)?;
    let epc = Epc::sgtin(&scan.gtin, &scan.serial)?.to_string();
    let sound = finding.verified && finding.additional_info.is_none();
    let why = "it verifies, there is nothing to report".to_owned();
    ensure!(!sound, Fault::NotVerified { epc: epc.clone(), reason: why });
    let alert = Alert {
        id: tx.id(),
        epc,
        reported_by: party.msp_id,
        gln: gln.to_owned(),
        finding,
        at: tx.timestamp(),
    };
    tx.emit("Alert", &alert)?;
    tx.save(&alert)?;
    Ok(alert)
}
