//! A channel with chaincode, users and a clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gauze_chaincode::{Contract, Timestamp};
use ledger::{Ledger, Ledgers, PrivateWriteSets};
use proto::peer::TxValidationCode;
use runtime::{Chaincode, ChaincodeRuntime, Invocation, Package, wasm};
use tempfile::TempDir;

use crate::build;
use crate::call::{CallError, Endorsed, Event, panic_at};
use crate::chain::{self, Proposal};
use crate::native::Native;
use crate::session::Session;
use crate::stub::LedgerStub;
use crate::user::User;

/// The channel of a test.
const CHANNEL: &str = "test";

/// One channel on one peer, in a temporary folder.
pub struct Network {
    organizations: Vec<String>,
    config: wasm::Config,
    pub(crate) chaincodes: BTreeMap<String, Arc<dyn Chaincode>>,
    default_chaincode: Option<String>,
    ledger: Arc<Ledger>,
    moving: Mutex<Moving>,
    // Last, so that the ledger is closed before its folder goes.
    _folder: TempDir,
}

/// What changes while tests run.
struct Moving {
    now: Timestamp,
    proposals: u64,
    events: Vec<Event>,
    log: Vec<String>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("height", &self.height()).finish_non_exhaustive()
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Making one.
impl Network {
    /// An empty channel at 2024-01-01T00:00:00Z.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = ledger::Config::default();
        config.state.backend = ledger::state::Backend::Memory;
        let ledgers = Ledgers::open(folder.path(), config).expect("the ledger opens");
        let genesis = chain::genesis(CHANNEL);
        let ledger = ledgers.create(CHANNEL, &genesis).expect("the ledger takes its first block");
        let moving = Moving {
            now: Timestamp::from_seconds(1_704_067_200),
            proposals: 0,
            events: Vec::new(),
            log: Vec::new(),
        };
        Self {
            organizations: Vec::new(),
            config: wasm::Config::default(),
            chaincodes: BTreeMap::new(),
            default_chaincode: None,
            ledger,
            moving: Mutex::new(moving),
            _folder: folder,
        }
    }

    /// Adds organizations by their MSP ids.
    #[must_use]
    pub fn orgs<S: Into<String>>(mut self, msp_ids: impl IntoIterator<Item = S>) -> Self {
        self.organizations.extend(msp_ids.into_iter().map(Into::into));
        self
    }

    /// Other limits for the chaincodes deployed after this.
    #[must_use]
    pub fn limits(mut self, config: wasm::Config) -> Self {
        self.config = config;
        self
    }

    /// Deploys a contract as it was compiled into the test. The first one deployed is called
    /// unless a session names another.
    #[must_use]
    pub fn deploy<C: Contract + 'static>(self, name: &str) -> Self {
        let chaincode = Arc::new(Native::<C>::new(self.config.clone()));
        self.add(name, chaincode)
    }

    /// Builds the contract of a crate for WebAssembly and deploys the component.
    ///
    /// # Panics
    /// If it does not build, or a peer would refuse it.
    #[must_use]
    #[track_caller]
    pub fn deploy_wasm(self, name: &str, manifest_dir: impl AsRef<Path>) -> Self {
        let package = build::package(manifest_dir.as_ref(), name)
            .unwrap_or_else(|e| panic_at(&format!("build {name}: {e}")));
        self.deploy_package(name, &package)
    }

    /// Deploys a package.
    ///
    /// # Panics
    /// If a peer would refuse it.
    #[must_use]
    #[track_caller]
    pub fn deploy_package(self, name: &str, package: &Bytes) -> Self {
        let chaincode = Package::parse(package.clone()).map_err(Into::into).and_then(|package| {
            let engine = wasm::Engine::new(self.config.clone())?;
            engine.install(&package)?;
            engine.load(package.id())
        });
        let chaincode =
            chaincode.unwrap_or_else(|e| panic_at(&format!("deploy package of {name}: {e}")));
        self.add(name, chaincode)
    }

    fn add(mut self, name: &str, chaincode: Arc<dyn Chaincode>) -> Self {
        self.chaincodes.insert(name.to_owned(), chaincode);
        self.default_chaincode.get_or_insert_with(|| name.to_owned());
        self
    }
}

/// Using it.
impl Network {
    /// A user of one of the organizations, with the role `client`.
    ///
    /// # Panics
    /// If there is no such organization.
    #[track_caller]
    pub fn user(&self, msp_id: &str, name: &str) -> User {
        if !self.organizations.iter().any(|known| known == msp_id) {
            panic_at(&format!("organization {msp_id} is none of {:?}", self.organizations));
        }
        User::new(msp_id, name)
    }

