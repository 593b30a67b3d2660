//! Recorded ledgers, replayed from their first block: every validation code, every commit hash and
//! the final state must be those of Fabric.

use std::path::Path;
use std::sync::Arc;

use ledger::{Ledgers, TransientEntry, Versioned, View};
use node::metrics::Registry;
use peer::channels::{Channel, Channels};
use peer::committer::{Metrics, Pipeline};
use peer::private_data::Member;
use peer::validator::Prepared;
use proto::common::{Block, BlockMetadataIndex};
use proto::envelope::Envelope;
use proto::transaction::Action;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use crate::recording::{Entry, Recording};

#[test]
fn simple() {
    check("l1-simple", "org1", "Org1MSP");
}

#[test]
fn invalid() {
    check("l2-invalid", "org1", "Org1MSP");
}

#[test]
fn governance() {
    check("l3-governance", "org1", "Org1MSP");
}

#[test]
fn private_of_the_first_org() {
    check("l4-private", "org1", "Org1MSP");
}

#[test]
fn private_of_the_second_org() {
    check("l4-private", "org2", "Org2MSP");
}

fn check(name: &str, org: &str, msp_id: &str) {
    let dir = tempfile::tempdir().unwrap();
    let channel = replayed(dir.path(), name, org, msp_id);
    let recording = Recording::open(name);
    let mut expected = recording.state(org);
    if !recording.has_private(org) {
        expected.retain(|(namespace, _)| !namespace.contains("$$p"));
    }
    compare_state(&channel.ledger().view().unwrap(), &expected);
}

/// The channel of a recording, replayed in the folder of ledgers `dir`; every block must come out
/// as it was recorded.
pub fn replayed(dir: &Path, name: &str, org: &str, msp_id: &str) -> Arc<Channel> {
    replayed_until(dir, name, org, msp_id, usize::MAX)
}

/// The first blocks of a recording, replayed.
pub fn replayed_until(
    dir: &Path,
    name: &str,
    org: &str,
    msp_id: &str,
    blocks_max: usize,
) -> Arc<Channel> {
    let recording = Recording::open(name);
    let ledgers = Ledgers::open(dir, config()).unwrap();
    let channels = Channels::open(ledgers, 10, 10).unwrap();
    let (genesis, blocks) = recording.blocks.split_first().unwrap();
    let channel = channels.join(&stripped(genesis)).unwrap();
    assert_eq!(channel.ledger().block(0).unwrap().as_ref(), Some(genesis));
    let member = Member::new(msp_id, an_endorser_of(&recording, msp_id));
    commit(&recording, org, &channel, &member, &blocks[..blocks.len().min(blocks_max)]);
    channel
}

/// A peer of `org` joins by its own snapshot of the middle, and goes on to the same end.
#[test]
fn from_a_snapshot_in_the_middle() {
    for (name, number) in
        [("l1-simple", 9), ("l2-invalid", 20), ("l3-governance", 25), ("l4-private", 22)]
    {
        let recording = Recording::open(name);
        let dir = tempfile::tempdir().unwrap();
        let open = |folder: &str| {
            let ledgers = Ledgers::open(dir.path().join(folder), ledger::Config::default());
            Channels::open(ledgers.unwrap(), 10, 10).unwrap()
        };
        let channel = open("whole").join(&stripped(&recording.blocks[0])).unwrap();
        let member = Member::new("Org1MSP", an_endorser_of(&recording, "Org1MSP"));
        commit(&recording, "org1", &channel, &member, &recording.blocks[1..=number]);
        let snapshot = dir.path().join("snapshot");
        channel.ledger().snapshot(&snapshot).unwrap();
        let joined = open("joined").join_by_snapshot(&snapshot, &member).unwrap();
        assert_eq!(joined.bundle().config(), channel.bundle().config());
        for channel in [&channel, &joined] {
            commit(&recording, "org1", channel, &member, &recording.blocks[number + 1..]);
        }
        assert_eq!(joined.bundle().config(), channel.bundle().config());
        let mut expected = recording.state("org1");
        expected.retain(|(namespace, _)| !namespace.contains("$$p"));
        compare_state(&joined.ledger().view().unwrap(), &expected);
        let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
        let written = channel.ledger().snapshot(one).unwrap();
        assert_eq!(joined.ledger().snapshot(other).unwrap(), written);
    }
}

