//! Who waits for which transaction: bounded, and forgotten as soon as the waiter is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::peer::TxValidationCode;
use tokio::sync::oneshot;

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitStatus {
    /// The verdict of validation.
    pub code: TxValidationCode,
    /// The block that holds the transaction.
    pub block: u64,
}

/// More transactions are awaited on a channel than its configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} transactions are awaited already")]
pub struct TooManyWaiters(pub usize);

/// The waiters of one channel.
#[derive(Debug)]
pub struct Commits {
    waiters: Arc<Mutex<Waiters>>,
    waiters_max: usize,
}

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    /// Ordered by transaction id, so that all waiters of one id are neighbours.
    senders: BTreeMap<(String, u64), oneshot::Sender<CommitStatus>>,
}

impl Commits {
    /// A notifier for at most `waiters_max` waiters at a time.
    pub fn new(waiters_max: usize) -> Self {
        Self { waiters: Arc::default(), waiters_max }
    }

    /// Registers a waiter for `tx_id`. Look the transaction up in the ledger after this call, so
    /// that a commit in between is not missed.
    pub fn subscribe(&self, tx_id: &str) -> Result<Waiter, TooManyWaiters> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.waiters.lock();
        if waiters.senders.len() >= self.waiters_max {
            return Err(TooManyWaiters(self.waiters_max));
        }
        let key = (tx_id.to_owned(), waiters.next);
        waiters.next += 1;
        waiters.senders.insert(key.clone(), sender);
        Ok(Waiter { receiver, _registration: Registration { waiters: self.waiters.clone(), key } })
    }

    /// Tells everyone who waits for `tx_id`.
    pub fn notify(&self, tx_id: &str, status: CommitStatus) {
        let mut waiters = self.waiters.lock();
        let range = (tx_id.to_owned(), 0)..=(tx_id.to_owned(), u64::MAX);
        let keys: Vec<_> = waiters.senders.range(range).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(sender) = waiters.senders.remove(&key) {
                // The waiter may be gone: nobody is left to be told.
                let _gone = sender.send(status);
            }
        }
    }

    /// How many waiters there are.
    pub fn waiting(&self) -> usize {
        self.waiters.lock().senders.len()
    }
}

/// A registered interest in one transaction; dropping it withdraws it.
#[derive(Debug)]
pub struct Waiter {
    receiver: oneshot::Receiver<CommitStatus>,
    _registration: Registration,
}

impl Waiter {
    /// Waits for the commit; `None` if the channel is gone.
    pub async fn status(&mut self) -> Option<CommitStatus> {
        (&mut self.receiver).await.ok()
    }
}

#[derive(Debug)]
struct Registration {
    waiters: Arc<Mutex<Waiters>>,
    key: (String, u64),
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.waiters.lock().senders.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: CommitStatus = CommitStatus { code: TxValidationCode::Valid, block: 7 };

    #[tokio::test]
    async fn every_waiter_of_the_id_is_told_and_no_other() {
        let commits = Commits::new(10);
        let mut first = commits.subscribe("a").unwrap();
        let mut second = commits.subscribe("a").unwrap();
        let _other = commits.subscribe("b").unwrap();
        commits.notify("a", STATUS);
        assert_eq!(first.status().await, Some(STATUS));
        assert_eq!(second.status().await, Some(STATUS));
        assert_eq!(commits.waiting(), 1);
    }

    #[test]
    fn waiters_are_bounded_and_forgotten() {
        let commits = Commits::new(1);
        let waiter = commits.subscribe("a").unwrap();
        assert_eq!(commits.subscribe("b").unwrap_err(), TooManyWaiters(1));
        drop(waiter);
        assert_eq!(commits.waiting(), 0);
        commits.subscribe("b").unwrap();
    }
}
