//! Reading and writing keys, ranges, histories and policies.

use bytes::Bytes;

use super::{Outcome, Session, Span, at_most, cost};
use crate::chaincode::Usage;
use crate::rules;
use crate::stub::{Batch, HistoryBatch, KeyValue, Page};

/// The state, public (`collection` is `None`) and private.
impl Session<'_> {
    /// The committed value of a key.
    pub fn get(&mut self, collection: Option<&str>, key: &str) -> Outcome<Option<Bytes>> {
        self.before_read(collection, key)?;
        let value = match collection {
            None => self.stub.get_state(key),
            Some(collection) => self.stub.get_private_data(collection, key),
        }?;
        self.after_read(value)
    }

    /// Several committed values, in order.
    pub fn get_multiple(
        &mut self,
        collection: Option<&str>,
        keys: &[String],
    ) -> Outcome<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(collection, key)).collect()
    }

    /// The hash of a private value.
    pub fn get_hash(&mut self, collection: &str, key: &str) -> Outcome<Option<Bytes>> {
        self.before_read(Some(collection), key)?;
        let hash = self.stub.get_private_data_hash(collection, key)?;
        self.after_read(hash)
    }

    /// Writes a key.
    pub fn put(&mut self, collection: Option<&str>, key: &str, value: Bytes) -> Outcome<()> {
        self.before_write(collection, key, value.len())?;
        Ok(match collection {
            None => self.stub.put_state(key, value),
            Some(collection) => self.stub.put_private_data(collection, key, value),
        }?)
    }

    /// Deletes a key.
    pub fn delete(&mut self, collection: Option<&str>, key: &str) -> Outcome<()> {
        self.before_write(collection, key, 0)?;
        Ok(match collection {
            None => self.stub.del_state(key),
            Some(collection) => self.stub.del_private_data(collection, key),
        }?)
    }

    /// Deletes a private key with its past.
    pub fn purge(&mut self, collection: &str, key: &str) -> Outcome<()> {
        self.before_write(Some(collection), key, 0)?;
        Ok(self.stub.purge_private_data(collection, key)?)
    }

    /// Opens a range.
    pub fn range(&mut self, collection: Option<&str>, span: Span<'_>) -> Outcome<Batch> {
        let (start, end) = span.bounds()?;
        collection.map_or(Ok(()), rules::collection)?;
        self.before_open()?;
        let batch = match collection {
            None => self.stub.get_state_by_range(&start, &end),
            Some(collection) => self.stub.get_private_data_by_range(collection, &start, &end),
        }?;
        self.open_iterators += u64::from(batch.has_more);
        self.after_entries(&batch.entries)?;
        Ok(batch)
    }

    /// One page of the world state.
    pub fn page(&mut self, span: Span<'_>, page_size: u32, bookmark: &str) -> Outcome<Page> {
        let (start, end) = span.bounds()?;
        self.charge(cost::RANGE)?;
        let page = self.stub.get_state_by_range_page(&start, &end, page_size, bookmark)?;
        self.after_entries(&page.entries)?;
        Ok(page)
    }

    /// The next part of a range.
    pub fn next(&mut self, iterator: u32) -> Outcome<Batch> {
        self.charge(cost::RANGE)?;
        let batch = self.stub.next_batch(iterator)?;
        self.after_batch(batch.has_more);
        self.after_entries(&batch.entries)?;
        Ok(batch)
    }

    /// Closes a range or a history.
    pub fn close(&mut self, iterator: u32) -> Outcome<()> {
        self.charge(cost::CONTEXT)?;
        self.after_batch(false);
        self.stub.close_iterator(iterator);
        Ok(())
    }

    fn before_open(&mut self) -> Outcome<()> {
        self.charge(cost::RANGE)?;
        Ok(at_most(self.open_iterators + 1, "iterators_max", self.config.iterators_max)?)
    }

    fn after_batch(&mut self, has_more: bool) {
        if !has_more {
            self.open_iterators = self.open_iterators.saturating_sub(1);
        }
    }

    fn after_entries(&mut self, entries: &[KeyValue]) -> Outcome<()> {
        let size: usize = entries.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
        self.charge_bytes(entries.len() as u64 * cost::ENTRY, size)?;
        self.count(Usage::ReadBytes, size as u64)
    }

    /// The key's endorsement policy.
    pub fn get_validation_parameter(
        &mut self,
        collection: Option<&str>,
        key: &str,
    ) -> Outcome<Option<Bytes>> {
        self.before_read(collection, key)?;
        let policy = match collection {
            None => self.stub.get_state_validation_parameter(key),
            Some(c) => self.stub.get_private_data_validation_parameter(c, key),
        }?;
        self.after_read(policy)
    }

    /// Sets the key's endorsement policy.
    pub fn set_validation_parameter(
        &mut self,
        collection: Option<&str>,
        key: &str,
        policy: Bytes,
    ) -> Outcome<()> {
        self.before_write(collection, key, policy.len())?;
        Ok(match collection {
            None => self.stub.set_state_validation_parameter(key, policy),
            Some(c) => self.stub.set_private_data_validation_parameter(c, key, policy),
        }?)
    }

    /// Opens a key's history.
    pub fn history(&mut self, key: &str) -> Outcome<HistoryBatch> {
        self.check_key(None, key)?;
        self.before_open()?;
        let batch = self.stub.get_history_for_key(key)?;
        self.open_iterators += u64::from(batch.has_more);
        self.after_history(batch)
    }

    /// The next part of a history.
    pub fn next_history(&mut self, iterator: u32) -> Outcome<HistoryBatch> {
        self.charge(cost::RANGE)?;
        let batch = self.stub.next_history_batch(iterator)?;
        self.after_batch(batch.has_more);
        self.after_history(batch)
    }

    fn after_history(&mut self, batch: HistoryBatch) -> Outcome<HistoryBatch> {
        let size: usize = batch.entries.iter().map(|m| m.tx_id.len() + m.value.len()).sum();
        self.charge_bytes(batch.entries.len() as u64 * cost::ENTRY, size)?;
        self.count(Usage::ReadBytes, size as u64)?;
        Ok(batch)
    }
}
