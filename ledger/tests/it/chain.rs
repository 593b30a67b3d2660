//! Chains made for a test: blocks of transactions that nobody signed.

use std::path::Path;

use bytes::Bytes;
use ledger::{Committed, Ledger, PrivateWriteSets, Simulation, Simulator};
use prost::Message;
use proto::common::{Block, ChannelHeader, Header, HeaderType, Payload, SignatureHeader};
use proto::kvrwset::{HashedRwSet, KvMetadataEntry, KvMetadataWrite, KvRead, KvWrite, KvrwSet};
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ProposalResponsePayload,
    Transaction, TransactionAction,
};
use proto::rwset::{CollectionHashedReadWriteSet, NsReadWriteSet, TxReadWriteSet};
use proto::transaction::TxValidationCode;

use crate::vectors;

pub(crate) use TxValidationCode::{MvccReadConflict, PhantomReadConflict, Valid};

/// A ledger with its first block.
pub(crate) fn create(dir: &Path) -> Ledger {
    let ledger = vectors::open(dir);
    if ledger.height() == 0 {
        commit(&ledger, vec![envelope(HeaderType::Config, "config", Bytes::from_static(b"c"))]);
    }
    ledger
}

/// The next block of a ledger.
pub(crate) fn block(ledger: &Ledger, envelopes: Vec<Bytes>) -> Block {
    let info = ledger.info().unwrap();
    proto::block::new(info.height, info.current_block_hash, envelopes)
}

/// Commits a block of transactions that passed all earlier checks.
pub(crate) fn commit(ledger: &Ledger, envelopes: Vec<Bytes>) -> Committed {
    commit_with(ledger, envelopes, PrivateWriteSets::default())
}

pub(crate) fn commit_with(
    ledger: &Ledger,
    envelopes: Vec<Bytes>,
    private: PrivateWriteSets,
) -> Committed {
    let codes = vec![Valid; envelopes.len()];
    ledger.commit(block(ledger, envelopes), codes, private).unwrap()
}

/// Commits one simulated transaction with its private data.
pub(crate) fn commit_one(ledger: &Ledger, tx_id: &str, simulation: Simulation) -> Committed {
    let mut private = PrivateWriteSets::default();
    private.write_sets.extend(simulation.private.map(|set| (0, set)));
    commit_with(ledger, vec![tx(tx_id, simulation.public)], private)
}

/// Simulates, commits, and expects the transaction to be valid.
pub(crate) fn submit(ledger: &Ledger, tx_id: &str, run: impl FnOnce(&mut Simulator)) -> Committed {
    let mut simulator = ledger.simulator(tx_id).unwrap();
    run(&mut simulator);
    let committed = commit_one(ledger, tx_id, simulator.finish().unwrap());
    assert_eq!(committed.codes, [Valid]);
    committed
}

pub(crate) fn envelope(kind: HeaderType, tx_id: &str, data: Bytes) -> Bytes {
    let channel =
        ChannelHeader { r#type: kind as i32, tx_id: tx_id.to_owned(), ..Default::default() };
    let header = Header {
        channel_header: channel.encode_to_vec().into(),
        signature_header: SignatureHeader::default().encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data };
    proto::envelope::encode(&payload.encode_to_vec(), b"signature")
}

/// An endorser transaction with these results.
pub(crate) fn tx(tx_id: &str, results: Bytes) -> Bytes {
    let action = ChaincodeAction { results, ..Default::default() };
    let response =
        ProposalResponsePayload { extension: action.encode_to_vec().into(), ..Default::default() };
    let endorsed = ChaincodeEndorsedAction {
        proposal_response_payload: response.encode_to_vec().into(),
        ..Default::default()
    };
    let payload = ChaincodeActionPayload { action: Some(endorsed), ..Default::default() };
    let action =
        TransactionAction { payload: payload.encode_to_vec().into(), ..Default::default() };
    let transaction = Transaction { actions: vec![action] };
    envelope(HeaderType::EndorserTransaction, tx_id, transaction.encode_to_vec().into())
}

/// Results with one public set, in namespace `cc`.
pub(crate) fn results(set: &KvrwSet) -> Bytes {
    let namespace = NsReadWriteSet {
        namespace: "cc".into(),
        rwset: set.encode_to_vec().into(),
        ..Default::default()
    };
    TxReadWriteSet { ns_rwset: vec![namespace], ..Default::default() }.encode_to_vec().into()
}

/// Results with one hashed set, in collection `c` of namespace `cc`.
pub(crate) fn hashed_results(set: &HashedRwSet) -> Bytes {
    let collection = CollectionHashedReadWriteSet {
        collection_name: "c".into(),
        hashed_rwset: set.encode_to_vec().into(),
        ..Default::default()
    };
    let namespace = NsReadWriteSet {
        namespace: "cc".into(),
        collection_hashed_rwset: vec![collection],
        ..Default::default()
    };
    TxReadWriteSet { ns_rwset: vec![namespace], ..Default::default() }.encode_to_vec().into()
}

pub(crate) fn read(key: &str, version: Option<(u64, u64)>) -> KvRead {
    let version = version.map(|(block_num, tx_num)| proto::kvrwset::Version { block_num, tx_num });
    KvRead { key: key.into(), version }
}

pub(crate) fn write(key: &str, value: &str) -> KvWrite {
    KvWrite { key: key.into(), is_delete: value.is_empty(), value: text(value) }
}

/// Metadata of one entry, or none at all.
pub(crate) fn metadata(key: &str, value: &str) -> KvMetadataWrite {
    let entry = KvMetadataEntry { name: "VALIDATION_PARAMETER".into(), value: text(value) };
    let entries = if value.is_empty() { vec![] } else { vec![entry] };
    KvMetadataWrite { key: key.into(), entries }
}

pub(crate) fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Value, version and validation parameter of a key of `cc`.
pub(crate) fn entry(ledger: &Ledger, key: &str) -> Option<(String, (u64, u64), String)> {
    let entry = ledger.view().unwrap().get("cc", key).unwrap()?;
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let parameter = entry.validation_parameter().unwrap_or_default();
    let version = (entry.version.block, entry.version.tx);
    Some((string(&entry.value), version, string(&parameter)))
}
