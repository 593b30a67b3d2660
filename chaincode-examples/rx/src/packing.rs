//! Packing and unpacking, to any depth a pallet needs.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1::Epc;
use crate::unit::{DEPTH_MAX, Inside, State, Unit, children};

/// Most children one transaction can pack or unpack.
pub const CHILDREN_MAX: usize = 500;

/// Puts units into a parent. A logistic unit comes to life when it is first packed. The parent
/// must stand alone: trees grow from the items to the pallet, so that no tree can contain itself.
pub fn pack(tx: &mut Tx<'_>, parent: &str, inside: Vec<String>) -> Result<()> {
    let msp_id = tx.caller()?.msp_id;
    let holder = parent_for_packing(tx, &parent.parse()?, &msp_id)?;
    let mut levels = holder.levels;
    for child in distinct(inside)? {
        let unit = Unit::load(tx, &child)?;
        unit.require_top()?;
        unit.require_state(State::Active)?;
        unit.require_holder(&msp_id)?;
        let nesting = |why: &str| Fault::Nesting { epc: unit.epc.clone(), why: why.to_owned() };
        ensure!(unit.epc != holder.epc, nesting("it is the parent itself"));
        levels = levels.max(unit.levels + 1);
        ensure!(usize::from(levels) < DEPTH_MAX, nesting("the tree would be too deep"));
        tx.save(&Inside { parent: holder.epc.clone(), child: unit.epc.clone() })?;
        tx.save(&Unit { parent: Some(holder.epc.clone()), ..unit })?;
    }
    tx.emit("Packed", &serde_json::json!({ "parent": holder.epc }))?;
    tx.save(&Unit { levels, ..holder })
}

/// Takes units out of a parent; they get its owner and custodian. No children named means all.
pub fn unpack(tx: &mut Tx<'_>, parent: &str, inside: Vec<String>) -> Result<()> {
    let msp_id = tx.caller()?.msp_id;
    let epc: Epc = parent.parse()?;
    let holder = Unit::load(tx, &epc)?;
    let outermost = holder.clone().outermost(tx)?;
    outermost.require_state(State::Active)?;
    outermost.require_holder(&msp_id)?;
    let named = if inside.is_empty() {
        let all: Result<Vec<Epc>, Fault> =
            children(tx, &holder.epc)?.iter().map(|child| child.parse()).collect();
        all?.into_iter().collect()
    } else {
        distinct(inside)?
    };
    for child in named {
        let unit = Unit::load(tx, &child)?;
        let elsewhere = Fault::NotInside { epc: unit.epc.clone(), parent: holder.epc.clone() };
        ensure!(unit.parent.as_ref() == Some(&holder.epc), elsewhere);
        tx.remove(Inside::at(&holder.epc, &unit.epc))?;
        tx.save(&Unit {
            parent: None,
            owner: outermost.owner.clone(),
            custodian: outermost.custodian.clone(),
            state: State::Active,
            ..unit
        })?;
    }
    tx.emit("Unpacked", &serde_json::json!({ "parent": holder.epc }))
}

fn distinct(units: Vec<String>) -> Result<BTreeSet<Epc>, Fault> {
    let limit = Fault::Limit { what: "children of one transaction".to_owned(), max: CHILDREN_MAX };
    if units.is_empty() || units.len() > CHILDREN_MAX {
        return Err(limit);
    }
    let mut seen = BTreeSet::new();
    for unit in units {
        let epc: Epc = unit.parse()?;
        if !seen.insert(epc.clone()) {
            let why = "it is named twice".to_owned();
            return Err(Fault::Nesting { epc: epc.to_string(), why });
        }
    }
    Ok(seen)
}

fn parent_for_packing(tx: &Tx<'_>, epc: &Epc, msp_id: &str) -> Result<Unit> {
    match (tx.find(Unit::at(epc))?, epc) {
        (Some(known), _) => {
            known.require_top()?;
            known.require_state(State::Active)?;
            known.require_holder(msp_id)?;
            Ok(known)
        }
        (None, Epc::Sscc(_)) => Ok(Unit {
            epc: epc.to_string(),
            lot: None,
            state: State::Active,
            owner: msp_id.to_owned(),
            custodian: msp_id.to_owned(),
            parent: None,
            levels: 0,
            dispensed: None,
        }),
        (None, Epc::Sgtin { .. }) => {
            Err(Fault::NotFound { what: "unit".to_owned(), id: epc.to_string() }.into())
        }
    }
}
