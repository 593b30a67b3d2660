//! Who may ask, how often, and what he is told.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_peers_own_administrators_may_and_only_once() {
    let world = World::new().await;
    world.until_same(CHANNEL, 2).await;
    let mut client = world.administration().await;
    let good = || world.request(Content::Reset(ResetRequest {}));
    let outsider = world.other.identity("admin", "admin");
    let as_creator =
        |signer: &SigningIdentity| Request { creator: signer.serialized().clone(), ..good() };
    let (denied, forged) = (tonic::Code::PermissionDenied, tonic::Code::Unauthenticated);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let other_tls = Bytes::copy_from_slice(&[7; 32]);
    let cases = [
        (sign(&as_creator(&world.client), &world.client), denied),
        (sign(&as_creator(&outsider), &outsider), denied),
        // In the name of an administrator.
        (sign(&good(), &world.client), denied),
        (sign(&Request { timestamp: Some(long_ago.into()), ..good() }, &world.admin), forged),
        (sign(&Request { timestamp: None, ..good() }, &world.admin), tonic::Code::InvalidArgument),
        (sign(&Request { tls_cert_hash: other_tls, ..good() }, &world.admin), forged),
        (
            sign(&Request { nonce: Bytes::new(), ..good() }, &world.admin),
            tonic::Code::InvalidArgument,
        ),
        (sign(&Request { content: None, ..good() }, &world.admin), tonic::Code::InvalidArgument),
        (sign(&Request { creator: Bytes::new(), ..good() }, &world.admin), forged),
        (sign(&Request { channel: "none".into(), ..good() }, &world.admin), tonic::Code::NotFound),
        // Made for another call.
        (world.signed(Content::Unjoin(UnjoinRequest {})), tonic::Code::InvalidArgument),
        (
            SignedRequest { request: Bytes::from_static(b"\xff"), ..Default::default() },
            tonic::Code::InvalidArgument,
        ),
    ];
    for (index, (request, code)) in cases.into_iter().enumerate() {
        let refused = client.reset(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "case {index}: {refused}");
    }
    let request = world.signed(Content::Reset(ResetRequest {}));
    finish(client.reset(request.clone()).await.unwrap().into_inner()).await.unwrap();
    let replayed = client.reset(request).await.unwrap_err();
    assert_eq!(replayed.code(), tonic::Code::AlreadyExists, "{replayed}");
    world.until_same(CHANNEL, 2).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_are_told_what_keys_were() {
    let world = World::new().await;
    for number in 2..12 {
        world.order(number);
    }
    world.until_same(CHANNEL, 12).await;
    let mut queries = world.queries().await;
    let reader = |content| {
        let creator = world.client.serialized().clone();
        sign(&Request { creator, ..world.request(content) }, &world.client)
    };
    let (namespace, key) = (String::from("cc"), String::from("same"));
    let value = |number: u64| Bytes::from(format!("{{\"n\":{number}}}"));

    let mut asked = HistoryRequest { namespace, key, limit: 4, before: None };
    let mut numbers = Vec::new();
    loop {
        let page = queries.history(reader(Content::History(asked.clone()))).await.unwrap();
        let page = page.into_inner();
        numbers.extend(page.modifications.iter().map(|it| it.position.unwrap().block));
        asked.before = page.modifications.last().and_then(|it| it.position);
        if !page.more {
            break;
        }
        assert_eq!(page.modifications.len(), 4);
    }
    assert_eq!(numbers, (2..12).rev().collect::<Vec<_>>());

    for (height, expected) in [(0, Some(11)), (12, Some(11)), (5, Some(4)), (3, Some(2)), (2, None)]
    {
        let asked = StateRequest { namespace: "cc".into(), key: "same".into(), height };
        let told = queries.state(reader(Content::State(asked))).await.unwrap().into_inner();
        assert_eq!(told.written.map(|it| it.value), expected.map(value), "at {height}");
    }
    let asked = StateRequest { namespace: "cc".into(), key: "same".into(), height: 13 };
    let above = queries.state(reader(Content::State(asked))).await.unwrap_err();
    assert_eq!(above.code(), tonic::Code::OutOfRange, "{above}");

    let mut asked = RangeRequest { namespace: "cc".into(), limit: 3, ..Default::default() };
    let mut keys = Vec::new();
    loop {
        let page = queries.range(reader(Content::Range(asked.clone()))).await.unwrap();
        let page = page.into_inner();
        assert_eq!(page.height, 12);
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        asked.start = page.next;
        if asked.start.is_empty() {
            break;
        }
    }
    let mut expected: Vec<_> = (2..12).map(|number| format!("key-{number:03}")).collect();
    expected.push("same".into());
    assert_eq!(keys, expected);

    let asked = DiffRequest { from: 4, to: 6, namespace: "cc".into(), ..Default::default() };
    let told = queries.diff(reader(Content::Diff(asked))).await.unwrap().into_inner().changes;
    let told: Vec<_> = told
        .into_iter()
        .map(|it| (it.key, it.before.map(|it| it.value), it.after.map(|it| it.value)))
        .collect();
    assert_eq!(
        told,
        [
            ("key-004".into(), None, Some(value(4))),
            ("key-005".into(), None, Some(value(5))),
            ("same".into(), Some(value(3)), Some(value(5))),
        ]
    );
    // Private data stands in the state, too, and is nobody's business here.
    let asked = RangeRequest { namespace: "cc$$pc".into(), ..Default::default() };
    let refused = queries.range(reader(Content::Range(asked))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let stranger = Org::new("Org3MSP").identity("user1", "client");
    let asked = world.request(Content::Range(RangeRequest::default()));
    let asked = sign(&Request { creator: stranger.serialized().clone(), ..asked }, &stranger);
    let denied = queries.range(asked).await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied, "{denied}");
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
