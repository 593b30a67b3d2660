//! Channel ids become folder names, so only ids that Fabric allows are accepted.

/// Longest channel id.
const LENGTH_MAX: usize = 249;

/// Whether this is a channel id: a lower-case letter, then lower-case letters, digits, dots and
/// hyphens.
pub(crate) fn is_valid(id: &str) -> bool {
    let mut bytes = id.bytes();
    id.len() <= LENGTH_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn ids_that_could_leave_the_folder_are_refused() {
        for id in ["care", "a", "a.b-9"] {
            assert!(is_valid(id), "{id}");
        }
        for id in ["", "..", "a/b", "A", "9a", ".a", "a_b", "ä", &"a".repeat(250)] {
            assert!(!is_valid(id), "{id}");
        }
    }
}
