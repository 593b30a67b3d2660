//! Every valid transaction of a recorded ledger, simulated on the state it was endorsed on.

use std::collections::BTreeMap;

use bytes::Bytes;
use channel::SignedData;
use ledger::PrivateWriteSets;
use prost::Message;
use proto::common::Block;
use proto::envelope::Envelope;
use proto::kvrwset::KvrwSet;
use proto::peer::{
    ChaincodeHeaderExtension, ChaincodeInvocationSpec, ChaincodeProposalPayload, SignedProposal,
    TxValidationCode,
};
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::{Action, PeeledProposal};

use super::peer::{ORG1, Peer, recorded};
use crate::endorser::process::simulate;
use crate::endorser::respond::{Outcome, payload};
use crate::endorser::transaction::Proposal;
use crate::lifecycle::replay as lifecycle;

/// Replays a ledger; gives how many transactions came out as recorded.
fn replay(name: &str) -> usize {
    let block = |number: u32| {
        let bytes = recorded(&format!("{name}/blocks/block_{number:06}.pb"))?;
        Some(proto::block::parse(bytes).unwrap())
    };
    let peer = Peer::join(&block(0).unwrap(), ORG1);
    let mut compared = 0;
    for number in 1.. {
        let Some(block) = block(number) else { break };
        let codes = codes(&block);
        let mut private = PrivateWriteSets::default();
        for (index, envelope) in proto::block::envelopes(&block).iter().enumerate() {
            let envelope = Envelope::parse(envelope.clone()).unwrap();
            let is_transaction = envelope.channel_header.r#type == 3;
            if is_transaction && codes[index] == TxValidationCode::Valid {
                let clear = clear_writes(name, number, index);
                let position = u32::try_from(index).unwrap();
                let simulated = compare(&peer, number, &envelope, clear.as_ref());
                compared += usize::from(simulated.is_some());
                let write_set = simulated.flatten().or(clear);
                private.write_sets.extend(write_set.map(|set| (position, set)));
            }
        }
        commit(&peer, block, codes, private);
    }
    compared
}

/// What a transaction wrote in clear, from whichever organization's peer had it.
fn clear_writes(ledger: &str, block: u32, index: usize) -> Option<TxPvtReadWriteSet> {
    let file = format!("block_{block:06}_tx_{index:04}.pb");
    let of_org = |org: u32| recorded(&format!("{ledger}/private_org{org}/{file}"));
    Some(TxPvtReadWriteSet::decode(of_org(1).or_else(|| of_org(2))?).unwrap())
}

/// The recorded codes.
pub(super) fn codes(block: &Block) -> Vec<TxValidationCode> {
    let codes = proto::block::transactions_filter(block);
    codes.iter().map(|code| TxValidationCode::try_from(i32::from(*code)).unwrap()).collect()
}

/// The arguments of a transaction.
pub(super) fn arguments(action: &Action) -> Vec<Bytes> {
    let payload = ChaincodeProposalPayload::decode(action.proposal_payload.clone());
    let spec = payload.and_then(|payload| ChaincodeInvocationSpec::decode(payload.input));
    let input = spec.ok().and_then(|spec| spec.chaincode_spec?.input);
    input.map(|input| input.args).unwrap_or_default()
}

pub(super) fn commit(
    peer: &Peer,
    block: Block,
    codes: Vec<TxValidationCode>,
    private: PrivateWriteSets,
) {
    let expected = proto::block::commit_hash(&block);
    let committed = peer.channel.ledger().commit(block, codes, private).unwrap();
    assert_eq!(proto::block::commit_hash(&committed.block), expected);
    if proto::block::is_config(&committed.block) {
        peer.channel.set_bundle(channel::Bundle::from_block(&committed.block).unwrap().into());
    }
}

