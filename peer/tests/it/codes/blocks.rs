//! Blocks that are refused as a whole, before any transaction is looked at.

use std::time::Duration;

use bytes::Bytes;
use proto::peer::TxValidationCode;

use crate::following::World;
use crate::peers::until;

/// An envelope in a form no honest orderer gives it, made from a good one.
fn malformed(good: &Bytes) -> Vec<(&'static str, Bytes)> {
    let envelope = prost::Message::decode(good.clone()).unwrap();
    let proto::common::Envelope { payload, signature } = envelope;
    let field = |key: u8, value: &[u8]| {
        let mut out = vec![key];
        prost::encoding::encode_varint(value.len() as u64, &mut out);
        [out, value.to_vec()].concat()
    };
    let (payload, signature) = (field(0x0a, &payload), field(0x12, &signature));
    let longer_length = {
        let (mut long, value) = (signature[..2].to_vec(), &signature[2..]);
        long[1] |= 0x80;
        long.push(0);
        [&long, value].concat()
    };
    let cases = [
        ("no signature", payload.clone()),
        ("no payload", signature.clone()),
        ("empty signature", [&payload[..], b"\x12\x00"].concat()),
        ("signature first", [&signature[..], &payload].concat()),
        ("payload twice", [&payload[..], &payload, &signature].concat()),
        ("length not minimal", [&payload[..], &longer_length].concat()),
        ("key not minimal", [&payload[..], b"\x92\x00", &signature[1..]].concat()),
        ("unknown field first", [b"\x18\x01", &good[..]].concat()),
        ("known number of another type first", [b"\x08\x01", &good[..]].concat()),
        ("garbage behind", [&good[..], b"\xff"].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("empty", Vec::new()),
    ];
    cases.into_iter().map(|(name, bytes)| (name, bytes.into())).collect()
}

/// A peer takes no block with such an envelope, and takes the next one offered in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_with_a_malformed_envelope_is_refused() {
    let world = World::new().await;
    let good = world.draft("good").envelope();
    let channel = world.channel();
    world.chain.order(vec![world.draft("first").envelope(), Bytes::new()]);
    for (name, bad) in malformed(&good) {
        world.chain.replace_last(vec![world.draft("first").envelope(), bad]);
        // Asked for once more, it was refused before.
        let asked = world.chain.asked();
        until(name, || world.chain.asked() >= asked + 2).await;
        assert_eq!(channel.height(), 2, "{name}");
    }
    // Unknown fields behind the known ones are no malformation, whatever their form.
    let behind = [&good[..], b"\x18\x01\x08\x01\x1b\x1c"].concat();
    world.chain.replace_last(vec![world.draft("first").envelope(), behind.into()]);
    world.until_height(3).await;
    let block = channel.ledger().block(2).unwrap().unwrap();
    let valid = TxValidationCode::Valid as i32 as u8;
    assert_eq!(proto::block::transactions_filter(&block)[..], [valid, valid]);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
