//! Keys and values of a ledger, for people.

use serde_json::{Value, json};

/// What separates the parts of a composite key, and begins one.
const NUL: char = '\0';
/// Behind everything a key may hold.
const LAST: char = '\u{10ffff}';

/// The type and the attributes of a composite key.
fn parts(key: &str) -> Option<Vec<&str>> {
    let inner = key.strip_prefix(NUL)?.strip_suffix(NUL)?;
    Some(inner.split(NUL).collect())
}

/// A key as it is shown: a composite one with slashes, other control characters escaped.
pub(crate) fn shown(key: &str) -> String {
    let text = parts(key).map_or_else(|| key.to_owned(), |parts| parts.join("/"));
    let visible = |symbol: char| match symbol.is_control() {
        true => symbol.escape_default().to_string(),
        false => symbol.to_string(),
    };
    text.chars().map(visible).collect()
}

/// A key in JSON: as it is, and its parts if it is composite.
pub(crate) fn json(key: &str) -> Value {
    match parts(key) {
        Some(parts) => json!({ "key": key, "composite": parts }),
        None => json!({ "key": key }),
    }
}

/// The key that somebody typed; a composite one with slashes between its parts.
pub(crate) fn typed(text: &str, composite: bool) -> String {
    match composite {
        true => joined(text.split('/')),
        false => text.to_owned(),
    }
}

/// What the keys begin with that somebody means by a prefix: whole parts of composite keys.
pub(crate) fn prefix(text: &str, composite: bool) -> String {
    match (composite, text.trim_end_matches('/')) {
        (true, "") => NUL.to_string(),
        (true, parts) => joined(parts.split('/')),
        (false, _) => text.to_owned(),
    }
}

/// Behind all keys that begin so.
pub(crate) fn behind(prefix: &str) -> String {
    match prefix.is_empty() {
        true => String::new(),
        false => format!("{prefix}{LAST}"),
    }
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut key = NUL.to_string();
    for part in parts {
        key.push_str(part);
        key.push(NUL);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, composite: bool, key: &str) {
        assert_eq!(typed(text, composite), key);
        assert_eq!(shown(key), text);
    }

    #[test]
    fn keys_are_typed_as_they_are_shown() {
        check("a/b", false, "a/b");
        check("grant/p-1/7", true, "\0grant\0p-1\0\x37\0");
        check("grant", true, "\0grant\0");
        assert_eq!(shown("\0half"), "\\u{0}half");
        assert_eq!(json("\0grant\0p\0")["composite"][1], "p");
        assert_eq!(json("plain").get("composite"), None);
    }

    #[test]
    fn prefixes_hold_their_keys_and_no_others() {
        for (text, composite, inside, outside) in [
            ("ab", false, "abc", "ac"),
            ("grant", true, "\0grant\0p\0", "\0grants\0p\0"),
            ("grant/p/", true, "\0grant\0p\0x\0", "\0grant\0pq\0"),
        ] {
            let start = prefix(text, composite);
            let range = start.clone()..behind(&start);
            assert!(range.contains(&inside.to_owned()), "{text}");
            assert!(!range.contains(&outside.to_owned()), "{text}");
        }
        assert_eq!(prefix("", true), "\0");
        assert_eq!(behind(""), "");
    }
}
