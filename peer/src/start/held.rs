//! Who the peer is and what it keeps: everything that is loaded from disk.

use std::path::Path;
use std::sync::Arc;

use ledger::Ledgers;
use msp::{Manager, Msp, MspVersion, SigningIdentity};
use node::tasks::Tasks;

use super::Error;
use crate::Config;
use crate::channels::Channels;
use crate::lifecycle::{Lifecycle, Packages};

/// Who the peer is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) signer: Arc<SigningIdentity>,
    /// The peer's own organization.
    pub(super) local: Arc<Manager>,
}

impl Identity {
    pub(super) fn load(config: &Config) -> Result<Self, Error> {
        let (directory, id): (&Path, &str) = (&config.msp.directory, &config.msp.id);
        let signer = SigningIdentity::load(directory, id)?;
        let definition = msp::directory::load_config(directory, id)?;
        let local = Manager::new(vec![Msp::from_config(&definition, MspVersion::V3_0)?])?;
        local
            .deserialize(signer.serialized())
            .and_then(|identity| identity.validate())
            .map_err(|source| Error::NotMember { msp_id: id.to_owned(), source })?;
        Ok(Self { signer: Arc::new(signer), local: Arc::new(local) })
    }

    pub(super) fn msp_id(&self) -> &str {
        self.signer.msp_id()
    }
}

/// What the peer keeps.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) channels: Arc<Channels>,
    pub(super) lifecycle: Arc<Lifecycle>,
}

impl Held {
    /// Opens ledgers and compiles installed chaincode, which may take a while.
    pub(super) async fn open(config: &Config, tasks: &Tasks) -> Result<Self, Error> {
        let config = config.clone();
        let opening = tasks.spawn_blocking("open", move || Self::open_now(&config));
        opening.await?
    }

    fn open_now(config: &Config) -> Result<Self, Error> {
        let root = &config.data_directory;
        let ledgers = Ledgers::at(root.join("ledgers"), config.ledger.clone())?;
        let bounds = &config.channels;
        let channels = Arc::new(Channels::open(ledgers, bounds.joined_max, bounds.waiters_max)?);
        let engine = Arc::new(runtime::wasm::Engine::new(config.runtime.clone())?);
        let packages = Packages::open(root.join("chaincode"), engine, config.lifecycle.clone())?;
        let lifecycle = Lifecycle::new(&config.msp.id, channels.clone(), packages);
        Ok(Self { channels, lifecycle: Arc::new(lifecycle) })
    }
}
