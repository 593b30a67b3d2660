//! Electronic product codes: one thing, several spellings, one key.

use std::fmt;
use std::str::FromStr;

use super::number::{self, check_digit};
use crate::fault::Fault;

/// A trade item with a serial, or a logistic unit.
///
/// Accepts pure identity URIs (`urn:epc:id:sgtin:…`), Digital Link URIs, element strings with
/// brackets, and the short form it prints, which is the path of the Digital Link:
/// `01/00300010123455/21/11`, `00/403000112345678901`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Epc {
    /// A serialized trade item.
    Sgtin {
        /// GTIN-14.
        gtin: String,
        /// The serial.
        serial: String,
    },
    /// A logistic unit.
    Sscc(String),
}

impl Epc {
    /// A trade item, checked.
    pub fn sgtin(gtin: &str, serial: &str) -> Result<Self, Fault> {
        number::gtin(gtin)?;
        number::serial(serial)?;
        Ok(Self::Sgtin { gtin: gtin.to_owned(), serial: serial.to_owned() })
    }

    /// A logistic unit, checked.
    pub fn sscc(sscc: &str) -> Result<Self, Fault> {
        number::sscc(sscc)?;
        Ok(Self::Sscc(sscc.to_owned()))
    }
}

impl fmt::Display for Epc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A serial may contain a slash, so it comes last and is not escaped.
            Self::Sgtin { gtin, serial } => write!(f, "01/{gtin}/21/{serial}"),
            Self::Sscc(sscc) => write!(f, "00/{sscc}"),
        }
    }
}

impl FromStr for Epc {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if let Some(rest) = text.strip_prefix("urn:epc:id:sgtin:") {
            return from_sgtin_urn(rest).ok_or_else(|| malformed(text))?;
        }
        if let Some(rest) = text.strip_prefix("urn:epc:id:sscc:") {
            return from_sscc_urn(rest).ok_or_else(|| malformed(text))?;
        }
        if let Some(rest) = text.strip_prefix("(01)") {
            let (gtin, serial) = rest.split_once("(21)").ok_or_else(|| malformed(text))?;
            return Self::sgtin(gtin, serial);
        }
        if let Some(sscc) = text.strip_prefix("(00)") {
            return Self::sscc(sscc);
        }
        match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            Some(link) => from_digital_link(link).ok_or_else(|| malformed(text))?,
            None => from_path(text).ok_or_else(|| malformed(text))?,
        }
    }
}

fn malformed(text: &str) -> Fault {
    let shown: String = text.chars().take(80).collect();
    let rule = format!("'{shown}' is not an SGTIN or SSCC");
    Fault::Identifier { field: "epc".to_owned(), rule }
}

fn from_path(path: &str) -> Option<Result<Epc, Fault>> {
    if let Some(sscc) = path.strip_prefix("00/") {
        return Some(Epc::sscc(sscc));
    }
    let (gtin, serial) = path.strip_prefix("01/")?.split_once("/21/")?;
    Some(Epc::sgtin(gtin, serial))
}

/// Drops the domain, any path before the keys, lots, and the query.
fn from_digital_link(link: &str) -> Option<Result<Epc, Fault>> {
    let path = link.split(['?', '#']).next()?;
    if let Some((_, sscc)) = path.split_once("/00/") {
        return Some(Epc::sscc(sscc));
    }
    let (_, rest) = path.split_once("/01/")?;
    let (head, serial) = rest.split_once("/21/")?;
    let gtin = head.split('/').next()?;
    Some(Epc::sgtin(&format!("{gtin:0>14}"), &percent_decode(serial)?))
}

/// `company.indicator+reference.serial`; the check digit is not part of the URI.
fn from_sgtin_urn(rest: &str) -> Option<Result<Epc, Fault>> {
    let mut parts = rest.splitn(3, '.');
    let (company, reference, serial) = (parts.next()?, parts.next()?, parts.next()?);
    let (indicator, item) = reference.split_at_checked(1)?;
    let body = format!("{indicator}{company}{item}");
    let gtin = format!("{body}{}", check_digit(&body));
    Some(Epc::sgtin(&gtin, &percent_decode(serial)?))
}

/// `company.extension+reference`.
fn from_sscc_urn(rest: &str) -> Option<Result<Epc, Fault>> {
    let (company, reference) = rest.split_once('.')?;
    let (extension, serial) = reference.split_at_checked(1)?;
    let body = format!("{extension}{company}{serial}");
    Some(Epc::sscc(&format!("{body}{}", check_digit(&body))))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Epc>().map(|epc| epc.to_string()).as_deref(), Ok(expected));
    }

    #[test]
    fn spellings_of_one_thing_give_one_key() {
        for text in [
            "urn:epc:id:sgtin:030001.0012345.11",
            "https://id.gs1.org/01/00300010123455/21/11",
            "https://example.com/some/path/01/00300010123455/10/A123/21/11?17=250327",
            "(01)00300010123455(21)11",
            "01/00300010123455/21/11",
        ] {
            check(text, "01/00300010123455/21/11");
        }
        for text in [
            "urn:epc:id:sscc:030001.41234567890",
            "https://id.gs1.org/00/403000112345678901",
            "(00)403000112345678901",
            "00/403000112345678901",
        ] {
            check(text, "00/403000112345678901");
        }
    }

    #[test]
    fn serials_are_decoded() {
        check("urn:epc:id:sgtin:030001.0012345.a%2Fb", "01/00300010123455/21/a/b");
        check("01/00300010123455/21/a/b", "01/00300010123455/21/a/b");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "urn:epc:id:sgtin:",
            "urn:epc:id:sgtin:030001.0012345",
            "urn:epc:id:sgln:030001.111111.0",
            "01/00300010123456/21/11",
            "https://id.gs1.org/01/00300010123455",
            "urn:epc:id:sgtin:030001.0012345.%",
        ] {
            assert!(text.parse::<Epc>().is_err(), "{text}");
        }
    }
}