/// Commits recorded blocks without what the recorded peer had added, and expects it to be added.
fn commit(
    recording: &Recording,
    org: &str,
    channel: &Arc<Channel>,
    member: &Member,
    blocks: &[Block],
) {
    let metrics = Metrics::new(&Registry::new());
    let mut pipeline = Pipeline::new(channel.clone(), member.clone(), metrics);
    let name = channel.id();
    for recorded in blocks {
        prepare_private(recording, org, channel, recorded);
        let block = stripped(recorded);
        let prepared = Prepared::new(&block, channel.bundle());
        let committed = pipeline.commit(block, prepared).unwrap();
        let number = proto::block::number(recorded);
        let codes: Vec<u8> = committed.codes.iter().map(|code| *code as i32 as u8).collect();
        assert_eq!(codes, proto::block::transactions_filter(recorded), "{name}, block {number}");
        let hash = proto::block::commit_hash(recorded);
        assert_eq!(committed.commit_hash, hash, "{name}, block {number}");
        assert_eq!(&committed.block, recorded, "{name}, block {number}");
    }
}

/// Small files, so that there are several.
fn config() -> ledger::Config {
    let mut config = ledger::Config::default();
    config.blocks.segment_bytes_max = 100_000;
    config.private_data.segment_bytes_max = 4_000;
    config
}

/// The block as the orderer sent it: without what the peer added.
fn stripped(block: &Block) -> Block {
    let mut block = block.clone();
    for slot in [BlockMetadataIndex::TransactionsFilter, BlockMetadataIndex::CommitHash] {
        proto::block::set_slot(&mut block, slot, bytes::Bytes::new());
    }
    block
}

/// Puts the private data the recorded peer had where an endorsement would have left it.
fn prepare_private(recording: &Recording, org: &str, channel: &Arc<Channel>, block: &Block) {
    let number = proto::block::number(block);
    for (index, bytes) in proto::block::envelopes(block).iter().enumerate() {
        let Some(set) = recording.private(org, number, index) else {
            continue;
        };
        let tx_id = Envelope::parse(bytes.clone()).unwrap().channel_header.tx_id;
        let private = TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: number,
            pvt_rwset: Some(set),
            ..Default::default()
        };
        let entry = TransientEntry { received_at: number, private };
        channel.ledger().transient_store().persist(&tx_id, &entry).unwrap();
    }
}

/// Some identity of the organization that holds private data like its peers.
fn an_endorser_of(recording: &Recording, msp_id: &str) -> bytes::Bytes {
    for block in &recording.blocks {
        for bytes in proto::block::envelopes(block) {
            let Ok(envelope) = Envelope::parse(bytes.clone()) else { continue };
            let Ok(action) = Action::parse(envelope.data) else { continue };
            for endorsement in action.endorsements {
                let text = String::from_utf8_lossy(&endorsement.endorser);
                if text.contains(msp_id) {
                    return endorsement.endorser;
                }
            }
        }
    }
    panic!("nobody of {msp_id} endorsed anything");
}

fn compare_state(view: &View, expected: &[(String, Vec<Entry>)]) {
    for (name, entries) in expected {
        if let Some((namespace, collection)) = name.split_once("$$h") {
            for entry in entries {
                let found = view.hash(namespace, collection, &entry.key).unwrap();
                assert_eq!(
                    found.map(|found| held(&entry.key, found)).as_ref(),
                    Some(entry),
                    "{name}"
                );
            }
            continue;
        }
        let found: Vec<Entry> = match name.split_once("$$p") {
            Some((namespace, collection)) => view
                .private_range(namespace, collection, "", "")
                .map(|item| item.unwrap())
                .map(|(key, value)| held(key.as_bytes(), value))
                .collect(),
            None => view
                .range(name, "", "")
                .map(|item| item.unwrap())
                .map(|(key, value)| held(key.as_bytes(), value))
                .collect(),
        };
        assert_eq!(&found, entries, "namespace {name:?}");
    }
}

fn held(key: &[u8], held: Versioned) -> Entry {
    Entry {
        key: key.to_vec(),
        value: held.value.to_vec(),
        version: (held.version.block, held.version.tx),
        metadata: held.metadata.to_vec(),
    }
}
