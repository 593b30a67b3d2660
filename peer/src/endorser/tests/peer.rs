//! A peer of a recorded channel, without network.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ledger::Ledgers;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use msp::{Manager, Msp, MspVersion, SigningIdentity};
use node::metrics::Registry as Metrics;
use node::tasks::Tasks;
use proto::common::Block;

use super::contract::Recorded;
use crate::channels::{Channel, Channels};
use crate::endorser::{self, Config, Dependencies, Endorser};
use crate::lifecycle::{self, Lifecycle, Packages};
use crate::system::{Access, Registry, SystemChaincode};

/// The recorded channels are used by these two.
pub(super) const ORG1: &str = "Org1MSP";
pub(super) const ORG2: &str = "Org2MSP";

pub(super) struct Peer {
    pub(super) endorser: Endorser,
    pub(super) channel: Arc<Channel>,
    pub(super) lifecycle: Arc<Lifecycle>,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// A peer of an organization that has joined the channel of `genesis`.
    pub(super) fn join(genesis: &Block, msp_id: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledgers = Ledgers::open(directory.path().join("ledgers"), Default::default()).unwrap();
        let channels = Arc::new(Channels::open(ledgers, 8, 8).unwrap());
        let channel = channels.join(genesis).unwrap();
        let bundle = channel.bundle();
        let local = bundle.msps().msp(msp_id).unwrap().definition().clone();
        let local = Msp::new(&local, MspVersion::V1_4_3).unwrap();
        let access = Access::new(msp_id, Arc::new(Manager::new(vec![local]).unwrap()));
        let packages = packages(&directory.path().join("packages"));
        let lifecycle = Arc::new(Lifecycle::new(msp_id, channels.clone(), packages));
        let system: Arc<dyn SystemChaincode> =
            Arc::new(lifecycle::Chaincode::new(lifecycle.clone()));
        let dependencies = Dependencies {
            channels,
            lifecycle: lifecycle.clone(),
            system: Registry::new([system]),
            access,
            signer: Arc::new(signer(msp_id)),
            tasks: Tasks::new(),
            metrics: endorser::Metrics::new(&Metrics::new()),
        };
        let endorser = Endorser::new(Config::default(), dependencies);
        Self { endorser, channel, lifecycle, _directory: directory }
    }
}

fn packages(directory: &Path) -> Packages {
    Packages::open(directory, Arc::new(Recorded), Default::default()).unwrap()
}

/// Some identity: what it signs is not compared.
fn signer(msp_id: &str) -> SigningIdentity {
    let subject = |name: &str| Subject { common_name: name.into(), ..Default::default() };
    let authority = Authority::generate(&subject("ca"), 0, 4_000_000_000).unwrap();
    let key = PrivateKey::generate().unwrap();
    let template = Template {
        subject: subject("peer0"),
        usage: Usage::Identity,
        hosts: vec![],
        attributes: Default::default(),
        not_before: 0,
        not_after: 4_000_000_000,
    };
    let certificate = authority.issue(key.public(), &template).unwrap();
    SigningIdentity::new(msp_id, certificate, key).unwrap()
}

/// A file of the recorded ledgers, which are kept beside the ledger's own tests.
pub(super) fn recorded(path: &str) -> Option<Bytes> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/tests/vectors");
    std::fs::read(root.join(path)).ok().map(Bytes::from)
}
