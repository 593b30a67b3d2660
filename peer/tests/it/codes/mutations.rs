//! Blocks of transactions with random damage at every depth: no panic, and one verdict.

use bytes::Bytes;
use peer::validator::{Before, Policies, Prepared, judge};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use prost::Message;
use proto::common::Block;
use proto::kvrwset::{HashedRwSet, KvReadHash, KvWriteHash, KvrwSet};
use proto::peer::{ChaincodeEvent, TxValidationCode};

use super::world::{World, only};
use crate::transactions::{Draft, hashed_set, key_policy, writes};

/// One kind of damage; positions are taken modulo the length.
#[derive(Debug, Clone)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>();
    let some = proptest::collection::vec(any::<u8>(), 1..8);
    prop_oneof![
        3 => (at, any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        3 => (at, 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at, some).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at, 1usize..8).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (at, 1usize..40).prop_map(|(at, count)| Damage::Repeat(at, count)),
        1 => at.prop_map(Damage::Cut),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let within = |at: usize| at % (length + 1);
        let span = |at: usize, count: usize| within(at)..(within(at) + count).min(length);
        match self {
            Self::Set(at, _) | Self::Flip(at, _) if within(*at) == length => bytes.push(0),
            Self::Set(at, byte) => bytes[within(*at)] = *byte,
            Self::Flip(at, bit) => bytes[within(*at)] ^= 1 << bit,
            Self::Insert(at, more) => drop(bytes.splice(within(*at)..within(*at), more.clone())),
            Self::Remove(at, count) => drop(bytes.drain(span(*at, *count))),
            Self::Repeat(at, count) => {
                let again = bytes[span(*at, *count)].to_vec();
                drop(bytes.splice(within(*at)..within(*at), again));
            }
            Self::Cut(at) => bytes.truncate(within(*at)),
        }
    }
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Bytes {
    let mut bytes = bytes.to_vec();
    damages.iter().for_each(|damage| damage.apply(&mut bytes));
    bytes.into()
}

/// How deep the damage sits; what is outside of it is signed and hashed as it should be.
const DEPTHS: usize = 9;

fn damage_at(draft: &mut Draft<'_>, depth: usize, damages: &[Damage]) -> Bytes {
    let (channel, signature) = draft.right_headers();
    match depth {
        0 => return damaged(&draft.envelope(), damages),
        1 => draft.payload = Some(damaged(&draft.signed_payload(), damages)),
        2 => draft.headers[0] = Some(damaged(&channel, damages)),
        3 => draft.headers[1] = Some(damaged(&signature, damages)),
        4 => {
            let envelope = proto::envelope::Envelope::parse(draft.envelope()).unwrap();
            draft.data = Some(damaged(&envelope.data, damages));
        }
        5 => draft.response_payload = Some(damaged(&draft.response(), damages)),
        6 => draft.results = Some(damaged(&draft.right_results(), damages)),
        7 => {
            let rwset = draft.namespaces[0].rwset.clone();
            draft.namespaces[0].rwset = damaged(&rwset, damages);
        }
        _ => {
            let endorsement = crate::transactions::endorse(&draft.response(), draft.endorsers[0]);
            let bytes = damaged(&endorsement.encode_to_vec(), damages);
            let decoded = prost::Message::decode(bytes).unwrap_or_default();
            draft.endorsements = Some(vec![decoded, endorsement]);
        }
    }
    draft.envelope()
}

fn hash() -> Bytes {
    Bytes::copy_from_slice(&proto::sha256(b"k"))
}

/// A transaction with a little of everything.
fn rich(world: &World) -> Draft<'_> {
    let mut draft = world.draft();
    let mut set = KvrwSet::decode(writes("cc", &[("k", b"v"), ("gone", b"")]).rwset).unwrap();
    set.metadata_writes =
        KvrwSet::decode(key_policy("cc", "k", &only("Org1MSP")).rwset).unwrap().metadata_writes;
    set.reads = vec![proto::kvrwset::KvRead { key: "absent".into(), version: None }];
    set.range_queries_info = vec![proto::kvrwset::RangeQueryInfo {
        start_key: "x".into(),
        end_key: "y".into(),
        itr_exhausted: true,
        reads_info: None,
    }];
    let hashed = HashedRwSet {
        hashed_reads: vec![KvReadHash { key_hash: hash(), version: None }],
        hashed_writes: vec![KvWriteHash {
            key_hash: hash(),
            value_hash: hash(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut namespace = hashed_set("cc", "_implicit_org_Org1MSP", hashed.encode_to_vec().into());
    namespace.rwset = set.encode_to_vec().into();
    namespace.collection_hashed_rwset[0].pvt_rwset_hash = hash();
    draft.namespaces = vec![namespace];
    let event = ChaincodeEvent { chaincode_id: "cc".into(), ..Default::default() };
    draft.events = event.encode_to_vec().into();
    draft
}

fn verdict(world: &World, block: &Block) -> Result<Vec<TxValidationCode>, String> {
    let bundle = world.channel.bundle();
    let prepared = Prepared::new(block, bundle.clone());
    let before = Before::new(world.channel.ledger()).unwrap();
    let verdict = judge(&prepared, &before, &Policies::new(bundle));
    verdict.map(|verdict| verdict.codes).map_err(|halt| halt.to_string())
}

#[test]
fn damaged_transactions_get_one_verdict_and_never_a_panic() {
    let world = &mut World::new();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let damages = || proptest::collection::vec(damage(), 1..4);
    let transactions = proptest::collection::vec((0..DEPTHS, damages()), 1..5);
    let mut runner = TestRunner::new(ProptestConfig { cases: 200, ..ProptestConfig::default() });
    let world = std::sync::Mutex::new(world);
    runner
        .run(&transactions, |transactions| {
            let mut world = world.lock().unwrap();
            let world = &mut **world;
            let mut envelopes = Vec::new();
            for (depth, damages) in &transactions {
                envelopes.push(rich(world).envelope());
                envelopes.push(damage_at(&mut rich(world), *depth, damages));
            }
            let block = world.block(envelopes.clone());
            let first = verdict(world, &block);
            let again = one.install(|| verdict(world, &block));
            prop_assert_eq!(&first, &again);
            // Damage hardly ever makes a configuration out of it, which would stop the channel.
            let Ok(judged) = first else { return Ok(()) };
            let codes = world.commit(envelopes);
            prop_assert_eq!(codes.len(), judged.len());
            for (judged, code) in judged.iter().zip(codes) {
                // The ledger only finds more that is wrong.
                prop_assert!(*judged == TxValidationCode::Valid || *judged == code);
            }
            Ok(())
        })
        .unwrap();
}
