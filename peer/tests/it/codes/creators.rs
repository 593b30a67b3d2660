//! Who may create transactions: valid identities of the channel that signed them.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::msp::SerializedIdentity;
use proto::peer::TxValidationCode::*;

use super::world::{CHANNEL, World};
use crate::consortium::Org;
use crate::signatures::high_s;
use crate::transactions::{Draft, writes};

fn of<'a>(world: &'a World, creator: &'a SigningIdentity) -> Draft<'a> {
    let mut draft = Draft::new(CHANNEL, "cc", creator);
    draft.namespaces = vec![writes("cc", &[("k", b"v")])];
    draft.endorsers = world.peers.iter().collect();
    draft
}

#[test]
fn every_role_of_the_channel_may_create() {
    let world = &mut World::new();
    for role in ["client", "peer", "admin"] {
        for org in 0..2 {
            let creator = world.orgs[org].identity("someone", role);
            let envelope = of(world, &creator).envelope();
            world.expect(Valid, envelope);
        }
    }
    // Peers leave writers' policies to the orderer, so an orderer may, too.
    let creator = world.orderer.identity("orderer0", "orderer");
    let envelope = of(world, &creator).envelope();
    world.expect(Valid, envelope);
}

#[test]
fn strangers_may_not() {
    let world = &mut World::new();
    // Of an organization of another channel, and of one that only has the same name.
    for msp_id in ["Org3MSP", "Org1MSP"] {
        let creator = Org::new(msp_id).identity("user1", "client");
        let envelope = of(world, &creator).envelope();
        world.expect(BadCreatorSignature, envelope);
    }
    // Without a role no identity is valid, nor with two.
    for role in ["", "auditor"] {
        let creator = world.orgs[0].identity("user1", role);
        let envelope = of(world, &creator).envelope();
        world.expect(BadCreatorSignature, envelope);
    }
}

#[test]
fn an_expired_creator_is_the_orderers_business() {
    // Validation has no clock: what was valid once is valid in every replay.
    let world = &mut World::new();
    let creator = world.orgs[0].identity_until("user1", "client", 1_700_000_001);
    let envelope = of(world, &creator).envelope();
    world.expect(Valid, envelope);
}

#[test]
fn a_revoked_creator_is_not_valid() {
    let world = &mut World::new();
    let [good, bad] = ["user2", "user3"].map(|name| world.orgs[0].identity(name, "client"));
    let envelope = of(world, &bad).envelope();
    world.expect(Valid, envelope);
    let list = world.orgs[0].revocation_list(&[&bad]);
    world.redefine_msp(0, |msp| msp.revocation_list = vec![list.into()]);
    let envelope = of(world, &bad).envelope();
    world.expect(BadCreatorSignature, envelope);
    let envelope = of(world, &good).envelope();
    world.expect(Valid, envelope);
}

#[test]
fn creators_that_are_no_identities() {
    let world = &mut World::new();
    let certificate = world.client.certificate_pem();
    let serialized = |mspid: &str, id: &str| -> Bytes {
        let id_bytes = Bytes::copy_from_slice(id.as_bytes());
        SerializedIdentity { mspid: mspid.into(), id_bytes }.encode_to_vec().into()
    };
    for creator in [
        Bytes::from_static(b"\xff"),
        Bytes::from_static(b"\x0a\x01\xff"),
        serialized("", &certificate),
        serialized("Org2MSP", &certificate),
        serialized("org1msp", &certificate),
        serialized("Org1MSP", ""),
        serialized("Org1MSP", "no certificate"),
        serialized("Org1MSP", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        serialized("Org1MSP", &world.orgs[0].root()),
    ] {
        world.check(BadCreatorSignature, |draft| {
            let nonce = draft.nonce.clone();
            draft.tx_id = Some(proto::transaction::tx_id(&nonce, &creator));
            let header = proto::common::SignatureHeader { creator, nonce };
            draft.headers[1] = Some(header.encode_to_vec().into());
        });
    }
}

#[test]
fn signatures_of_the_envelope() {
    let world = &mut World::new();
    let wrong = world.client.sign(b"something else").unwrap();
    for signature in [Bytes::new(), Bytes::from_static(b"no signature"), wrong] {
        world.check(BadCreatorSignature, |draft| draft.signature = Some(signature));
    }
    // Of another identity of the same organization.
    let draft = world.draft();
    let payload = draft.signed_payload();
    let signature = world.peers[0].sign(&payload).unwrap();
    let envelope = proto::envelope::encode(&payload, &signature);
    world.expect(BadCreatorSignature, envelope);
    // Good, and the same one with the other of its two values of S.
    let payload = world.draft().signed_payload();
    let signature = world.client.sign(&payload).unwrap();
    world.expect(BadCreatorSignature, proto::envelope::encode(&payload, &high_s(&signature)));
    // What stands behind a signature, Fabric does not read.
    let payload = world.draft().signed_payload();
    let signature = world.client.sign(&payload).unwrap();
    let longer = [&signature[..], b"more"].concat();
    world.expect(Valid, proto::envelope::encode(&payload, &longer));
}

#[test]
fn the_channel_named_must_be_this_one() {
    let world = &mut World::new();
    for channel in ["", "pharma", "Care", "care "] {
        world.check(BadCreatorSignature, |draft| draft.channel = channel.into());
    }
}
