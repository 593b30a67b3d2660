//! What operations do, and what they do not disturb.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_cut_back_under_load_and_catches_up() {
    let world = World::new().await;
    for number in 2..30 {
        world.order(number);
    }
    world.until_same(CHANNEL, 30).await;
    let mut blocks = world.follow(20).await;
    let events = chaincode::stream(world.channel(), "cc".into(), Start::Next, None).unwrap();
    let waiting = world.channel();
    let waiter = world.tasks.spawn("wait", async move {
        let status = waiting.commit_status("never").await;
        assert!(matches!(status, Err(peer::channels::Error::Unavailable(_))), "{status:?}");
    });
    until("all blocks are told", || world.channel().height() == 30).await;
    let reports = world.begin(rollback(7)).await.unwrap();
    for number in 30..40 {
        world.order(number);
        world.order_on(1, number);
    }
    let outcome = finish(reports).await.unwrap();
    assert_eq!(outcome.state(), ChannelState::Running);
    // Those who held the old channel were told.
    waiter.await.unwrap();
    let told = std::pin::pin!(events).next().await.unwrap();
    assert!(matches!(told, Err(peer::channels::Error::Unavailable(_))), "{told:?}");
    let mut last = None;
    while let Some(answer) = blocks.message().await.unwrap() {
        last = answer.r#type;
    }
    assert_eq!(last, Some(Type::Status(Code::ServiceUnavailable.into())));
    world.until_same(CHANNEL, 40).await;
    world.until_same(OTHER, 12).await;
    assert_eq!(world.channel().ledger().to_regain(), None);
    for content in [Content::Reset(ResetRequest {}), Content::Rebuild(RebuildRequest {})] {
        world.operate(content).await.unwrap();
        world.until_same(CHANNEL, 40).await;
    }
    let refused = world.operate(rollback(40)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    world.until_same(CHANNEL, world.order(41) + 1).await;
    let metrics = world.node.operations.metrics.encode();
    assert!(metrics.contains("gauze_panics_total 0"), "{metrics}");
    assert_eq!(world.node.operations.health.failed(), []);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_channel_rests_until_it_is_resumed() {
    let mut world = World::new().await;
    world.until_same(CHANNEL, 2).await;
    let served = (200, tonic::Code::Ok, Code::Success);
    assert_eq!(world.answers().await, served);
    world.operate(Content::Pause(PauseRequest {})).await.unwrap();
    let closed = (503, tonic::Code::Unavailable, Code::ServiceUnavailable);
    assert_eq!(world.answers().await, closed);
    let again = world.operate(Content::Pause(PauseRequest {})).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::FailedPrecondition);
    assert!(again.message().contains("paused already"), "{again}");
    for number in 2..6 {
        world.order(number);
        world.order_on(1, number);
    }
    world.until_same(OTHER, 6).await;
    let expected = [(CHANNEL, ChannelState::Paused, 2), (OTHER, ChannelState::Running, 6)];
    let expected = expected.map(|(id, state, height)| (id.to_owned(), state, height));
    assert_eq!(world.status().await, expected);
    // What is done to a paused channel leaves it paused, and so does a restart.
    let outcome = world.operate(Content::Rebuild(RebuildRequest {})).await.unwrap();
    assert_eq!((outcome.state(), outcome.height), (ChannelState::Paused, 2));
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    world.node = restart(&world.org, dir, &world.tasks).await;
    assert_eq!(world.status().await[0], expected[0]);
    assert_eq!(world.answers().await, closed);
    assert_eq!(world.node.operations.health.failed(), []);
    world.operate(Content::Resume(ResumeRequest {})).await.unwrap();
    world.until_same(CHANNEL, 6).await;
    assert_eq!(world.answers().await, served);
    let running = world.operate(Content::Resume(ResumeRequest {})).await.unwrap_err();
    assert_eq!(running.code(), tonic::Code::FailedPrecondition);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_left_and_joined_again() {
    let world = World::new().await;
    for number in 2..6 {
        world.order(number);
    }
    world.until_same(CHANNEL, 6).await;
    // A request that still uses the channel is waited for; nothing else begins meanwhile.
    let held = world.channel();
    let reports = world.begin(Content::Unjoin(UnjoinRequest {})).await.unwrap();
    until("closing", || held.is_closing()).await;
    let busy = world.operate(Content::Rebuild(RebuildRequest {})).await.unwrap_err();
    assert_eq!(busy.code(), tonic::Code::FailedPrecondition, "{busy}");
    assert!(matches!(held.state(), State::Rebuilding(_)));
    assert_eq!(held.ledger().block(5).unwrap().map(|block| proto::block::number(&block)), Some(5));
    drop(held);
    assert_eq!(finish(reports).await.unwrap(), ChannelStatus::default());
    let folder = world.node.dir.path().join("data/ledgers");
    let left: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, [OTHER]);
    let gone = world.operate(Content::Unjoin(UnjoinRequest {})).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
    assert_eq!(world.status().await.len(), 1);
    let genesis = world.witness.handle.channels.get(CHANNEL).unwrap();
    let genesis = genesis.ledger().block(0).unwrap().unwrap();
    world.node.handle.channels.join(&genesis).unwrap();
    world.until_same(CHANNEL, 6).await;
    world.until_same(CHANNEL, world.order(7) + 1).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_cannot_be_opened_fails_alone() {
    let mut world = World::new().await;
    world.order(2);
    world.until_same(CHANNEL, 3).await;
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    let segment = dir.path().join("data/ledgers/care/blocks/segments/0000000000.segment");
    let whole = std::fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[2000] ^= 1;
    std::fs::write(&segment, damaged).unwrap();
    world.node = restart(&world.org, dir, &world.tasks).await;
    let status = world.status().await;
    assert_eq!((status[0].1, status[1].1), (ChannelState::Failed, ChannelState::Running));
    let failed = world.node.operations.health.failed();
    assert_eq!(failed[0].component, "channel care");
    assert!(failed[0].reason.contains("0000000000.segment is damaged"), "{failed:?}");
    assert_eq!(world.answers().await.0, 503);
    world.until_same(OTHER, world.order_on(1, 2) + 1).await;
    let refused = world.operate(Content::Resume(ResumeRequest {})).await.unwrap_err();
    assert!(refused.message().contains("is damaged"), "{refused}");
    // The operator restores the file.
    std::fs::write(&segment, whole).unwrap();
    world.operate(Content::Resume(ResumeRequest {})).await.unwrap();
    world.until_same(CHANNEL, world.order(3) + 1).await;
    until("health", || world.node.operations.health.failed().is_empty()).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
