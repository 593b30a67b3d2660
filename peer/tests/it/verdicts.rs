//! The code each kind of wrong transaction gets, on a channel of two generated organizations where
//! chaincode `cc` is defined with the default policy: a majority, that is both.

use std::sync::Arc;

use bytes::Bytes;
use ledger::Ledgers;
use msp::SigningIdentity;
use node::metrics::Registry;
use peer::channels::{Channel, Channels};
use peer::committer::{Metrics, Pipeline};
use peer::lifecycle::state::{field_key, metadata_key};
use peer::private_data::Member;
use peer::validator::Prepared;
use prost::Message;
use proto::common::HeaderType;
use proto::peer::TxValidationCode::{self, *};
use proto::peer::{ChaincodeEvent, ChaincodeHeaderExtension, ChaincodeId};
use proto::rwset::NsReadWriteSet;
use tempfile::TempDir;

use crate::consortium::{Org, genesis};
use crate::transactions::{Draft, definition, key_policy, writes};

const CHANNEL: &str = "care";

struct World {
    client: SigningIdentity,
    peers: [SigningIdentity; 2],
    stranger: SigningIdentity,
    channel: Arc<Channel>,
    pipeline: Pipeline,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let [one, two, foreign, orderer] =
            ["Org1MSP", "Org2MSP", "Org3MSP", "OrdererMSP"].map(Org::new);
        let dir = tempfile::tempdir().unwrap();
        let ledgers = Ledgers::open(dir.path(), ledger::Config::default()).unwrap();
        let channels = Channels::open(ledgers, 10, 10).unwrap();
        let users = [(&one, vec![]), (&two, vec![])];
        let channel = channels.join(&genesis(CHANNEL, &orderer, &users)).unwrap();
        let peers = [one.identity("peer0", "peer"), two.identity("peer0", "peer")];
        let member = Member::new("Org1MSP", peers[0].serialized().clone());
        let metrics = Metrics::new(&Registry::new());
        let mut world = Self {
            client: one.identity("user1", "client"),
            peers,
            stranger: foreign.identity("user1", "client"),
            pipeline: Pipeline::new(channel.clone(), member, metrics),
            channel,
            _dir: dir,
        };
        world.define("cc");
        world
    }

    /// Commits a definition of `name` with the default endorsement policy.
    fn define(&mut self, name: &str) {
        let set = definition(name);
        self.lifecycle(set);
    }

    fn lifecycle(&mut self, set: NsReadWriteSet) {
        let mut draft = Draft::new(CHANNEL, "_lifecycle", &self.client);
        draft.namespaces = vec![set];
        draft.endorsers = self.peers.iter().collect();
        let envelope = draft.envelope();
        assert_eq!(self.commit(vec![envelope]), [Valid]);
    }

    /// A transaction of `cc` that writes key `k` and has all endorsements.
    fn draft(&self) -> Draft<'_> {
        let mut draft = Draft::new(CHANNEL, "cc", &self.client);
        draft.namespaces = vec![writes("cc", &[("k", b"v")])];
        draft.endorsers = self.peers.iter().collect();
        draft
    }

    /// Commits one block of envelopes.
    fn commit(&mut self, envelopes: Vec<Bytes>) -> Vec<TxValidationCode> {
        let height = self.channel.height();
        let last = self.channel.ledger().block(height - 1).unwrap().unwrap();
        let previous = proto::block::header_hash(&last.header.unwrap());
        let block = proto::block::new(height, Bytes::copy_from_slice(&previous), envelopes);
        let prepared = Prepared::new(&block, self.channel.bundle());
        self.pipeline.commit(block, prepared).unwrap().codes
    }
}

