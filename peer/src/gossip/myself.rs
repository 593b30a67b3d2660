//! What this peer says about itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use msp::SigningIdentity;
use parking_lot::Mutex;
use proto::gossip::gossip_message::Content;
use proto::gossip::{
    AliveMessage, Chaincode, ConnEstablish, Envelope, Member, PeerTime, Properties, StateInfo,
};

use super::message::{self, PkiId, channel_mac};

/// This peer, as others see it.
#[derive(Debug)]
pub(super) struct Myself {
    signer: Arc<SigningIdentity>,
    pki_id: PkiId,
    endpoint: String,
    /// Orders the messages of this run after those of earlier runs.
    incarnation: u64,
    sequence: AtomicU64,
    alive: Mutex<Envelope>,
    states: Mutex<BTreeMap<String, Said>>,
}

/// The last state info of a channel.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) height: u64,
    pub(super) chaincodes: BTreeMap<String, String>,
    pub(super) envelope: Envelope,
}

impl Myself {
    pub(super) fn new(signer: Arc<SigningIdentity>, endpoint: String) -> Result<Self, msp::Error> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let myself = Self {
            pki_id: message::pki_id(signer.serialized()).unwrap_or_default(),
            signer,
            endpoint,
            incarnation: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            sequence: AtomicU64::new(1),
            alive: Mutex::default(),
            states: Mutex::default(),
        };
        myself.renew_alive()?;
        Ok(myself)
    }

    pub(super) fn pki_id(&self) -> &PkiId {
        &self.pki_id
    }

    pub(super) fn msp_id(&self) -> &str {
        self.signer.msp_id()
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn identity(&self) -> &Bytes {
        self.signer.serialized()
    }

    /// The newest signed alive message.
    pub(super) fn alive(&self) -> Envelope {
        self.alive.lock().clone()
    }

    /// The newest signed state info of a channel.
    pub(super) fn state(&self, channel: &str) -> Option<Said> {
        self.states.lock().get(channel).cloned()
    }

    /// Signs a new alive message.
    pub(super) fn renew_alive(&self) -> Result<Envelope, msp::Error> {
        let member = Member {
            endpoint: self.endpoint.clone(),
            metadata: Bytes::new(),
            pki_id: self.pki_id_bytes(),
        };
        let content = Content::AliveMsg(AliveMessage {
            membership: Some(member),
            timestamp: Some(self.now()),
            identity: self.identity().clone(),
        });
        let envelope = message::signed(content, &self.signer)?;
        self.alive.lock().clone_from(&envelope);
        Ok(envelope)
    }

    /// Signs a new state info if there is news.
    pub(super) fn renew_state(
        &self,
        channel: &str,
        height: u64,
        chaincodes: BTreeMap<String, String>,
    ) -> Result<Option<Envelope>, msp::Error> {
        let known = self.state(channel);
        let news = known.is_none_or(|said| said.height != height || said.chaincodes != chaincodes);
        if !news {
            return Ok(None);
        }
        let envelope =
            message::signed(self.state_info(channel, height, &chaincodes), &self.signer)?;
        let said = Said { height, chaincodes, envelope: envelope.clone() };
        self.states.lock().insert(channel.to_owned(), said);
        Ok(Some(envelope))
    }

    fn state_info(
        &self,
        channel: &str,
        height: u64,
        chaincodes: &BTreeMap<String, String>,
    ) -> Content {
        let chaincode = |(name, version): (&String, &String)| Chaincode {
            name: name.clone(),
            version: version.clone(),
            metadata: Bytes::new(),
        };
        Content::StateInfo(StateInfo {
            timestamp: Some(self.now()),
            pki_id: self.pki_id_bytes(),
            channel_mac: Bytes::copy_from_slice(&channel_mac(&self.pki_id, channel)),
            properties: Some(Properties {
                ledger_height: height,
                left_channel: false,
                chaincodes: chaincodes.iter().map(chaincode).collect(),
            }),
        })
    }

    /// The signed first message of a stream; `tls_hash` is that of the certificate this peer shows
    /// on it, empty without TLS.
    pub(super) fn handshake(&self, tls_hash: &[u8]) -> Result<Envelope, msp::Error> {
        let content = Content::Conn(ConnEstablish {
            pki_id: self.pki_id_bytes(),
            identity: self.identity().clone(),
            tls_cert_hash: Bytes::copy_from_slice(tls_hash),
            probe: false,
        });
        message::signed(content, &self.signer)
    }

    fn now(&self) -> PeerTime {
        let seq_num = self.sequence.fetch_add(1, Ordering::Relaxed);
        PeerTime { inc_num: self.incarnation, seq_num }
    }

    fn pki_id_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.pki_id)
    }
}