    /// Calls as this user.
    ///
    /// # Panics
    /// If nothing is deployed.
    #[track_caller]
    pub fn as_(&self, user: &User) -> Session<'_> {
        let Some(chaincode) = self.default_chaincode.clone() else {
            panic_at("deploy a chaincode first");
        };
        Session { network: self, user: user.clone(), chaincode, transient: BTreeMap::new() }
    }

    /// Puts transactions into one block, in this order, and tells what became of each.
    ///
    /// # Panics
    /// If the ledger fails.
    pub fn commit(
        &self,
        transactions: impl IntoIterator<Item = Endorsed>,
    ) -> Vec<TxValidationCode> {
        let transactions: Vec<Endorsed> = transactions.into_iter().collect();
        let mut private = PrivateWriteSets::default();
        for (index, transaction) in (0..).zip(&transactions) {
            if let Some(write_set) = &transaction.private {
                private.write_sets.insert(index, write_set.clone());
            }
        }
        let envelopes = transactions.iter().map(|t| t.envelope.clone()).collect();
        let height = self.ledger.height();
        let info = self.ledger.info().expect("the ledger knows its last block");
        let block = proto::block::new(height, info.current_block_hash, envelopes);
        let codes = vec![TxValidationCode::Valid; transactions.len()];
        let committed = self.ledger.commit(block, codes, private).expect("the ledger commits");
        for (transaction, code) in transactions.into_iter().zip(&committed.codes) {
            if let (Some((name, payload)), TxValidationCode::Valid) = (transaction.event, code) {
                let Endorsed { tx_id, chaincode, .. } = transaction;
                self.moving().events.push(Event { chaincode, name, payload, tx_id, block: height });
            }
        }
        committed.codes
    }

    pub(crate) fn endorse(
        &self,
        session: &Session<'_>,
        args: Vec<Bytes>,
    ) -> Result<Endorsed, CallError> {
        let Some(chaincode) = self.chaincodes.get(&session.chaincode) else {
            panic_at(&format!("chaincode {} is not deployed", session.chaincode));
        };
        let (number, now) = {
            let mut moving = self.moving();
            moving.proposals += 1;
            (moving.proposals, moving.now)
        };
        let proposal = Proposal::new(CHANNEL, session, &args, number, now);
        let simulator = self.ledger.simulator(&proposal.tx_id).expect("the ledger is readable");
        let mut stub = LedgerStub::new(self, session, &proposal, simulator);
        let outcome = chaincode.invoke(&mut stub, &Invocation::new(args));
        let LedgerStub { simulator, event, log, .. } = stub;
        self.moving().log.extend(log);
        let response = outcome?;
        if response.status >= 400 {
            return Err(CallError::Contract { status: response.status, message: response.message });
        }
        let simulation = simulator.finish().expect("the simulation can be encoded");
        let envelope = proposal.envelope(&simulation, event.as_ref(), &response);
        Ok(Endorsed {
            tx_id: proposal.tx_id,
            chaincode: session.chaincode.clone(),
            envelope,
            private: simulation.private,
            response,
            event,
        })
    }
}

/// Looking at it.
impl Network {
    /// How many blocks there are.
    pub fn height(&self) -> u64 {
        self.ledger.height()
    }

    /// The ledger itself.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// A committed value.
    ///
    /// # Panics
    /// If the ledger fails.
    pub fn state(&self, chaincode: &str, key: &str) -> Option<Bytes> {
        let view = self.ledger.view().expect("the ledger is readable");
        view.get(chaincode, key).expect("the state is readable").map(|found| found.value)
    }

    /// All events of valid transactions, in order.
    pub fn events(&self) -> Vec<Event> {
        self.moving().events.clone()
    }

    /// All lines the contracts logged.
    pub fn log(&self) -> Vec<String> {
        self.moving().log.clone()
    }

    /// The interface description of a chaincode.
    pub fn interface(&self, chaincode: &str) -> Option<Bytes> {
        self.chaincodes.get(chaincode).and_then(|chaincode| chaincode.metadata())
    }

    /// The time proposals are made at.
    pub fn now(&self) -> Timestamp {
        self.moving().now
    }

    /// Sets the time.
    pub fn set_time(&self, now: Timestamp) {
        self.moving().now = now;
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut moving = self.moving();
        moving.now = moving.now + by;
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
