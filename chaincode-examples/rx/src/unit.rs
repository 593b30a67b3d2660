//! Units and containers: one state machine, and the tree they form.
//!
//! A unit inside another has no custody, ownership or journey of its own: it has those of the
//! outermost container. So shipping a pallet writes the pallet, not what is in it.

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1::Epc;

/// Deepest nesting: pallet, case, bundle, pack, and one to spare.
pub const DEPTH_MAX: usize = 5;

/// Where a unit is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// On hand.
    Active,
    /// On its way, still the shipper's.
    InTransit,
    /// Handed to a patient.
    Dispensed,
}

impl State {
    /// The name used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::InTransit => "IN_TRANSIT",
            Self::Dispensed => "DISPENSED",
        }
    }
}

/// A serialized trade item or a logistic unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "u/{epc}")]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// The short form of its EPC: `01/GTIN/21/serial` or `00/SSCC`.
    pub epc: String,
    /// The lot; logistic units have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Where it is in its life. Inside another unit, that of the outermost one counts.
    pub state: State,
    /// Who owns it; inside another unit, likewise.
    pub owner: String,
    /// Who has it; inside another unit, likewise.
    pub custodian: String,
    /// What it is inside of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// How many levels of packaging are inside; 0 for an item.
    pub levels: u8,
    /// When and where it was dispensed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispensed: Option<Dispensing>,
}

/// A dispensing that can be undone for ten days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Dispensing {
    /// The location.
    pub gln: String,
    /// When.
    pub at: Timestamp,
    /// Salted hash that links to a prescription kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_ref: Option<String>,
}

/// That a child is inside a parent; lists what a parent holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "in/{parent}/{child}")]
#[serde(rename_all = "camelCase")]
pub struct Inside {
    /// The parent's EPC.
    pub parent: String,
    /// The child's EPC.
    pub child: String,
}

impl Unit {
    /// The unit; unknown ones are refused.
    pub fn load(tx: &Tx<'_>, epc: &Epc) -> Result<Self> {
        let unknown = || Fault::NotFound { what: "unit".to_owned(), id: epc.to_string() };
        Ok(tx.find(Self::at(epc))?.ok_or_else(unknown)?)
    }

    /// The outermost unit this one is inside of; itself if it stands alone.
    pub fn outermost(self, tx: &Tx<'_>) -> Result<Self> {
        let mut unit = self;
        for _level in 0..DEPTH_MAX {
            let Some(parent) = &unit.parent else { return Ok(unit) };
            unit = tx.load(Self::at(parent))?;
        }
        let why = format!("nested deeper than {DEPTH_MAX}");
        Err(Fault::Nesting { epc: unit.epc, why }.into())
    }

    /// Refuses units that stand inside another.
    pub fn require_top(&self) -> Result<(), Fault> {
        match &self.parent {
            None => Ok(()),
            Some(parent) => {
                Err(Fault::AlreadyPacked { epc: self.epc.clone(), parent: parent.clone() })
            }
        }
    }

    /// Refuses units in another state.
    pub fn require_state(&self, wanted: State) -> Result<(), Fault> {
        if self.state == wanted {
            return Ok(());
        }
        Err(Fault::Transition {
            epc: self.epc.clone(),
            found: self.state.name().to_owned(),
            wanted: wanted.name().to_owned(),
        })
    }

    /// Refuses units somebody else has or owns.
    pub fn require_holder(&self, msp_id: &str) -> Result<(), Fault> {
        for holder in [&self.custodian, &self.owner] {
            if holder != msp_id {
                return Err(Fault::NotHolder { epc: self.epc.clone(), holder: holder.clone() });
            }
        }
        Ok(())
    }
}

/// What is directly inside a unit.
pub fn children(tx: &Tx<'_>, parent: &str) -> Result<Vec<String>> {
    tx.list(Inside::all().under(parent))?.map(|inside| Ok(inside?.child)).collect()
}

/// A unit with what is inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Whereabouts {
    /// The unit as it is stored.
    pub unit: Unit,
    /// The outermost unit it is inside of, or itself.
    pub outermost: String,
    /// Where it is in its life.
    pub state: State,
    /// Who owns it.
    pub owner: String,
    /// Who has it.
    pub custodian: String,
    /// What is directly inside.
    pub children: Vec<String>,
}

/// Where a unit is, who has it and who owns it, as its outermost container says.
pub fn whereabouts(tx: &Tx<'_>, epc: &Epc) -> Result<Whereabouts> {
    let unit = Unit::load(tx, epc)?;
    let top = unit.clone().outermost(tx)?;
    let children = children(tx, &unit.epc)?;
    Ok(Whereabouts {
        children,
        outermost: top.epc,
        state: if unit.parent.is_none() { unit.state } else { top.state },
        owner: top.owner,
        custodian: top.custodian,
        unit,
    })
}
