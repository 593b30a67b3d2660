//! Drug traceability: every package has a number, one holder, and a history that cannot be bent.
//!
//! Units and containers form trees; what is inside another unit shares its custody, ownership and
//! journey, so shipping a pallet writes one key however much is on it. Ownership changes only when
//! the receiver says so. A package that does not verify is refused with GS1's reason and can be
//! reported, which raises an alert.

#![deny(unsafe_code)]

pub mod commission;
pub mod dispense;
pub mod fault;
pub mod gs1;
pub mod master;
pub mod packing;
pub mod trade;
pub mod unit;
pub mod verify;

use gauze_chaincode::prelude::*;

use commission::{Batch, Commissioned};
use gs1::Scan;
use master::{Party, Product};
use trade::{NewShipment, ShipmentLines};
use unit::{Unit, Whereabouts};
use verify::{Alert, Verification};

/// Serialized medicines from the line to the patient.
#[contract(name = "rx", version = "1.0.0")]
#[derive(Debug)]
pub struct Rx;

#[transactions]
impl Rx {
    /// Names the organization that keeps the registers of company prefixes and trading partners.
    /// Once, by an administrator.
    #[submit]
    pub fn set_authority(tx: &mut Tx<'_>, msp_id: &str) -> Result<()> {
        master::set_authority(tx, msp_id)
    }

    /// Gives a GS1 company prefix to an organization. For the authority.
    #[submit(name = "RegisterGCP")]
    pub fn register_gcp(tx: &mut Tx<'_>, prefix: &str, msp_id: &str) -> Result<()> {
        master::register_prefix(tx, prefix, msp_id)
    }

    /// Registers a location of an authorized trading partner, or renews its licence. For the
    /// authority.
    #[submit]
    pub fn register_party(tx: &mut Tx<'_>, party: Party) -> Result<()> {
        master::register_party(tx, party)
    }

    /// Registers a product under a company prefix of the caller.
    #[submit]
    pub fn register_product(tx: &mut Tx<'_>, product: Product) -> Result<()> {
        master::register_product(tx, product)
    }

    /// A product's master data.
    #[evaluate]
    pub fn get_product(tx: &Tx<'_>, gtin: &str) -> Result<Product> {
        tx.load(Product::at(gtin))
    }

    /// A trading partner's location.
    #[evaluate]
    pub fn get_party(tx: &Tx<'_>, gln: &str) -> Result<Party> {
        tx.load(Party::at(gln))
    }

    /// Brings serial numbers to life, at most 500 at once, all or none. For whoever holds the
    /// company prefix.
    #[submit]
    pub fn commission(tx: &mut Tx<'_>, batch: Batch) -> Result<Commissioned> {
        commission::commission(tx, batch)
    }

    /// Puts units into a parent. For their holder.
    #[submit]
    pub fn pack(tx: &mut Tx<'_>, parent: &str, children: Vec<String>) -> Result<()> {
        packing::pack(tx, parent, children)
    }

    /// Takes units out of a parent; an empty list means all. For their holder.
    #[submit]
    pub fn unpack(tx: &mut Tx<'_>, parent: &str, children: Vec<String>) -> Result<()> {
        packing::unpack(tx, parent, children)
    }

    /// Sends units to another location. For their holder.
    #[submit]
    pub fn ship(tx: &mut Tx<'_>, shipment: NewShipment) -> Result<()> {
        trade::ship(tx, shipment)
    }

    /// Takes units of a shipment in. For the organization at its destination.
    #[submit]
    pub fn receive(tx: &mut Tx<'_>, shipment_id: &str, tops: Vec<String>) -> Result<()> {
        trade::receive(tx, shipment_id, tops)
    }

    /// Calls units back that were not received yet. For the shipper.
    #[submit]
    pub fn void_shipment(tx: &mut Tx<'_>, shipment_id: &str, tops: Vec<String>) -> Result<()> {
        trade::void(tx, shipment_id, tops)
    }

    /// A shipment and what happened to its units.
    #[evaluate]
    pub fn get_shipment(tx: &Tx<'_>, shipment_id: &str) -> Result<ShipmentLines> {
        trade::get(tx, shipment_id)
    }

    /// Where a unit is, who has it, who owns it, and what is inside.
    #[evaluate]
    pub fn get_unit(tx: &Tx<'_>, epc: &str) -> Result<Whereabouts> {
        unit::whereabouts(tx, &epc.parse()?)
    }

    /// What a unit's record was before, newest first.
    #[evaluate]
    pub fn get_unit_history(tx: &Tx<'_>, epc: &str) -> Result<Vec<Change>> {
        let epc: gs1::Epc = epc.parse()?;
        let changes = tx.history(Unit::at(&epc))?;
        changes
            .map(|change| {
                let (change, unit) = change?;
                Ok(Change { tx_id: change.tx_id, at: change.timestamp, unit })
            })
            .collect()
    }

    /// Verifies GTIN, serial, lot and expiry of a package.
    #[evaluate]
    pub fn verify(
        tx: &Tx<'_>,
        gtin: &str,
        serial: &str,
        lot: &str,
        expiry: &str,
    ) -> Result<Verification> {
        verify::verify(tx, &scan_of(gtin, serial, lot, expiry))
    }

    /// Verifies a package as scanned: element string, raw bar code, or Digital Link.
    #[evaluate]
    pub fn verify_scan(tx: &Tx<'_>, scan: &str) -> Result<Verification> {
        verify::verify(tx, &Scan::parse(scan)?)
    }

    /// Puts on record that a package does not verify, or was dispensed before. Raises an alert.
    #[submit]
    pub fn report_verification_failure(tx: &mut Tx<'_>, scan: &str, gln: &str) -> Result<Alert> {
        verify::report(tx, &Scan::parse(scan)?, gln)
    }

    /// All alerts.
    #[evaluate]
    pub fn list_alerts(tx: &Tx<'_>, page_size: u32, bookmark: &str) -> Result<Paged<Alert>> {
        tx.list_page(Alert::all(), page_size, bookmark)
    }

    /// Hands a package to a patient. `rx_ref`, a salted hash, may link it to a prescription kept
    /// elsewhere. For the dispenser that owns it.
    #[submit]
    pub fn dispense(
        tx: &mut Tx<'_>,
        gtin: &str,
        serial: &str,
        lot: &str,
        expiry: &str,
        gln: &str,
        rx_ref: Option<String>,
    ) -> Result<()> {
        dispense::dispense(tx, &scan_of(gtin, serial, lot, expiry), gln, rx_ref)
    }

    /// Takes a dispensing back within ten days. For the same dispenser at the same location.
    #[submit]
    pub fn undo_dispense(tx: &mut Tx<'_>, epc: &str, gln: &str) -> Result<()> {
        dispense::undo(tx, epc, gln)
    }
}

/// One change of a unit's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The transaction.
    pub tx_id: String,
    /// When.
    pub at: Timestamp,
    /// The record it wrote.
    pub unit: Option<Unit>,
}

fn scan_of(gtin: &str, serial: &str, lot: &str, expiry: &str) -> Scan {
    Scan { gtin: gtin.into(), serial: serial.into(), lot: lot.into(), expiry: expiry.into() }
}
