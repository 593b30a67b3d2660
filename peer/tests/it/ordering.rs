//! An orderer that signs whatever blocks a test makes, and delivers them over TLS.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use channel::Bundle;
use deliver::server::{Channel, Config, Handler, OrdererDeliver, Source};
use futures::stream::BoxStream;
use msp::SigningIdentity;
use node::grpc::Server;
use node::tasks::Tasks;
use node::tls::{Config as TlsConfig, ServerTls};
use prost::Message;
use proto::common::{
    Block, Envelope, LastConfig, MetadataSignature, OrdererBlockMetadata, SignatureHeader,
};
use proto::orderer::atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer};
use proto::orderer::{BroadcastResponse, DeliverResponse};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::consortium::Org;

/// The chain of one channel.
pub struct Chain {
    blocks: RwLock<Vec<Block>>,
    /// How often the newest block was asked for.
    asked: AtomicU64,
    heights: watch::Sender<u64>,
    bundle: Arc<Bundle>,
    signer: SigningIdentity,
}

impl Chain {
    /// Adds a block of these envelopes.
    pub fn order(&self, envelopes: Vec<Bytes>) -> u64 {
        self.add(envelopes, false)
    }

    /// Adds a block with a configuration, right or wrong.
    pub fn order_config(&self, envelope: Bytes) -> u64 {
        self.add(vec![envelope], true)
    }

    /// Puts another block in the place of the newest.
    pub fn replace_last(&self, envelopes: Vec<Bytes>) -> u64 {
        self.blocks.write().unwrap().pop();
        self.add(envelopes, false)
    }

    /// How often the newest block was asked for.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn add(&self, envelopes: Vec<Bytes>, config: bool) -> u64 {
        let mut blocks = self.blocks.write().unwrap();
        let number = blocks.len() as u64;
        let last = blocks.last().unwrap().header.as_ref().unwrap();
        let previous = Bytes::copy_from_slice(&proto::block::header_hash(last));
        let mut block = proto::block::new(number, previous, envelopes);
        let last_config = Some(LastConfig { index: if config { number } else { 0 } });
        let value: Bytes =
            OrdererBlockMetadata { last_config, ..Default::default() }.encode_to_vec().into();
        let creator = self.signer.serialized().clone();
        let signature_header: Bytes =
            SignatureHeader { creator, nonce: Bytes::from_static(b"nonce") }.encode_to_vec().into();
        let header = block.header.as_ref().unwrap();
        let message = proto::block::signed_message(&value, &signature_header, header);
        let signature = self.signer.sign(&message).unwrap();
        let signed = MetadataSignature { signature_header, signature, ..Default::default() };
        proto::block::set_orderer_metadata(&mut block, value, vec![signed]);
        blocks.push(block);
        drop(blocks);
        self.heights.send_replace(number + 1);
        number
    }
}

impl Channel for Chain {
    fn heights(&self) -> watch::Receiver<u64> {
        self.heights.subscribe()
    }

    fn block(&self, number: u64) -> Result<Block, Box<dyn StdError + Send + Sync>> {
        let blocks = self.blocks.read().unwrap();
        if number + 1 == blocks.len() as u64 {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        Ok(blocks.get(usize::try_from(number)?).ok_or("no such block")?.clone())
    }

    fn bundle(&self) -> Arc<Bundle> {
        self.bundle.clone()
    }
}

/// The chains an orderer serves.
#[derive(Default)]
pub struct Chains(Mutex<Vec<Arc<Chain>>>);

impl Source for Chains {
    type Channel = Chain;

    fn channel(&self, id: &str) -> Option<Arc<Chain>> {
        let chains = self.0.lock().unwrap();
        chains.iter().find(|chain| chain.bundle.channel_id() == id).cloned()
    }
}

/// The orderer.
pub struct Orderer {
    pub org: Org,
    pub address: String,
    chains: Arc<Chains>,
    _dir: tempfile::TempDir,
}

impl Orderer {
    pub async fn start(tasks: &Tasks) -> Self {
        let org = Org::new("OrdererMSP");
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = org.tls("localhost");
        let [certificate, private_key] =
            [("crt", certificate), ("key", key)].map(|(name, text)| {
                let path = dir.path().join(name);
                std::fs::write(&path, text).unwrap();
                path
            });
        let config = TlsConfig { enabled: true, certificate, private_key, ..TlsConfig::default() };
        let tls = ServerTls::load(&config).unwrap();
        let server = Server::bind("127.0.0.1:0", Some(tls)).await.unwrap();
        let address = format!("localhost:{}", server.local_address().port());
        let chains = Arc::new(Chains::default());
        let handler = Handler::new(chains.clone(), OrdererDeliver, Config::default(), tasks);
        server.serve(Routes::new(AtomicBroadcastServer::new(Service(handler))), tasks);
        Self { org, address, chains, _dir: dir }
    }

    /// Begins a chain with its first block.
    pub fn begin(&self, genesis: Block) -> Arc<Chain> {
        let chain = Arc::new(Chain {
            bundle: Arc::new(Bundle::from_block(&genesis).unwrap()),
            blocks: RwLock::new(vec![genesis]),
            asked: AtomicU64::new(0),
            heights: watch::Sender::new(1),
            signer: self.org.identity("orderer0", "orderer"),
        });
        self.chains.0.lock().unwrap().push(chain.clone());
        chain
    }
}

struct Service(Handler<Chains, OrdererDeliver>);

#[tonic::async_trait]
impl AtomicBroadcast for Service {
    type BroadcastStream = BoxStream<'static, Result<BroadcastResponse, Status>>;
    type DeliverStream = ReceiverStream<Result<DeliverResponse, Status>>;

    async fn broadcast(
        &self,
        _: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        Err(Status::unimplemented("this orderer only delivers"))
    }

    async fn deliver(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        self.0.deliver(request)
    }
}
