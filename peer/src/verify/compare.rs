//! Two ordered lists, walked side by side.

use std::iter::Peekable;

/// Where two lists differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pair<T> {
    /// In both lists, and equal.
    Same(T),
    /// In the first list only.
    Missing(T),
    /// In the second list only.
    Extra(T),
    /// In both lists under one key, and not equal.
    Differs(T, T),
}

/// Walks two lists, each ascending by `key`. Errors of either come out where they occur.
pub(crate) struct Merge<I: Iterator, J: Iterator, F> {
    expected: Peekable<I>,
    found: Peekable<J>,
    key: F,
}

impl<T, E, I, J, F> Merge<I, J, F>
where
    I: Iterator<Item = Result<T, E>>,
    J: Iterator<Item = Result<T, E>>,
{
    pub(crate) fn new(expected: I, found: J, key: F) -> Self {
        Self { expected: expected.peekable(), found: found.peekable(), key }
    }
}

impl<T, E, I, J, F, K> Iterator for Merge<I, J, F>
where
    I: Iterator<Item = Result<T, E>>,
    J: Iterator<Item = Result<T, E>>,
    F: Fn(&T) -> K,
    K: Ord,
    T: PartialEq,
{
    type Item = Result<Pair<T>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (self.expected.peek(), self.found.peek()) {
            (None, None) => return None,
            (Some(Err(_)) | Some(Ok(_)), None) | (Some(Err(_)), Some(_)) => Less,
            (None, Some(_)) | (Some(Ok(_)), Some(Err(_))) => Greater,
            (Some(Ok(expected)), Some(Ok(found))) => (self.key)(expected).cmp(&(self.key)(found)),
        };
        match order {
            Less => Some(self.expected.next()?.map(Pair::Missing)),
            Greater => Some(self.found.next()?.map(Pair::Extra)),
            Equal => match (self.expected.next()?, self.found.next()?) {
                (Ok(expected), Ok(found)) if expected == found => Some(Ok(Pair::Same(expected))),
                (Ok(expected), Ok(found)) => Some(Ok(Pair::Differs(expected, found))),
                (Err(error), _) | (_, Err(error)) => Some(Err(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_in_order() {
        let list = |entries: &[(u8, u8)]| -> Vec<Result<(u8, u8), ()>> {
            entries.iter().copied().map(Ok).collect()
        };
        let (expected, found) = (list(&[(1, 1), (2, 2), (4, 4)]), list(&[(1, 1), (3, 3), (4, 5)]));
        let pairs: Result<Vec<_>, ()> =
            Merge::new(expected.into_iter(), found.into_iter(), |it: &(u8, u8)| it.0).collect();
        let differs = Pair::Differs((4, 4), (4, 5));
        let expected = [Pair::Same((1, 1)), Pair::Missing((2, 2)), Pair::Extra((3, 3)), differs];
        assert_eq!(pairs.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn errors_are_not_lost() {
        let broken = vec![Ok((1, 1)), Err("broken")];
        let whole = vec![Ok((1, 1)), Ok((2, 2))];
        let merged = |a: &[_], b: &[_]| -> Result<Vec<Pair<(u8, u8)>>, &str> {
            Merge::new(a.iter().copied(), b.iter().copied(), |it: &(u8, u8)| it.0).collect()
        };
        assert_eq!(merged(&broken, &whole), Err("broken"));
        assert_eq!(merged(&whole, &broken), Err("broken"));
    }
}
