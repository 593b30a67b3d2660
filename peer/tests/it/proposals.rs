//! What the endorser says to proposals, right and wrong.

use bytes::Bytes;
use msp::SigningIdentity;
use proto::common::HeaderType;
use proto::peer::{ProposalResponse, SignedProposal};

use crate::consortium::Org;
use crate::network::{Draft, Network, Peer};

async fn ask(peer: &Peer, signed: SignedProposal) -> Result<ProposalResponse, String> {
    let answer = peer.endorser.process(signed).await;
    answer.map_err(|error| tonic::Status::from(error).message().to_owned())
}

/// The error of the call, for a proposal of the chaincode that is not there.
async fn error(peer: &Peer, signer: &SigningIdentity, change: impl FnOnce(&mut Draft)) -> String {
    let mut draft = Draft::new("basic", &["get", "k"]);
    change(&mut draft);
    ask(peer, draft.sign(signer)).await.unwrap_err()
}

/// Status and message of the response.
async fn response(
    peer: &Peer,
    signer: &SigningIdentity,
    change: impl FnOnce(&mut Draft),
) -> (i32, String) {
    let mut draft = Draft::new("basic", &["get", "k"]);
    change(&mut draft);
    let answer = ask(peer, draft.sign(signer)).await.unwrap();
    assert!(answer.endorsement.is_none());
    let response = answer.response.unwrap();
    (response.status, response.message)
}

#[track_caller]
fn begins(text: String, expected: &str) {
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_are_checked() {
    let network = Network::start(&["HospitalMSP"]).await;
    let peer = &network.peers[0];
    let client = &peer.client;
    let invalid = "error validating proposal: ";

    let garbage =
        SignedProposal { proposal_bytes: Bytes::from_static(b"\xff"), ..Default::default() };
    begins(ask(peer, garbage).await.unwrap_err(), "decode proposal");
    begins(error(peer, client, |d| d.chaincode.clear()).await, "chaincode name is missing");
    begins(
        error(peer, client, |d| d.header_type = HeaderType::ConfigUpdate).await,
        "error validating proposal: invalid header type CONFIG_UPDATE",
    );
    begins(error(peer, client, |d| d.tx_id = Some("00".into())).await, invalid);
    begins(error(peer, client, |d| d.nonce = Bytes::new()).await, invalid);
    begins(
        error(peer, client, |d| d.seconds -= 16 * 60).await,
        "request unauthorized due to incorrect timestamp",
    );
    begins(
        error(peer, client, |d| d.seconds += 16 * 60).await,
        "request unauthorized due to incorrect timestamp",
    );

    let draft = Draft::new("basic", &["get", "k"]);
    let mut signed = draft.sign(client);
    signed.signature = client.sign(b"something else").unwrap();
    let text = "error validating proposal: access denied: channel [care] creator org [HospitalMSP]";
    assert_eq!(ask(peer, signed).await.unwrap_err(), text);
    let stranger = Org::new("ForeignMSP").identity("user1", "client");
    begins(
        error(peer, &stranger, |_| {}).await,
        "error validating proposal: access denied: channel [care] creator org unknown, creator is \
         malformed",
    );
    let impostor = Org::new("HospitalMSP").identity("user1", "client");
    begins(error(peer, &impostor, |_| {}).await, "error validating proposal: access denied");

    let text = response(peer, client, |d| d.channel = "pharma".into()).await;
    assert_eq!(text, (500, "channel 'pharma' not found".into()));
    let text = response(peer, client, |_| {}).await;
    assert_eq!(
        text,
        (
            500,
            "make sure the chaincode basic has been successfully defined on channel care and try \
             again: chaincode basic not found"
                .into()
        )
    );
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_is_guarded() {
    let network = Network::start(&["HospitalMSP"]).await;
    let peer = &network.peers[0];
    let denied = "Failed to authorize invocation due to failed ACL check: ";
    let install = |draft: &mut Draft| {
        draft.channel.clear();
        draft.chaincode = "_lifecycle".into();
        draft.args = vec![Bytes::from_static(b"InstallChaincode"), Bytes::new()];
    };
    let mut draft = Draft::new("_lifecycle", &["x"]);
    install(&mut draft);
    let answer = ask(peer, draft.sign(&peer.client)).await.unwrap().response.unwrap();
    assert_eq!(answer.status, 500);
    begins(answer.message, denied);
    let (status, text) = response(peer, &peer.admin, |draft| {
        install(draft);
        draft.args.pop();
    })
    .await;
    assert_eq!(status, 500);
    assert_eq!(text, "lifecycle scc operations require exactly two arguments but received 1");
    let (_, text) = response(peer, &peer.admin, install).await;
    begins(
        text,
        "failed to invoke backing implementation of 'InstallChaincode': could not parse as a \
         chaincode install package: ",
    );
    network.stop().await;
}
