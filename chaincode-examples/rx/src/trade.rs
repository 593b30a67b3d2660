//! Shipping and receiving: custody leaves with the goods, ownership changes only when the receiver
//! says so.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1::Epc;
use crate::master::{self, Party};
use crate::unit::{State, Unit};

/// Most units one shipment can name; what is inside them comes along.
pub const TOPS_MAX: usize = 200;

/// A shipment. It carries no counters, so partial receipts do not collide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "shp/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// The shipper's id for it.
    pub id: String,
    /// Where it left.
    pub from_gln: String,
    /// The shipper.
    pub from: String,
    /// Where it goes.
    pub to_gln: String,
    /// The receiver.
    pub to: String,
    /// Whether receiving makes the receiver the owner.
    pub transfers_ownership: bool,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// When it left.
    pub at: Timestamp,
}

/// What happened to one unit of a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    /// On its way.
    Shipped,
    /// Received.
    Received,
    /// Called back by the shipper before it was received.
    Voided,
}

/// One unit of a shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "shpt/{shipment}/{epc}")]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The shipment.
    pub shipment: String,
    /// The unit.
    pub epc: String,
    /// What happened to it.
    pub state: LineState,
}

/// What a shipper wants to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewShipment {
    /// The shipper's id for it.
    pub shipment_id: String,
    /// The units, none of them inside another.
    pub tops: Vec<String>,
    /// Where it leaves.
    pub from_gln: String,
    /// Where it goes.
    pub to_gln: String,
    /// Whether receiving makes the receiver the owner.
    pub transfers_ownership: bool,
    /// Who carries it.
    #[serde(default)]
    pub carrier: Option<String>,
}

/// Sends units off.
pub fn ship(tx: &mut Tx<'_>, new: NewShipment) -> Result<()> {
    master::text("shipmentId", &new.shipment_id)?;
    new.carrier.as_deref().map_or(Ok(()), |carrier| master::text("carrier", carrier))?;
    let from = Party::own(tx, &new.from_gln)?;
    let to = Party::authorized(tx, &new.to_gln)?;
    let exists = Fault::Exists { what: "shipment".to_owned(), id: new.shipment_id.clone() };
    ensure!(!tx.exists(Shipment::at(&new.shipment_id))?, exists);
    for epc in tops(&new.tops)? {
        let unit = Unit::load(tx, &epc)?;
        unit.require_top()?;
        unit.require_state(State::Active)?;
        unit.require_holder(&from.msp_id)?;
        crate::verify::require_unexpired(tx, &unit)?;
        tx.save(&Line {
            shipment: new.shipment_id.clone(),
            epc: unit.epc.clone(),
            state: LineState::Shipped,
        })?;
        tx.save(&Unit { state: State::InTransit, ..unit })?;
    }
    tx.emit(
        "Shipped",
        &serde_json::json!({
            "shipment": new.shipment_id, "to": to.msp_id, "tops": new.tops,
        }),
    )?;
    tx.save(&Shipment {
        id: new.shipment_id,
        from_gln: new.from_gln,
        from: from.msp_id,
        to_gln: new.to_gln,
        to: to.msp_id,
        transfers_ownership: new.transfers_ownership,
        carrier: new.carrier,
        at: tx.timestamp(),
    })
}

/// Takes units in at the location the shipment names. What is not named stays under way and
/// remains the shipper's.
pub fn receive(tx: &mut Tx<'_>, shipment_id: &str, units: Vec<String>) -> Result<()> {
    let shipment = load(tx, shipment_id)?;
    Party::own(tx, &shipment.to_gln)?;
    for epc in tops(&units)? {
        let mut unit = take_line(tx, &shipment, &epc, LineState::Received)?;
        unit.state = State::Active;
        unit.custodian = shipment.to.clone();
        if shipment.transfers_ownership {
            unit.owner = shipment.to.clone();
        }
        tx.save(&unit)?;
    }
    tx.emit("Received", &serde_json::json!({ "shipment": shipment_id, "tops": units }))
}

/// Calls units back that were not received yet.
pub fn void(tx: &mut Tx<'_>, shipment_id: &str, units: Vec<String>) -> Result<()> {
    let shipment = load(tx, shipment_id)?;
    Party::own(tx, &shipment.from_gln)?;
    for epc in tops(&units)? {
        let unit = take_line(tx, &shipment, &epc, LineState::Voided)?;
        tx.save(&Unit { state: State::Active, ..unit })?;
    }
    tx.emit("Voided", &serde_json::json!({ "shipment": shipment_id, "tops": units }))
}

/// A shipment with its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentLines {
    /// The shipment.
    pub shipment: Shipment,
    /// Its units.
    pub lines: Vec<Line>,
}

/// A shipment and what happened to its units.
pub fn get(tx: &Tx<'_>, shipment_id: &str) -> Result<ShipmentLines> {
    let shipment = load(tx, shipment_id)?;
    let lines = tx.list(Line::all().under(shipment_id))?.collect::<Result<_>>()?;
    Ok(ShipmentLines { shipment, lines })
}

fn load(tx: &Tx<'_>, id: &str) -> Result<Shipment> {
    let unknown = || Fault::NotFound { what: "shipment".to_owned(), id: id.to_owned() };
    Ok(tx.find(Shipment::at(id))?.ok_or_else(unknown)?)
}

fn tops(units: &[String]) -> Result<BTreeSet<Epc>, Fault> {
    if units.is_empty() || units.len() > TOPS_MAX {
        return Err(Fault::Limit { what: "units of a shipment".to_owned(), max: TOPS_MAX });
    }
    units.iter().map(|unit| unit.parse()).collect()
}

/// Ends the line of a unit that is under way in this shipment.
fn take_line(tx: &mut Tx<'_>, shipment: &Shipment, epc: &Epc, state: LineState) -> Result<Unit> {
    let not_shipped = || Fault::NotShipped { epc: epc.to_string(), shipment: shipment.id.clone() };
    let line = tx
        .find(Line::at(&shipment.id, epc))?
        .filter(|line| line.state == LineState::Shipped)
        .ok_or_else(not_shipped)?;
    tx.save(&Line { state, ..line })?;
    let unit = Unit::load(tx, epc)?;
    unit.require_state(State::InTransit)?;
    Ok(unit)
}
