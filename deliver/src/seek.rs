//! Seek requests: which blocks someone wants.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::common::{ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader};
use proto::orderer::seek_info::{SeekBehavior, SeekContentType, SeekErrorResponse};
use proto::orderer::seek_position::Type;
use proto::orderer::{
    SeekInfo, SeekNewest, SeekNextCommit, SeekOldest, SeekPosition, SeekSpecified,
};
use rand::RngCore;

/// The first block.
pub fn oldest() -> Option<SeekPosition> {
    Some(SeekPosition { r#type: Some(Type::Oldest(SeekOldest {})) })
}

/// The last block there is now.
pub fn newest() -> Option<SeekPosition> {
    Some(SeekPosition { r#type: Some(Type::Newest(SeekNewest {})) })
}

/// A block by its number.
pub fn specified(number: u64) -> Option<SeekPosition> {
    Some(SeekPosition { r#type: Some(Type::Specified(SeekSpecified { number })) })
}

/// The next block to come.
pub fn next_commit() -> Option<SeekPosition> {
    Some(SeekPosition { r#type: Some(Type::NextCommit(SeekNextCommit {})) })
}

/// All blocks from `number` on, for ever, whatever state the ordering service is in.
pub fn follow(number: u64) -> SeekInfo {
    SeekInfo {
        start: specified(number),
        stop: specified(u64::MAX),
        behavior: SeekBehavior::BlockUntilReady as i32,
        error_response: SeekErrorResponse::BestEffort as i32,
        content_type: SeekContentType::Block as i32,
    }
}

/// Header and metadata of the last block there is now.
pub fn newest_header() -> SeekInfo {
    SeekInfo {
        start: newest(),
        stop: newest(),
        behavior: SeekBehavior::FailIfNotReady as i32,
        error_response: SeekErrorResponse::BestEffort as i32,
        content_type: SeekContentType::HeaderWithSig as i32,
    }
}

/// The signed request, bound to the TLS certificate the client presents.
pub fn envelope(
    signer: &SigningIdentity,
    channel_id: &str,
    seek: &SeekInfo,
    tls_certificate_hash: Option<[u8; 32]>,
) -> Result<Envelope, msp::Error> {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    };
    let channel_header = ChannelHeader {
        r#type: HeaderType::DeliverSeekInfo as i32,
        timestamp: Some(timestamp),
        channel_id: channel_id.to_owned(),
        tls_cert_hash: tls_certificate_hash.map_or(Bytes::new(), |h| Bytes::copy_from_slice(&h)),
        ..Default::default()
    };
    let signature_header = SignatureHeader {
        creator: signer.serialized().clone(),
        nonce: Bytes::copy_from_slice(&nonce),
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data: seek.encode_to_vec().into() };
    let payload = Bytes::from(payload.encode_to_vec());
    let signature = signer.sign(&payload)?;
    Ok(Envelope { payload, signature })
}
