//! Following a channel through honest, lying, silent and vanishing orderers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deliver::Verifier;
use deliver::client::{Blocks, Client, Config, Security, Verified};
use msp::SigningIdentity;
use node::tasks::Tasks;
use prost::Message;
use proto::block;
use proto::common::{Block, BlockMetadataIndex, OrdererAddresses};

use crate::chain::{Chain, Served, message, sign};
use crate::consortium::{Consortium, bundle};
use crate::orderer::{Orderer, SOON};

/// Several orderers of one channel and a peer that follows it.
struct Network {
    consortium: Consortium,
    orderers: Vec<Orderer>,
    sources: Vec<Arc<Served>>,
    genesis: Block,
    signer: Arc<SigningIdentity>,
    tasks: Tasks,
}

impl Network {
    /// Orderers that listen and have no channel yet.
    async fn start(count: usize) -> Self {
        Self::start_with(count, false).await
    }

    /// The same; `late` ones begin to answer with the first block.
    async fn start_with(count: usize, late: bool) -> Self {
        let consortium = Consortium::new();
        let mut orderers = Vec::new();
        for _ in 0..count {
            orderers.push(Orderer::bind(&consortium).await);
        }
        let addresses: Vec<_> = orderers.iter().map(|orderer| orderer.address.clone()).collect();
        let genesis = consortium.genesis(&addresses);
        let sources: Vec<_> = (0..count).map(|_| Served::new(None)).collect();
        for (orderer, source) in orderers.iter_mut().zip(&sources) {
            orderer.late = late;
            orderer.serve(Arc::clone(source));
        }
        let signer = consortium.orderers.member("orderer");
        Self { consortium, orderers, sources, genesis, signer, tasks: Tasks::new() }
    }

    fn chain(&self, blocks: usize) -> Arc<Chain> {
        let chain = Chain::new(self.genesis.clone());
        chain.grow(blocks - 1, &self.signer);
        chain
    }

    fn serve(&self, orderer: usize, chain: &Arc<Chain>) {
        *self.sources[orderer].chain.lock().unwrap() = Some(Arc::clone(chain));
    }

    /// Waits until an orderer was asked for the channel more than `times` times.
    async fn asked(&self, orderer: usize, times: usize) {
        let mut asked = self.sources[orderer].asked.subscribe();
        let waiting = asked.wait_for(|asked| *asked > times);
        tokio::time::timeout(SOON, waiting).await.expect("the orderer is asked").unwrap();
    }

    fn times_asked(&self, orderer: usize) -> usize {
        *self.sources[orderer].asked.borrow()
    }

    fn client(&self) -> Client {
        let users = &self.consortium.users;
        let config = Config {
            connect_timeout: Duration::from_secs(2),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(100),
            distrust: Duration::from_secs(600),
            silence: Duration::from_millis(300),
            silence_grace: Duration::from_millis(300),
            buffered_blocks_max: 4,
        };
        Client::new(users.member("peer"), Security::Tls(Some(users.client_tls())), config)
    }

    fn follow(&self) -> Blocks {
        let verifier =
            Verifier::after(bundle(&self.genesis), self.genesis.header.as_ref().unwrap());
        Arc::new(self.client()).follow(verifier, &self.tasks)
    }

    async fn stop(self) {
        assert!(self.tasks.shutdown(SOON).await.dropped.is_empty());
        for orderer in &self.orderers {
            orderer.stop().await;
        }
    }
}

async fn next(blocks: &mut Blocks) -> Verified {
    tokio::time::timeout(SOON, blocks.next()).await.expect("a block").expect("no end")
}

