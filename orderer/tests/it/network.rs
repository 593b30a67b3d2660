//! A consortium for tests: authorities, identities, orderers, and a client.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use channel::Bundle;
use channel::genesis::{Organization, Profile};
use deliver::seek;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use msp::{Certificate, SigningIdentity};
use node::grpc::MAX_MESSAGE_BYTES;
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls};
use orderer::{Config, Handle};
use prost::Message;
use proto::common::{
    self, Block, ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader,
};
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig};
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::orderer::deliver_response::Type;
use proto::orderer::{BroadcastResponse, SeekInfo};
use proto::{block, etcdraft};
use tempfile::TempDir;

/// Long enough for anything that should happen at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
pub(crate) const CHANNEL: &str = "care";

/// An organization with its authorities.
pub(crate) struct Org {
    pub(crate) msp_id: &'static str,
    authority: Authority,
    tls_authority: Authority,
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Org {
    pub(crate) fn new(msp_id: &'static str) -> Self {
        let root = |name: &str| {
            let subject =
                Subject { common_name: format!("{name} of {msp_id}"), ..Subject::default() };
            Authority::generate(&subject, now() - 86400, now() + 86400).unwrap()
        };
        Self { msp_id, authority: root("authority"), tls_authority: root("tls authority") }
    }

    /// An identity with a role; it expires at a time.
    pub(crate) fn identity_until(&self, name: &str, role: &str, end: i64) -> SigningIdentity {
        let (certificate, key) = issue(&self.authority, name, Some(role), Usage::Identity, end);
        SigningIdentity::new(self.msp_id, certificate, key).unwrap()
    }

    pub(crate) fn identity(&self, name: &str, role: &str) -> SigningIdentity {
        self.identity_until(name, role, now() + 3600)
    }

    /// A TLS certificate for this machine, with its key, as PEM.
    pub(crate) fn tls(&self, name: &str) -> (String, String) {
        let (certificate, key) = issue(&self.tls_authority, name, None, Usage::Tls, now() + 3600);
        (certificate.to_pem(), key.to_pem().unwrap())
    }

    pub(crate) fn tls_root(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.tls_authority.certificate().der().to_vec())
    }

    pub(crate) fn definition(&self) -> MspConfig {
        let unit = |name: &str| {
            Some(FabricOuIdentifier {
                organizational_unit_identifier: name.to_owned(),
                ..FabricOuIdentifier::default()
            })
        };
        let config = FabricMspConfig {
            name: self.msp_id.to_owned(),
            root_certs: vec![self.authority.certificate().to_pem().into()],
            tls_root_certs: vec![self.tls_authority.certificate().to_pem().into()],
            crypto_config: Some(msp::directory::default_crypto()),
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..FabricMspConfig::default()
        };
        MspConfig { r#type: 0, config: config.encode_to_vec().into() }
    }

    fn store(&self, folder: &Path, name: &str) {
        let (certificate, key) =
            issue(&self.authority, name, Some("orderer"), Usage::Identity, now() + 3600);
        msp::directory::store_signer(folder, &certificate, &key.to_pem().unwrap()).unwrap();
    }
}

fn issue(
    authority: &Authority,
    name: &str,
    role: Option<&str>,
    usage: Usage,
    not_after: i64,
) -> (Certificate, PrivateKey) {
    let key = PrivateKey::generate().unwrap();
    let template = Template {
        subject: Subject {
            common_name: name.to_owned(),
            organization: String::new(),
            organizational_units: role.into_iter().map(str::to_owned).collect(),
        },
        usage,
        hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        attributes: BTreeMap::new(),
        not_before: now() - 7200,
        not_after,
    };
    (authority.issue(key.public(), &template).unwrap(), key)
}

/// One orderer, running or not.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) certificate: String,
    running: Option<(Handle, Tasks)>,
}

