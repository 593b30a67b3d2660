//! Building, signing and reading the messages of gossip.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::gossip::gossip_message::{Content, Tag};
use proto::gossip::{Envelope, GossipMessage};

use super::DropReason;

/// What identifies a peer: SHA-256 over MSP id and certificate as they stand in its identity.
pub(super) type PkiId = [u8; 32];

/// The PKI id of a serialized identity.
pub(super) fn pki_id(serialized: &[u8]) -> Option<PkiId> {
    let identity = proto::msp::SerializedIdentity::decode(serialized).ok()?;
    Some(proto::sha256_all([identity.mspid.as_bytes(), identity.id_bytes.as_ref()]))
}

/// What stands for a channel in the messages of one peer, so that outsiders do not learn its name.
pub(super) fn channel_mac(pki_id: &[u8], channel: &str) -> [u8; 32] {
    proto::sha256_all([pki_id, channel.as_bytes()])
}

/// The tag each kind of message must carry; `None` for kinds this peer does not speak.
fn tag(content: &Content) -> Option<Tag> {
    match content {
        Content::AliveMsg(_)
        | Content::MemReq(_)
        | Content::MemRes(_)
        | Content::Conn(_)
        | Content::Empty(_) => Some(Tag::Empty),
        Content::StateInfo(_) | Content::StateSnapshot(_) | Content::StateInfoPullReq(_) => {
            Some(Tag::ChanOrOrg)
        }
        Content::PrivateReq(_) | Content::PrivateRes(_) | Content::PrivateData(_) => {
            Some(Tag::ChanOnly)
        }
        _ => None,
    }
}

/// A message without signature, for contents that are signed themselves.
pub(super) fn unsigned(content: Content) -> Envelope {
    Envelope { payload: encode(content), ..Default::default() }
}

/// A message signed by this peer.
pub(super) fn signed(content: Content, signer: &SigningIdentity) -> Result<Envelope, msp::Error> {
    let payload = encode(content);
    let signature = signer.sign(&payload)?;
    Ok(Envelope { payload, signature, secret_envelope: None })
}

fn encode(content: Content) -> Bytes {
    let tag = tag(&content).unwrap_or(Tag::Undefined);
    let message = GossipMessage { tag: tag.into(), content: Some(content), ..Default::default() };
    message.encode_to_vec().into()
}

/// The answer to `question`: same nonce, same channel.
pub(super) fn answer(question: &Question, content: Content) -> Envelope {
    let message = GossipMessage {
        nonce: question.nonce,
        channel: question.channel.clone(),
        tag: tag(&content).unwrap_or(Tag::Undefined).into(),
        content: Some(content),
    };
    Envelope { payload: message.encode_to_vec().into(), ..Default::default() }
}

/// What ties an answer to the message it is about.
#[derive(Debug)]
pub(super) struct Question {
    /// Chosen by the sender.
    pub(super) nonce: u64,
    /// Name of the channel.
    pub(super) channel: Bytes,
}

impl Question {
    pub(super) fn of(envelope: &Envelope) -> Result<Self, DropReason> {
        let message =
            GossipMessage::decode(envelope.payload.clone()).map_err(|_| DropReason::Malformed)?;
        Ok(Self { nonce: message.nonce, channel: message.channel })
    }
}

/// Reads a message and checks its tag.
pub(super) fn parse(envelope: &Envelope) -> Result<Content, DropReason> {
    let message =
        GossipMessage::decode(envelope.payload.clone()).map_err(|_| DropReason::Malformed)?;
    let content = message.content.ok_or(DropReason::Malformed)?;
    match tag(&content) {
        None => Err(DropReason::Unsupported),
        Some(tag) if i32::from(tag) == message.tag => Ok(content),
        Some(_) => Err(DropReason::Malformed),
    }
}