async fn expect(blocks: &mut Blocks, chain: &Chain, numbers: std::ops::Range<usize>) -> String {
    let mut source = String::new();
    for number in numbers {
        let verified = next(blocks).await;
        assert_eq!(verified.block, chain.block(number), "block {number}");
        source = verified.source;
    }
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn all_blocks_come_in_order_now_and_later() {
    let network = Network::start(3).await;
    let chain = network.chain(30);
    (0..3).for_each(|orderer| network.serve(orderer, &chain));
    let mut blocks = network.follow();
    expect(&mut blocks, &chain, 1..30).await;
    chain.grow(10, &network.signer);
    expect(&mut blocks, &chain, 30..40).await;
    network.stop().await;
    assert!(blocks.next().await.is_none(), "cancelling ends the following");
}

/// A block 3 that no honest orderer would send.
fn lies(network: &Network, chain: &Chain) -> Vec<(&'static str, Block)> {
    let honest = chain.block(3);
    let signer = &network.signer;
    let other = vec![message(b"forged", signer)];
    let mut unsigned = honest.clone();
    block::set_slot(
        &mut unsigned,
        BlockMetadataIndex::Signatures,
        Bytes::from_static(b"\x0a\x02\x0a\x00"),
    );
    let mut wrong_signer = honest.clone();
    sign(&mut wrong_signer, 0, &network.consortium.users.member("peer"));
    let mut swapped = honest.clone();
    swapped.data.as_mut().unwrap().data = other.clone();
    let mut forked = block::new(3, Bytes::from_static(&[9; 32]), other);
    sign(&mut forked, 0, signer);
    vec![
        ("unsigned", unsigned),
        ("signed by a peer", wrong_signer),
        ("other data", swapped),
        ("another chain", forked),
        ("another number", chain.block(5)),
        ("repeated", chain.block(2)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_orderer_is_left_for_an_honest_one() {
    let network = Network::start(2).await;
    let chain = network.chain(10);
    for (lie, block) in lies(&network, &chain) {
        *network.sources[1].chain.lock().unwrap() = None;
        let liar = Chain::new(network.genesis.clone());
        (1..3).for_each(|number| liar.append(chain.block(number)));
        liar.append(block);
        (4..10).for_each(|number| liar.append(chain.block(number)));
        network.serve(0, &liar);
        let tasks = network.tasks.child();
        let verifier =
            Verifier::after(bundle(&network.genesis), network.genesis.header.as_ref().unwrap());
        let mut blocks = Arc::new(network.client()).follow(verifier, &tasks);
        let source = expect(&mut blocks, &chain, 1..3).await;
        assert_eq!(source, network.orderers[0].address, "{lie}");
        let asked = network.times_asked(1);
        network.asked(1, asked).await;
        let liar_asked = network.times_asked(0);
        network.serve(1, &chain);
        let source = expect(&mut blocks, &chain, 3..10).await;
        assert_eq!(source, network.orderers[1].address, "{lie}");
        assert_eq!(network.times_asked(0), liar_asked, "{lie}: a liar is not asked again");
        tasks.shutdown(SOON).await;
    }
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_orderer_is_left_when_others_have_more() {
    let network = Network::start(2).await;
    let chain = network.chain(10);
    let silent = Chain::new(network.genesis.clone());
    (1..4).for_each(|number| silent.append(chain.block(number)));
    network.serve(0, &silent);
    let mut blocks = network.follow();
    let source = expect(&mut blocks, &chain, 1..4).await;
    assert_eq!(source, network.orderers[0].address);
    network.serve(1, &chain);
    let source = expect(&mut blocks, &chain, 4..10).await;
    assert_eq!(source, network.orderers[1].address);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_fault_while_nobody_has_more() {
    let network = Network::start(2).await;
    let chain = network.chain(3);
    (0..2).for_each(|orderer| network.serve(orderer, &chain));
    let mut blocks = network.follow();
    let source = expect(&mut blocks, &chain, 1..3).await;
    let other = usize::from(source == network.orderers[0].address);
    let asked = network.times_asked(other);
    network.asked(other, asked + 2).await;
    chain.grow(1, &network.signer);
    assert_eq!(expect(&mut blocks, &chain, 3..4).await, source, "it is still followed");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderer_may_begin_to_answer_with_the_first_block() {
    let network = Network::start_with(2, true).await;
    let chain = network.chain(1);
    (0..2).for_each(|orderer| network.serve(orderer, &chain));
    let mut blocks = network.follow();
    // Longer than connecting may take: one is asked for news every 300 ms, the other is followed.
    tokio::select! {
        () = network.asked(0, 9) => {}
        () = network.asked(1, 9) => {}
    }
    chain.grow(2, &network.signer);
    let source = expect(&mut blocks, &chain, 1..3).await;
    let followed = usize::from(source == network.orderers[1].address);
    assert_eq!(network.times_asked(followed), 1, "it was never left");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderer_that_vanishes_is_replaced() {
    let network = Network::start(2).await;
    let chain = network.chain(5);
    (0..2).for_each(|orderer| network.serve(orderer, &chain));
    let mut blocks = network.follow();
    let source = expect(&mut blocks, &chain, 1..5).await;
    let gone = network.orderers.iter().position(|orderer| orderer.address == source).unwrap();
    network.orderers[gone].stop().await;
    chain.grow(5, &network.signer);
    let source = expect(&mut blocks, &chain, 5..10).await;
    assert_eq!(source, network.orderers[1 - gone].address);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_brings_new_orderers() {
    let network = Network::start(1).await;
    let chain = network.chain(2);
    network.serve(0, &chain);
    let mut blocks = network.follow();
    expect(&mut blocks, &chain, 1..2).await;
    let mut successor = Orderer::bind(&network.consortium).await;
    let source = Served::new(Some(Arc::clone(&chain)));
    successor.serve(source);
    let addresses = OrdererAddresses { addresses: vec![successor.address.clone()] };
    let (users, orderers) = (&network.consortium.users, &network.consortium.orderers);
    let admins = [&*users.member("admin"), &*orderers.member("admin")];
    let replace = |config: &mut proto::common::Config| {
        let root = config.channel_group.as_mut().unwrap();
        let org = root.groups.get_mut("Orderer").unwrap().groups.get_mut("Orderers").unwrap();
        org.values.get_mut("Endpoints").unwrap().value = addresses.encode_to_vec().into();
    };
    chain.reconfigure(replace, &admins, &network.signer);
    let verified = next(&mut blocks).await;
    assert_eq!(
        (verified.bundle.sequence(), verified.source),
        (1, network.orderers[0].address.clone())
    );
    chain.grow(3, &network.signer);
    assert_eq!(expect(&mut blocks, &chain, 3..6).await, successor.address);
    assert_eq!(next_config(&chain), 2);
    network.stop().await;
    successor.stop().await;
}

fn next_config(chain: &Chain) -> u64 {
    block::last_config(&chain.block(chain.height() as usize - 1)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_blocks_ends_the_following() {
    let network = Network::start(1).await;
    let chain = network.chain(5);
    network.serve(0, &chain);
    let mut blocks = network.follow();
    expect(&mut blocks, &chain, 1..3).await;
    drop(blocks);
    let deadline = std::time::Instant::now() + SOON;
    while !network.tasks.running().is_empty() {
        assert!(
            std::time::Instant::now() < deadline,
            "still running: {:?}",
            network.tasks.running()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    network.stop().await;
}
