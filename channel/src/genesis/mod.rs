//! Block 0: the configuration a channel starts with.
//!
//! A [`Profile`] says what the founders agreed on; its block goes to every orderer and peer that
//! joins.

mod profile;
mod tree;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use proto::common::{
    Block, ChannelHeader, Config, ConfigEnvelope, Header, HeaderType, LastConfig,
    OrdererBlockMetadata, Payload, SignatureHeader,
};
use proto::{block, envelope, transaction};
use rand::RngCore;

use crate::{config, policy};

pub use profile::{Application, Orderer, Organization, Policies, Profile, Raft};

/// Version of the messages in a genesis block.
const MESSAGE_VERSION: i32 = 1;

/// Why a profile makes no channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A policy's text is not one.
    #[error("policy {name} of {group}")]
    Policy {
        /// Path of the group.
        group: String,
        /// The policy's name.
        name: String,
        /// What is wrong with the text.
        #[source]
        source: policy::dsl::Error,
    },
    /// The configuration breaks a rule.
    #[error("the profile leads to a bad configuration")]
    Config(#[from] config::Error),
}

impl Profile {
    /// The configuration the channel starts with.
    pub fn config(&self) -> Result<Config, Error> {
        let config = Config { sequence: 0, channel_group: Some(tree::root(self)?) };
        crate::Bundle::new(self.channel_id.clone(), config.clone())?;
        Ok(config)
    }

    /// The channel's first block. Nobody signs it: whoever joins with it, trusts it.
    pub fn block(&self) -> Result<Block, Error> {
        Ok(genesis_block(&self.channel_id, self.config()?))
    }
}

/// Block 0 with a configuration.
pub fn genesis_block(channel_id: &str, config: Config) -> Block {
    let signature_header = SignatureHeader { creator: Bytes::new(), nonce: nonce() };
    let channel_header = ChannelHeader {
        r#type: HeaderType::Config as i32,
        version: MESSAGE_VERSION,
        timestamp: Some(now()),
        channel_id: channel_id.to_owned(),
        tx_id: transaction::tx_id(&signature_header.nonce, &[]),
        ..Default::default()
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let config = ConfigEnvelope { config: Some(config), last_update: None };
    let payload = Payload { header: Some(header), data: config.encode_to_vec().into() };
    let envelope = envelope::encode(&payload.encode_to_vec(), &[]);
    let mut block = block::new(0, Bytes::new(), vec![envelope]);
    let last_config = Some(LastConfig { index: 0 });
    let metadata = OrdererBlockMetadata { last_config, consenter_metadata: Bytes::new() };
    block::set_orderer_metadata(&mut block, metadata.encode_to_vec().into(), vec![]);
    block
}

/// 24 random bytes.
pub(crate) fn nonce() -> Bytes {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    Bytes::copy_from_slice(&nonce)
}

/// The time in whole seconds, as configuration messages carry it.
pub(crate) fn now() -> prost_types::Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: 0 }
}
