//! Refusals, each with its stable code.

use gauze_chaincode::prelude::*;

/// Why a call is refused. A refused call changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, ContractError)]
pub enum Fault {
    /// An identifier has the wrong form.
    #[code("E_IDENTIFIER", "{field} {rule}")]
    Identifier {
        /// The field.
        field: String,
        /// What it must be.
        rule: String,
    },
    /// The caller is not the one who may do this.
    #[code("E_CALLER", "{action} is for {who} only")]
    Caller {
        /// What was tried.
        action: String,
        /// Who may.
        who: String,
    },
    /// Something with this id exists.
    #[code("E_EXISTS", "{what} '{id}' exists")]
    Exists {
        /// The kind of thing.
        what: String,
        /// Its id.
        id: String,
    },
    /// Nothing with this id exists.
    #[code("E_NOT_FOUND", "{what} '{id}' is not known")]
    NotFound {
        /// The kind of thing.
        what: String,
        /// Its id.
        id: String,
    },
    /// The GTIN is not under a prefix of the caller.
    #[code("E_PREFIX", "{gtin} is not under a company prefix of '{msp_id}'")]
    Prefix {
        /// The GTIN.
        gtin: String,
        /// The caller.
        msp_id: String,
    },
    /// The partner is not authorized, or not any more.
    #[code("E_NOT_ATP", "location {gln} has no current licence as a trading partner")]
    NotAuthorized {
        /// The location.
        gln: String,
    },
    /// Too many, or none.
    #[code("E_LIMIT", "{what}: between 1 and {max}")]
    Limit {
        /// What is counted.
        what: String,
        /// The most.
        max: usize,
    },
    /// The lot is known with another expiry.
    #[code("E_LOT", "lot {lot} expires {known}, not {given}")]
    Lot {
        /// The lot.
        lot: String,
        /// The expiry on record.
        known: String,
        /// The expiry given.
        given: String,
    },
    /// A date is past.
    #[code("E_EXPIRED", "{what} expired {expiry}")]
    Expired {
        /// What.
        what: String,
        /// When.
        expiry: String,
    },
    /// The unit is in a state that does not allow this.
    #[code("E_TRANSITION", "{epc} is {found}, this needs {wanted}")]
    Transition {
        /// The unit.
        epc: String,
        /// Its state.
        found: String,
        /// The state needed.
        wanted: String,
    },
    /// The unit is inside another.
    #[code("E_ALREADY_PACKED", "{epc} is inside {parent}")]
    AlreadyPacked {
        /// The unit.
        epc: String,
        /// What holds it.
        parent: String,
    },
    /// The unit is not inside that parent.
    #[code("E_NOT_INSIDE", "{epc} is not inside {parent}")]
    NotInside {
        /// The unit.
        epc: String,
        /// The parent named.
        parent: String,
    },
    /// The packing would contain itself, or be too deep.
    #[code("E_NESTING", "{epc} cannot go there: {why}")]
    Nesting {
        /// The unit.
        epc: String,
        /// Why.
        why: String,
    },
    /// Somebody else holds the unit.
    #[code("E_NOT_HOLDER", "{epc} is held by '{holder}'")]
    NotHolder {
        /// The unit.
        epc: String,
        /// Who holds it.
        holder: String,
    },
    /// The unit is not in this shipment.
    #[code("E_NOT_SHIPPED", "{epc} is not under way in shipment '{shipment}'")]
    NotShipped {
        /// The unit.
        epc: String,
        /// The shipment.
        shipment: String,
    },
    /// The package is not what it says.
    #[code("E_NOT_VERIFIED", "{epc}: {reason}")]
    NotVerified {
        /// The unit.
        epc: String,
        /// The reason, as GS1 names it.
        reason: String,
    },
    /// The time to undo is over, or the place is another.
    #[code("E_UNDO", "dispensing {epc} cannot be undone: {why}")]
    Undo {
        /// The unit.
        epc: String,
        /// Why.
        why: String,
    },
}
