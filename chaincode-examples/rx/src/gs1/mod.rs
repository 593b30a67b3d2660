//! GS1 identifiers: numbers with check digits, EPCs in their spellings, and scanned data.
//!
//! Sources: GS1 General Specifications (check digits §7.9, character set 82 §7.11, expiry dates
//! §3.4.7), EPC Tag Data Standard §6 and §7 (pure identity URIs), GS1 Digital Link §4.

mod epc;
mod number;
mod scan;

pub use epc::Epc;
pub use number::{gln, gtin, ndc_matches, serial, sscc};
pub use scan::{Scan, expiry_date};
