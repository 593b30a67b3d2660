//! Numbers with a check digit, and the serial's character set.

use crate::fault::Fault;

/// Checks a GTIN-14.
pub fn gtin(text: &str) -> Result<(), Fault> {
    number("gtin", text, 14)
}

/// Checks a GLN.
pub fn gln(text: &str) -> Result<(), Fault> {
    number("gln", text, 13)
}

/// Checks an SSCC.
pub fn sscc(text: &str) -> Result<(), Fault> {
    number("sscc", text, 18)
}

fn number(field: &str, text: &str, digits: usize) -> Result<(), Fault> {
    let malformed = |rule: String| Fault::Identifier { field: field.to_owned(), rule };
    if text.len() != digits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed(format!("'{text}' must be {digits} digits")));
    }
    let (body, check) = text.split_at(digits - 1);
    let expected = check_digit(body);
    if check == expected.to_string() {
        return Ok(());
    }
    Err(malformed(format!("'{text}' has check digit {check}, {expected} is right")))
}

/// The check digit that follows `body`: weights 3 and 1 from the right, modulo 10.
pub(super) fn check_digit(body: &str) -> u32 {
    let weigh = |(position, digit): (usize, char)| {
        digit.to_digit(10).unwrap_or(0) * if position % 2 == 0 { 3 } else { 1 }
    };
    let sum: u32 = body.chars().rev().enumerate().map(weigh).sum();
    (10 - sum % 10) % 10
}

/// Checks a serial: 1 to 20 characters of GS1's character set 82.
pub fn serial(text: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!\"%&'()*+,-./:;<=>?_".contains(c);
    if (1..=20).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(());
    }
    let rule = "must be 1 to 20 characters of GS1 character set 82".to_owned();
    Err(Fault::Identifier { field: "serial".to_owned(), rule })
}

/// Whether a National Drug Code, with 10 digits or padded to 11, is the one inside the GTIN
/// (`indicator`, `03`, ten digits, check digit).
pub fn ndc_matches(ndc: &str, gtin: &str) -> bool {
    let Some(inside) = gtin.get(1..3).filter(|prefix| *prefix == "03").and(gtin.get(3..13)) else {
        return false;
    };
    let segments: Vec<&str> = ndc.split('-').collect();
    match segments.iter().map(|segment| segment.len()).collect::<Vec<_>>().as_slice() {
        [10] | [4, 4, 2] | [5, 3, 2] | [5, 4, 1] => segments.concat() == inside,
        // Eleven digits are ten with one segment padded; the padding zero is dropped.
        [5, 4, 2] => (0..3).any(|padded| {
            let unpad = |(position, segment): (usize, &&str)| {
                if position == padded {
                    segment.strip_prefix('0').map(str::to_owned)
                } else {
                    Some((*segment).to_owned())
                }
            };
            let parts: Option<Vec<String>> = segments.iter().enumerate().map(unpad).collect();
            parts.is_some_and(|parts| parts.concat() == inside)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        for good in ["00300010123455", "00305910369019", "00310631106089", "10300010123452"] {
            assert!(gtin(good).is_ok(), "{good}");
        }
        assert!(gln("0300011111116").is_ok() && gln("0399999999991").is_ok());
        assert!(sscc("403000112345678901").is_ok());
        for bad in ["00300010123456", "0300010123455", "0030001012345x", ""] {
            assert!(gtin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn national_drug_codes_stand_inside_the_gtin() {
        for (ndc, gtin) in [
            ("0001-0123-45", "00300010123455"),
            ("0591-0369-01", "00305910369019"),
            ("00591-0369-01", "00305910369019"),
            ("10631-106-08", "00310631106089"),
            ("10631-0106-08", "00310631106089"),
            ("0001-0123-45", "10300010123452"),
        ] {
            assert!(ndc_matches(ndc, gtin), "{ndc} {gtin}");
        }
        assert!(!ndc_matches("0001-0123-46", "00300010123455"));
        assert!(!ndc_matches("0001-0123-45", "04012345123456"));
    }

    #[test]
    fn serials_keep_to_the_character_set() {
        for good in ["1", "ABC/12-3", "a%20b", "12345678901234567890"] {
            assert!(serial(good).is_ok(), "{good}");
        }
        for bad in ["", "123456789012345678901", "a b", "é", "a#b"] {
            assert!(serial(bad).is_err(), "{bad}");
        }
    }
}
