//! Master data: who may number, what is sold, who may trade.

use std::collections::BTreeSet;

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1;

/// Longest free text.
const TEXT_BYTES_MAX: usize = 256;

/// Who keeps the registers of company prefixes and trading partners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "authority/{id}")]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    id: String,
    /// The organization.
    pub msp_id: String,
}

/// A GS1 company prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "gcp/{prefix}")]
#[serde(rename_all = "camelCase")]
pub struct CompanyPrefix {
    /// Six to twelve digits.
    pub prefix: String,
    /// The organization that numbers with it.
    pub msp_id: String,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "prod/{gtin}")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Product {
    /// GTIN-14.
    pub gtin: String,
    /// National Drug Code.
    pub ndc: String,
    /// Name, strength and form.
    pub name: String,
    /// Lowest storage temperature, in tenths of a degree Celsius.
    pub storage_min_decicelsius: i32,
    /// Highest storage temperature, in tenths of a degree Celsius.
    pub storage_max_decicelsius: i32,
    /// Minutes outside these that are tolerated.
    pub excursion_budget_minutes: u32,
    /// The organization that makes it.
    #[serde(default)]
    pub msp_id: String,
}

/// What a trading partner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Makes products.
    Manufacturer,
    /// Trades in bulk.
    Wholesaler,
    /// Stores and moves what others own.
    Logistics,
    /// Dispenses to patients.
    Dispenser,
    /// Takes back what cannot be sold.
    Returns,
}

/// A location of an authorized trading partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "pty/{gln}")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Party {
    /// GLN-13.
    pub gln: String,
    /// The organization.
    pub msp_id: String,
    /// What it does there.
    pub kinds: BTreeSet<Kind>,
    /// Its licence.
    pub licence: String,
    /// The last day on which the licence is good.
    pub until: String,
}

impl Party {
    /// The partner at this location, if its licence is current.
    pub fn authorized(tx: &Tx<'_>, gln: &str) -> Result<Self> {
        let refused = || Fault::NotAuthorized { gln: gln.to_owned() };
        gs1::gln(gln)?;
        let today = tx.timestamp().date();
        let party = tx.find(Self::at(gln))?.filter(|party| today <= party.until);
        Ok(party.ok_or_else(refused)?)
    }

    /// The caller's own location.
    pub fn own(tx: &Tx<'_>, gln: &str) -> Result<Self> {
        let party = Self::authorized(tx, gln)?;
        let who = format!("'{}', whose location {gln} is", party.msp_id);
        let refused = Fault::Caller { action: format!("acting at {gln}"), who };
        ensure!(tx.caller()?.msp_id == party.msp_id, refused);
        Ok(party)
    }
}

/// Names the authority, once. For administrators: whoever deploys the contract does this first.
pub fn set_authority(tx: &mut Tx<'_>, msp_id: &str) -> Result<()> {
    let who = "administrators".to_owned();
    let refused = Fault::Caller { action: "naming the authority".to_owned(), who };
    ensure!(tx.caller()?.role() == Some("admin"), refused);
    let authority = Authority { id: "registers".to_owned(), msp_id: msp_id.to_owned() };
    let exists = Fault::Exists { what: "authority".to_owned(), id: msp_id.to_owned() };
    ensure!(!tx.exists(authority.key())?, exists);
    tx.save(&authority)
}

fn require_authority(tx: &Tx<'_>, action: &str) -> Result<()> {
    let who = "the authority for company prefixes and trading partners".to_owned();
    let refused = Fault::Caller { action: action.to_owned(), who };
    let authority = tx.find(Authority::at("registers"))?;
    let caller = tx.caller()?;
    ensure!(authority.is_some_and(|authority| authority.msp_id == caller.msp_id), refused);
    Ok(())
}

/// Gives a company prefix to an organization.
pub fn register_prefix(tx: &mut Tx<'_>, prefix: &str, msp_id: &str) -> Result<()> {
    require_authority(tx, "registering a company prefix")?;
    let digits = (6..=12).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
    let rule = "must be 6 to 12 digits".to_owned();
    ensure!(digits, Fault::Identifier { field: "prefix".to_owned(), rule });
    let exists = Fault::Exists { what: "company prefix".to_owned(), id: prefix.to_owned() };
    ensure!(prefix_of(tx, &format!("0{prefix:0<13}"))?.is_none(), exists);
    tx.save(&CompanyPrefix { prefix: prefix.to_owned(), msp_id: msp_id.to_owned() })
}

/// Registers a location of a trading partner, or renews its licence.
pub fn register_party(tx: &mut Tx<'_>, party: Party) -> Result<()> {
    require_authority(tx, "registering a trading partner")?;
    gs1::gln(&party.gln)?;
    text("licence", &party.licence)?;
    let until = gs1::expiry_date(&party.until)?;
    let today = tx.timestamp().date();
    ensure!(today <= until, Fault::Expired { what: "the licence".to_owned(), expiry: until });
    if let Some(known) = tx.find(Party::at(&party.gln))? {
        let exists = Fault::Exists { what: "location".to_owned(), id: party.gln.clone() };
        ensure!(known.msp_id == party.msp_id, exists);
    }
    tx.save(&Party { until, ..party })
}

/// Registers a product under a prefix of the caller.
pub fn register_product(tx: &mut Tx<'_>, product: Product) -> Result<()> {
    gs1::gtin(&product.gtin)?;
    text("name", &product.name)?;
    let msp_id = require_prefix(tx, &product.gtin)?;
    let malformed = |field: &str, rule: &str| Fault::Identifier {
        field: field.to_owned(),
        rule: rule.to_owned(),
    };
    ensure!(
        !product.gtin.starts_with('9'),
        malformed("gtin", "with indicator 9 is for variable measure, which has no serial units")
    );
    ensure!(
        gs1::ndc_matches(&product.ndc, &product.gtin),
        malformed("ndc", "is not the drug code inside the GTIN")
    );
    ensure!(
        product.storage_min_decicelsius < product.storage_max_decicelsius,
        malformed("storage", "must have a minimum below its maximum")
    );
    let exists = Fault::Exists { what: "product".to_owned(), id: product.gtin.clone() };
    ensure!(!tx.exists(Product::at(&product.gtin))?, exists);
    tx.save(&Product { msp_id, ..product })
}

/// Refuses callers who may not number under the GTIN's prefix; answers with the caller's MSP id.
pub fn require_prefix(tx: &Tx<'_>, gtin: &str) -> Result<String> {
    let msp_id = tx.caller()?.msp_id;
    let holder = prefix_of(tx, gtin)?;
    let refused = Fault::Prefix { gtin: gtin.to_owned(), msp_id: msp_id.clone() };
    ensure!(holder.is_some_and(|holder| holder.msp_id == msp_id), refused);
    Ok(msp_id)
}

/// The company prefix a GTIN-14 is under: the digits after the indicator.
fn prefix_of(tx: &Tx<'_>, gtin: &str) -> Result<Option<CompanyPrefix>> {
    for length in 6..=12 {
        let Some(prefix) = gtin.get(1..1 + length) else { break };
        if let Some(found) = tx.find(CompanyPrefix::at(prefix))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Refuses texts that are empty or could hold a document.
pub fn text(field: &str, value: &str) -> Result<(), Fault> {
    if (1..=TEXT_BYTES_MAX).contains(&value.len()) {
        return Ok(());
    }
    let rule = format!("must have 1 to {TEXT_BYTES_MAX} bytes");
    Err(Fault::Identifier { field: field.to_owned(), rule })
}
