//! Composite keys: a type and attributes joined so that a prefix of attributes is a range.

use crate::error::{Error, Result};

const NUL: char = '\u{0}';
const LAST: char = '\u{10FFFF}';

/// `U+0000 type U+0000 attribute U+0000 …`
pub fn create<A: AsRef<str>>(object_type: &str, attributes: &[A]) -> Result<String> {
    let mut key = String::from(NUL);
    for part in std::iter::once(object_type).chain(attributes.iter().map(AsRef::as_ref)) {
        if part.contains([NUL, LAST]) {
            return Err(Error::new(
                Error::INVALID_ARGUMENT,
                "composite keys cannot hold U+0000 or U+10FFFF",
            ));
        }
        key.push_str(part);
        key.push(NUL);
    }
    Ok(key)
}

/// The type and the attributes of a composite key.
pub fn split(key: &str) -> Result<(String, Vec<String>)> {
    let parts = key.strip_prefix(NUL).and_then(|rest| rest.strip_suffix(NUL));
    let mut parts =
        parts.ok_or_else(|| Error::plain("not a composite key"))?.split(NUL).map(str::to_owned);
    let object_type = parts.next().unwrap_or_default();
    Ok((object_type, parts.collect()))
}
