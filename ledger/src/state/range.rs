//! Walking over a part of a view.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Error, StateKey, StateView};
use crate::Versioned;

/// Entries are read from the database in chunks that grow from the first to the second.
const CHUNK_MIN: usize = 16;
const CHUNK_MAX: usize = 512;

/// Entries of a part of a view, in the order of the keys.
#[derive(Debug)]
pub struct Scan {
    view: Arc<dyn StateView>,
    from: StateKey,
    end: StateKey,
    chunk: usize,
    read: VecDeque<(StateKey, Versioned)>,
    exhausted: bool,
}

impl Scan {
    /// Entries from `start` up to but without `end`.
    pub fn new(view: Arc<dyn StateView>, start: StateKey, end: StateKey) -> Self {
        let (chunk, read) = (CHUNK_MIN, VecDeque::new());
        Self { view, from: start, end, chunk, read, exhausted: false }
    }

    fn read(&mut self) -> Result<(), Error> {
        let chunk = self.view.range(&self.from, &self.end, self.chunk)?;
        self.exhausted = chunk.len() < self.chunk;
        self.chunk = (self.chunk * 4).min(CHUNK_MAX);
        if let Some((last, _)) = chunk.last() {
            self.from = last.successor();
        }
        self.read = chunk.into();
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<(StateKey, Versioned), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty()
            && !self.exhausted
            && let Err(error) = self.read()
        {
            self.exhausted = true;
            return Some(Err(error));
        }
        self.read.pop_front().map(Ok)
    }
}

/// Keys of one namespace and what is held of them, ascending.
#[derive(Debug)]
pub struct Range(Scan);

impl Range {
    /// Keys from `start` up to but without `end`; an empty `end` is open. The namespace is the
    /// composed one.
    pub(crate) fn new(view: Arc<dyn StateView>, namespace: &str, start: &str, end: &str) -> Self {
        let end = match end {
            "" => StateKey::end_of(namespace),
            end => StateKey::public(namespace, end),
        };
        Self(Scan::new(view, StateKey::public(namespace, start), end))
    }
}

impl Iterator for Range {
    type Item = Result<(String, Versioned), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        Some(entry.and_then(|(key, value)| match String::from_utf8(key.key().to_vec()) {
            Ok(key) => Ok((key, value)),
            Err(_) => Err(Error::Damaged("a key is not text")),
        }))
    }
}
