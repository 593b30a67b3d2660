//! Durations as text, in the form Go programs write them: `400ms`, `1m30s`, `2.5s`.

use std::time::Duration;

/// Units by their names, in nanoseconds. The micro sign has two code points.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Longest duration, as for a signed 64-bit count of nanoseconds.
const NANOSECONDS_MAX: u128 = i64::MAX as u128;

/// Parses a duration that is not negative; `None` if the text is not one.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u128;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !c.is_ascii_digit() && c != '.');
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(nanoseconds(number, *unit)?)?;
        if total > NANOSECONDS_MAX {
            return None;
        }
        rest = after;
    }
    Some(Duration::from_nanos(u64::try_from(total).ok()?))
}

fn split(text: &str, inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

fn nanoseconds(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Digits beyond the eighteenth are less than a nanosecond, even of an hour.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    u128::from(whole).checked_mul(unit)?.checked_add(part * unit / scale)
}

/// The duration as text.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".into();
    }
    for (unit, name) in [(1, "ns"), (1_000, "\u{b5}s"), (1_000_000, "ms")] {
        if nanoseconds < unit * 1_000 {
            return decimal(nanoseconds, unit) + name;
        }
    }
    let second = 1_000_000_000;
    let minutes = nanoseconds / (60 * second);
    let seconds = decimal(nanoseconds % (60 * second), second);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u128, unit: u128) -> String {
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse(text), expected.map(Duration::from_nanos), "{text}");
    }

    #[test]
    fn texts_of_go_are_read() {
        check("400ms", Some(400_000_000));
        check("2s", Some(2_000_000_000));
        check("1m30s", Some(90_000_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check(".5s", Some(500_000_000));
        check("1.s", Some(1_000_000_000));
        check("1us", Some(1_000));
        check("1\u{b5}s2ns", Some(1_002));
        check("0", Some(0));
        check("+1s", Some(1_000_000_000));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "1", "s", "1x", ".s", "1..5s", "-1s", "1 s", "9999999999h", "1e3s", "+", "1sm"]
        {
            check(text, None);
        }
        check(&"9".repeat(10_000), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5\u{b5}s"),
            (400_000_000, "400ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (3_661_000_000_000, "1h1m1s"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanoseconds)), text);
            check(text, Some(nanoseconds));
        }
    }
}
