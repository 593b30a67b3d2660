//! Signing an update and wrapping it for submission.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::common::{
    self, ChannelHeader, ConfigSignature, ConfigUpdateEnvelope, Header, HeaderType, Payload,
    SignatureHeader,
};

use super::Error;
use crate::genesis::{nonce, now};

/// Signs an encoded [`common::ConfigUpdate`].
pub fn sign(signer: &SigningIdentity, config_update: &[u8]) -> Result<ConfigSignature, Error> {
    let signature_header = header(signer);
    let message = [&signature_header[..], config_update].concat();
    let signature = signer.sign(&message).map_err(Error::Sign)?;
    Ok(ConfigSignature { signature_header, signature })
}

/// The envelope of type `CONFIG_UPDATE` that the submitter sends to an orderer.
pub fn envelope(
    submitter: &SigningIdentity,
    channel_id: &str,
    update: &ConfigUpdateEnvelope,
) -> Result<common::Envelope, Error> {
    let channel_header = ChannelHeader {
        r#type: HeaderType::ConfigUpdate as i32,
        channel_id: channel_id.to_owned(),
        timestamp: Some(now()),
        ..Default::default()
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: header(submitter),
    };
    let payload = Payload { header: Some(header), data: update.encode_to_vec().into() };
    let payload = Bytes::from(payload.encode_to_vec());
    let signature = submitter.sign(&payload).map_err(Error::Sign)?;
    Ok(common::Envelope { payload, signature })
}

fn header(signer: &SigningIdentity) -> Bytes {
    let creator = Bytes::copy_from_slice(signer.serialized());
    SignatureHeader { creator, nonce: nonce() }.encode_to_vec().into()
}
