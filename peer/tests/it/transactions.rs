//! Transactions made by hand, right or wrong in any part.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use msp::SigningIdentity;
use peer::lifecycle::Definition;
use peer::lifecycle::definition::default_validation_parameter;
use peer::lifecycle::state::{field_key, metadata_key};
use prost::Message;
use proto::common::{ChannelHeader, Header, HeaderType, Payload, SignatureHeader};
use proto::kvrwset::{KvMetadataEntry, KvMetadataWrite, KvWrite, KvrwSet};
use proto::lifecycle::StateMetadata;
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeHeaderExtension,
    ChaincodeId, ChaincodeProposalPayload, Endorsement, ProposalResponsePayload, Response,
    Transaction, TransactionAction,
};
use proto::rwset::{NsReadWriteSet, TxReadWriteSet};

/// An endorsed transaction, as it should be until a test changes it.
pub struct Draft<'a> {
    pub channel: String,
    pub header_type: i32,
    pub epoch: u64,
    pub nonce: Bytes,
    pub creator: &'a SigningIdentity,
    /// Instead of the right one.
    pub tx_id: Option<String>,
    /// Instead of the creator's.
    pub signature: Option<Bytes>,
    pub chaincode: String,
    /// Instead of one that names the chaincode.
    pub extension: Option<Bytes>,
    /// Name and version in the action, instead of the chaincode's.
    pub executed: Option<ChaincodeId>,
    pub namespaces: Vec<NsReadWriteSet>,
    /// Instead of the namespaces.
    pub results: Option<Bytes>,
    pub events: Bytes,
    /// Instead of the whole action.
    pub action: Option<Bytes>,
    /// Instead of the right one.
    pub proposal_hash: Option<Bytes>,
    pub endorsers: Vec<&'a SigningIdentity>,
    /// Instead of the whole transaction.
    pub data: Option<Bytes>,
}

impl<'a> Draft<'a> {
    pub fn new(channel: &str, chaincode: &str, creator: &'a SigningIdentity) -> Self {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            channel: channel.into(),
            header_type: HeaderType::EndorserTransaction.into(),
            epoch: 0,
            nonce: Bytes::copy_from_slice(&nonce),
            creator,
            tx_id: None,
            signature: None,
            chaincode: chaincode.into(),
            extension: None,
            executed: None,
            namespaces: Vec::new(),
            results: None,
            events: Bytes::new(),
            action: None,
            proposal_hash: None,
            endorsers: Vec::new(),
            data: None,
        }
    }

    pub fn tx_id(&self) -> String {
        let right = || proto::transaction::tx_id(&self.nonce, self.creator.serialized());
        self.tx_id.clone().unwrap_or_else(right)
    }

    /// The encoded envelope.
    pub fn envelope(&self) -> Bytes {
        let channel_header: Bytes = ChannelHeader {
            r#type: self.header_type,
            channel_id: self.channel.clone(),
            tx_id: self.tx_id(),
            epoch: self.epoch,
            extension: self.extension(),
            ..Default::default()
        }
        .encode_to_vec()
        .into();
        let signature_header: Bytes = SignatureHeader {
            creator: self.creator.serialized().clone(),
            nonce: self.nonce.clone(),
        }
        .encode_to_vec()
        .into();
        let data = match &self.data {
            Some(data) => data.clone(),
            None => self.transaction(&channel_header, &signature_header),
        };
        let header = Some(Header { channel_header, signature_header });
        let payload = Payload { header, data }.encode_to_vec();
        let signature = || self.creator.sign(&payload).unwrap();
        proto::envelope::encode(&payload, &self.signature.clone().unwrap_or_else(signature))
    }

    fn extension(&self) -> Bytes {
        let chaincode_id = Some(ChaincodeId { name: self.chaincode.clone(), ..Default::default() });
        let right = || ChaincodeHeaderExtension { chaincode_id }.encode_to_vec().into();
        self.extension.clone().unwrap_or_else(right)
    }

    fn transaction(&self, channel_header: &Bytes, signature_header: &Bytes) -> Bytes {
        let proposal_payload: Bytes = ChaincodeProposalPayload::default().encode_to_vec().into();
        let hash = proto::transaction::proposal_hash(
            channel_header,
            signature_header,
            &proto::transaction::without_transient(&Bytes::new()),
        );
        let hash = self.proposal_hash.clone().unwrap_or_else(|| Bytes::copy_from_slice(&hash));
        let response: Bytes =
            ProposalResponsePayload { proposal_hash: hash, extension: self.action() }
                .encode_to_vec()
                .into();
        let endorse = |endorser: &&SigningIdentity| {
            let message = proto::transaction::endorsed_message(&response, endorser.serialized());
            Endorsement {
                endorser: endorser.serialized().clone(),
                signature: endorser.sign(&message).unwrap(),
            }
        };
        let action = ChaincodeEndorsedAction {
            proposal_response_payload: response.clone(),
            endorsements: self.endorsers.iter().map(endorse).collect(),
        };
        let payload = ChaincodeActionPayload {
            chaincode_proposal_payload: proposal_payload,
            action: Some(action),
        };
        let action = TransactionAction {
            header: signature_header.clone(),
            payload: payload.encode_to_vec().into(),
        };
        Transaction { actions: vec![action] }.encode_to_vec().into()
    }

    fn action(&self) -> Bytes {
        if let Some(action) = &self.action {
            return action.clone();
        }
        let ns_rwset = self.namespaces.clone();
        let results = || TxReadWriteSet { ns_rwset, ..Default::default() }.encode_to_vec().into();
        let right = || ChaincodeId {
            name: self.chaincode.clone(),
            version: "1.0".into(),
            ..Default::default()
        };
        ChaincodeAction {
            results: self.results.clone().unwrap_or_else(results),
            events: self.events.clone(),
            response: Some(Response { status: 200, ..Default::default() }),
            chaincode_id: Some(self.executed.clone().unwrap_or_else(right)),
        }
        .encode_to_vec()
        .into()
    }
}

