//! The rules of Fabric's shim for keys, ranges and events, so that every host applies the same.

/// What composite keys begin with, and what separates their parts.
const NUL: char = '\u{0}';
/// The largest character; the end of a prefix.
const LAST: char = '\u{10FFFF}';
/// Where plain keys begin: after all composite keys.
const FIRST_PLAIN: &str = "\u{1}";

/// A key that can be read or written.
pub fn key(key: &str) -> Result<(), String> {
    if key.is_empty() { Err("key must not be an empty string".to_owned()) } else { Ok(()) }
}

/// A collection's name.
pub fn collection(name: &str) -> Result<(), String> {
    if name.is_empty() { Err("collection must not be an empty string".to_owned()) } else { Ok(()) }
}

/// An event's name.
pub fn event(name: &str) -> Result<(), String> {
    if name.is_empty() { Err("event name can not be empty string".to_owned()) } else { Ok(()) }
}

/// The bounds of a range over plain keys: composite keys are outside of it.
pub fn range(start: &str, end: &str) -> Result<(String, String), String> {
    for bound in [start, end] {
        if bound.starts_with(NUL) {
            return Err(format!(
                "first character of the key [{}] contains a null character which is not allowed",
                bound.escape_default()
            ));
        }
    }
    let start = if start.is_empty() { FIRST_PLAIN } else { start };
    Ok((start.to_owned(), end.to_owned()))
}

/// The bounds of the composite keys that begin with these attributes.
pub fn composite_range(
    object_type: &str,
    attributes: &[String],
) -> Result<(String, String), String> {
    let mut start = String::from(NUL);
    for part in std::iter::once(object_type).chain(attributes.iter().map(String::as_str)) {
        if part.contains([NUL, LAST]) {
            return Err(format!(
                "composite key part '{}' contains U+0000 or U+10FFFF",
                part.escape_default()
            ));
        }
        start.push_str(part);
        start.push(NUL);
    }
    let end = format!("{start}{LAST}");
    Ok((start, end))
}

/// The bounds of all composite keys.
pub fn all_composite() -> (String, String) {
    (NUL.to_string(), FIRST_PLAIN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_plain_keys_leave_composite_keys_out() {
        assert_eq!(range("", ""), Ok(("\u{1}".into(), String::new())));
        assert_eq!(range("a", "b"), Ok(("a".into(), "b".into())));
        assert!(range("\0a", "").is_err());
        assert!(range("a", "\0b").is_err());
    }

    #[test]
    fn composite_ranges_cover_whole_attributes() {
        let (start, end) = composite_range("t", &["a".into()]).unwrap();
        assert_eq!(start, "\0t\0a\0");
        assert!(start.as_str() < "\0t\0a\0b\0" && "\0t\0a\0b\0" < end.as_str());
        assert!("\0t\0ab\0" > end.as_str());
        assert!(composite_range("t", &["\u{10FFFF}".into()]).is_err());
        assert!(composite_range("\0", &[]).is_err());
    }
}
