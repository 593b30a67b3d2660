//! A peer that follows a chain: verify the block, validate its transactions, commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deliver::Verifier;
use ledger::Ledgers;
use node::metrics::Registry;
use peer::channels::{Channel, Channels};
use peer::committer::{self, Feed, Metrics, Pipeline, commit_all};
use peer::private_data::Member;
use proto::block;
use proto::peer::TxValidationCode;

use super::Tell;
use super::chain::{Chain, Reader, SETUP_BLOCKS};
use super::clock::{self, Spent, Watch};

/// What following the chain took.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    /// Transactions in the blocks that were measured.
    pub(crate) transactions: u64,
    /// How many of them are valid.
    pub(crate) valid: u64,
    /// From the first block to the last one on disk, indexes included.
    pub(crate) spent: Spent,
    /// Processor time by stage, of the threads that run it alone.
    pub(crate) stages: BTreeMap<&'static str, Duration>,
    /// What the peer's folder takes at the end.
    pub(crate) disk_bytes: u64,
}

/// Replays the chain into a new ledger in `dir`, which is removed afterwards.
pub(super) async fn run(chain: &Chain, dir: &Path, tell: Tell<'_>) -> Result<Replayed> {
    let folder = dir.join("ledger");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("remove an earlier ledger")?;
    }
    let ledgers = Ledgers::open(&folder, ledger::Config::default())?;
    let channels = Channels::open(ledgers, 1, 1)?;
    let reader = Arc::new(chain.reader()?);
    let genesis = block::parse(reader.block(0)?)?;
    let channel = channels.join(&genesis)?;
    let height = chain.blocks().len() as u64 + SETUP_BLOCKS;
    follow(&channel, &reader, 1..SETUP_BLOCKS, &|_| {}).await?;

    channel.ledger().times().start(clock::thread);
    let watch = Watch::start();
    let progress = |number| tell("replay", number, height);
    let verifying = follow(&channel, &reader, SETUP_BLOCKS..height, &progress).await?;
    let mut stages = channel.ledger().times().spent();
    let (transactions, valid) = check(chain, &channel)?;
    // Closing writes what is still collected in memory; that belongs to the work.
    drop((channel, channels));
    let spent = watch.spent();
    stages.insert("verify block", verifying);
    let disk_bytes = size(&folder);
    std::fs::remove_dir_all(&folder).context("remove the ledger")?;
    Ok(Replayed { transactions, valid, spent, stages, disk_bytes })
}

/// Commits blocks as the committer of a peer does, and returns what verifying them took.
async fn follow(
    channel: &Arc<Channel>,
    reader: &Arc<Reader>,
    numbers: std::ops::Range<u64>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Duration> {
    let config = committer::Config::default();
    let (feed, blocks) = committer::queue(config.blocks_ahead_max);
    let member = Member::new("Org1MSP", bytes::Bytes::new());
    let pipeline = Pipeline::new(channel.clone(), member, Metrics::new(&Registry::new()));
    let committing =
        tokio::task::spawn_blocking(move || commit_all(pipeline, blocks, &config, || false));
    let spent = Arc::new(AtomicU64::new(0));
    let last = channel.load_block(channel.height() - 1).await?;
    let verifier = Verifier::after(channel.bundle(), block::header(&last)?);
    let feeding = {
        let (reader, spent, runtime) =
            (reader.clone(), spent.clone(), tokio::runtime::Handle::current());
        let work = move || runtime.block_on(supply(verifier, &reader, numbers, &feed, &spent));
        tokio::task::spawn_blocking(work)
    };
    let mut heights = channel.watch_height();
    while !committing.is_finished() {
        let changed = tokio::time::timeout(Duration::from_millis(100), heights.changed()).await;
        if changed.is_ok() {
            progress(*heights.borrow_and_update());
        }
    }
    committing.await.context("the committer panicked")??;
    feeding.await.context("the feeder panicked")??;
    Ok(Duration::from_nanos(spent.load(Ordering::Relaxed)))
}

/// Verifies blocks as they would come from an orderer, and hands them on.
async fn supply(
    mut verifier: Verifier,
    reader: &Reader,
    numbers: std::ops::Range<u64>,
    feed: &Feed,
    spent: &AtomicU64,
) -> Result<()> {
    for number in numbers {
        let bytes = reader.block(number)?;
        let begun = clock::thread();
        let block = block::parse(bytes)?;
        let bundle = verifier.bundle().clone();
        verifier.verify(&block)?;
        let took = clock::thread().saturating_sub(begun);
        spent.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(0), Ordering::Relaxed);
        ensure!(feed.send(block, bundle).await, "the committer takes no more blocks");
    }
    Ok(())
}

/// Compares every validation code with what the chain was made for.
fn check(chain: &Chain, channel: &Channel) -> Result<(u64, u64)> {
    let (mut transactions, mut valid) = (0, 0);
    for number in chain.blocks() {
        let block = channel.ledger().block(number)?;
        let block = block.with_context(|| format!("block {number} was not committed"))?;
        let codes = block::transactions_filter(&block);
        let expected = chain.shape.expected(number, codes.len());
        let differs =
            expected.iter().zip(&codes).position(|(code, found)| *code as i32 as u8 != *found);
        if let Some(at) = differs {
            anyhow::bail!("transaction {at} of block {number} has code {}", codes[at]);
        }
        transactions += codes.len() as u64;
        valid += expected.iter().filter(|code| **code == TxValidationCode::Valid).count() as u64;
    }
    Ok((transactions, valid))
}

/// Bytes of all files below a folder; what cannot be read counts for nothing.
fn size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let each = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    each.sum()
}
