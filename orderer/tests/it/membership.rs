//! The configuration changes: limits, consenters, maintenance.

use channel::config::key;
use orderer::channels::{Relation, Status as Health};
use prost::Message;
use proto::common::{ConfigGroup, Status};
use proto::etcdraft::ConfigMetadata;
use proto::orderer::{BatchSize, ConsensusType, consensus_type};

use crate::network::{CHANNEL, Network, assert_same, contents, wait_for};

/// Changes a value of the orderer section.
fn change<M: Message + Default>(root: &mut ConfigGroup, name: &str, edit: impl FnOnce(&mut M)) {
    let orderer = root.groups.get_mut(key::ORDERER).unwrap();
    let value = orderer.values.get_mut(name).unwrap();
    let mut message = M::decode(value.value.clone()).unwrap();
    edit(&mut message);
    value.value = message.encode_to_vec().into();
}

fn change_raft(root: &mut ConfigGroup, edit: impl FnOnce(&mut ConfigMetadata)) {
    change(root, key::CONSENSUS_TYPE, |consensus: &mut ConsensusType| {
        let mut metadata = ConfigMetadata::decode(consensus.metadata.clone()).unwrap();
        edit(&mut metadata);
        consensus.metadata = metadata.encode_to_vec().into();
    });
}

/// Has an update ordered, at whichever node that works.
async fn reconfigure(network: &Network, edit: impl Fn(&mut ConfigGroup)) {
    let leader = network.leader().await;
    let bundle = network.nodes[leader].channel().state().bundle.clone();
    network.insist(&[network.update(&bundle, edit)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_update_stands_alone_and_changes_what_follows() {
    let network = Network::with_channel(3, |_| {}).await;
    network.insist(&network.transactions("before", 3, 10)).await;
    reconfigure(&network, |root| {
        change(root, key::BATCH_SIZE, |size: &mut BatchSize| {
            size.absolute_max_bytes = 5000;
            size.preferred_max_bytes = 5000;
            size.max_message_count = 1;
        });
    })
    .await;
    let leader = network.leader().await;
    let config = network.nodes[leader].channel().state().last_config;
    let blocks = network.nodes[leader].blocks(config + 1).await;
    assert!(proto::block::is_config(&blocks[config as usize]));
    assert_eq!(proto::block::last_config(&blocks[config as usize]).unwrap(), config);
    // Every node knows, once it has the block.
    for (index, node) in network.nodes.iter().enumerate() {
        node.blocks(config + 1).await;
        let answers = network.broadcast(index, vec![network.transaction("large", 6000)]).await;
        assert_eq!(answers[0].status, Status::BadRequest as i32, "{answers:?}");
    }
    network.insist(&network.transactions("after", 3, 10)).await;
    // An update made for the configuration before is refused with the reason.
    let old = channel::Bundle::from_block(&blocks[0]).unwrap();
    let stale = network.update(&old, |root| {
        change(root, key::BATCH_SIZE, |size: &mut BatchSize| size.max_message_count = 7);
    });
    let answers = network.broadcast(leader, vec![stale]).await;
    assert_eq!(answers[0].status, Status::BadRequest as i32, "{answers:?}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consenter_joins_by_a_later_block_and_leaves_again() {
    let mut network = Network::with_channel(2, |profile| {
        // The new node's log starts after the compaction of the others'.
        profile.orderer.raft.options.snapshot_interval_size = 1;
    })
    .await;
    network.insist(&network.transactions("before", 30, 10_000)).await;

    network.add_node().await;
    let consenter = network.nodes[2].consenter();
    reconfigure(&network, |root| {
        change_raft(root, |raft| raft.consenters.push(consenter.clone()));
    })
    .await;
    let leader = network.leader().await;
    let state = network.nodes[leader].channel().state();
    assert_eq!(state.consenters.ids().collect::<Vec<_>>(), [1, 2, 3]);
    let join = network.nodes[leader].channel().store().block(state.last_config).unwrap().unwrap();
    let info = network.nodes[2].handle().channels.join(&join).unwrap();
    assert_eq!((info.consensus_relation, info.status), (Relation::Consenter, Health::Onboarding));
    network.nodes[2].blocks(state.last_config + 1).await;
    wait_for("the new consenter", || {
        (network.nodes[2].channel().info().status == Health::Active).then_some(())
    })
    .await;

    // It is needed for a majority now.
    let victim = usize::from(network.leader().await == 0);
    network.nodes[victim].kill().await;
    network.insist(&network.transactions("with the new one", 5, 100)).await;
    network.nodes[victim].start().await;
    network.leader().await;

    // Removed, it follows: it has all blocks and orders nothing.
    let certificate = network.nodes[2].certificate.clone();
    wait_for("all three", || {
        let leader = network.nodes.iter().find(|n| n.channel().consensus().borrow().ready)?;
        (leader.channel().consensus().borrow().alive.len() == 3).then_some(())
    })
    .await;
    reconfigure(&network, |root| {
        change_raft(root, |raft| {
            raft.consenters.retain(|c| c.client_tls_cert != certificate.as_bytes());
        });
    })
    .await;
    wait_for("the follower", || {
        let info = network.nodes[2].channel().info();
        (info.consensus_relation == Relation::Follower).then_some(())
    })
    .await;
    let last = network.transactions("after", 3, 100);
    for envelope in &last {
        let answers = network.broadcast(network.leader().await, vec![envelope.clone()]).await;
        assert_eq!(answers[0].status, Status::Success as i32, "{answers:?}");
    }
    let height = network.nodes[network.leader().await].height();
    let followed = network.nodes[2].blocks(height).await;
    let chain = network.nodes[0].blocks(height).await;
    assert_same(&chain, &followed);
    assert!(contents(&followed).len() >= 38);
    let answers = network.broadcast(2, vec![last[0].clone()]).await;
    assert_eq!(answers[0].status, Status::ServiceUnavailable as i32, "{answers:?}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consenter_sets_change_one_by_one_and_never_lose_their_quorum() {
    let mut network = Network::with_channel(3, |_| {}).await;
    network.add_node().await;
    network.add_node().await;
    let more = [network.nodes[3].consenter(), network.nodes[4].consenter()];
    let leader = network.leader().await;
    let bundle = network.nodes[leader].channel().state().bundle.clone();
    let refused = async |node: usize, text: &str, edit: &dyn Fn(&mut ConfigMetadata)| {
        let update = network.update(&bundle, |root| change_raft(root, edit));
        let answers = network.broadcast(node, vec![update]).await;
        assert_eq!(answers[0].status, Status::BadRequest as i32, "{answers:?}");
        assert!(answers[0].info.contains(text), "{answers:?} lacks {text}");
    };
    refused(leader, "more than one consenter", &|raft| raft.consenters.extend(more.clone())).await;
    refused(leader, "empty consenter set", &|raft| raft.consenters.clear()).await;
    refused(leader, "ElectionTick must be greater", &|raft| {
        raft.options.as_mut().unwrap().election_tick = 1;
    })
    .await;
    let foreign: bytes::Bytes = network.members.tls("foreign").0.into();
    refused(leader, "signed by an unknown authority", &|raft| {
        let mut consenter = more[0].clone();
        consenter.client_tls_cert = foreign.clone();
        raft.consenters.push(consenter);
    })
    .await;
    assert_eq!(network.nodes[leader].height(), 1);
    let victim = (leader + 1) % 3;
    network.nodes[victim].kill().await;
    // With a dead node in a set of three, a fourth that is not up yet would be one too many.
    wait_for("silence", || {
        let alive = network.nodes[leader].channel().consensus().borrow().alive.len();
        (alive == 2).then_some(())
    })
    .await;
    let update = network.update(&bundle, |root| {
        change_raft(root, |raft| raft.consenters.push(more[0].clone()));
    });
    let answers = network.broadcast(leader, vec![update]).await;
    assert!(answers[0].info.contains("configuration will result in quorum loss"), "{answers:?}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_hands_over_before_it_is_removed() {
    let network = Network::with_channel(2, |_| {}).await;
    let leader = network.leader().await;
    let certificate = network.nodes[leader].certificate.clone();
    reconfigure(&network, |root| {
        change_raft(root, |raft| {
            raft.consenters.retain(|c| c.client_tls_cert != certificate.as_bytes());
        });
    })
    .await;
    let heir = 1 - leader;
    wait_for("the heir", || network.nodes[heir].channel().consensus().borrow().ready.then_some(()))
        .await;
    let answers = network.broadcast(heir, network.transactions("tx", 3, 10)).await;
    assert!(answers.iter().all(|a| a.status == Status::Success as i32), "{answers:?}");
    let height = network.nodes[heir].height();
    let followed = network.nodes[leader].blocks(height).await;
    assert_same(&network.nodes[heir].blocks(height).await, &followed);
    assert_eq!(network.nodes[leader].channel().info().consensus_relation, Relation::Follower);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_evicted_while_it_was_down_notices() {
    let mut network = Network::with_channel(3, |_| {}).await;
    let victim = (network.leader().await + 1) % 3;
    let certificate = network.nodes[victim].certificate.clone();
    network.nodes[victim].kill().await;
    reconfigure(&network, |root| {
        change_raft(root, |raft| {
            raft.consenters.retain(|c| c.client_tls_cert != certificate.as_bytes());
        });
    })
    .await;
    network.nodes[victim].start().await;
    wait_for("the eviction to be noticed", || {
        let info = network.nodes[victim].channel().info();
        (info.consensus_relation == Relation::Follower).then_some(())
    })
    .await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_no_transaction_is_ordered() {
    let network = Network::with_channel(1, |_| {}).await;
    let state = |root: &mut ConfigGroup, state: consensus_type::State| {
        change(root, key::CONSENSUS_TYPE, |consensus: &mut ConsensusType| {
            consensus.state = state as i32;
        });
    };
    let bundle = network.nodes[0].channel().state().bundle.clone();
    let mixed = network.update(&bundle, |root| {
        state(root, consensus_type::State::Maintenance);
        change(root, key::BATCH_SIZE, |size: &mut BatchSize| size.max_message_count = 7);
    });
    let answers = network.broadcast(0, vec![mixed]).await;
    assert_eq!(answers[0].status, Status::BadRequest as i32, "{answers:?}");
    reconfigure(&network, |root| state(root, consensus_type::State::Maintenance)).await;
    let answers = network.broadcast(0, network.transactions("tx", 1, 10)).await;
    assert_eq!(answers[0].status, Status::ServiceUnavailable as i32);
    assert_eq!(answers[0].info, "normal transactions are rejected: maintenance mode");
    reconfigure(&network, |root| state(root, consensus_type::State::Normal)).await;
    network.insist(&network.transactions("tx", 1, 10)).await;
    assert_eq!(network.nodes[0].handle().channels.list()[0].id(), CHANNEL);
    network.stop().await;
}
