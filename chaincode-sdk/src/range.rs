//! Iterators over ranges and histories. Dropping one before its end closes it at the host.

use std::marker::PhantomData;
use std::vec;

use crate::error::Result;
use crate::host::{Answer, Batch, Host, KeyModification, KeyValue, Span};
use crate::record::Record;

/// Batches of anything, one element at a time.
struct Cursor<'a, T> {
    host: &'a dyn Host,
    iterator: u32,
    entries: vec::IntoIter<T>,
    has_more: bool,
    more: fn(&dyn Host, u32) -> Answer<Batch<T>>,
}

impl<'a, T> Cursor<'a, T> {
    fn new(
        host: &'a dyn Host,
        first: Batch<T>,
        more: fn(&dyn Host, u32) -> Answer<Batch<T>>,
    ) -> Self {
        let Batch { iterator, entries, has_more } = first;
        Self { host, iterator, entries: entries.into_iter(), has_more, more }
    }

    fn advance(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(Ok(entry));
            }
            if !std::mem::take(&mut self.has_more) {
                return None;
            }
            match (self.more)(self.host, self.iterator) {
                Ok(batch) => {
                    self.iterator = batch.iterator;
                    self.entries = batch.entries.into_iter();
                    self.has_more = batch.has_more;
                }
                Err(refused) => return Some(Err(refused.into())),
            }
        }
    }
}

impl<T> Drop for Cursor<'_, T> {
    fn drop(&mut self) {
        if self.has_more {
            self.host.close(self.iterator);
        }
    }
}

/// Keys with values, in key order.
pub struct Entries<'a>(Cursor<'a, KeyValue>);

impl<'a> Entries<'a> {
    pub(crate) fn open(
        host: &'a dyn Host,
        collection: Option<&str>,
        span: Span<'_>,
    ) -> Result<Self> {
        let first = host.range(collection, span)?;
        Ok(Self(Cursor::new(host, first, |host, iterator| host.next(iterator))))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<KeyValue>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.advance()
    }
}

/// Changes of a key, newest first.
pub struct Modifications<'a>(Cursor<'a, KeyModification>);

impl<'a> Modifications<'a> {
    pub(crate) fn open(host: &'a dyn Host, key: &str) -> Result<Self> {
        let first = host.history(key)?;
        Ok(Self(Cursor::new(host, first, |host, iterator| host.next_history(iterator))))
    }
}

impl Iterator for Modifications<'_> {
    type Item = Result<KeyModification>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.advance()
    }
}

/// Records, in key order.
pub struct Records<'a, R> {
    entries: Entries<'a>,
    record: PhantomData<R>,
}

impl<'a, R> Records<'a, R> {
    pub(crate) fn new(entries: Entries<'a>) -> Self {
        Self { entries, record: PhantomData }
    }
}

impl<R: Record> Iterator for Records<'_, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| entry.and_then(|kv| R::decode(&kv.key, &kv.value)))
    }
}

macro_rules! opaque_debug {
    ($($type:ty => $name:literal),*) => {
        $(impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($name)
            }
        })*
    };
}

opaque_debug!(Entries<'_> => "Entries", Modifications<'_> => "Modifications");

impl<R> std::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Records")
    }
}
