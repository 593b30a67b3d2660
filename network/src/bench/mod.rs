//! How fast a peer follows a channel, and what the limit is.
//!
//! A chain is generated with real keys ([`chain`]), then replayed through the verification,
//! validation and commit of a peer ([`replay`]), fsync included. In the same run, the chain's
//! signatures are verified and nothing else ([`limit`]): no peer can be faster than that, so the
//! ratio of the two says how much everything else costs, on any machine.

mod chain;
mod clock;
mod consortium;
mod limit;
mod replay;
mod report;

use std::path::Path;

use anyhow::Result;

pub(crate) use chain::Shape;
pub(crate) use report::{Outcome, stage_rows};

use chain::Chain;

/// What the person waiting is told: what happens, and how far it is.
pub(crate) type Tell<'a> = &'a (dyn Fn(&str, u64, u64) + Sync);

/// Generates one chain unless it is in `dir` already, measures it, and compares it with the limit.
pub(crate) async fn run(shape: &Shape, dir: &Path, tell: Tell<'_>) -> Result<Outcome> {
    let chain = Chain::open_or_generate(shape, dir, tell)?;
    let blocks = chain.blocks();
    // Half of the limit before and half after, so that a change of the machine's load in between
    // weighs on both sides.
    let middle = blocks.len() / 2;
    let mut limit = limit::measure(&chain, &blocks[..middle], tell)?;
    let replayed = replay::run(&chain, dir, tell).await?;
    limit += limit::measure(&chain, &blocks[middle..], tell)?;
    Ok(Outcome { shape: shape.clone(), limit, replayed })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain with every kind of transaction comes out as it was made, from the generator and
    /// from disk; that it was replayed at all is checked by `replay`.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_generated_chain_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let shape = Shape {
            transactions: 60,
            endorsements: 2,
            block_size: 7,
            value_bytes: 10,
            keys: 20,
            conflicts: 0.2,
        };
        for _ in 0..2 {
            let outcome = run(&shape, dir.path(), &|_, _, _| {}).await.unwrap();
            let replayed = &outcome.replayed;
            assert_eq!(replayed.transactions, 60);
            assert!((40..60).contains(&replayed.valid), "{} are valid", replayed.valid);
            assert_eq!(outcome.limit.signatures, 180);
            assert!(replayed.stages.contains_key("mvcc") && replayed.stages.contains_key("blocks"));
            assert!(!stage_rows(&outcome).is_empty());
        }
    }
}
