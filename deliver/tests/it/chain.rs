//! A chain in memory, with an orderer who signs its blocks.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use channel::{Bundle, update};
use deliver::server::{Channel, Source};
use msp::SigningIdentity;
use prost::Message;
use proto::common::{
    Block, ChannelHeader, Config, ConfigEnvelope, ConfigUpdateEnvelope, Header, HeaderType,
    LastConfig, MetadataSignature, OrdererBlockMetadata, Payload, SignatureHeader,
};
use proto::{block, envelope};
use tokio::sync::watch;

use crate::consortium::{CHANNEL, bundle};

/// The chain of one channel, as one orderer has it.
pub(crate) struct Chain {
    blocks: Mutex<Vec<Block>>,
    heights: watch::Sender<u64>,
    bundle: Mutex<Arc<Bundle>>,
    pub(crate) works: watch::Sender<bool>,
    pub(crate) first: u64,
    /// How many blocks were read.
    pub(crate) reads: AtomicUsize,
}

impl Chain {
    pub(crate) fn new(genesis: Block) -> Arc<Self> {
        Arc::new(Self {
            bundle: Mutex::new(bundle(&genesis)),
            blocks: Mutex::new(vec![genesis]),
            heights: watch::Sender::new(1),
            works: watch::Sender::new(true),
            first: 0,
            reads: AtomicUsize::new(0),
        })
    }

    pub(crate) fn block(&self, number: usize) -> Block {
        self.blocks.lock().unwrap()[number].clone()
    }

    pub(crate) fn height(&self) -> u64 {
        *self.heights.borrow()
    }

    /// Appends whatever block it is given.
    pub(crate) fn append(&self, block: Block) {
        let height = {
            let mut blocks = self.blocks.lock().unwrap();
            if block::is_config(&block) {
                *self.bundle.lock().unwrap() = bundle(&block);
            }
            blocks.push(block);
            blocks.len() as u64
        };
        self.heights.send_replace(height);
    }

    /// Orders messages as one block, signed by an orderer.
    pub(crate) fn order(&self, messages: Vec<Bytes>, orderer: &SigningIdentity) -> Block {
        let next = self.next_block(messages, orderer);
        self.append(next.clone());
        next
    }

    pub(crate) fn next_block(&self, messages: Vec<Bytes>, orderer: &SigningIdentity) -> Block {
        let last = self.block(self.height() as usize - 1);
        let previous = block::header_hash(last.header.as_ref().unwrap());
        let number = self.height();
        let mut next = block::new(number, Bytes::copy_from_slice(&previous), messages);
        let index =
            if block::is_config(&next) { number } else { block::last_config(&last).unwrap() };
        sign(&mut next, index, orderer);
        next
    }

    /// Orders `count` blocks of one small message each.
    pub(crate) fn grow(&self, count: usize, orderer: &SigningIdentity) {
        for _ in 0..count {
            self.order(vec![message(b"x", orderer)], orderer);
        }
    }

    /// Orders a change of the configuration, signed by administrators.
    pub(crate) fn reconfigure(
        &self,
        change: impl Fn(&mut Config),
        admins: &[&SigningIdentity],
        orderer: &SigningIdentity,
    ) -> Block {
        let current = self.bundle();
        let mut wanted = current.config().clone();
        change(&mut wanted);
        let update = update::compute(CHANNEL, current.config(), &wanted).unwrap();
        let config_update = Bytes::from(update.encode_to_vec());
        let signatures =
            admins.iter().map(|admin| update::sign(admin, &config_update).unwrap()).collect();
        let envelope = ConfigUpdateEnvelope { config_update, signatures };
        let envelope = update::envelope(admins[0], CHANNEL, &envelope).unwrap();
        let proposed = update::propose(&current, &envelope).unwrap();
        self.order(vec![config_message(&proposed.envelope, orderer)], orderer)
    }
}

pub(crate) fn sign(next: &mut Block, last_config: u64, orderer: &SigningIdentity) {
    let metadata = OrdererBlockMetadata {
        last_config: Some(LastConfig { index: last_config }),
        consenter_metadata: Bytes::new(),
    };
    let value = Bytes::from(metadata.encode_to_vec());
    let header = SignatureHeader { creator: orderer.serialized().clone(), nonce: nonce() };
    let header = Bytes::from(header.encode_to_vec());
    let message = block::signed_message(&value, &header, next.header.as_ref().unwrap());
    let signature = MetadataSignature {
        signature_header: header,
        signature: orderer.sign(&message).unwrap(),
        identifier_header: Bytes::new(),
    };
    block::set_orderer_metadata(next, value, vec![signature]);
}

fn nonce() -> Bytes {
    Bytes::copy_from_slice(&rand::random::<[u8; 24]>())
}

/// An envelope with some data, as a client would send it.
pub(crate) fn message(data: &[u8], signer: &SigningIdentity) -> Bytes {
    sealed(HeaderType::Message, Bytes::copy_from_slice(data), signer)
}

fn config_message(config: &ConfigEnvelope, signer: &SigningIdentity) -> Bytes {
    sealed(HeaderType::Config, config.encode_to_vec().into(), signer)
}

fn sealed(kind: HeaderType, data: Bytes, signer: &SigningIdentity) -> Bytes {
    let channel_header =
        ChannelHeader { r#type: kind as i32, channel_id: CHANNEL.into(), ..Default::default() };
    let signature_header = SignatureHeader { creator: signer.serialized().clone(), nonce: nonce() };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data }.encode_to_vec();
    let signature = signer.sign(&payload).unwrap();
    envelope::encode(&payload, &signature)
}

impl Channel for Chain {
    fn heights(&self) -> watch::Receiver<u64> {
        self.heights.subscribe()
    }

    fn block(&self, number: u64) -> Result<Block, Box<dyn StdError + Send + Sync>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let blocks = self.blocks.lock().unwrap();
        blocks.get(number as usize).cloned().ok_or_else(|| "no such block".into())
    }

    fn bundle(&self) -> Arc<Bundle> {
        Arc::clone(&self.bundle.lock().unwrap())
    }

    fn first_block(&self) -> u64 {
        self.first
    }

    fn ordering(&self) -> Option<watch::Receiver<bool>> {
        Some(self.works.subscribe())
    }
}

/// One channel, which may not be there yet.
pub(crate) struct Served {
    pub(crate) chain: Mutex<Option<Arc<Chain>>>,
    /// How often it was asked for.
    pub(crate) asked: watch::Sender<usize>,
}

impl Served {
    pub(crate) fn new(chain: Option<Arc<Chain>>) -> Arc<Self> {
        Arc::new(Self { chain: Mutex::new(chain), asked: watch::Sender::new(0) })
    }
}

impl Source for Served {
    type Channel = Chain;

    fn channel(&self, id: &str) -> Option<Arc<Chain>> {
        self.asked.send_modify(|asked| *asked += 1);
        self.chain.lock().unwrap().clone().filter(|_| id == CHANNEL)
    }
}
