//! A channel of two generated organizations where chaincode `cc` is defined with the default
//! policy, that is a majority, that is both.

use std::sync::Arc;

use bytes::Bytes;
use ledger::{Ledgers, Versioned};
use msp::SigningIdentity;
use node::metrics::Registry;
use peer::channels::{Channel, Channels};
use peer::committer::{Metrics, Pipeline};
use peer::lifecycle::Definition;
use peer::private_data::Member;
use peer::validator::Prepared;
use prost::Message;
use proto::common::{Block, ConfigUpdateEnvelope};
use proto::peer::TxValidationCode::{self, Valid};
use proto::rwset::NsReadWriteSet;
use tempfile::TempDir;

use crate::consortium::{Org, genesis};
use crate::transactions::{Draft, definition_set, writes};

pub(super) const CHANNEL: &str = "care";

pub(super) struct World {
    pub(super) orgs: [Org; 2],
    pub(super) orderer: Org,
    pub(super) client: SigningIdentity,
    pub(super) peers: [SigningIdentity; 2],
    pub(super) channel: Arc<Channel>,
    pipeline: Pipeline,
    _dir: TempDir,
}

/// Everything the state holds, by encoded key.
pub(super) type State = Vec<(Vec<u8>, Versioned)>;

impl World {
    pub(super) fn new() -> Self {
        let [one, two, orderer] = ["Org1MSP", "Org2MSP", "OrdererMSP"].map(Org::new);
        let dir = tempfile::tempdir().unwrap();
        let ledgers = Ledgers::open(dir.path(), ledger::Config::default()).unwrap();
        let channels = Channels::open(ledgers, 10, 10).unwrap();
        let block = genesis(CHANNEL, &orderer, &[(&one, vec![]), (&two, vec![])]);
        let channel = channels.join(&block).unwrap();
        let peers = [one.identity("peer0", "peer"), two.identity("peer0", "peer")];
        let member = Member::new("Org1MSP", peers[0].serialized().clone());
        let metrics = Metrics::new(&Registry::new());
        let mut world = Self {
            client: one.identity("user1", "client"),
            orgs: [one, two],
            orderer,
            peers,
            pipeline: Pipeline::new(channel.clone(), member, metrics),
            channel,
            _dir: dir,
        };
        world.define("cc", |_| {});
        world
    }

    /// Commits a definition of `name`: the default one, changed.
    pub(super) fn define(&mut self, name: &str, change: impl FnOnce(&mut Definition)) {
        let mut definition = crate::transactions::default_definition();
        change(&mut definition);
        self.lifecycle(definition_set(name, &definition));
    }

    /// Commits writes of definitions, endorsed by both organizations.
    pub(super) fn lifecycle(&mut self, set: NsReadWriteSet) {
        let mut draft = Draft::new(CHANNEL, "_lifecycle", &self.client);
        draft.namespaces = vec![set];
        draft.endorsers = self.peers.iter().collect();
        let envelope = draft.envelope();
        assert_eq!(self.commit(vec![envelope]), [Valid]);
    }

