//! Peers of two organizations find each other through anchor peers, and hostile messages change
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::{ClientTls, certificate_hash, certificates_from_pem};
use peer::discovery::Membership;
use peer::gossip::DropReason;
use prost::Message;
use proto::gossip::gossip_client::GossipClient;
use proto::gossip::gossip_message::{Content, Tag};
use proto::gossip::{
    AliveMessage, ConnEstablish, Envelope, GossipMessage, Member, MembershipRequest, PeerTime,
    PrivateDataMessage, PrivatePayload, PvtDataDigest, PvtDataElement, RemotePvtDataRequest,
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::consortium::{Org, genesis};
use crate::peers::{Node, start, until};

const CHANNEL: &str = "care";

fn msp_ids(node: &Node, channel: &str) -> Vec<String> {
    let mut ids: Vec<_> =
        node.handle.gossip.peers(channel).into_iter().map(|peer| peer.msp_id).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_find_each_other_and_notice_who_is_gone() {
    let tasks = Tasks::new();
    let [one, two, three, orderer] = ["Org1MSP", "Org2MSP", "Org3MSP", "OrdererMSP"].map(Org::new);
    let first = start(&one, &tasks).await;
    let second = start(&two, &tasks).await;
    let gone = tasks.child();
    let third = start(&three, &gone).await;
    // Only the first is an anchor: the others learn of each other from it.
    let anchor = ("127.0.0.1".to_owned(), first.handle.address.port());
    let users = [(&one, vec![anchor]), (&two, vec![]), (&three, vec![])];
    let block = genesis(CHANNEL, &orderer, &users);
    for node in [&first, &second, &third] {
        node.handle.channels.join(&block).unwrap();
    }
    let all = ["Org1MSP", "Org2MSP", "Org3MSP"];
    for node in [&first, &second, &third] {
        until("all know all", || msp_ids(node, CHANNEL) == all).await;
    }
    for peer in second.handle.gossip.peers(CHANNEL) {
        assert_eq!(peer.height, 1);
        // As Fabric's peers tell it.
        assert_eq!(peer.chaincodes, BTreeMap::from([("_lifecycle".to_owned(), "1".to_owned())]));
        assert_eq!(peer.is_local, peer.msp_id == "Org2MSP");
        assert!(peer.state_info.is_some());
    }
    assert!(msp_ids(&first, "unknown").is_empty());
    gone.shutdown(Duration::from_secs(5)).await;
    until("the third is gone", || msp_ids(&first, CHANNEL) == ["Org1MSP", "Org2MSP"]).await;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
}

/// A client that speaks gossip, honest or not.
struct Hostile {
    sender: mpsc::Sender<Envelope>,
    inbound: tonic::Streaming<Envelope>,
    own_hash: [u8; 32],
}

impl Hostile {
    async fn connect(target: &Node, server: &Org, own: &Org) -> Self {
        let (certificate, key) = own.tls("localhost");
        let tls = ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let roots = certificates_from_pem(server.tls_root().as_bytes()).unwrap();
        let address = target.handle.address.to_string();
        let dial = Dial {
            address: &address,
            roots: Some(&roots),
            identity: Some(&tls),
            server_name: None,
            timeout: Duration::from_secs(5),
        };
        let channel = dial.connect().await.unwrap();
        let (sender, receiver) = mpsc::channel(16);
        let mut client = GossipClient::new(channel);
        let stream = client.gossip_stream(ReceiverStream::new(receiver)).await.unwrap();
        let own_hash = certificate_hash(tls.certificate());
        Self { sender, inbound: stream.into_inner(), own_hash }
    }

    async fn send(&self, envelope: Envelope) {
        self.sender.send(envelope).await.unwrap();
    }

    /// Whether the peer ends the stream, after its own handshake and what else it had to say.
    async fn is_cut(&mut self) -> bool {
        let ended = async { while let Some(Ok(_)) = self.inbound.next().await {} };
        tokio::time::timeout(Duration::from_secs(10), ended).await.is_ok()
    }

    async fn shake_hands(&self, signer: &SigningIdentity) {
        self.send(handshake(signer, &self.own_hash)).await;
    }
}

fn pki_id(signer: &SigningIdentity) -> Bytes {
    let identity = proto::msp::SerializedIdentity::decode(signer.serialized().clone()).unwrap();
    let hash = proto::sha256_all([identity.mspid.as_bytes(), &identity.id_bytes]);
    Bytes::copy_from_slice(&hash)
}

fn sign(content: Content, signer: &SigningIdentity) -> Envelope {
    let message =
        GossipMessage { tag: Tag::Empty.into(), content: Some(content), ..Default::default() };
    let payload: Bytes = message.encode_to_vec().into();
    let signature = signer.sign(&payload).unwrap();
    Envelope { payload, signature, secret_envelope: None }
}

fn handshake(signer: &SigningIdentity, tls_hash: &[u8]) -> Envelope {
    let content = ConnEstablish {
        pki_id: pki_id(signer),
        identity: signer.serialized().clone(),
        tls_cert_hash: Bytes::copy_from_slice(tls_hash),
        probe: false,
    };
    sign(Content::Conn(content), signer)
}

/// An alive message about `whom`, signed by `by`.
fn alive(whom: &SigningIdentity, by: &SigningIdentity, endpoint: &str) -> Envelope {
    let member = Member { endpoint: endpoint.into(), pki_id: pki_id(whom), ..Default::default() };
    let content = AliveMessage {
        membership: Some(member),
        timestamp: Some(PeerTime { inc_num: u64::MAX, seq_num: 1 }),
        identity: whom.serialized().clone(),
    };
    sign(Content::AliveMsg(content), by)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_peers_are_dropped_and_counted() {
    let tasks = Tasks::new();
    let [one, two, foreign, orderer] =
        ["Org1MSP", "Org2MSP", "Org9MSP", "OrdererMSP"].map(Org::new);
    let target = start(&one, &tasks).await;
    let users = [(&one, vec![]), (&two, vec![])];
    target.handle.channels.join(&genesis(CHANNEL, &orderer, &users)).unwrap();
    let metrics = target.handle.gossip.metrics().clone();
    let counted = |reason| metrics.dropped(reason) > 0;
    let peer = two.identity("peer0", "peer");

    let mut hostile = Hostile::connect(&target, &one, &two).await;
    hostile.send(handshake(&peer, &[7; 32])).await;
    assert!(hostile.is_cut().await);
    assert!(counted(DropReason::Binding));

    let mut hostile = Hostile::connect(&target, &one, &two).await;
    let stranger = foreign.identity("peer0", "peer");
    hostile.shake_hands(&stranger).await;
    assert!(hostile.is_cut().await);
    assert_eq!(metrics.dropped(DropReason::Untrusted), 1);

    let mut hostile = Hostile::connect(&target, &one, &two).await;
    hostile.shake_hands(&two.identity("user1", "client")).await;
    assert!(hostile.is_cut().await);
    assert_eq!(metrics.dropped(DropReason::Untrusted), 2);

    let mut hostile = Hostile::connect(&target, &one, &two).await;
    let forged =
        Envelope { signature: stranger.sign(b"x").unwrap(), ..handshake(&peer, &hostile.own_hash) };
    hostile.send(forged).await;
    assert!(hostile.is_cut().await);
    assert!(counted(DropReason::Signature));

    // A true peer may lie only about itself: this one speaks for a peer of the other organization.
    let mut hostile = Hostile::connect(&target, &one, &two).await;
    hostile.shake_hands(&peer).await;
    let victim = one.identity("peer1", "peer");
    let before = metrics.dropped(DropReason::Signature);
    hostile.send(alive(&victim, &peer, "127.0.0.1:1")).await;
    hostile.send(Envelope { payload: Bytes::from_static(b"\xff"), ..Default::default() }).await;
    until("malformed counted", || counted(DropReason::Malformed)).await;
    assert_eq!(metrics.dropped(DropReason::Signature), before + 1);
    assert!(target.handle.gossip.peers("").iter().all(|peer| peer.is_local));
    // For itself it is believed.
    let request = MembershipRequest {
        self_information: Some(alive(&peer, &peer, "127.0.0.1:1")),
        known: vec![],
    };
    let message = GossipMessage {
        tag: Tag::Empty.into(),
        content: Some(Content::MemReq(request)),
        ..Default::default()
    };
    let payload = message.encode_to_vec().into();
    hostile.send(Envelope { payload, ..Default::default() }).await;
    until("the honest is known", || target.handle.gossip.peers("").len() == 2).await;
    // Another's identity stood in its handshake, and need not be repeated.
    let (quiet, other) =
        (Hostile::connect(&target, &one, &two).await, two.identity("peer9", "peer"));
    quiet.shake_hands(&other).await;
    let content = AliveMessage {
        membership: Some(Member {
            endpoint: "127.0.0.1:2".into(),
            pki_id: pki_id(&other),
            ..Default::default()
        }),
        timestamp: Some(PeerTime { inc_num: u64::MAX, seq_num: 1 }),
        identity: Bytes::new(),
    };
    quiet.send(sign(Content::AliveMsg(content), &other)).await;
    until("the quiet one is known", || target.handle.gossip.peers("").len() == 3).await;
    // Too long a message ends the stream.
    let payload = Bytes::from(vec![0; 65 << 10]);
    hostile.send(Envelope { payload, ..Default::default() }).await;
    assert!(hostile.is_cut().await);
    assert!(counted(DropReason::Transport));
    tasks.shutdown(Duration::from_secs(10)).await;
}

/// A message as one peer sends it to another about private data.
fn about_private_data(nonce: u64, channel: &'static str, content: Content) -> Envelope {
    let message = GossipMessage {
        nonce,
        channel: Bytes::from_static(channel.as_bytes()),
        tag: Tag::ChanOnly.into(),
        content: Some(content),
    };
    Envelope { payload: message.encode_to_vec().into(), ..Default::default() }
}

impl Hostile {
    /// The answer to message `nonce`.
    async fn answer(&mut self, nonce: u64) -> Content {
        let wanted = async {
            loop {
                let envelope = self.inbound.next().await.unwrap().unwrap();
                let message = GossipMessage::decode(envelope.payload).unwrap();
                if message.nonce == nonce {
                    return message.content.unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wanted).await.unwrap()
    }

    async fn push(&mut self, nonce: u64, collection: &str, rwset: &'static [u8]) -> String {
        let payload = PrivatePayload {
            collection_name: collection.into(),
            namespace: "_lifecycle".into(),
            tx_id: "id".into(),
            private_rwset: Bytes::from_static(rwset),
            ..Default::default()
        };
        let pushed = PrivateDataMessage { payload: Some(payload) };
        self.send(about_private_data(nonce, CHANNEL, Content::PrivateData(pushed))).await;
        let Content::Ack(answer) = self.answer(nonce).await else { panic!("no acknowledgement") };
        answer.error
    }

    async fn pull(&mut self, nonce: u64, collection: &str, block_seq: u64) -> Vec<PvtDataElement> {
        let digest = PvtDataDigest {
            tx_id: "id".into(),
            namespace: "_lifecycle".into(),
            collection: collection.into(),
            block_seq,
            seq_in_block: 0,
        };
        let request = RemotePvtDataRequest { digests: vec![digest] };
        self.send(about_private_data(nonce, CHANNEL, Content::PrivateReq(request))).await;
        let Content::PrivateRes(answer) = self.answer(nonce).await else { panic!("no answer") };
        answer.elements
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_data_is_kept_for_members_and_handed_to_members() {
    let tasks = Tasks::new();
    let [one, two, orderer] = ["Org1MSP", "Org2MSP", "OrdererMSP"].map(Org::new);
    let target = start(&one, &tasks).await;
    let users = [(&one, vec![]), (&two, vec![])];
    let channel = target.handle.channels.join(&genesis(CHANNEL, &orderer, &users)).unwrap();
    let (own, others) = ("_implicit_org_Org1MSP", "_implicit_org_Org2MSP");

    let mut colleague = Hostile::connect(&target, &one, &one).await;
    colleague.shake_hands(&one.identity("peer1", "peer")).await;
    assert_eq!(colleague.push(1, own, b"set").await, "");
    assert_eq!(colleague.push(2, own, b"set").await, "");
    assert_eq!(colleague.push(3, others, b"set").await, "this peer does not hold the collection");
    assert_eq!(channel.ledger().transient_store().get("id").unwrap().len(), 2);
    // The transaction is not in a block yet, so it is looked for among the endorsed ones.
    let found = colleague.pull(4, own, channel.height()).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].payload, [Bytes::from_static(b"set")]);
    assert_eq!(found[0].digest.as_ref().unwrap().collection, own);
    // The genesis block has none.
    assert!(colleague.pull(5, own, 0).await.is_empty());
    assert!(colleague.pull(6, own, u64::MAX).await.len() == 1);

    // A peer of another organization may push, and sees nothing.
    let mut stranger = Hostile::connect(&target, &one, &two).await;
    stranger.shake_hands(&two.identity("peer0", "peer")).await;
    assert_eq!(stranger.push(7, own, b"other").await, "");
    assert!(stranger.pull(8, own, channel.height()).await.is_empty());
    // Nobody gets anything of a channel this peer is not in.
    let request = Content::PrivateReq(RemotePvtDataRequest::default());
    stranger.send(about_private_data(9, "pharma", request)).await;
    let metrics = target.handle.gossip.metrics().clone();
    until("the message is dropped", || metrics.dropped(DropReason::NotInChannel) > 0).await;
    tasks.shutdown(Duration::from_secs(10)).await;
}
