//! Clients at work: they submit without pause, and remember what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Contract, Error, TxValidationCode};
use tokio::task::JoinSet;

use crate::harness::{MAIN, Network};

/// Clients writing keys of their own.
const WRITERS: usize = 3;
/// The pause of a client that was not served.
const PAUSE: Duration = Duration::from_millis(100);

/// What clients were told, by transaction.
pub(super) type Acknowledged = BTreeMap<String, Seen>;

/// What a client was told about its transaction.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) block: u64,
    pub(super) code: TxValidationCode,
    /// The key that was written by a valid transaction; none for increments.
    pub(super) key: Option<String>,
}

impl Seen {
    pub(super) fn is_valid_increment(&self) -> bool {
        self.key.is_none() && self.code == TxValidationCode::Valid
    }
}

/// Running clients.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Acknowledged>,
    stop: AtomicBool,
}

impl Load {
    /// Starts clients: most write keys of their own, two compete for one key, so that some of
    /// their transactions are invalid.
    pub(super) async fn start(network: &Network) -> Self {
        let contract = network.basic(MAIN).await;
        let shared = Arc::new(Shared::default());
        let mut clients = JoinSet::new();
        for writer in 0..WRITERS {
            clients.spawn(write(contract.clone(), shared.clone(), writer));
        }
        for _ in 0..2 {
            clients.spawn(compete(contract.clone(), shared.clone()));
        }
        Self { shared, clients }
    }

    /// How many transactions clients know the outcome of.
    pub(super) fn acknowledged(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Ends the clients and returns what they were told.
    pub(super) async fn stop(mut self) -> Acknowledged {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

async fn write(contract: Contract, shared: Arc<Shared>, writer: usize) {
    for number in 0.. {
        let key = format!("w{writer}-{number:06}");
        if !submit(&contract, &shared, "put", &[&key, "value"], Some(&key)).await {
            return;
        }
    }
}

async fn compete(contract: Contract, shared: Arc<Shared>) {
    while submit(&contract, &shared, "increment", &["shared"], None).await {}
}

/// Submits one transaction; `false` when it is time to stop.
async fn submit(
    contract: &Contract,
    shared: &Shared,
    function: &str,
    arguments: &[&str],
    key: Option<&str>,
) -> bool {
    match contract.submit(function, arguments).await {
        Ok(outcome) => {
            let key = key.map(str::to_owned);
            let seen = Seen { block: outcome.block, code: outcome.code, key };
            shared.seen.lock().unwrap().insert(outcome.tx_id, seen);
        }
        Err(Error::Invalid { tx_id, block, code }) => {
            shared.seen.lock().unwrap().insert(tx_id, Seen { block, code, key: None });
        }
        // Not acknowledged: it may be on the ledger or not.
        Err(_) => tokio::time::sleep(PAUSE).await,
    }
    !shared.stop.load(Ordering::Relaxed)
}
