//! Durations in configuration files, as people write them: `250ms`, `5s`, `2m`, `1h`.
//!
//! Use with `#[serde(with = "node::config::duration")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Writes a duration in its largest whole unit.
///
/// # Errors
/// Only those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads a duration with a unit; a bare `0` is allowed.
///
/// # Errors
/// When the text is not a whole number followed by a unit.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format!("`{text}` is not a duration such as 250ms, 5s, 2m, 1h"))
    })
}

/// Parses `250ms`, `5s`, `2m`, `1h`, `7d` or `0`.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor).map(Duration::from_millis)
}

/// The shortest exact form with millisecond resolution.
#[must_use]
pub fn format(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (name, factor) = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| millis >= *factor && millis % factor == 0)
        .unwrap_or(&UNITS[0]);
    format!("{}{name}", millis / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_units() {
        for text in ["250ms", "5s", "2m", "1h", "7d", "1500ms"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
        assert_eq!(parse("0"), Some(Duration::ZERO));
        for text in ["", "5", "s", "-1s", "1 fortnight", "99999999999999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