/// Simulates one transaction and compares what endorsers sign; gives its private writes. Those
/// made by hand, or with a secret nobody has any more, cannot be simulated.
fn compare(
    peer: &Peer,
    block: u32,
    envelope: &Envelope,
    clear: Option<&TxPvtReadWriteSet>,
) -> Option<Option<TxPvtReadWriteSet>> {
    let action = Action::parse(envelope.data.clone()).unwrap();
    let mut peeled = peel(envelope, &action);
    peeled.transient = clear.map(values).unwrap_or_default();
    let args: Vec<&[u8]> = peeled.input.args.iter().take(4).map(AsRef::as_ref).collect();
    match args[..] {
        [b"forged"] => return None,
        [b"pput", _, key] if !peeled.transient.keys().any(|known| known.as_bytes() == key) => {
            return None;
        }
        _ => {}
    }
    let bundle = peer.channel.bundle();
    let creator = bundle.msps().deserialize(&peeled.signature_header.creator).unwrap();
    let (signed, request) = (SignedProposal::default(), request(&peeled));
    let endorser = &peer.endorser.0;
    let proposal = Proposal {
        endorser,
        signed: &signed,
        peeled: &peeled,
        request: &request,
        creator: &creator,
    };
    let (outcome, private) = if peeled.chaincode == "_lifecycle" {
        let mut simulator = peer.channel.ledger().simulator(proposal.tx_id()).unwrap();
        // An approval is endorsed by a peer of the organization that gives it.
        let approves = peeled.input.args[0].starts_with(b"Approve");
        let msp_id = if approves { creator.msp_id() } else { ORG1 };
        let response = lifecycle(&mut simulator, &bundle, msp_id, &peeled.input.args);
        let simulation = simulator.finish().unwrap();
        pretend_installed(peer, &peeled.input.args);
        let version = "syscc".to_owned();
        let results = simulation.public;
        (Outcome { response, results, version, ..Outcome::default() }, simulation.private)
    } else {
        let outcome = simulate(&proposal, peer.channel.clone());
        let kept = peer.channel.ledger().transient_store().get(proposal.tx_id()).unwrap();
        let private = kept.last().and_then(|entry| entry.write_set().cloned());
        (outcome.unwrap_or_else(|error| panic!("block {block}: {error}")), private)
    };
    let header = &peeled.channel_header;
    let produced = payload(peeled.hash(), &peeled.chaincode, &header.tx_id, &outcome);
    if produced != action.response_payload_bytes {
        let recorded = action.chaincode_action().unwrap();
        let recorded_set = proto::rwset::TxReadWriteSet::decode(recorded.results.clone()).unwrap();
        let set = proto::rwset::TxReadWriteSet::decode(outcome.results.clone()).unwrap();
        assert_eq!(outcome.response, recorded.response.unwrap(), "block {block}: {args:?}");
        assert_eq!(readable(&set), readable(&recorded_set), "block {block}: {args:?}");
        panic!("block {block}: {args:?}: endorsed bytes differ");
    }
    Some(private)
}

/// A read-write set with its namespaces decoded, for the message of a failure.
fn readable(set: &proto::rwset::TxReadWriteSet) -> Vec<String> {
    let namespaces = set.ns_rwset.iter().map(|namespace| {
        let public = KvrwSet::decode(namespace.rwset.clone()).unwrap();
        let hashed = namespace.collection_hashed_rwset.iter().map(|collection| {
            let set = proto::kvrwset::HashedRwSet::decode(collection.hashed_rwset.clone()).unwrap();
            format!("{} {set:?} {:?}", collection.collection_name, collection.pvt_rwset_hash)
        });
        format!("{} {public:?} {:?}", namespace.namespace, hashed.collect::<Vec<_>>())
    });
    namespaces.collect()
}

fn peel(envelope: &Envelope, action: &Action) -> PeeledProposal {
    let extension =
        ChaincodeHeaderExtension::decode(envelope.channel_header.extension.clone()).unwrap();
    let payload = ChaincodeProposalPayload::decode(action.proposal_payload.clone()).unwrap();
    let spec = ChaincodeInvocationSpec::decode(payload.input.clone()).unwrap();
    PeeledProposal {
        proposal_bytes: Bytes::new(),
        signature: Bytes::new(),
        channel_header_bytes: envelope.channel_header_bytes.clone(),
        signature_header_bytes: envelope.signature_header_bytes.clone(),
        channel_header: envelope.channel_header.clone(),
        signature_header: envelope.signature_header.clone(),
        chaincode: extension.chaincode_id.unwrap().name,
        input_bytes: payload.input,
        input: spec.chaincode_spec.unwrap().input.unwrap(),
        transient: BTreeMap::new(),
    }
}

fn request(peeled: &PeeledProposal) -> SignedData {
    let identity = peeled.signature_header.creator.clone();
    SignedData { data: Bytes::new(), identity, signature: Bytes::new() }
}

/// The clear values a transaction wrote, by key: the client sent them as transient data.
fn values(clear: &TxPvtReadWriteSet) -> BTreeMap<String, Bytes> {
    let mut values = BTreeMap::new();
    for collection in clear.ns_pvt_rwset.iter().flat_map(|ns| &ns.collection_pvt_rwset) {
        let set = KvrwSet::decode(collection.rwset.clone()).unwrap();
        values.extend(set.writes.into_iter().map(|write| (write.key, write.value)));
    }
    values
}

/// Whatever package an approval names is taken to be on this peer.
pub(super) fn pretend_installed(peer: &Peer, args: &[Bytes]) {
    use proto::lifecycle::chaincode_source::Type;
    let [function, approval, ..] = args else { return };
    if !function.starts_with(b"Approve") {
        return;
    }
    let approval =
        proto::lifecycle::ApproveChaincodeDefinitionForMyOrgArgs::decode(approval.clone());
    let source = approval.ok().and_then(|approval| approval.source?.r#type);
    if let Some(Type::LocalPackage(local)) = source {
        peer.lifecycle.packages().pretend(&local.package_id);
    }
}

#[test]
fn reads_writes_ranges_events_and_nested_calls() {
    assert_eq!(replay("l1-simple"), 66);
}

#[test]
fn definitions_that_change_and_key_level_policies() {
    assert_eq!(replay("l3-governance"), 37);
}

#[test]
fn private_collections() {
    // Of 44, one was made by hand and two wrote what was purged later.
    assert_eq!(replay("l4-private"), 41);
}
