//! Commissioning: serial numbers come to life, in lots, a batch at a time.

use gauze_chaincode::prelude::*;

use crate::fault::Fault;
use crate::gs1::{self, Epc};
use crate::master::{self, Party, Product};
use crate::unit::{State, Unit};

/// Most serials one transaction can commission.
pub const SERIALS_MAX: usize = 500;

/// A lot. A recall writes this one key; everything of the lot reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "lot/{gtin}/{lot}")]
#[serde(rename_all = "camelCase")]
pub struct Lot {
    /// The product.
    pub gtin: String,
    /// The lot number.
    pub lot: String,
    /// The last day on which it may be used.
    pub expiry: String,
}

/// A batch of serials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// The product.
    pub gtin: String,
    /// The lot number, 1 to 20 characters.
    pub lot: String,
    /// The last day of use, `YYYY-MM-DD` or `YYMMDD`.
    pub expiry: String,
    /// The serials, one by one …
    #[serde(default)]
    pub serials: Vec<String>,
    /// … or as a range of numbers.
    #[serde(default)]
    pub range: Option<Range>,
    /// Where it happens.
    pub gln: String,
}

/// Serials `prefix` + `from` to `prefix` + `to`, numbers padded to the width of `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Range {
    /// What every serial begins with.
    pub prefix: String,
    /// The first number.
    pub from: u64,
    /// The last number.
    pub to: u64,
}

/// What was commissioned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Commissioned {
    /// How many units.
    pub count: usize,
    /// Pairs of serials that differ in case only: allowed, and easily misread.
    pub warnings: Vec<String>,
}

/// Commissions a batch, all of it or nothing.
pub fn commission(tx: &mut Tx<'_>, batch: Batch) -> Result<Commissioned> {
    gs1::gtin(&batch.gtin)?;
    let msp_id = master::require_prefix(tx, &batch.gtin)?;
    Party::own(tx, &batch.gln)?;
    let unknown = || Fault::NotFound { what: "product".to_owned(), id: batch.gtin.clone() };
    tx.find(Product::at(&batch.gtin))?.ok_or_else(unknown)?;
    let expiry = open_lot(tx, &batch)?;
    let mut serials = serials(&batch)?;
    serials.sort();
    let warnings = look_alikes(&serials)?;
    for serial in &serials {
        let epc = Epc::sgtin(&batch.gtin, serial)?.to_string();
        let known = tx.exists(Unit::at(&epc))?;
        ensure!(!known, Fault::Exists { what: "serial".to_owned(), id: epc });
        tx.save(&Unit {
            epc,
            lot: Some(batch.lot.clone()),
            state: State::Active,
            owner: msp_id.clone(),
            custodian: msp_id.clone(),
            parent: None,
            levels: 0,
            dispensed: None,
        })?;
    }
    tx.emit(
        "Commissioned",
        &serde_json::json!({
            "gtin": batch.gtin, "lot": batch.lot, "expiry": expiry, "count": serials.len(),
        }),
    )?;
    Ok(Commissioned { count: serials.len(), warnings })
}

/// Makes the lot on first use; later batches must agree on its expiry.
fn open_lot(tx: &mut Tx<'_>, batch: &Batch) -> Result<String> {
    gs1::serial(&batch.lot).map_err(|_| Fault::Identifier {
        field: "lot".into(),
        rule: "must be 1 to 20 characters of GS1 character set 82".into(),
    })?;
    let expiry = gs1::expiry_date(&batch.expiry)?;
    let today = tx.timestamp().date();
    let past = Fault::Expired { what: format!("lot {}", batch.lot), expiry: expiry.clone() };
    ensure!(today <= expiry, past);
    match tx.find(Lot::at(&batch.gtin, &batch.lot))? {
        Some(known) => {
            let given = expiry.clone();
            let differs = Fault::Lot { lot: batch.lot.clone(), known: known.expiry.clone(), given };
            ensure!(known.expiry == expiry, differs);
        }
        None => tx.save(&Lot {
            gtin: batch.gtin.clone(),
            lot: batch.lot.clone(),
            expiry: expiry.clone(),
        })?,
    }
    Ok(expiry)
}

fn serials(batch: &Batch) -> Result<Vec<String>, Fault> {
    let limit = || Fault::Limit { what: "serials of one transaction".to_owned(), max: SERIALS_MAX };
    let serials: Vec<String> = match &batch.range {
        None => batch.serials.clone(),
        Some(range) if batch.serials.is_empty() => {
            let count = range.to.checked_sub(range.from).ok_or_else(limit)?;
            if count >= SERIALS_MAX as u64 {
                return Err(limit());
            }
            let width = range.to.to_string().len();
            (range.from..=range.to).map(|n| format!("{}{n:0width$}", range.prefix)).collect()
        }
        Some(_) => {
            let rule = "are given one by one or as a range, not both".to_owned();
            return Err(Fault::Identifier { field: "serials".to_owned(), rule });
        }
    };
    if serials.is_empty() || serials.len() > SERIALS_MAX {
        return Err(limit());
    }
    Ok(serials)
}

/// Refuses a serial given twice; warns of serials that differ in case only.
fn look_alikes(sorted: &[String]) -> Result<Vec<String>, Fault> {
    for pair in sorted.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            return Err(Fault::Exists { what: "serial".to_owned(), id: first.clone() });
        }
    }
    let mut folded: Vec<(String, &String)> =
        sorted.iter().map(|serial| (serial.to_lowercase(), serial)).collect();
    folded.sort();
    let alike = |pair: &[(String, &String)]| match pair {
        [(a, first), (b, second)] if a == b => Some(format!("{first} and {second}")),
        _ => None,
    };
    Ok(folded.windows(2).filter_map(alike).collect())
}
