//! Input that halts or crashes a Fabric peer: here each has an outcome, and the peer goes on.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use msp::SigningIdentity;
use peer::events::chaincode::{self, Start};
use peer::lifecycle::state::{field_key, metadata_key};
use prost::Message;
use proto::lifecycle::StateMetadata;
use proto::peer::TxValidationCode::{self, *};
use proto::peer::deliver_response::Type;

use crate::following::World;
use crate::peers::{Node, restart};
use crate::transactions::{Draft, key_policy, writes};

fn codes(world: &World, number: u64) -> Vec<TxValidationCode> {
    let block = world.channel().ledger().block(number).unwrap().unwrap();
    let flags = proto::block::transactions_filter(&block);
    flags.iter().map(|flag| TxValidationCode::try_from(i32::from(*flag)).unwrap()).collect()
}

/// Orders a block and waits until it is committed as expected.
async fn check(world: &World, envelopes: Vec<Bytes>, expected: &[TxValidationCode]) {
    let number = world.chain.order(envelopes);
    world.until_height(number + 1).await;
    assert_eq!(codes(world, number), expected, "block {number}");
}

fn with(world: &World, key: &str, change: impl FnOnce(&mut Draft<'_>)) -> Bytes {
    let mut draft = world.draft(key);
    change(&mut draft);
    draft.envelope()
}

/// Transactions nobody can read, in front of one that is judged by policies.
async fn unreadable_actions(world: &World) {
    let garbage = || Some(Bytes::from_static(b"\xff"));
    let mut block = vec![
        with(world, "a", |draft| draft.data = garbage()),
        with(world, "b", |draft| draft.action_payload = garbage()),
        with(world, "c", |draft| draft.action_payload = Some(Bytes::new())),
        with(world, "d", |draft| draft.response_payload = garbage()),
        with(world, "e", |draft| draft.action = garbage()),
        with(world, "f", |draft| draft.action = Some(Bytes::new())),
        with(world, "g", |draft| draft.results = garbage()),
    ];
    block.push(world.draft("behind").envelope());
    let expected = [
        InvalidEndorserTransaction,
        InvalidEndorserTransaction,
        InvalidEndorserTransaction,
        InvalidEndorserTransaction,
        BadResponsePayload,
        BadResponsePayload,
        BadRwset,
        Valid,
    ];
    check(world, block, &expected).await;
}

/// A key whose policy is no policy.
async fn unreadable_policy(world: &World) {
    let policy = with(world, "p", |draft| {
        let set = key_policy("cc", "p", b"\xff\xff");
        draft.namespaces.clear();
        draft.namespaces.push(set);
    });
    check(world, vec![world.draft("p").envelope()], &[Valid]).await;
    check(world, vec![policy], &[Valid]).await;
    let write = || world.draft("p").envelope();
    check(world, vec![write(), world.draft("q").envelope()], &[EndorsementPolicyFailure, Valid])
        .await;
}

/// A definition that lacks fields, and one whose fields are garbage.
async fn incomplete_definition(world: &World) {
    let metadata = StateMetadata {
        datatype: "ChaincodeDefinition".into(),
        fields: vec!["Sequence".into(), "ValidationInfo".into()],
    };
    let metadata = metadata.encode_to_vec();
    for (name, validation) in [("half", None), ("garbage", Some(&b"\xff"[..]))] {
        let key = metadata_key("namespaces", name);
        let [sequence, field] =
            ["Sequence", "ValidationInfo"].map(|field| field_key("namespaces", name, field));
        let mut entries = vec![(&key[..], &metadata[..]), (&sequence[..], &b"\x08\x01"[..])];
        entries.extend(validation.map(|value| (&field[..], value)));
        let definition = with(world, name, |draft| {
            draft.chaincode = "_lifecycle".into();
            draft.events = Bytes::new();
            draft.namespaces = vec![writes("_lifecycle", &entries)];
        });
        check(world, vec![definition], &[Valid]).await;
        let call = with(world, name, |draft| {
            draft.chaincode = name.into();
            draft.events = Bytes::new();
            draft.namespaces = vec![writes(name, &[("k", b"v")])];
        });
        check(world, vec![call, world.draft(name).envelope()], &[InvalidChaincode, Valid]).await;
    }
}

/// Every block up to the newest reaches clients, whatever is in it.
async fn streams(world: &World, client: &SigningIdentity) {
    let height = world.channel().height();
    for method in ["whole", "filtered"] {
        let answers = world.deliver(method, client).await;
        assert_eq!(answers.len() as u64, height + 1, "{method}");
        let success = Type::Status(proto::common::Status::Success.into());
        assert_eq!(answers.last(), Some(&success), "{method}");
        for (number, answer) in (0..height).zip(answers) {
            let Type::FilteredBlock(block) = answer else { continue };
            let told = block.filtered_transactions.iter().map(|it| it.tx_validation_code());
            assert_eq!(block.number, number);
            assert_eq!(told.collect::<Vec<_>>(), codes(world, number));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stops_a_fabric_peer_does_not_stop_this_one() {
    let mut world = World::new().await;
    let events = chaincode::stream(world.channel(), "cc".into(), Start::Block(0), None).unwrap();
    unreadable_actions(&world).await;
    unreadable_policy(&world).await;
    incomplete_definition(&world).await;
    streams(&world, &world.client).await;
    // A stream of events that began before tells of the good ones only.
    let mut told = Vec::new();
    let mut events = Box::pin(events);
    while told.len() < 6 {
        let response = events.next().await.unwrap().unwrap();
        told.extend(response.events.into_iter().map(|event| event.event_name));
    }
    drop(events);
    assert_eq!(told, ["behind", "p", "p", "q", "half", "garbage"]);
    // All of it again at the start of a peer, which goes on.
    let Node { handle, tasks, dir, operations } = world.node;
    let metrics = operations.metrics.encode();
    assert!(metrics.contains("gauze_panics_total 0"), "{metrics}");
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    world.node = restart(&world.org, dir, &world.tasks).await;
    check(&world, vec![world.draft("after").envelope()], &[Valid]).await;
    streams(&world, &world.client).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
