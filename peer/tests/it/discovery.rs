//! What clients learn that plan for themselves.

use bytes::Bytes;
use msp::SigningIdentity;
use peer::discovery::Service;
use prost::Message;
use proto::discovery::discovery_server::Discovery;
use proto::discovery::query::Query as Kind;
use proto::discovery::query_result::Result as Answer;
use proto::discovery::{
    AuthInfo, ChaincodeQuery, ConfigQuery, LocalPeerQuery, PeerMembershipQuery, Query, Request,
    SignedRequest,
};
use proto::peer::{ChaincodeCall, ChaincodeInterest};

use crate::network::{CHANNEL, Network, Peer};

async fn ask(peer: &Peer, signer: &SigningIdentity, channel: &str, kind: Kind) -> Answer {
    let access = peer.access.clone();
    let service = Service::new(peer.channels.clone(), access, peer.planner.clone());
    let client_identity = signer.serialized().clone();
    let request = Request {
        authentication: Some(AuthInfo { client_identity, ..Default::default() }),
        queries: vec![Query { channel: channel.to_owned(), query: Some(kind) }],
    };
    let payload = Bytes::from(request.encode_to_vec());
    let signature = signer.sign(&payload).unwrap();
    let request = tonic::Request::new(SignedRequest { payload, signature });
    let mut answer = service.discover(request).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), 1);
    answer.results.remove(0).result.unwrap()
}

fn interest(name: &str, collections: &[&str]) -> ChaincodeInterest {
    let collection_names = collections.iter().map(|name| (*name).to_owned()).collect();
    let call = ChaincodeCall { name: name.to_owned(), collection_names, ..Default::default() };
    ChaincodeInterest { chaincodes: vec![call] }
}

fn endorsers(name: &str, collections: &[&str]) -> Kind {
    Kind::CcQuery(ChaincodeQuery { interests: vec![interest(name, collections)] })
}

#[track_caller]
fn refused(answer: Answer, text: &str) {
    let Answer::Error(error) = answer else { panic!("{answer:?}") };
    assert!(error.content.contains(text), "{}", error.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_and_members() {
    let network = Network::start(&["HospitalMSP", "PharmacyMSP"]).await;
    let first = &network.peers[0];
    let client = &first.client;
    let answer = ask(first, client, CHANNEL, Kind::ConfigQuery(ConfigQuery {})).await;
    let Answer::ConfigResult(config) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = config.msps.keys().map(String::as_str).collect();
    assert_eq!(names, ["HospitalMSP", "OrdererMSP", "PharmacyMSP"]);
    assert_eq!(config.orderers["OrdererMSP"].endpoint[0].host, "localhost");

    let all = || Kind::PeerQuery(PeerMembershipQuery::default());
    let answer = ask(first, client, CHANNEL, all()).await;
    let Answer::Members(members) = answer else { panic!("{answer:?}") };
    assert_eq!(members.peers_by_org.len(), 2);
    let answer = ask(first, &first.admin, "", Kind::LocalPeers(LocalPeerQuery {})).await;
    assert!(matches!(answer, Answer::Members(_)));

    let stranger = crate::consortium::Org::new("ForeignMSP").identity("user1", "client");
    refused(ask(first, &stranger, CHANNEL, all()).await, "access denied");
    refused(ask(first, client, "pharma", all()).await, "access denied");
    refused(ask(first, client, "", all()).await, "access denied");
    let local = || Kind::LocalPeers(LocalPeerQuery {});
    refused(ask(first, client, "", local()).await, "access denied");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endorsers_of_a_call() {
    let network = Network::start(&["HospitalMSP", "LabMSP", "PharmacyMSP"]).await;
    let first = &network.peers[0];
    let client = &first.client;
    let answer = ask(first, client, CHANNEL, endorsers("_lifecycle", &[])).await;
    let Answer::CcQueryRes(result) = answer else { panic!("{answer:?}") };
    let descriptor = &result.content[0];
    assert_eq!(descriptor.chaincode, "_lifecycle");
    assert_eq!((descriptor.endorsers_by_groups.len(), descriptor.layouts.len()), (3, 3));
    for layout in &descriptor.layouts {
        assert!(layout.quantities_by_group.values().all(|quantity| *quantity == 1));
        assert_eq!(layout.quantities_by_group.len(), 2);
    }
    let collection = ["_implicit_org_LabMSP"];
    let answer = ask(first, client, CHANNEL, endorsers("_lifecycle", &collection)).await;
    let Answer::CcQueryRes(result) = answer else { panic!("{answer:?}") };
    let groups = &result.content[0].endorsers_by_groups;
    assert_eq!(groups.len(), 1);
    let expected = network.peers[1].planner.membership().peers(CHANNEL)[1].identity.clone();
    assert_eq!(groups["G0"].peers[0].identity, expected);
    refused(
        ask(first, client, CHANNEL, endorsers("basic", &[])).await,
        "failed constructing descriptor for chaincodes:{name:\"basic\"}: chaincode basic is not \
         defined",
    );
    network.stop().await;
}
