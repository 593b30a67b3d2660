//! Who may create transactions: valid identities of the channel that signed them.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::msp::SerializedIdentity;
use proto::peer::TxValidationCode::{self, *};

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
        as_creator(world, BadCreatorSignature, creator);
    }
}

/// The envelope's signature header with this creator, whose id the transaction gets.
#[track_caller]
fn as_creator(world: &mut World, expected: TxValidationCode, creator: Bytes) {
    world.check(expected, |draft| {
        let nonce = draft.nonce.clone();
        draft.tx_id = Some(proto::transaction::tx_id(&nonce, &creator));
        let header = proto::common::SignatureHeader { creator, nonce };
        draft.headers[1] = Some(header.encode_to_vec().into());
    });
}

fn serialized(mspid: &str, id: &str) -> Bytes {
    let id_bytes = Bytes::copy_from_slice(id.as_bytes());
    SerializedIdentity { mspid: mspid.into(), id_bytes }.encode_to_vec().into()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// One certificate can be written down in several ways. Fabric takes the first PEM block in a text,
/// whatever its label, and DER in its one form only.
#[test]
fn a_certificate_in_other_forms() {
    let world = &mut World::new();
    let der = world.client.certificate_der().to_vec();
    let right = world.client.certificate_pem();
    let text = right.trim_end();
    let other = world.orgs[1].identity("user1", "client").certificate_pem();
    for good in [
        right.clone(),
        text.to_owned(),
        text.replace('\n', "\r\n"),
        format!("some text before\n{right}"),
        format!("{right}some text behind"),
        format!("{right}{other}"),
        pem("ANYTHING", &der),
    ] {
        eprintln!("{good}");
        as_creator(world, Valid, serialized("Org1MSP", &good));
    }
    let longer = [&der[..], &[0]].concat();
    assert_eq!(der[..2], [0x30, 0x82]);
    let long_length = [&[0x30, 0x83, 0], &der[2..]].concat();
    let endless = [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    for bad in [
        format!("{other}{right}"),
        pem("CERTIFICATE", &longer),
        pem("CERTIFICATE", &long_length),
        pem("CERTIFICATE", &endless),
        pem("CERTIFICATE", &der[..der.len() - 1]),
        text.replace("-----END", "----END"),
    ] {
        eprintln!("{bad}");
        as_creator(world, BadCreatorSignature, serialized("Org1MSP", &bad));
    }
    // A serialized identity may have more fields than Fabric knows.
    let more = [&serialized("Org1MSP", &right)[..], b"\x18\x01\x08\x01"].concat();
    as_creator(world, Valid, more.into());
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
    // Nor what more stands in it; but it must be DER.
    let inside = |more: &[u8]| {
        let body = [&signature[2..], more].concat();
        [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
    };
    world.expect(DuplicateTxid, proto::envelope::encode(&payload, &inside(b"\x02\x01\x01")));
    let long_length = [&[0x30, 0x81, signature[1]], &signature[2..]].concat();
    world.expect(BadCreatorSignature, proto::envelope::encode(&payload, &long_length));
}

#[test]
fn the_channel_named_must_be_this_one() {
    let world = &mut World::new();
    for channel in ["", "pharma", "Care", "care "] {
        world.check(BadCreatorSignature, |draft| draft.channel = channel.into());
    }
}
