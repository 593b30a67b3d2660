//! Identifiers and their check digits.

use crate::fault::Fault;

/// Longest text any field may hold; what is larger belongs into a vault.
pub const FIELD_BYTES_MAX: usize = 2048;

/// Checks a patient pseudonym: 128 random bits in lower-case hex.
pub fn pid(text: &str) -> Result<(), Fault> {
    hex("pid", text, 32)
}

/// Checks a SHA-256 in lower-case hex.
pub fn sha256(field: &str, text: &str) -> Result<(), Fault> {
    hex(field, text, 64)
}

fn hex(field: &str, text: &str, digits: usize) -> Result<(), Fault> {
    if text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    let rule = format!("must be {digits} lower-case hex digits");
    Err(Fault::Identifier { field: field.to_owned(), rule })
}

/// Checks a name that becomes part of a key.
pub fn name(field: &str, text: &str) -> Result<(), Fault> {
    limit(field, text)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(allowed) {
        return Ok(());
    }
    let rule = "must be 1 to 64 letters, digits, '-', '_' or '.'".to_owned();
    Err(Fault::Identifier { field: field.to_owned(), rule })
}

/// Refuses fields large enough to smuggle a document onto the chain.
pub fn limit(field: &str, text: &str) -> Result<(), Fault> {
    if text.len() <= FIELD_BYTES_MAX {
        return Ok(());
    }
    Err(Fault::TooLarge { field: field.to_owned(), bytes: text.len(), max: FIELD_BYTES_MAX })
}

/// Checks a US National Provider Identifier: ten digits, Luhn over `80840` and them.
pub fn npi(text: &str) -> Result<(), Fault> {
    let digits: Option<Vec<u32>> = format!("80840{text}").chars().map(|c| c.to_digit(10)).collect();
    if digits.is_some_and(|digits| text.len() == 10 && luhn(&digits)) {
        return Ok(());
    }
    let rule = "must be ten digits with a valid check digit".to_owned();
    Err(Fault::Identifier { field: "npi".to_owned(), rule })
}

fn luhn(digits: &[u32]) -> bool {
    let weigh = |(position, digit): (usize, &u32)| match (position % 2, digit * 2) {
        (0, _) => *digit,
        (_, doubled) => doubled / 10 + doubled % 10,
    };
    digits.iter().rev().enumerate().map(weigh).sum::<u32>().is_multiple_of(10)
}

/// Checks a clinical date: a day, or a month where the day would say too much.
pub fn day(text: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, length: usize, max: u32| {
        part.len() == length && part.parse().is_ok_and(|n: u32| (1..=max).contains(&n))
    };
    let valid = match parts.as_slice() {
        [year, month] => number(year, 4, 9999) && number(month, 2, 12),
        [year, month, day] => number(year, 4, 9999) && number(month, 2, 12) && number(day, 2, 31),
        _ => false,
    };
    if valid {
        return Ok(());
    }
    let rule = "must be YYYY-MM-DD or YYYY-MM".to_owned();
    Err(Fault::Identifier { field: "day".to_owned(), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npi_numbers_carry_a_check_digit() {
        for good in ["1234567893", "9999999698", "9999931295"] {
            assert!(npi(good).is_ok(), "{good}");
        }
        for bad in ["1234567890", "123456789", "12345678931", "123456789a", ""] {
            assert!(npi(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pseudonyms_are_32_hex_digits() {
        assert!(pid("00112233445566778899aabbccddeeff").is_ok());
        for bad in ["", "00112233445566778899AABBCCDDEEFF", "0011", "john-doe-1970-01-01"] {
            assert!(pid(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_may_be_coarse() {
        for good in ["2024-02-29", "2024-02"] {
            assert!(day(good).is_ok(), "{good}");
        }
        for bad in ["2024", "2024-13", "2024-02-32", "24-02-01", "2024-2-1", "yesterday"] {
            assert!(day(bad).is_err(), "{bad}");
        }
    }
}
