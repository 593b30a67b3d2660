//! Comparing what nodes hold, block by block.

use std::collections::BTreeMap;
use std::time::Duration;

use client::admin::{Peer, Position};
use proto::block;
use proto::common::Block;
use proto::envelope::Envelope;
use proto::transaction::TxValidationCode;

use super::load::Acknowledged;
use crate::harness::{MAIN, Network, Node, until};

const SAME_HEIGHT: Duration = Duration::from_secs(60);

/// A peer's blocks.
#[derive(Debug)]
pub(super) struct Chain {
    peer: String,
    blocks: Vec<Block>,
}

/// Waits until all peers have the same height, and reads their blocks.
pub(super) async fn read(network: &Network, nodes: &[Node]) -> Vec<Chain> {
    let mut peers = Vec::new();
    for node in nodes {
        let (_, organization) = node.name.split_once('.').unwrap();
        peers.push(network.peer(node, &network.user(organization, "admin")).await);
    }
    let height = until("the same height everywhere", SAME_HEIGHT, async || {
        let mut heights = Vec::new();
        for peer in &peers {
            heights.push(peer.chain_info(MAIN).await.unwrap().height);
        }
        heights.iter().all(|height| *height == heights[0]).then(|| heights[0])
    })
    .await;
    let mut chains = Vec::new();
    for (peer, node) in peers.iter().zip(nodes) {
        chains.push(Chain { peer: node.name.clone(), blocks: blocks(peer, height).await });
    }
    chains
}

async fn blocks(peer: &Peer, height: u64) -> Vec<Block> {
    let mut blocks = Vec::new();
    for number in 0..height {
        blocks.push(peer.block(MAIN, Position::Number(number)).await.unwrap());
    }
    blocks
}

/// All peers hold the same blocks, judged alike; the commit hash covers every write.
pub(super) fn agree(chains: &[Chain]) {
    let [first, others @ ..] = chains else { panic!("no peers") };
    for other in others {
        assert_eq!(first.blocks.len(), other.blocks.len());
        for (a, b) in first.blocks.iter().zip(&other.blocks) {
            let place = format!("block {} of {} and {}", block::number(a), first.peer, other.peer);
            assert_eq!(a.header, b.header, "{place}");
            assert_eq!(a.data, b.data, "{place}");
            let flags = (block::transactions_filter(a), block::transactions_filter(b));
            assert_eq!(flags.0, flags.1, "{place}");
            assert_eq!(block::commit_hash(a), block::commit_hash(b), "{place}");
        }
    }
    for (previous, next) in first.blocks.iter().zip(&first.blocks[1..]) {
        let hash = block::header_hash(block::header(previous).unwrap());
        assert_eq!(block::header(next).unwrap().previous_hash, hash.as_slice());
    }
}

/// Every acknowledged transaction is in the block its client was told, once, with that code.
pub(super) fn hold(chain: &Chain, acknowledged: &Acknowledged) {
    let mut judged: BTreeMap<String, Vec<(u64, i32)>> = BTreeMap::new();
    for found in &chain.blocks {
        let codes = block::transactions_filter(found);
        for (envelope, code) in block::envelopes(found).iter().zip(codes) {
            let envelope = Envelope::parse(envelope.clone()).unwrap();
            let verdict = (block::number(found), i32::from(code));
            judged.entry(envelope.channel_header.tx_id).or_default().push(verdict);
        }
    }
    let mut invalid = 0;
    for (tx_id, seen) in acknowledged {
        let found = judged.get(tx_id).unwrap_or_else(|| panic!("{tx_id} is lost: {seen:?}"));
        assert_eq!(found[..], [(seen.block, seen.code as i32)], "{tx_id}");
        invalid += usize::from(seen.code != TxValidationCode::Valid);
    }
    eprintln!("{} blocks, {invalid} acknowledged as invalid", chain.blocks.len());
}

/// Every orderer has the same chain as the peers.
pub(super) async fn ordered(network: &Network, chain: &Chain) {
    let newest = chain.blocks.last().unwrap();
    let admin = network.user("alpha", "admin");
    for node in network.of_role("orderer") {
        let orderer = network.orderer(&node, &admin).await;
        until(&format!("the newest block at {}", node.name), SAME_HEIGHT, async || {
            let block = orderer.block(MAIN, Position::Newest).await.ok()?;
            (block.header == newest.header).then_some(())
        })
        .await;
    }
}