#[track_caller]
fn check(world: &mut World, expected: TxValidationCode, change: impl FnOnce(&mut Draft<'_>)) {
    let mut draft = world.draft();
    change(&mut draft);
    let envelope = draft.envelope();
    assert_eq!(world.commit(vec![envelope]), [expected]);
}

#[test]
fn the_envelope_and_its_creator() {
    let world = &mut World::new();
    check(world, Valid, |_| {});
    assert_eq!(world.commit(vec![Bytes::from_static(b"\xff")]), [InvalidOtherReason]);
    let garbage = proto::envelope::encode(b"\xff", b"signature");
    assert_eq!(world.commit(vec![garbage]), [BadPayload]);
    let headless = proto::envelope::encode(b"\x12\x01x", b"signature");
    assert_eq!(world.commit(vec![headless]), [BadCommonHeader]);
    for header_type in [HeaderType::Message, HeaderType::OrdererTransaction] {
        check(world, BadCommonHeader, |draft| draft.header_type = header_type.into());
    }
    check(world, BadCommonHeader, |draft| draft.header_type = 77);
    check(world, BadCommonHeader, |draft| draft.epoch = 1);
    check(world, BadCommonHeader, |draft| draft.nonce = Bytes::new());
    check(world, UnsupportedTxPayload, |draft| {
        draft.header_type = HeaderType::ConfigUpdate.into();
    });
    check(world, InvalidConfigTransaction, |draft| {
        draft.header_type = HeaderType::Config.into();
        draft.data = Some(Bytes::new());
    });
    for channel in ["", "pharma"] {
        check(world, BadCreatorSignature, |draft| draft.channel = channel.into());
    }
    let wrong = world.client.sign(b"something else").unwrap();
    check(world, BadCreatorSignature, |draft| draft.signature = Some(wrong));
    check(world, BadCreatorSignature, |draft| {
        draft.signature = Some(Bytes::from_static(b"no signature"));
    });
    let mut foreign = Draft::new(CHANNEL, "cc", &world.stranger);
    foreign.namespaces = vec![writes("cc", &[("k", b"v")])];
    let envelope = foreign.envelope();
    assert_eq!(world.commit(vec![envelope]), [BadCreatorSignature]);
}

#[test]
fn the_transaction_and_its_action() {
    let world = &mut World::new();
    check(world, BadProposalTxid, |draft| draft.tx_id = Some("00".repeat(32)));
    for data in [&b"\xff"[..], b""] {
        check(world, InvalidEndorserTransaction, |draft| {
            draft.data = Some(Bytes::from_static(data));
        });
    }
    let wrong = Bytes::from_static(&[7; 32]);
    check(world, InvalidEndorserTransaction, |draft| draft.proposal_hash = Some(wrong));
    check(world, BadHeaderExtension, |draft| draft.extension = Some(Bytes::from_static(b"\xff")));
    for action in [&b""[..], b"\xff"] {
        check(world, BadResponsePayload, |draft| {
            draft.action = Some(Bytes::from_static(action));
        });
    }
    check(world, BadRwset, |draft| draft.results = Some(Bytes::from_static(b"\xff")));
    check(world, BadRwset, |draft| {
        draft.namespaces[0].rwset = Bytes::from_static(b"\xff");
    });
    check(world, InvalidOtherReason, |draft| {
        draft.extension = Some(ChaincodeHeaderExtension::default().encode_to_vec().into());
        draft.extension = draft.extension.take().filter(|bytes| bytes.is_empty());
    });
    let named = |name: &str, version: &str| ChaincodeId {
        name: name.into(),
        version: version.into(),
        ..Default::default()
    };
    check(world, InvalidChaincode, |draft| draft.executed = Some(named("other", "1.0")));
    check(world, InvalidChaincode, |draft| draft.executed = Some(named("cc", "")));
    check(world, InvalidOtherReason, |draft| {
        let event = ChaincodeEvent { chaincode_id: "other".into(), ..Default::default() };
        draft.events = event.encode_to_vec().into();
    });
    check(world, InvalidOtherReason, |draft| draft.events = Bytes::from_static(b"\xff"));
    check(world, IllegalWriteset, |draft| {
        draft.namespaces.push(writes("cc", &[("other", b"v")]));
    });
}

#[test]
fn namespaces_and_endorsements() {
    let world = &mut World::new();
    for namespace in ["undefined", "lscc", "qscc", "cscc"] {
        check(world, InvalidChaincode, |draft| {
            draft.namespaces.push(writes(namespace, &[("k", b"v")]));
        });
    }
    check(world, EndorsementPolicyFailure, |draft| {
        draft.endorsers.pop();
    });
    check(world, EndorsementPolicyFailure, |draft| draft.endorsers.clear());
    check(world, EndorsementPolicyFailure, |draft| {
        // One organization twice is still one organization.
        let first = draft.endorsers[0];
        draft.endorsers = vec![first, first];
    });
    check(world, EndorsementPolicyFailure, |draft| {
        // A client is no peer.
        let creator = draft.creator;
        draft.endorsers[1] = creator;
    });
    check(world, EndorsementPolicyFailure, |draft| {
        // Reading nothing and writing nothing needs the chaincode's policy, too.
        draft.namespaces.clear();
        draft.endorsers.pop();
    });
}

#[test]
fn ids_are_used_once() {
    let world = &mut World::new();
    let envelope = world.draft().envelope();
    let codes = world.commit(vec![envelope.clone(), envelope.clone()]);
    assert_eq!(codes, [Valid, DuplicateTxid]);
    assert_eq!(world.commit(vec![envelope]), [DuplicateTxid]);
    // Also the id of an invalid transaction is used, but only once its block is committed.
    let mut draft = world.draft();
    let good = draft.envelope();
    draft.endorsers.clear();
    let bad = draft.envelope();
    assert_eq!(world.commit(vec![bad.clone(), good.clone()]), [EndorsementPolicyFailure, Valid]);
    let mut draft = world.draft();
    let good = draft.envelope();
    draft.endorsers.clear();
    let bad = draft.envelope();
    assert_eq!(world.commit(vec![bad]), [EndorsementPolicyFailure]);
    assert_eq!(world.commit(vec![good]), [DuplicateTxid]);
}

fn only(msp_id: &str) -> Vec<u8> {
    let text = format!("OR('{msp_id}.peer')");
    channel::policy::dsl::parse(&text).unwrap().encode_to_vec()
}

#[test]
fn keys_have_policies_of_their_own() {
    let world = &mut World::new();
    check(world, Valid, |_| {});
    let policy = only("Org2MSP");
    check(world, Valid, |draft| draft.namespaces = vec![key_policy("cc", "k", &policy)]);
    check(world, Valid, |draft| {
        draft.endorsers.remove(0);
    });
    check(world, EndorsementPolicyFailure, |draft| {
        draft.endorsers.pop();
    });
    check(world, EndorsementPolicyFailure, |draft| {
        // Another key is still under the chaincode's policy.
        draft.endorsers.remove(0);
        draft.namespaces = vec![writes("cc", &[("k", b"v"), ("other", b"v")])];
    });
}

#[test]
fn a_policy_changed_in_the_block_spoils_later_writes_of_the_key() {
    let world = &mut World::new();
    check(world, Valid, |_| {});
    let policy = only("Org2MSP");
    let mut change = world.draft();
    change.namespaces = vec![key_policy("cc", "k", &policy)];
    let change = change.envelope();
    let (write, other) = (world.draft().envelope(), {
        let mut other = world.draft();
        other.namespaces = vec![writes("cc", &[("other", b"v")])];
        other.envelope()
    });
    let before = world.draft().envelope();
    let codes = world.commit(vec![before, change, write, other]);
    assert_eq!(codes, [Valid, Valid, EndorsementPolicyFailure, Valid]);
    // A change that is not endorsed itself spoils nothing.
    let mut change = world.draft();
    change.namespaces = vec![key_policy("cc", "k", &policy)];
    change.endorsers.clear();
    let (change, write) = (change.envelope(), world.draft().envelope());
    assert_eq!(world.commit(vec![change, write]), [EndorsementPolicyFailure, Valid]);
}

#[test]
fn what_stops_a_fabric_peer_does_not_stop_this_one() {
    let world = &mut World::new();
    // Unreadable actions in front of one that is judged by policy.
    let mut broken = vec![];
    for action in [&b""[..], b"\xff"] {
        let mut draft = world.draft();
        draft.action = Some(Bytes::from_static(action));
        broken.push(draft.envelope());
    }
    let mut draft = world.draft();
    draft.data = Some(Bytes::from_static(b"\xff"));
    broken.push(draft.envelope());
    broken.push(world.draft().envelope());
    let expected = [BadResponsePayload, BadResponsePayload, InvalidEndorserTransaction, Valid];
    assert_eq!(world.commit(broken), expected);
    // A policy on a key that nobody can read.
    check(world, Valid, |draft| draft.namespaces = vec![key_policy("cc", "k", b"\xff\xff")]);
    check(world, EndorsementPolicyFailure, |_| {});
    // A definition that is not complete.
    let metadata = proto::lifecycle::StateMetadata {
        datatype: "ChaincodeDefinition".into(),
        fields: vec!["Sequence".into(), "EndorsementInfo".into()],
    };
    let (key, field) =
        (metadata_key("namespaces", "half"), field_key("namespaces", "half", "Sequence"));
    let metadata = metadata.encode_to_vec();
    world.lifecycle(writes("_lifecycle", &[(&key, &metadata), (&field, b"\x08\x01")]));
    check(world, InvalidChaincode, |draft| {
        draft.namespaces = vec![writes("cc", &[("x", b"v")]), writes("half", &[("k", b"v")])];
    });
    let field = field_key("namespaces", "cc", "ValidationInfo");
    world.lifecycle(writes("_lifecycle", &[(&field, b"\xff")]));
    check(world, InvalidChaincode, |_| {});
}