impl Node {
    pub(crate) fn handle(&self) -> &Handle {
        &self.running.as_ref().expect("the node runs").0
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn channel(&self) -> Arc<orderer::channels::Channel> {
        self.handle().channels.get(CHANNEL).expect("the channel is joined")
    }

    pub(crate) fn consenter(&self) -> etcdraft::Consenter {
        let address = self.handle().address;
        etcdraft::Consenter {
            host: address.ip().to_string(),
            port: u32::from(address.port()),
            client_tls_cert: self.certificate.clone().into(),
            server_tls_cert: self.certificate.clone().into(),
        }
    }

    pub(crate) async fn start(&mut self) {
        let tasks = Tasks::new();
        let handle = orderer::start(self.config.clone(), tasks.clone()).await.unwrap();
        self.config.listen_address = handle.address.to_string();
        self.config.admin.listen_address = handle.admin_address.unwrap().to_string();
        self.running = Some((handle, tasks));
    }

    /// Stops at once, with whatever is on disk now.
    pub(crate) async fn kill(&mut self) {
        if let Some((handle, tasks)) = self.running.take() {
            tasks.shutdown(Duration::from_secs(5)).await;
            drop(handle);
        }
    }

    /// Waits until the chain has this height, and gives its blocks.
    pub(crate) async fn blocks(&self, height: u64) -> Vec<Block> {
        let channel = self.channel();
        let mut watch = channel.store().watch();
        let reached = tokio::time::timeout(PATIENCE, watch.wait_for(|now| *now >= height)).await;
        reached
            .unwrap_or_else(|_| panic!("height {} of {height}", channel.store().height()))
            .unwrap();
        (0..height).map(|number| channel.store().block(number).unwrap().unwrap()).collect()
    }

    pub(crate) fn height(&self) -> u64 {
        self.channel().store().height()
    }
}

/// A consortium.
pub(crate) struct Network {
    pub(crate) folder: TempDir,
    pub(crate) ordering: Org,
    pub(crate) members: Org,
    pub(crate) client: SigningIdentity,
    pub(crate) tls: (String, String),
    pub(crate) nodes: Vec<Node>,
}

impl Network {
    /// Starts orderers that serve no channel yet.
    pub(crate) async fn start(count: usize) -> Self {
        let members = Org::new("HospitalMSP");
        let mut network = Self {
            folder: tempfile::tempdir().unwrap(),
            ordering: Org::new("OrdererMSP"),
            client: members.identity("client", "client"),
            tls: members.tls("client"),
            members,
            nodes: Vec::new(),
        };
        for _ in 0..count {
            network.add_node().await;
        }
        network
    }

    pub(crate) async fn add_node(&mut self) {
        let name = format!("orderer{}", self.nodes.len());
        let folder = self.folder.path().join(&name);
        self.ordering.store(&folder.join("msp"), &name);
        let (certificate, key) = self.ordering.tls(&name);
        let roots = [&self.ordering, &self.members].map(|org| {
            let path = folder.join(format!("{}.pem", org.msp_id));
            std::fs::write(&path, org.tls_authority.certificate().to_pem()).unwrap();
            path
        });
        std::fs::write(folder.join("tls.pem"), &certificate).unwrap();
        std::fs::write(folder.join("tls.key"), &key).unwrap();
        let tls = node::tls::Config {
            enabled: true,
            certificate: folder.join("tls.pem"),
            private_key: folder.join("tls.key"),
            root_cas: roots.to_vec(),
            client_auth_required: true,
            client_root_cas: roots.to_vec(),
        };
        let mut config = Config {
            listen_address: "127.0.0.1:0".to_owned(),
            data_directory: folder.join("data"),
            tls: tls.clone(),
            ..Config::default()
        };
        config.msp.id = self.ordering.msp_id.to_owned();
        config.msp.directory = folder.join("msp");
        config.admin.listen_address = "127.0.0.1:0".to_owned();
        config.admin.tls = tls;
        let mut node = Node { config, certificate, running: None };
        node.start().await;
        self.nodes.push(node);
    }