/// Writes of one namespace.
pub fn writes(namespace: &str, entries: &[(&str, &[u8])]) -> NsReadWriteSet {
    let writes = entries.iter().map(|(key, value)| KvWrite {
        key: (*key).to_owned(),
        is_delete: value.is_empty(),
        value: Bytes::copy_from_slice(value),
    });
    namespace_set(namespace, KvrwSet { writes: writes.collect(), ..Default::default() })
}

/// The definition of a chaincode with the default endorsement policy.
pub fn definition(name: &str) -> NsReadWriteSet {
    let mut definition = Definition { sequence: 1, ..Definition::default() };
    definition.parameters.endorsement.version = "1.0".into();
    definition.parameters.endorsement.endorsement_plugin = "escc".into();
    definition.parameters.validation.validation_plugin = "vscc".into();
    definition.parameters.validation.validation_parameter = default_validation_parameter();
    let record = definition.record();
    let metadata = StateMetadata {
        datatype: record.datatype.into(),
        fields: record.fields.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    let mut entries = vec![(metadata_key("namespaces", name), metadata.encode_to_vec())];
    for (field, value) in &record.fields {
        entries.push((field_key("namespaces", name, field), value.to_vec()));
    }
    let entries: Vec<_> =
        entries.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
    writes("_lifecycle", &entries)
}

/// A write of a key-level endorsement policy.
pub fn key_policy(namespace: &str, key: &str, policy: &[u8]) -> NsReadWriteSet {
    let entry = KvMetadataEntry {
        name: "VALIDATION_PARAMETER".into(),
        value: Bytes::copy_from_slice(policy),
    };
    let write = KvMetadataWrite { key: key.into(), entries: vec![entry] };
    namespace_set(namespace, KvrwSet { metadata_writes: vec![write], ..Default::default() })
}

fn namespace_set(namespace: &str, set: KvrwSet) -> NsReadWriteSet {
    NsReadWriteSet {
        namespace: namespace.into(),
        rwset: set.encode_to_vec().into(),
        ..Default::default()
    }
}
