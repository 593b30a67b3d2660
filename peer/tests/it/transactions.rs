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
    ChaincodeId, Endorsement, ProposalResponsePayload, Response, Transaction, TransactionAction,
};
use proto::rwset::{CollectionHashedReadWriteSet, NsReadWriteSet, TxReadWriteSet};

/// An endorsed transaction, as it should be until a test changes it.
pub struct Draft<'a> {
    pub channel: String,
    pub header_type: i32,
    pub version: i32,
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
    /// Instead of the whole chaincode action.
    pub action: Option<Bytes>,
    /// Instead of the right one.
    pub proposal_hash: Option<Bytes>,
    /// Instead of the whole proposal response payload.
    pub response_payload: Option<Bytes>,
    pub endorsers: Vec<&'a SigningIdentity>,
    /// Instead of what the endorsers make of the response payload.
    pub endorsements: Option<Vec<Endorsement>>,
    /// What the transaction holds of the proposal.
    pub proposal_payload: Bytes,
    /// Instead of the envelope's signature header.
    pub action_header: Option<Bytes>,
    /// Instead of the whole chaincode action payload.
    pub action_payload: Option<Bytes>,
    /// How often the action stands in the transaction.
    pub actions: usize,
    /// Instead of the whole transaction.
    pub data: Option<Bytes>,
    /// Instead of the right ones: channel header, then signature header.
    pub headers: [Option<Bytes>; 2],
    /// Instead of the whole payload.
    pub payload: Option<Bytes>,
}

/// An endorsement as it should be.
pub fn endorse(response_payload: &[u8], endorser: &SigningIdentity) -> Endorsement {
    let message = proto::transaction::endorsed_message(response_payload, endorser.serialized());
    Endorsement {
        endorser: endorser.serialized().clone(),
        signature: endorser.sign(&message).unwrap(),
    }
}

impl<'a> Draft<'a> {
    pub fn new(channel: &str, chaincode: &str, creator: &'a SigningIdentity) -> Self {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            channel: channel.into(),
            header_type: HeaderType::EndorserTransaction.into(),
            version: 0,
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
            response_payload: None,
            endorsers: Vec::new(),
            endorsements: None,
            proposal_payload: proto::transaction::without_transient(&Bytes::from_static(b"input")),
            action_header: None,
            action_payload: None,
            actions: 1,
            data: None,
            headers: [None, None],
            payload: None,
        }
    }

    pub fn tx_id(&self) -> String {
        let right = || proto::transaction::tx_id(&self.nonce, self.creator.serialized());
        self.tx_id.clone().unwrap_or_else(right)
    }

    /// The encoded envelope.
    pub fn envelope(&self) -> Bytes {
        let payload = self.signed_payload();
        let signature = || self.creator.sign(&payload).unwrap();
        proto::envelope::encode(&payload, &self.signature.clone().unwrap_or_else(signature))
    }

    /// The encoded channel header and signature header, as they should be.
    pub fn right_headers(&self) -> (Bytes, Bytes) {
        let channel_header: Bytes = ChannelHeader {
            r#type: self.header_type,
            channel_id: self.channel.clone(),
            tx_id: self.tx_id(),
            epoch: self.epoch,
            extension: self.extension(),
            version: self.version,
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
        (channel_header, signature_header)
    }

    fn actual_headers(&self) -> (Bytes, Bytes) {
        let (channel_header, signature_header) = self.right_headers();
        let [channel, signature] = self.headers.clone();
        (channel.unwrap_or(channel_header), signature.unwrap_or(signature_header))
    }

    /// What the creator signs.
    pub fn signed_payload(&self) -> Bytes {
        let (channel_header, signature_header) = self.actual_headers();
        let data = self.data.clone().unwrap_or_else(|| self.transaction());
        let header = Some(Header { channel_header, signature_header });
        let payload = || Payload { header, data }.encode_to_vec().into();
        self.payload.clone().unwrap_or_else(payload)
    }

    fn extension(&self) -> Bytes {
        let chaincode_id = Some(ChaincodeId { name: self.chaincode.clone(), ..Default::default() });
        let right = || ChaincodeHeaderExtension { chaincode_id }.encode_to_vec().into();
        self.extension.clone().unwrap_or_else(right)
    }

    /// The encoded proposal response payload: what endorsers sign.
    pub fn response(&self) -> Bytes {
        if let Some(response) = &self.response_payload {
            return response.clone();
        }
        let (channel_header, signature_header) = self.actual_headers();
        let header = self.action_header.clone().unwrap_or(signature_header);
        let hash =
            proto::transaction::proposal_hash(&channel_header, &header, &self.proposal_payload);
        let right = || Bytes::copy_from_slice(&hash);
        let proposal_hash = self.proposal_hash.clone().unwrap_or_else(right);
        let payload = ProposalResponsePayload { proposal_hash, extension: self.action() };
        payload.encode_to_vec().into()
    }

    fn transaction(&self) -> Bytes {
        let response = self.response();
        let right = || self.endorsers.iter().map(|it| endorse(&response, it)).collect();
        let endorsements = self.endorsements.clone().unwrap_or_else(right);
        let action = ChaincodeEndorsedAction { proposal_response_payload: response, endorsements };
        let payload = ChaincodeActionPayload {
            chaincode_proposal_payload: self.proposal_payload.clone(),
            action: Some(action),
        };
        let right = || payload.encode_to_vec().into();
        let payload = self.action_payload.clone().unwrap_or_else(right);
        let header = self.action_header.clone().unwrap_or_else(|| self.actual_headers().1);
        let actions = vec![TransactionAction { header, payload }; self.actions];
        Transaction { actions }.encode_to_vec().into()
    }

    /// The encoded sets of all namespaces.
    pub fn right_results(&self) -> Bytes {
        let ns_rwset = self.namespaces.clone();
        TxReadWriteSet { ns_rwset, ..Default::default() }.encode_to_vec().into()
    }

    fn action(&self) -> Bytes {
        if let Some(action) = &self.action {
            return action.clone();
        }
        let right = || ChaincodeId {
            name: self.chaincode.clone(),
            version: "1.0".into(),
            ..Default::default()
        };
        ChaincodeAction {
            results: self.results.clone().unwrap_or_else(|| self.right_results()),
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
    definition_set(name, &default_definition())
}

/// The first definition of a chaincode, with the default endorsement policy.
pub fn default_definition() -> Definition {
    let mut definition = Definition { sequence: 1, ..Definition::default() };
    definition.parameters.endorsement.version = "1.0".into();
    definition.parameters.endorsement.endorsement_plugin = "escc".into();
    definition.parameters.validation.validation_plugin = "vscc".into();
    definition.parameters.validation.validation_parameter = default_validation_parameter();
    definition
}

/// What a commit of a definition writes.
pub fn definition_set(name: &str, definition: &Definition) -> NsReadWriteSet {
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

/// The set of one namespace.
pub fn namespace_set(namespace: &str, set: KvrwSet) -> NsReadWriteSet {
    NsReadWriteSet {
        namespace: namespace.into(),
        rwset: set.encode_to_vec().into(),
        ..Default::default()
    }
}

/// The set of one collection, without private data anywhere.
pub fn hashed_set(namespace: &str, collection: &str, hashed_rwset: Bytes) -> NsReadWriteSet {
    NsReadWriteSet {
        namespace: namespace.into(),
        collection_hashed_rwset: vec![CollectionHashedReadWriteSet {
            collection_name: collection.into(),
            hashed_rwset,
            ..Default::default()
        }],
        ..Default::default()
    }
}