    /// A genesis block with these nodes as consenters.
    pub(crate) fn genesis(&self, consenters: &[usize], adjust: impl FnOnce(&mut Profile)) -> Block {
        let mut profile = Profile::new(CHANNEL);
        let (ordering, members) = (&self.ordering, &self.members);
        let mut organization =
            Organization::ordering("Ordering", ordering.msp_id, ordering.definition());
        organization.endpoints =
            self.nodes.iter().map(|node| node.config.listen_address.clone()).collect();
        profile.orderer.organizations = vec![organization];
        profile.orderer.raft.consenters =
            consenters.iter().map(|node| self.nodes[*node].consenter()).collect();
        profile.orderer.raft.options.tick_interval = "40ms".to_owned();
        let organization = Organization::using("Hospital", members.msp_id, members.definition());
        profile.application.organizations = vec![organization];
        adjust(&mut profile);
        profile.block().unwrap()
    }

    /// Starts orderers and a channel of which all are consenters; waits for a leader.
    pub(crate) async fn with_channel(count: usize, adjust: impl FnOnce(&mut Profile)) -> Self {
        let network = Self::start(count).await;
        let all: Vec<usize> = (0..count).collect();
        let genesis = network.genesis(&all, adjust);
        for node in &network.nodes {
            node.handle().channels.join(&genesis).unwrap();
        }
        network.leader().await;
        network
    }

    /// The node that leads, once one does.
    pub(crate) async fn leader(&self) -> usize {
        wait_for("a leader", || {
            self.nodes.iter().position(|node| {
                node.is_running()
                    && node
                        .handle()
                        .channels
                        .get(CHANNEL)
                        .is_some_and(|c| c.consensus().borrow().ready)
            })
        })
        .await
    }

    pub(crate) fn roots(&self) -> Vec<CertificateDer<'static>> {
        vec![self.ordering.tls_root(), self.members.tls_root()]
    }

    pub(crate) fn client_tls(&self) -> ClientTls {
        ClientTls::from_pem(self.tls.0.as_bytes(), self.tls.1.as_bytes()).unwrap()
    }