    /// A transaction of `cc` that writes key `k` and has all endorsements.
    pub(super) fn draft(&self) -> Draft<'_> {
        self.draft_of("cc")
    }

    /// The same of another chaincode.
    pub(super) fn draft_of(&self, chaincode: &str) -> Draft<'_> {
        let mut draft = Draft::new(CHANNEL, chaincode, &self.client);
        draft.namespaces = vec![writes(chaincode, &[("k", b"v")])];
        draft.endorsers = self.peers.iter().collect();
        draft
    }

    /// The envelope of a transaction with this set.
    pub(super) fn with(&self, set: NsReadWriteSet) -> Bytes {
        let mut draft = self.draft();
        draft.namespaces = vec![set];
        draft.envelope()
    }

    /// The next block, as an orderer would have made it but for the signature.
    pub(super) fn block(&self, envelopes: Vec<Bytes>) -> Block {
        let height = self.channel.height();
        let last = self.channel.ledger().block(height - 1).unwrap().unwrap();
        let previous = proto::block::header_hash(&last.header.unwrap());
        proto::block::new(height, Bytes::copy_from_slice(&previous), envelopes)
    }

    /// Commits one block of envelopes.
    pub(super) fn commit(&mut self, envelopes: Vec<Bytes>) -> Vec<TxValidationCode> {
        let block = self.block(envelopes);
        let prepared = Prepared::new(&block, self.channel.bundle());
        self.pipeline.commit(block, prepared).unwrap().codes
    }

    /// Why a block of envelopes stops the channel.
    pub(super) fn stops(&mut self, envelopes: Vec<Bytes>) -> peer::committer::Error {
        let block = self.block(envelopes);
        let prepared = Prepared::new(&block, self.channel.bundle());
        self.pipeline.commit(block, prepared).unwrap_err()
    }

    pub(super) fn state(&self) -> State {
        let view = self.channel.ledger().view().unwrap();
        let entries = view.entries().map(|entry| entry.unwrap());
        entries.map(|(key, entry)| (key.as_bytes().to_vec(), entry)).collect()
    }

    /// The value and version of a key of `cc`.
    pub(super) fn get(&self, key: &str) -> Option<(Bytes, (u64, u64))> {
        let entry = self.channel.ledger().view().unwrap().get("cc", key).unwrap()?;
        Some((entry.value, (entry.version.block, entry.version.tx)))
    }

    /// Commits a block in which the envelope stands between two good transactions of `cc`. They
    /// must stay valid, and if the one in the middle is not, it must have changed nothing: neither
    /// the state nor the commit hash.
    #[track_caller]
    pub(super) fn expect(&mut self, expected: TxValidationCode, envelope: Bytes) {
        let height = self.channel.height();
        let (left, right) = (format!("left{height}"), format!("right{height}"));
        let [first, last] = [&left, &right].map(|key| self.with(writes("cc", &[(key, b"n")])));
        let before = self.state();
        let codes = self.commit(vec![first, envelope, last]);
        assert_eq!(codes, [Valid, expected, Valid]);
        assert_eq!(self.get(&left), Some(("n".into(), (height, 0))));
        assert_eq!(self.get(&right), Some(("n".into(), (height, 2))));
        if expected != Valid {
            let neighbours = [&left, &right].map(|key| format!("cc\0{key}").into_bytes());
            let mut after = self.state();
            after.retain(|(key, _)| !neighbours.contains(key));
            assert_eq!(after, before, "an invalid transaction changes nothing");
            let writes = vec![written(&left, height, 0, true), written(&right, height, 2, false)];
            assert_eq!(self.commit_hash(height), self.hash_after(height, &codes, writes));
        }
    }

    /// Like [`Self::expect`], for the usual transaction, changed.
    #[track_caller]
    pub(super) fn check(
        &mut self,
        expected: TxValidationCode,
        change: impl FnOnce(&mut Draft<'_>),
    ) {
        let mut draft = self.draft();
        change(&mut draft);
        let envelope = draft.envelope();
        self.expect(expected, envelope);
    }

    pub(super) fn commit_hash(&self, number: u64) -> Vec<u8> {
        let block = self.channel.ledger().block(number).unwrap().unwrap();
        proto::block::commit_hash(&block).map(|hash| hash.to_vec()).unwrap_or_default()
    }

    /// What the commit hash of a block must be that wrote this, with fewer than 128 transactions.
    pub(super) fn hash_after(
        &self,
        number: u64,
        codes: &[TxValidationCode],
        kvwrites: Vec<proto::txmgr::KvWrite>,
    ) -> Vec<u8> {
        let flags: Vec<u8> = codes.iter().map(|code| *code as i32 as u8).collect();
        let updates = proto::txmgr::Updates { kvwrites }.encode_to_vec();
        let before = self.commit_hash(number - 1);
        let count = [u8::try_from(codes.len()).unwrap()];
        proto::sha256_all([&count[..], &flags, &updates, &before]).to_vec()
    }

    /// Commits a config block that changes the configuration with the consent of all admins.
    pub(super) fn reconfigure(&mut self, change: impl FnOnce(&mut proto::common::ConfigGroup)) {
        let envelope = self.config_envelope(change);
        assert_eq!(self.commit(vec![envelope]), [Valid]);
    }

    /// Commits a config block that changes how an organization is defined.
    pub(super) fn redefine_msp(
        &mut self,
        org: usize,
        change: impl FnOnce(&mut proto::msp::FabricMspConfig),
    ) {
        let msp_id = self.orgs[org].msp_id.clone();
        let mut msp = self.orgs[org].definition();
        change(&mut msp);
        let value = proto::msp::MspConfig { r#type: 0, config: msp.encode_to_vec().into() };
        self.reconfigure(|root| {
            let application = root.groups.get_mut("Application").unwrap();
            let org = application.groups.get_mut(&msp_id).unwrap();
            org.values.get_mut("MSP").unwrap().value = value.encode_to_vec().into();
        });
    }

    /// The envelope of a config block.
    pub(super) fn config_envelope(
        &self,
        change: impl FnOnce(&mut proto::common::ConfigGroup),
    ) -> Bytes {
        let bundle = self.channel.bundle();
        let mut wanted = bundle.config().clone();
        change(wanted.channel_group.as_mut().unwrap());
        let update = channel::update::compute(CHANNEL, bundle.config(), &wanted).unwrap();
        let config_update = Bytes::from(update.encode_to_vec());
        let admins = self.orgs.iter().chain([&self.orderer]);
        let admins: Vec<_> = admins.map(|org| org.identity("admin1", "admin")).collect();
        let sign = |admin| channel::update::sign(admin, &config_update).unwrap();
        let signatures = admins.iter().map(sign).collect();
        let update = ConfigUpdateEnvelope { config_update, signatures };
        let update = channel::update::envelope(&admins[0], CHANNEL, &update).unwrap();
        let proposed = channel::update::propose(&bundle, &update).unwrap();
        let orderer = self.orderer.identity("orderer0", "orderer");
        let mut draft = Draft::new(CHANNEL, "", &orderer);
        draft.header_type = proto::common::HeaderType::Config.into();
        draft.tx_id = Some(String::new());
        draft.extension = Some(Bytes::new());
        draft.data = Some(proposed.envelope.encode_to_vec().into());
        draft.envelope()
    }
}

fn written(key: &str, block: u64, tx: u64, first: bool) -> proto::txmgr::KvWrite {
    proto::txmgr::KvWrite {
        namespace: if first { "cc".into() } else { String::new() },
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: "n".into(),
        version_bytes: ledger::Version::new(block, tx).to_ordered_bytes().into(),
        ..Default::default()
    }
}

/// A policy that any of these peers satisfies, as `SignaturePolicyEnvelope`.
pub(super) fn only(msp_id: &str) -> Vec<u8> {
    signature_policy(&format!("OR('{msp_id}.peer')")).encode_to_vec()
}

pub(super) fn signature_policy(text: &str) -> proto::common::SignaturePolicyEnvelope {
    channel::policy::dsl::parse(text).unwrap()
}

/// The policy of a definition or collection, in the policy language.
pub(super) fn application_policy(text: &str) -> proto::common::ApplicationPolicy {
    use proto::common::application_policy::Type;
    let policy = signature_policy(text);
    proto::common::ApplicationPolicy { r#type: Some(Type::SignaturePolicy(policy)) }
}
