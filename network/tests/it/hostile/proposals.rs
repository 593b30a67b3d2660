//! Proposals by those who may not make them, and proposals that were changed on the way.

use bytes::Bytes;
use client::Signer;
use msp::SigningIdentity;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use prost::Message;
use proto::common::Status as Answer;
use proto::common::{ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader};
use proto::peer::{Proposal, SignedProposal};
use tonic::Code;

use super::Lab;
use crate::harness::{ALPHA, BETA, LAB};

/// Somebody who is not a client of alpha, and what nodes tell him.
struct Stranger {
    who: &'static str,
    signer: Signer,
    /// In the refusal of the endorser.
    peer_says: &'static str,
    /// The orderer's answer.
    orderer_says: (Answer, &'static str),
}

const UNKNOWN: &str = "error validating proposal: access denied: channel [lab] creator org unknown, creator is \
     malformed";
const REFUSED: &str =
    "error validating proposal: access denied: channel [lab] creator org [AlphaMSP]";
const FORBIDDEN: (Answer, &str) = (Answer::Forbidden, "permission denied");

fn strangers(lab: &Lab) -> Vec<Stranger> {
    let network = lab.network;
    let folder = network.state().join("nodes/ca.alpha/data/ca");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let real = Authority::from_pem(&read("cert.pem"), &read("key.pem")).unwrap();
    let subject = Subject {
        common_name: "ca.alpha".into(),
        organization: "alpha".into(),
        organizational_units: vec![],
    };
    let root = real.certificate();
    let fake = Authority::generate(&subject, root.not_before(), root.not_after()).unwrap();
    let now = jiff::Timestamp::now().as_second();
    let valid = (root.not_before(), now + 3600);
    let peer = network.state().join("nodes/peer0.alpha/msp");
    let stranger =
        |who, signer, peer_says, orderer_says| Stranger { who, signer, peer_says, orderer_says };
    vec![
        stranger("a non-member", network.user(BETA, "bert").signer, UNKNOWN, FORBIDDEN),
        stranger(
            "an unknown organization",
            made(&real, "GammaMSP", "client", valid),
            UNKNOWN,
            FORBIDDEN,
        ),
        stranger(
            "an impostor's authority",
            made(&fake, "AlphaMSP", "client", valid),
            UNKNOWN,
            FORBIDDEN,
        ),
        stranger(
            "nobody in particular",
            made(&real, "AlphaMSP", "gardener", valid),
            REFUSED,
            FORBIDDEN,
        ),
        stranger(
            "an expired client",
            made(&real, "AlphaMSP", "client", (root.not_before(), now - 60)),
            "proposal client identity expired",
            (Answer::BadRequest, "broadcast client identity expired"),
        ),
        stranger(
            "a peer, which is no client",
            network.identity(peer, ALPHA).into(),
            "on channel [lab] with policy [/Channel/Application/Writers]",
            FORBIDDEN,
        ),
    ]
}

/// An identity with a certificate of `authority`.
fn made(authority: &Authority, msp_id: &str, role: &str, (from, to): (i64, i64)) -> Signer {
    let key = PrivateKey::generate().unwrap();
    let template = Template {
        subject: Subject {
            common_name: "mallory".into(),
            organization: "alpha".into(),
            organizational_units: vec![role.into()],
        },
        usage: Usage::Identity,
        hosts: vec![],
        attributes: Default::default(),
        not_before: from,
        not_after: to,
    };
    let certificate = authority.issue(key.public(), &template).unwrap().to_pem();
    let key = key.to_pem().unwrap();
    SigningIdentity::from_pem(msp_id, certificate.as_bytes(), key.as_bytes()).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_may_not_are_refused_by_peers_and_orderers() {
    let lab = Lab::enter().await;
    for Stranger { who, signer, peer_says, orderer_says } in strangers(&lab) {
        let gateway = lab.gateway.as_identity(signer.clone());
        let call =
            gateway.network(LAB).contract("basic").call("put").args(["stranger", "was here"]);
        let bytes = call.proposal().bytes().clone();
        let signature = signer.sign(&bytes).unwrap();
        let proposal = SignedProposal { proposal_bytes: bytes, signature };
        let refusal = lab.process(proposal).await.expect_err(who);
        assert_eq!(refusal.code(), Code::Unknown, "{who}: {refusal}");
        assert!(refusal.message().contains(peer_says), "{who}: {refusal}");

        let answer = lab.broadcast(envelope(&signer)).await;
        assert_eq!(answer.status(), orderer_says.0, "{who}: {answer:?}");
        assert!(answer.info.contains(orderer_says.1), "{who}: {answer:?}");

        let error = gateway.network(LAB).contract("basic").submit("put", ["a", "b"]).await;
        let error = error.expect_err(who).to_string();
        assert!(error.contains(peer_says), "{who}: {error}");
    }
    let written = lab.basic().evaluate("get", ["stranger"]).await.unwrap();
    assert!(written.is_empty());
    lab.leave(0).await;
}

/// An envelope an orderer would take from a member: it does not look inside transactions.
fn envelope(signer: &Signer) -> Envelope {
    let signature_header =
        SignatureHeader { creator: signer.creator().clone(), nonce: Bytes::from_static(b"nonce") };
    let channel_header = ChannelHeader {
        r#type: HeaderType::EndorserTransaction as i32,
        channel_id: LAB.into(),
        tx_id: proto::transaction::tx_id(b"nonce", signer.creator()),
        ..Default::default()
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data: Bytes::new() }.encode_to_vec();
    Envelope { signature: signer.sign(&payload).unwrap(), payload: payload.into() }
}

/// Changes the headers of a proposal.
fn edited(
    proposal: &Bytes,
    change: impl FnOnce(&mut ChannelHeader, &mut SignatureHeader),
) -> Bytes {
    let mut proposal = Proposal::decode(proposal.clone()).unwrap();
    let mut header = Header::decode(proposal.header.clone()).unwrap();
    let mut channel_header = ChannelHeader::decode(header.channel_header.clone()).unwrap();
    let mut signature_header = SignatureHeader::decode(header.signature_header.clone()).unwrap();
    change(&mut channel_header, &mut signature_header);
    header.channel_header = channel_header.encode_to_vec().into();
    header.signature_header = signature_header.encode_to_vec().into();
    proposal.header = header.encode_to_vec().into();
    proposal.encode_to_vec().into()
}

type Change = fn(&mut ChannelHeader, &mut SignatureHeader);

/// What the creator changes in her own proposal before she signs it.
const CHANGES: &[(&str, Change, &str)] = &[
    ("the id", |header, _| header.tx_id = "ab".repeat(32), "incorrectly computed txid"),
    ("no id", |header, _| header.tx_id.clear(), "incorrectly computed txid"),
    ("the nonce", |_, header| header.nonce = Bytes::from_static(b"x"), "incorrectly computed txid"),
    ("no nonce", |_, header| header.nonce = Bytes::new(), "nonce is empty"),
    ("no creator", |_, header| header.creator = Bytes::new(), "creator is empty"),
    ("the epoch", |header, _| header.epoch = 7, "epoch is non-zero"),
    (
        "the type",
        |header, _| header.r#type = HeaderType::ConfigUpdate as i32,
        "invalid header type",
    ),
    (
        "the time",
        |header, _| header.timestamp = Some(prost_types::Timestamp { seconds: 1000, nanos: 0 }),
        "request unauthorized due to incorrect timestamp",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn changed_proposals_are_refused() {
    let lab = Lab::enter().await;
    let sign = |bytes: &[u8]| lab.anna.signer.sign(bytes).unwrap();
    for (what, change, expected) in CHANGES {
        let proposal_bytes = edited(&lab.proposal("put", &["changed", "1"]), change);
        let signature = sign(&proposal_bytes);
        let refusal = lab.process(SignedProposal { proposal_bytes, signature }).await;
        let refusal = refusal.expect_err(what);
        assert_eq!(refusal.code(), Code::Unknown, "{what}: {refusal}");
        assert!(refusal.message().contains(expected), "{what}: {refusal}");
    }

    // Changed after it was signed: one byte of an argument.
    let original = lab.proposal("put", &["changed", "1"]);
    let signature = sign(&original);
    let mut changed = original.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let tampered = SignedProposal { proposal_bytes: changed.into(), signature };
    let refusal = lab.process(tampered).await.unwrap_err();
    assert!(refusal.message().contains(REFUSED), "{refusal}");

    // Signed by somebody else.
    let bytes = lab.proposal("put", &["changed", "1"]);
    let signature = lab.network.user(ALPHA, "admin").signer.sign(&bytes).unwrap();
    let refusal = lab.process(SignedProposal { proposal_bytes: bytes, signature }).await;
    assert!(refusal.unwrap_err().message().contains(REFUSED));

    let written = lab.basic().evaluate("get", ["changed"]).await.unwrap();
    assert!(written.is_empty());
    lab.leave(0).await;
}