    pub(crate) async fn connect(
        &self,
        node: usize,
    ) -> AtomicBroadcastClient<tonic::transport::Channel> {
        let address = &self.nodes[node].config.listen_address;
        let tls = self.client_tls();
        let connection =
            node::grpc::connect(address, &self.roots(), Some(&tls), Duration::from_secs(5)).await;
        AtomicBroadcastClient::new(connection.unwrap())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Sends envelopes on one stream and collects the answers until the stream ends.
    pub(crate) async fn broadcast(
        &self,
        node: usize,
        envelopes: Vec<Envelope>,
    ) -> Vec<BroadcastResponse> {
        send(self.connect(node).await, envelopes).await
    }

    /// Sends envelopes until each is acknowledged, at whichever node that is; the client's way of
    /// living with failing orderers.
    pub(crate) async fn insist(&self, envelopes: &[Envelope]) {
        for (turn, envelope) in envelopes.iter().enumerate() {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            for attempt in 0.. {
                let running: Vec<usize> =
                    (0..self.nodes.len()).filter(|n| self.nodes[*n].is_running()).collect();
                let node = running[(turn + attempt) % running.len()];
                let answers = self.broadcast(node, vec![envelope.clone()]).await;
                if answers.first().is_some_and(|a| a.status == common::Status::Success as i32) {
                    break;
                }
                assert!(tokio::time::Instant::now() < deadline, "still {answers:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Asks for blocks, and collects them up to the final status.
    pub(crate) async fn deliver(&self, node: usize, seek: &SeekInfo) -> (Vec<Block>, i32) {
        let binding = Some(self.client_tls().certificate_hash());
        let request = seek::envelope(&self.client, CHANNEL, seek, binding).unwrap();
        let mut client = self.connect(node).await;
        let asked = client.deliver(tokio_stream::iter([request])).await;
        let mut answers = asked.unwrap().into_inner();
        let mut blocks = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, answers.message()).await.unwrap();
            match next.unwrap().unwrap().r#type.unwrap() {
                Type::Block(block) => blocks.push(block),
                Type::Status(status) => return (blocks, status),
            }
        }
    }

    /// A transaction by the client; its content is `label`, padded to a size.
    pub(crate) fn transaction(&self, label: &str, size: usize) -> Envelope {
        let mut data = label.as_bytes().to_vec();
        data.resize(data.len().max(size), b'.');
        envelope(&self.client, CHANNEL, HeaderType::EndorserTransaction, data)
    }

    pub(crate) fn transactions(&self, prefix: &str, count: usize, size: usize) -> Vec<Envelope> {
        (0..count).map(|n| self.transaction(&format!("{prefix} {n} "), size)).collect()
    }

    /// A config update signed by an administrator of the ordering organization.
    pub(crate) fn update(
        &self,
        bundle: &Bundle,
        change: impl FnOnce(&mut common::ConfigGroup),
    ) -> Envelope {
        let mut wanted = bundle.config().clone();
        change(wanted.channel_group.as_mut().unwrap());
        let update = channel::update::compute(CHANNEL, bundle.config(), &wanted).unwrap();
        let admins = [&self.ordering, &self.members].map(|org| org.identity("admin", "admin"));
        let config_update: Bytes = update.encode_to_vec().into();
        let signatures = admins
            .iter()
            .map(|admin| channel::update::sign(admin, &config_update).unwrap())
            .collect();
        let update = common::ConfigUpdateEnvelope { config_update, signatures };
        channel::update::envelope(&admins[0], CHANNEL, &update).unwrap()
    }

    pub(crate) async fn stop(mut self) {
        for node in &mut self.nodes {
            node.kill().await;
        }
    }
}

/// Sends envelopes on one stream and collects the answers until the stream ends.
pub(crate) async fn send(
    mut client: AtomicBroadcastClient<tonic::transport::Channel>,
    envelopes: Vec<Envelope>,
) -> Vec<BroadcastResponse> {
    let mut received = Vec::new();
    let Ok(sent) = client.broadcast(tokio_stream::iter(envelopes)).await else { return received };
    let mut answers = sent.into_inner();
    while let Ok(Some(answer)) = answers.message().await {
        received.push(answer);
    }
    received
}

/// A signed envelope.
pub(crate) fn envelope(
    signer: &SigningIdentity,
    channel: &str,
    kind: HeaderType,
    data: Vec<u8>,
) -> Envelope {
    let channel_header = ChannelHeader {
        r#type: kind as i32,
        channel_id: channel.to_owned(),
        ..ChannelHeader::default()
    };
    let nonce = Bytes::copy_from_slice(&rand::random::<[u8; 24]>());
    let signature_header = SignatureHeader { creator: signer.serialized().clone(), nonce };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data: data.into() }.encode_to_vec();
    let signature = signer.sign(&payload).unwrap();
    Envelope { payload: payload.into(), signature }
}

/// Waits until something is there.
pub(crate) async fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All envelopes of a chain but those of config blocks.
pub(crate) fn contents(blocks: &[Block]) -> Vec<Bytes> {
    let normal = blocks.iter().filter(|it| !block::is_config(it));
    normal.flat_map(|it| block::envelopes(it).to_vec()).collect()
}

/// Checks that chains are the same but for the orderers' signatures.
pub(crate) fn assert_same(one: &[Block], other: &[Block]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!((&one.header, &one.data), (&other.header, &other.data));
        let signed = |it: &Block| block::signatures(it).unwrap().value;
        assert_eq!(signed(one), signed(other));
    }
}
