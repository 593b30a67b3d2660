//! What a contract may know about the transaction it is part of.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use proto::common::{ChannelHeader, Header, SignatureHeader};
use proto::peer::{Proposal, SignedProposal};

use super::{Outcome, Session, cost};
use crate::stub::Caller;

/// The context.
impl Session<'_> {
    fn told<T>(&mut self, size: usize, value: T) -> Outcome<T> {
        self.charge_bytes(cost::CONTEXT, size)?;
        Ok(value)
    }

    /// The chaincode's name.
    pub fn chaincode(&mut self) -> Outcome<String> {
        let name = self.stub.chaincode().to_owned();
        self.told(name.len(), name)
    }

    /// The transaction's id.
    pub fn tx_id(&mut self) -> Outcome<String> {
        let id = self.stub.tx_id().to_owned();
        self.told(id.len(), id)
    }

    /// The channel.
    pub fn channel_id(&mut self) -> Outcome<String> {
        let id = self.stub.channel_id().to_owned();
        self.told(id.len(), id)
    }

    /// The client's time.
    pub fn timestamp(&mut self) -> Outcome<Timestamp> {
        let timestamp = self.stub.timestamp();
        self.told(0, timestamp)
    }

    /// The serialized identity of the caller.
    pub fn creator(&mut self) -> Outcome<Bytes> {
        let creator = self.stub.creator().clone();
        self.told(creator.len(), creator)
    }

    /// The caller's certificate, read.
    pub fn caller(&mut self) -> Outcome<Caller> {
        let caller = self.stub.caller()?;
        let attributes: usize = caller.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        self.told(caller.certificate.len() + attributes, caller)
    }

    /// Inputs that are not recorded.
    pub fn transient(&mut self) -> Outcome<BTreeMap<String, Bytes>> {
        let map = self.stub.transient().clone();
        self.told(map.iter().map(|(k, v)| k.len() + v.len()).sum(), map)
    }

    /// What the peer added to the input.
    pub fn decorations(&mut self) -> Outcome<BTreeMap<String, Bytes>> {
        let map = self.stub.decorations().clone();
        self.told(map.iter().map(|(k, v)| k.len() + v.len()).sum(), map)
    }

    /// Hash of nonce, creator and epoch of the proposal.
    pub fn binding(&mut self) -> Outcome<Bytes> {
        self.charge(cost::CONTEXT)?;
        let proposal = self.stub.signed_proposal().ok_or_else(|| "no proposal".to_owned())?;
        Ok(binding(proposal).map_err(|e| format!("malformed proposal: {e}"))?)
    }

    /// The encoded proposal.
    pub fn signed_proposal(&mut self) -> Outcome<Option<Vec<u8>>> {
        let proposal = self.stub.signed_proposal().map(Message::encode_to_vec);
        self.told(proposal.as_ref().map_or(0, Vec::len), proposal)
    }

    /// Whether the client asked for initialization.
    pub fn is_init(&mut self) -> Outcome<bool> {
        self.told(0, self.is_init)
    }
}

/// SHA-256 of nonce, creator and the little-endian epoch.
fn binding(signed: &SignedProposal) -> Result<Bytes, prost::DecodeError> {
    let proposal = Proposal::decode(signed.proposal_bytes.clone())?;
    let header = Header::decode(proposal.header)?;
    let channel = ChannelHeader::decode(header.channel_header)?;
    let signature = SignatureHeader::decode(header.signature_header)?;
    let bytes = [&signature.nonce[..], &signature.creator[..], &channel.epoch.to_le_bytes()[..]];
    Ok(Bytes::copy_from_slice(&proto::sha256(&bytes.concat())))
}
