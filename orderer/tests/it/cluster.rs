//! Only consenters may talk to consenters.

use std::time::Duration;

use node::tls::ClientTls;
use proto::common::{Envelope, Status};
use proto::orderer::cluster_client::ClusterClient;
use proto::orderer::step_request::Payload;
use proto::orderer::step_response;
use proto::orderer::{ConsensusRequest, StepRequest, SubmitRequest};
use tonic::Code;

use crate::network::{CHANNEL, Network};

/// Sends one request with a TLS identity and waits for the answer.
async fn step(
    network: &Network,
    identity: &ClientTls,
    payload: Payload,
) -> Result<Option<step_response::Payload>, tonic::Status> {
    let address = &network.nodes[0].config.listen_address;
    let connection =
        node::grpc::connect(address, &network.roots(), Some(identity), Duration::from_secs(5))
            .await;
    let mut client = ClusterClient::new(connection.unwrap());
    let request = StepRequest { payload: Some(payload) };
    let mut answers = client.step(tokio_stream::iter([request])).await?.into_inner();
    Ok(answers.message().await?.and_then(|answer| answer.payload))
}

fn consensus(payload: &[u8]) -> Payload {
    Payload::ConsensusRequest(ConsensusRequest {
        channel: CHANNEL.to_owned(),
        payload: payload.to_vec().into(),
        metadata: Default::default(),
    })
}

fn submit(channel: &str, payload: Option<Envelope>) -> Payload {
    let channel = channel.to_owned();
    Payload::SubmitRequest(SubmitRequest { channel, last_validation_seq: 0, payload })
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let network = Network::with_channel(1, |_| {}).await;
    // Members of the channel and of the ordering organization, but no consenters.
    let (certificate, key) = network.ordering.tls("intruder");
    let intruder = ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let forwarded = network.transaction("forwarded", 10);
    for identity in [network.client_tls(), intruder] {
        for payload in [consensus(b"anything"), submit(CHANNEL, Some(forwarded.clone()))] {
            let refused = step(&network, &identity, payload).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        }
    }
    assert_eq!(network.nodes[0].height(), 1);

    // An authority nobody knows does not get as far as a stream.
    let foreign = crate::network::Org::new("OtherMSP").tls("foreign");
    let foreign = ClientTls::from_pem(foreign.0.as_bytes(), foreign.1.as_bytes()).unwrap();
    let address = &network.nodes[0].config.listen_address;
    let connected =
        node::grpc::connect(address, &network.roots(), Some(&foreign), Duration::from_secs(5))
            .await;
    if let Ok(connection) = connected {
        let mut client = ClusterClient::new(connection);
        assert!(client.step(tokio_stream::iter([])).await.is_err());
    }
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consenter_may_forward_but_not_break_anything() {
    let network = Network::with_channel(1, |_| {}).await;
    let tls = &network.nodes[0].config.tls;
    let consenter = ClientTls::load(&tls.certificate, &tls.private_key).unwrap();
    let good = network.transaction("forwarded", 10);
    let cases = [
        (Some(good), Status::Success),
        (None, Status::BadRequest),
        (
            Some(Envelope { payload: vec![9; 9].into(), signature: vec![9].into() }),
            Status::BadRequest,
        ),
    ];
    for (envelope, expected) in cases {
        match step(&network, &consenter, submit(CHANNEL, envelope)).await.unwrap() {
            Some(step_response::Payload::SubmitRes(answer)) => {
                assert_eq!(answer.status, expected as i32, "{answer:?}");
            }
            None => panic!("no answer"),
        }
    }
    let unknown = step(&network, &consenter, submit("other", None)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    // Garbage and messages in its own name are dropped.
    assert!(matches!(step(&network, &consenter, consensus(b"\xff\xff\xff")).await, Ok(None)));
    network.insist(&network.transactions("tx", 1, 10)).await;
    assert_eq!(network.nodes[0].height(), 3);
    assert_eq!(node::panics::count(), 0);
    network.stop().await;
}
