//! The rule for channel names.

/// Longest channel name.
const LENGTH_MAX: usize = 249;

/// Why a text is not a channel name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelIdError {
    /// There is no name.
    #[error("channel ID illegal, cannot be empty")]
    Empty,
    /// The name is longer than 249 characters.
    #[error("channel ID illegal, cannot be longer than {LENGTH_MAX}")]
    TooLong,
    /// The name has a character that is not allowed, or starts with one that may not come first.
    #[error("'{0}' contains illegal characters")]
    Characters(String),
}

/// Checks a channel name: a lower-case letter, then lower-case letters, digits, dots and dashes,
/// at most 249 in all.
pub fn validate_channel_id(id: &str) -> Result<(), ChannelIdError> {
    let mut characters = id.bytes();
    match characters.next() {
        None => return Err(ChannelIdError::Empty),
        Some(_) if id.len() > LENGTH_MAX => return Err(ChannelIdError::TooLong),
        Some(first) if !first.is_ascii_lowercase() => {
            return Err(ChannelIdError::Characters(id.to_owned()));
        }
        Some(_) => {}
    }
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
    if characters.all(allowed) { Ok(()) } else { Err(ChannelIdError::Characters(id.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_start_with_a_letter() {
        for good in ["a", "care", "pharma-2.eu", &"a".repeat(249)] {
            assert_eq!(validate_channel_id(good), Ok(()), "{good}");
        }
        for bad in ["", "2care", "Care", "ca_re", "-care", "cäre", "care/x", &"a".repeat(250)] {
            assert!(validate_channel_id(bad).is_err(), "{bad}");
        }
    }
}
