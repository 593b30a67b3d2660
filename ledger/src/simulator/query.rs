//! Range queries of a simulation.
//!
//! Results travel to the chaincode in batches, and what counts as read is what was pulled for the
//! batches, not what the chaincode looked at: opening a query pulls one result more than a batch,
//! and handing out the last result of a batch pulls the next one.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proto::kvrwset::{KvRead, RangeQueryInfo};

use super::{Error, Simulator};
use crate::rwset::merkle::{DEGREE, Summary};
use crate::state::Range;

/// Results of one batch.
const BATCH: usize = 100;

/// An open range query of a simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query(u32);

impl Query {
    /// A number that names the query within its simulation.
    pub fn id(self) -> u32 {
        self.0
    }
}

impl From<u32> for Query {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
}

/// One page of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys and values, ascending.
    pub results: Vec<KeyValue>,
    /// Where the next page begins; empty after the last page.
    pub bookmark: String,
}

/// The queries of a simulation.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// What was read, in the order of opening.
    records: Vec<Record>,
    open: BTreeMap<u32, Open>,
    next: u32,
}

/// What a query has read so far.
#[derive(Debug)]
struct Record {
    namespace: String,
    start: String,
    end: String,
    /// The last key read, or the end of the query once it is exhausted.
    read_to: String,
    exhausted: bool,
    reads: Summary,
}

#[derive(Debug)]
struct Open {
    source: Range,
    /// Position in the records; private queries are not recorded.
    record: Option<usize>,
    batch: VecDeque<KeyValue>,
    /// The result that showed that there is a further batch.
    held: Option<KeyValue>,
    /// Results that may still be pulled.
    left: u32,
}

impl Queries {
    /// What is recorded of all queries.
    pub(super) fn recorded(&mut self) -> Vec<(String, RangeQueryInfo)> {
        let records = std::mem::take(&mut self.records).into_iter();
        let info = |record: Record| RangeQueryInfo {
            start_key: record.start,
            end_key: record.read_to,
            itr_exhausted: record.exhausted,
            reads_info: record.reads.finish(),
        };
        records.map(|record| (record.namespace.clone(), info(record))).collect()
    }

    fn record(&mut self, namespace: &str, start: &str, end: &str) -> Option<usize> {
        self.records.push(Record {
            namespace: namespace.to_owned(),
            start: start.to_owned(),
            end: end.to_owned(),
            read_to: String::new(),
            exhausted: false,
            reads: Summary::new(DEGREE)?,
        });
        Some(self.records.len() - 1)
    }

    fn open(&mut self, mut open: Open) -> Result<Query, Error> {
        self.fill(&mut open)?;
        let query = self.next;
        self.next += 1;
        self.open.insert(query, open);
        Ok(Query(query))
    }

    /// Pulls the next batch, and one result more.
    fn fill(&mut self, open: &mut Open) -> Result<(), Error> {
        open.batch.extend(open.held.take());
        while let Some(found) = self.pull(open)? {
            if open.batch.len() == BATCH {
                open.held = Some(found);
                break;
            }
            open.batch.push_back(found);
        }
        Ok(())
    }

    /// Reads one result. At the limit nothing more is read, not even that there is nothing more.
    fn pull(&mut self, open: &mut Open) -> Result<Option<KeyValue>, Error> {
        let Some(left) = open.left.checked_sub(1) else { return Ok(None) };
        let found = open.source.next().transpose()?;
        let record = open.record.and_then(|at| self.records.get_mut(at));
        let Some((key, entry)) = found else {
            open.left = 0;
            if let Some(record) = record {
                record.exhausted = true;
                record.read_to.clone_from(&record.end);
            }
            return Ok(None);
        };
        open.left = left;
        if let Some(record) = record {
            record.read_to.clone_from(&key);
            record.reads.add(KvRead { key: key.clone(), version: Some(entry.version.into()) });
        }
        Ok(Some(KeyValue { key, value: entry.value }))
    }
}

impl Simulator {
    /// Opens a query over keys from `start` up to but without `end`; an empty bound is open.
    pub fn range(&mut self, namespace: &str, start: &str, end: &str) -> Result<Query, Error> {
        let source = self.view.range(namespace, start, end);
        let record = self.queries.record(namespace, start, end);
        let left = self.query_results_max;
        self.queries.open(Open { source, record, batch: VecDeque::new(), held: None, left })
    }

    /// Opens a query over private keys, which is not recorded and excludes writes.
    pub fn private_range(
        &mut self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Result<Query, Error> {
        if self.wrote {
            return Err(Error::PrivateQueryAndWrite(self.tx_id.clone()));
        }
        self.queried_private = true;
        let source = self.view.private_range(namespace, collection, start, end);
        let left = self.query_results_max;
        self.queries.open(Open { source, record: None, batch: VecDeque::new(), held: None, left })
    }

    /// The next result of a query.
    pub fn next(&mut self, query: Query) -> Result<Option<KeyValue>, Error> {
        let mut open = self.queries.open.remove(&query.0).ok_or(Error::UnknownQuery(query.0))?;
        let found = open.batch.pop_front();
        if open.batch.is_empty() && open.held.is_some() {
            self.queries.fill(&mut open)?;
        }
        self.queries.open.insert(query.0, open);
        Ok(found)
    }

    /// The next results of a query, as many as travel to a chaincode at once, and whether there is
    /// a further batch to ask for.
    pub fn next_batch(&mut self, query: Query) -> Result<(Vec<KeyValue>, bool), Error> {
        let mut open = self.queries.open.remove(&query.0).ok_or(Error::UnknownQuery(query.0))?;
        if open.batch.is_empty() {
            self.queries.fill(&mut open)?;
        }
        let batch = std::mem::take(&mut open.batch).into();
        let more = open.held.is_some();
        self.queries.open.insert(query.0, open);
        Ok((batch, more))
    }

    /// Closes a query; what it pulled stays recorded.
    pub fn close(&mut self, query: Query) {
        self.queries.open.remove(&query.0);
    }

    /// One page of a range, from `bookmark` if it is not empty. Excludes writes.
    pub fn range_page(
        &mut self,
        namespace: &str,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Page, Error> {
        if self.wrote {
            return Err(Error::PageAndWrite(self.tx_id.clone()));
        }
        self.paged = true;
        let start = if bookmark.is_empty() { start } else { bookmark };
        let source = self.view.range(namespace, start, end);
        let record = self.queries.record(namespace, start, end);
        let left = page_size.min(self.query_results_max);
        let mut open = Open { source, record, batch: VecDeque::new(), held: None, left };
        let mut results = Vec::new();
        while let Some(found) = self.queries.pull(&mut open)? {
            results.push(found);
        }
        // Only a bookmark: looking at the next key is not a read.
        let next = open.source.next().transpose()?;
        let bookmark = next.map(|(key, _)| key).unwrap_or_default();
        Ok(Page { results, bookmark })
    }
}
