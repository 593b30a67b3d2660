//! Bytes that are no messages, on every method of every service; messages that are too large.

use bytes::Bytes;
use prost::Message;
use proto::common::{Envelope, Status as Answer};
use proto::gateway::{
    EndorseRequest, EvaluateRequest, SignedChaincodeEventsRequest, SignedCommitStatusRequest,
    SubmitRequest,
};
use proto::orderer::BroadcastResponse;
use proto::peer::{DeliverResponse, SignedProposal, deliver_response};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tonic::Code;

use super::{Lab, raw};
use crate::harness::{LAB, Node};

const PEER: &[&str] = &[
    "/protos.Endorser/ProcessProposal",
    "/gateway.Gateway/Evaluate",
    "/gateway.Gateway/Endorse",
    "/gateway.Gateway/Submit",
    "/gateway.Gateway/CommitStatus",
    "/gateway.Gateway/ChaincodeEvents",
    "/protos.Deliver/Deliver",
    "/protos.Deliver/DeliverFiltered",
    "/protos.Deliver/DeliverWithPrivateData",
    "/discovery.Discovery/Discover",
    "/gossip.Gossip/GossipStream",
    "/gossip.Gossip/Ping",
];
const ORDERER: &[&str] =
    &["/orderer.AtomicBroadcast/Broadcast", "/orderer.AtomicBroadcast/Deliver"];
const CLUSTER: &str = "/orderer.Cluster/Step";

/// A field that claims to be longer than the message.
const TRUNCATED: &[u8] = &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f];

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_messages_are_refused_by_every_method() {
    let lab = Lab::enter().await;
    let nodes = [(&lab.peer, PEER), (&lab.orderer, ORDERER)];
    for (node, methods) in nodes {
        for &path in methods {
            let channel = lab.dial(node, &lab.anna).await;
            let answer = raw::call(channel, path, vec![Bytes::from_static(TRUNCATED)]).await;
            // Gossip answers nothing, whatever the other side says.
            if path == "/gossip.Gossip/GossipStream" {
                continue;
            }
            let refusal = answer.expect_err(path);
            assert_eq!(refusal.code(), Code::Internal, "{path}: {refusal}");
            assert!(refusal.message().contains("decode"), "{path}: {refusal}");
        }
    }
    lab.leave(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_survived_by_every_method() {
    let lab = Lab::enter().await;
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let nodes: [(&Node, Vec<&'static str>); 2] = [
        (&lab.peer, PEER.to_vec()),
        (&lab.orderer, ORDERER.iter().copied().chain([CLUSTER]).collect()),
    ];
    for (node, methods) in nodes {
        let channel = lab.dial(node, &lab.anna).await;
        for path in methods {
            for _ in 0..20 {
                let messages = vec![noise(&mut random, 4)];
                // What is said does not matter here; that the call ends does.
                let _ = raw::call(channel.clone(), path, messages).await;
            }
        }
    }
    lab.leave(0).await;
}

/// Fields as a message may have them, holding fields, text or noise.
fn noise(random: &mut StdRng, depth: u32) -> Bytes {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..5) {
        let field = random.random_range(1_u8..8) << 3;
        match random.random_range(0..4) {
            0 => bytes.extend([field, random.random_range(0..0x80)]),
            1 => bytes.extend(random.random::<[u8; 7]>()),
            _ => {
                let inner = match depth {
                    0 => Bytes::from_static(b"lab"),
                    _ => noise(random, depth - 1),
                };
                bytes.push(field | 2);
                prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
                bytes.extend(inner);
            }
        }
    }
    bytes.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_contents_are_refused_with_fabrics_codes() {
    let lab = Lab::enter().await;
    let garbage = Bytes::from_static(TRUNCATED);
    let proposal =
        || SignedProposal { proposal_bytes: garbage.clone(), signature: garbage.clone() };
    let envelope = || Envelope { payload: garbage.clone(), signature: garbage.clone() };
    let channel = || LAB.to_owned();
    let evaluate = EvaluateRequest {
        channel_id: channel(),
        proposed_transaction: Some(proposal()),
        ..Default::default()
    };
    let endorse = EndorseRequest {
        channel_id: channel(),
        proposed_transaction: Some(proposal()),
        ..Default::default()
    };
    let submit = SubmitRequest {
        channel_id: channel(),
        prepared_transaction: Some(envelope()),
        ..Default::default()
    };
    let status = SignedCommitStatusRequest { request: garbage.clone(), signature: garbage.clone() };
    let events =
        SignedChaincodeEventsRequest { request: garbage.clone(), signature: garbage.clone() };
    let cases: [(&'static str, Bytes, Code, &str); 8] = [
        (PEER[0], proposal().encode_to_vec().into(), Code::Unknown, "proposal"),
        (PEER[1], evaluate.encode_to_vec().into(), Code::InvalidArgument, "failed to unpack"),
        (PEER[2], endorse.encode_to_vec().into(), Code::InvalidArgument, "failed to unpack"),
        (PEER[2], Bytes::new(), Code::InvalidArgument, "must contain a signed proposal"),
        (PEER[3], submit.encode_to_vec().into(), Code::Aborted, "status=BAD_REQUEST"),
        (PEER[3], Bytes::new(), Code::InvalidArgument, "a prepared transaction is required"),
        (PEER[4], status.encode_to_vec().into(), Code::InvalidArgument, "invalid status request"),
        (PEER[5], events.encode_to_vec().into(), Code::InvalidArgument, "invalid"),
    ];
    for (path, message, code, text) in cases {
        let connection = lab.dial(&lab.peer, &lab.anna).await;
        let refusal = raw::call(connection, path, vec![message]).await.expect_err(path);
        assert_eq!(refusal.code(), code, "{path}: {refusal}");
        assert!(refusal.message().contains(text), "{path}: {refusal}");
    }
    let bytes = Bytes::from(envelope().encode_to_vec());
    for path in &PEER[6..9] {
        let connection = lab.dial(&lab.peer, &lab.anna).await;
        let answers = raw::call(connection, path, vec![bytes.clone()]).await.unwrap();
        let answer = DeliverResponse::decode(answers[0].clone()).unwrap();
        let status = deliver_response::Type::Status(Answer::BadRequest as i32);
        assert_eq!((answers.len(), answer.r#type), (1, Some(status)), "{path}");
    }
    let connection = lab.dial(&lab.orderer, &lab.anna).await;
    let answers = raw::call(connection, ORDERER[0], vec![bytes]).await.unwrap();
    let answer = BroadcastResponse::decode(answers[0].clone()).unwrap();
    assert_eq!(answer.status(), Answer::BadRequest, "{answer:?}");
    lab.leave(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_beyond_the_limit_are_refused_unread() {
    let lab = Lab::enter().await;
    let large = Bytes::from(vec![0; node::grpc::MAX_MESSAGE_BYTES + 1]);
    for (node, path) in [(&lab.peer, PEER[0]), (&lab.peer, PEER[2]), (&lab.orderer, ORDERER[0])] {
        let channel = lab.dial(node, &lab.anna).await;
        let refusal = raw::call(channel, path, vec![large.clone()]).await.expect_err(path);
        let codes = [Code::OutOfRange, Code::ResourceExhausted];
        assert!(codes.contains(&refusal.code()), "{path}: {refusal}");
    }
    lab.leave(0).await;
}
