//! What a scanner reads off a package: GTIN, serial, lot and expiry.

use super::Epc;
use super::number;
use crate::fault::Fault;

/// Ends a field of variable length in a raw bar code.
const GROUP_SEPARATOR: char = '\u{1d}';

/// The four data of a product identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// AI (01).
    pub gtin: String,
    /// AI (21).
    pub serial: String,
    /// AI (10).
    pub lot: String,
    /// AI (17), as `YYYY-MM-DD`.
    pub expiry: String,
}

impl Scan {
    /// Reads an element string with brackets, a raw string with separators, or a Digital Link.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let scan = if text.starts_with('(') {
            bracketed(text)
        } else if text.starts_with("http") {
            digital_link(text)
        } else {
            raw(text.trim_start_matches("]d2"))
        };
        let scan = scan.ok_or_else(|| Fault::Identifier {
            field: "scan".to_owned(),
            rule: "must hold (01) GTIN, (21) serial, (17) expiry and (10) lot".to_owned(),
        })?;
        number::gtin(&scan.gtin)?;
        number::serial(&scan.serial)?;
        Ok(scan)
    }

    fn set(&mut self, identifier: &str, value: &str) -> Option<()> {
        match identifier {
            "01" => self.gtin = value.to_owned(),
            "21" => self.serial = value.to_owned(),
            "10" => self.lot = value.to_owned(),
            "17" => self.expiry = expiry_date(value).ok()?,
            _ => {}
        }
        Some(())
    }

    fn complete(self) -> Option<Self> {
        let filled = [&self.gtin, &self.serial, &self.lot, &self.expiry];
        filled.iter().all(|field| !field.is_empty()).then_some(self)
    }
}

fn bracketed(text: &str) -> Option<Scan> {
    let mut scan = Scan::default();
    for element in text.split('(').skip(1) {
        let (identifier, value) = element.split_once(')')?;
        scan.set(identifier, value)?;
    }
    scan.complete()
}

/// (01) and (17) have a fixed length; (10) and (21) end at a separator or at the end.
fn raw(text: &str) -> Option<Scan> {
    let mut scan = Scan::default();
    let mut rest = text.trim_start_matches(GROUP_SEPARATOR);
    while !rest.is_empty() {
        let (identifier, after) = rest.split_at_checked(2)?;
        let length = match identifier {
            "01" => 14,
            "17" => 6,
            "10" | "21" => after.find(GROUP_SEPARATOR).unwrap_or(after.len()),
            _ => return None,
        };
        let (value, after) = after.split_at_checked(length)?;
        scan.set(identifier, value)?;
        rest = after.trim_start_matches(GROUP_SEPARATOR);
    }
    scan.complete()
}

fn digital_link(text: &str) -> Option<Scan> {
    let Ok(Epc::Sgtin { gtin, serial }) = text.parse() else { return None };
    let mut scan = Scan { gtin, serial, ..Scan::default() };
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let mut segments = path.split('/');
    while let Some(segment) = segments.next() {
        if segment == "10" {
            scan.lot = segments.next()?.to_owned();
        }
    }
    for (identifier, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if identifier == "10" || identifier == "17" {
            scan.set(identifier, value)?;
        }
    }
    scan.complete()
}

/// `YYMMDD` as `YYYY-MM-DD`; day 00 is the last day of the month. Years are of this century, which
/// holds for every product with an expiry date that is still in trade.
pub fn expiry_date(text: &str) -> Result<String, Fault> {
    let malformed = || Fault::Identifier {
        field: "expiry".to_owned(),
        rule: "must be YYYY-MM-DD or YYMMDD".to_owned(),
    };
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
    let (year, month, day) = match text.len() {
        6 => {
            let year = number(text.get(0..2)).map(|year| 2000 + year);
            (year, number(text.get(2..4)), number(text.get(4..6)))
        }
        10 if text.get(4..5) == Some("-") && text.get(7..8) == Some("-") => {
            (number(text.get(0..4)), number(text.get(5..7)), number(text.get(8..10)))
        }
        _ => return Err(malformed()),
    };
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(malformed()) };
    let last = days_in(year, month).ok_or_else(malformed)?;
    let day = if day == 0 && text.len() == 6 { last } else { day };
    if day == 0 || day > last {
        return Err(malformed());
    }
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

fn days_in(year: u32, month: u32) -> Option<u32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_carriers_say_the_same() {
        let expected = Scan {
            gtin: "00300010123455".into(),
            serial: "11".into(),
            lot: "A123".into(),
            expiry: "2025-03-27".into(),
        };
        for text in [
            "(01)00300010123455(21)11(17)250327(10)A123",
            "010030001012345517250327\u{1d}10A123\u{1d}2111",
            "]d20100300010123455",
            "https://id.gs1.org/01/00300010123455/10/A123/21/11?17=250327",
        ] {
            let scan = Scan::parse(text);
            if text.starts_with("]d2") {
                assert!(scan.is_err(), "incomplete data are refused");
            } else {
                assert_eq!(scan, Ok(expected.clone()), "{text}");
            }
        }
    }

    #[test]
    fn day_zero_is_the_last_of_the_month() {
        for (text, expected) in [
            ("250327", Some("2025-03-27")),
            ("240200", Some("2024-02-29")),
            ("250200", Some("2025-02-28")),
            ("2025-03-27", Some("2025-03-27")),
            ("2025-03-00", None),
            ("251327", None),
            ("250230", None),
            ("soon", None),
        ] {
            assert_eq!(expiry_date(text).ok().as_deref(), expected, "{text}");
        }
    }
}
