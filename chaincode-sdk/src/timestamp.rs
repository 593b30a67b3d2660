//! Moments in time, written as RFC 3339 in UTC. There is no clock: times come from the client
//! ([`Tx::timestamp`](crate::Tx::timestamp)) or from arguments.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::Error;
use crate::schema::{Schema, Shape};

const DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

/// A moment in time; JSON has it as `2024-02-29T12:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds after that, below a thousand million.
    pub nanos: i32,
}

impl Timestamp {
    /// From whole seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// Time passed since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = self.total() - earlier.total();
        u64::try_from(nanos).map_or(Duration::ZERO, |nanos| {
            Duration::new(nanos / NANOS as u64, (nanos % NANOS as u64) as u32)
        })
    }

    /// The date as `2024-02-29`.
    pub fn date(self) -> String {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Nanoseconds since 1970.
    fn total(self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS) + i128::from(self.nanos)
    }

    fn shifted(self, by: i128) -> Self {
        let total = self.total() + by;
        let seconds = total.div_euclid(i128::from(NANOS));
        let limited = seconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self { seconds: limited as i64, nanos: total.rem_euclid(i128::from(NANOS)) as i32 }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        self.shifted(by.as_nanos() as i128)
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        self.shifted(-(by.as_nanos() as i128))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}", self.date())?;
        match self.nanos {
            0 => {}
            nanos if nanos % 1_000_000 == 0 => write!(f, ".{:03}", nanos / 1_000_000)?,
            nanos if nanos % 1_000 == 0 => write!(f, ".{:06}", nanos / 1_000)?,
            nanos => write!(f, ".{nanos:09}")?,
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// RFC 3339 with any offset; a bare date is its midnight in UTC.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| {
            Error::new(Error::INVALID_ARGUMENT, format!("'{text}' is not an RFC 3339 time"))
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let day = match date.as_bytes() {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => {
            days(digits(y)?, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?)?
        }
        _ => return None,
    };
    if rest.is_empty() {
        return Some(Timestamp::from_seconds(day * DAY));
    }
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let second = match time.as_bytes() {
        [h1, h2, b':', m1, m2, b':', s1, s2] => {
            below(&[*h1, *h2], 24)? * 3600 + below(&[*m1, *m2], 60)? * 60 + below(&[*s1, *s2], 61)?
        }
        _ => return None,
    };
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            (fraction(&rest.as_bytes()[..end])?, &rest[end..])
        }
        None => (0, rest),
    };
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let offset = below(&[*h1, *h2], 24)? * 3600 + below(&[*m1, *m2], 60)? * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    Some(Timestamp { seconds: day * DAY + second - offset, nanos })
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
    bytes.iter().try_fold(0, |number, b| Some(number * 10 + digit(b)?))
}

fn below(bytes: &[u8], limit: i64) -> Option<i64> {
    digits(bytes).filter(|number| *number < limit)
}

fn fraction(bytes: &[u8]) -> Option<i32> {
    let kept = &bytes[..bytes.len().min(9)];
    if kept.is_empty() {
        return None;
    }
    let missing = u32::try_from(9 - kept.len()).ok()?;
    i32::try_from(digits(kept)? * 10_i64.pow(missing)).ok()
}

/// Days since 1970-01-01 of a date; years begin in March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let number =
        y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468;
    ((1..=12).contains(&month) && civil(number) == (year, month, day)).then_some(number)
}

/// The date of a day since 1970-01-01.
fn civil(number: i64) -> (i64, i64, i64) {
    let shifted = number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * m + 2) / 5 + 1)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl Schema for Timestamp {
    const SHAPE: Shape = Shape::Formatted("date-time");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: i64, nanos: i32, printed: &str) {
        let parsed: Timestamp = text.parse().unwrap();
        assert_eq!((parsed.seconds, parsed.nanos), (seconds, nanos));
        assert_eq!(parsed.to_string(), printed);
    }

    #[test]
    fn rfc_3339_round_trips() {
        check("1970-01-01", 0, 0, "1970-01-01T00:00:00Z");
        check("2024-02-29T23:59:59Z", 1_709_251_199, 0, "2024-02-29T23:59:59Z");
        check(
            "2001-09-09T03:46:40.5+02:00",
            1_000_000_000,
            500_000_000,
            "2001-09-09T01:46:40.500Z",
        );
        check("1969-12-31T23:59:59.000001Z", -1, 1_000, "1969-12-31T23:59:59.000001Z");
        check("0000-03-01T00:00:00Z", -62_162_035_200, 0, "0000-03-01T00:00:00Z");
        for bad in [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-1-01",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1",
            "é024-01-01",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_add_up() {
        let start = Timestamp { seconds: 10, nanos: 900_000_000 };
        let later = start + Duration::from_millis(200);
        assert_eq!(later, Timestamp { seconds: 11, nanos: 100_000_000 });
        assert_eq!(later.since(start), Duration::from_millis(200));
        assert_eq!(start.since(later), Duration::ZERO);
        assert_eq!(later - Duration::from_millis(200), start);
    }
}
