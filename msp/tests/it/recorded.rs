//! Identities and signatures made by a Fabric network and its tools.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use msp::authority::{Authority, Usage};
use msp::{Manager, Msp, MspVersion, Role, SigningIdentity, directory, principal};
use prost::Message;
use proto::common::Envelope;
use proto::envelope;
use proto::peer::{ProposalResponse, SignedProposal};
use proto::transaction::{Action, PeeledProposal, endorsed_message};

use crate::consortium::{YEAR, enroll_with, template};
use msp::keys::Algorithm;

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn read(path: &str) -> Bytes {
    fs::read(fixture(path)).unwrap().into()
}

fn organization(folder: &str, msp_id: &str) -> Msp {
    let config = directory::load_config(&fixture(folder).join("msp"), msp_id).unwrap();
    Msp::from_config(&config, MspVersion::V1_4_3).unwrap()
}

fn network() -> Manager {
    Manager::new(vec![
        organization("org1.example.com", "Org1MSP"),
        organization("org2.example.com", "Org2MSP"),
        organization("example.com", "OrdererMSP"),
    ])
    .unwrap()
}

#[test]
fn recorded_envelope_is_signed_by_its_creator_and_endorsers() {
    let network = network();
    let message = Envelope::decode(read("transaction/envelope.pb")).unwrap();
    let envelope = envelope::Envelope::peel(message).unwrap();
    let creator = network.deserialize(&envelope.signature_header.creator).unwrap();
    creator.validate().unwrap();
    creator.verify(&envelope.payload, &envelope.signature).unwrap();
    assert!(creator.satisfies(&principal::client("Org1MSP")));
    assert!(!creator.satisfies(&principal::peer("Org1MSP")));
    assert!(!creator.satisfies(&principal::member("Org2MSP")));
    let action = Action::parse(envelope.data).unwrap();
    let mut endorsers = Vec::new();
    for endorsement in &action.endorsements {
        let endorser = network.deserialize(&endorsement.endorser).unwrap();
        let message = endorsed_message(&action.response_payload_bytes, &endorsement.endorser);
        endorser.verify(&message, &endorsement.signature).unwrap();
        assert!(endorser.verify(&message[1..], &endorsement.signature).is_err());
        assert!(endorser.satisfies(&principal::peer(endorser.msp_id())));
        endorsers.push(endorser.msp_id().to_owned());
    }
    endorsers.sort();
    assert_eq!(endorsers, ["Org1MSP", "Org2MSP"]);
}

#[test]
fn recorded_proposal_and_responses_verify() {
    let network = network();
    let signed = SignedProposal::decode(read("transaction/signed_proposal.pb")).unwrap();
    let proposal = PeeledProposal::peel(&signed).unwrap();
    let creator = network.deserialize(&proposal.signature_header.creator).unwrap();
    creator.verify(&proposal.proposal_bytes, &proposal.signature).unwrap();
    for org in ["org1", "org2"] {
        let path = format!("transaction/proposal_response_{org}.pb");
        let response = ProposalResponse::decode(read(&path)).unwrap();
        let endorsement = response.endorsement.unwrap();
        let endorser = network.deserialize(&endorsement.endorser).unwrap();
        let message = endorsed_message(&response.payload, &endorsement.endorser);
        endorser.verify(&message, &endorsement.signature).unwrap();
    }
}

#[test]
fn identities_of_the_tree_have_their_roles() {
    let network = network();
    for (folder, msp_id, role) in [
        ("org1.example.com/users/User1@org1.example.com", "Org1MSP", Role::Client),
        ("org1.example.com/users/Admin@org1.example.com", "Org1MSP", Role::Admin),
        ("org1.example.com/peers/peer0.org1.example.com", "Org1MSP", Role::Peer),
        ("org2.example.com/users/User1@org2.example.com", "Org2MSP", Role::Client),
        ("org2.example.com/users/Admin@org2.example.com", "Org2MSP", Role::Admin),
        ("org2.example.com/peers/peer0.org2.example.com", "Org2MSP", Role::Peer),
        ("example.com/orderers/orderer1.example.com", "OrdererMSP", Role::Orderer),
    ] {
        let signer = SigningIdentity::load(&fixture(folder).join("msp"), msp_id).unwrap();
        let identity = network.deserialize(signer.serialized()).unwrap();
        identity.validate().unwrap();
        assert_eq!(identity.role(), Some(role), "{folder}");
        identity.verify(b"message", &signer.sign(b"message").unwrap()).unwrap();
        let hash = proto::sha256(signer.certificate_der());
        assert_eq!(identity.id().certificate_hash, hash, "low-S already");
    }
    assert_eq!(network.tls_roots().len(), 3);
}

#[test]
fn creator_bytes_are_those_of_the_sdk() {
    let signed = SignedProposal::decode(read("transaction/signed_proposal.pb")).unwrap();
    let creator = PeeledProposal::peel(&signed).unwrap().signature_header.creator;
    let folder = fixture("org1.example.com/users/User1@org1.example.com/msp");
    assert_eq!(SigningIdentity::load(&folder, "Org1MSP").unwrap().serialized(), &creator);
}

#[test]
fn further_identities_can_be_issued_under_the_recorded_authority() {
    let authority = Authority::from_pem(
        &read("org1.example.com/ca/ca.org1.example.com-cert.pem"),
        &read("org1.example.com/ca/priv_sk"),
    )
    .unwrap();
    let begin = authority.certificate().not_before();
    let mut template = template("User2@org1.example.com", &["client"]);
    (template.not_before, template.not_after) = (begin, begin + YEAR);
    assert_eq!(template.usage, Usage::Identity);
    let signer = enroll_with(&authority, &template, Algorithm::P256);
    let identity = proto::msp::SerializedIdentity {
        mspid: "Org1MSP".to_owned(),
        id_bytes: signer.certificate_pem().into(),
    };
    let identity = network().deserialize(&identity.encode_to_vec()).unwrap();
    identity.validate().unwrap();
    assert!(identity.satisfies(&principal::client("Org1MSP")));
}
