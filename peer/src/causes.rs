//! Errors in one line, for answers that carry nothing but a text.

/// The text of an error and of its causes, outermost first. A cause its effect has already told is
/// not repeated.
pub(crate) fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Error {
        #[error("outer")]
        Outer(#[source] Box<Error>),
        #[error("told: {0}")]
        Told(#[source] Box<Error>),
        #[error("inner")]
        Inner,
    }

    #[track_caller]
    fn check(error: &Error, expected: &str) {
        assert_eq!(in_one_line(error), expected);
    }

    #[test]
    fn causes_are_told_once() {
        check(&Error::Inner, "inner");
        check(&Error::Outer(Error::Inner.into()), "outer: inner");
        check(&Error::Told(Error::Inner.into()), "told: inner");
    }
}
