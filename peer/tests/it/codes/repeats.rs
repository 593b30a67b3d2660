//! Transactions that come twice.

use bytes::Bytes;
use proto::kvrwset::{KvRead, KvrwSet};
use proto::peer::TxValidationCode::*;

use super::world::World;
use crate::transactions::{Draft, namespace_set};

/// A transaction that some wrong makes invalid, and the same without it: both have one id.
fn pair(world: &World, wrong: impl FnOnce(&mut Draft<'_>)) -> (Bytes, Bytes) {
    let mut draft = world.draft();
    let good = draft.envelope();
    wrong(&mut draft);
    (draft.envelope(), good)
}

#[test]
fn in_one_block_the_first_counts() {
    let world = &mut World::new();
    let envelope = world.draft().envelope();
    let codes = world.commit(vec![envelope.clone(), envelope.clone(), envelope.clone()]);
    assert_eq!(codes, [Valid, DuplicateTxid, DuplicateTxid]);
    assert_eq!(world.commit(vec![envelope.clone()]), [DuplicateTxid]);
    world.expect(DuplicateTxid, envelope);
}

#[test]
fn a_first_one_that_fails_its_policy_does_not_count_in_the_block() {
    let world = &mut World::new();
    let (bad, good) = pair(world, |draft| draft.endorsers.clear());
    let codes = world.commit(vec![bad.clone(), good.clone(), bad]);
    assert_eq!(codes, [EndorsementPolicyFailure, Valid, EndorsementPolicyFailure]);
    world.expect(DuplicateTxid, good);
}

#[test]
fn a_first_one_that_fails_its_reads_does() {
    let world = &mut World::new();
    let stale = |draft: &mut Draft<'_>| {
        let version = Some(proto::kvrwset::Version { block_num: 77, tx_num: 0 });
        let reads = vec![KvRead { key: "k".into(), version }];
        draft.namespaces = vec![namespace_set("cc", KvrwSet { reads, ..Default::default() })];
    };
    let (bad, good) = pair(world, stale);
    assert_eq!(world.commit(vec![bad, good.clone()]), [MvccReadConflict, DuplicateTxid]);
    assert_eq!(world.get("k"), None);
    world.expect(DuplicateTxid, good);
}

/// Across blocks, any transaction uses its id up, also one that is refused before its id is looked
/// at, and one whose id is not even its own.
#[test]
fn an_invalid_one_uses_its_id_up() {
    let world = &mut World::new();
    type Wrong = fn(&mut Draft<'_>);
    let wrongs: [(_, Wrong); 7] = [
        (EndorsementPolicyFailure, |draft| draft.endorsers.clear()),
        (BadCreatorSignature, |draft| draft.signature = Some("signature".into())),
        (BadCommonHeader, |draft| draft.epoch = 1),
        (BadCommonHeader, |draft| draft.headers[1] = Some(Bytes::from_static(b"\xff"))),
        (InvalidEndorserTransaction, |draft| draft.data = Some(Bytes::from_static(b"\xff"))),
        (BadRwset, |draft| draft.results = Some(Bytes::from_static(b"\xff"))),
        (BadProposalTxid, |draft| {
            draft.tx_id = Some(draft.tx_id());
            draft.nonce = "another nonce".into();
        }),
    ];
    for (code, wrong) in wrongs {
        let (bad, good) = pair(world, wrong);
        // In the block itself it is no obstacle.
        assert_eq!(world.commit(vec![bad.clone()]), [code]);
        world.expect(DuplicateTxid, good);
        let (bad, good) = pair(world, wrong);
        assert_eq!(world.commit(vec![bad, good]), [code, Valid]);
    }
}

/// The id is looked at after the syntax of the action, and before what the action says.
#[test]
fn where_a_repeated_id_stands_among_the_checks() {
    let world = &mut World::new();
    type Wrong = fn(&mut Draft<'_>);
    let wrongs: [(_, Wrong); 7] = [
        (BadCreatorSignature, |draft| draft.signature = Some("signature".into())),
        (InvalidEndorserTransaction, |draft| draft.data = Some(Bytes::from_static(b"\xff"))),
        (InvalidEndorserTransaction, |draft| draft.proposal_hash = Some("hash".into())),
        (DuplicateTxid, |draft| draft.extension = Some(Bytes::from_static(b"\xff"))),
        (DuplicateTxid, |draft| draft.action = Some(Bytes::from_static(b"\xff"))),
        (DuplicateTxid, |draft| draft.results = Some(Bytes::from_static(b"\xff"))),
        (DuplicateTxid, |draft| draft.endorsers.clear()),
    ];
    for (code, wrong) in wrongs {
        let (bad, good) = pair(world, wrong);
        assert_eq!(world.commit(vec![good]), [Valid]);
        world.expect(code, bad);
    }
}

#[test]
fn configurations_have_no_ids() {
    let world = &mut World::new();
    // Two config blocks, both with an empty id in their headers.
    for seconds in [3, 4] {
        world.reconfigure(|root| {
            let orderer = root.groups.get_mut("Orderer").unwrap();
            let timeout = proto::orderer::BatchTimeout { timeout: format!("{seconds}s") };
            let value = prost::Message::encode_to_vec(&timeout);
            orderer.values.get_mut("BatchTimeout").unwrap().value = value.into();
        });
    }
    let envelope = world.draft().envelope();
    world.expect(Valid, envelope);
}
