//! Whole clusters in one thread under one seed, for tests.
//!
//! Time is a number. The network loses, delays, doubles and reorders; links break one way or both;
//! nodes crash between any two effects, lose what was not synced, and come back; the consenter set
//! changes meanwhile. What must hold is checked at every commit; that work goes on after the faults
//! end is checked last. A failure prints the seed, which is all it takes to see it again.

mod world;

use world::{Faults, World};

/// One run: `steps` events under faults, then a calm phase in which everything must converge.
fn run(seed: u64, nodes: u64, faults: Faults, steps: usize) {
    let outcome = std::panic::catch_unwind(|| {
        let mut world = World::new(seed, nodes, faults);
        world.run(steps);
        world.calm_down();
        world.summary()
    });
    match outcome {
        Ok(summary) => assert!(summary.acknowledged > 0, "seed {seed}: nothing was ordered"),
        Err(_) => panic!("seed {seed} with {nodes} nodes and {faults:?} failed"),
    }
}

#[test]
fn a_calm_cluster_orders_everything() {
    for nodes in [1, 2, 3, 5] {
        run(nodes, nodes, Faults::none(), 3000);
    }
}

#[test]
fn nothing_is_lost_or_forked_under_loss_and_delay() {
    for seed in 0..60 {
        run(seed, 3, Faults { loss: 0.2, ..Faults::none() }, 4000);
    }
}

#[test]
fn nothing_is_lost_or_forked_under_crashes() {
    for seed in 1000..1100 {
        run(seed, 1 + seed % 4, Faults { crash: 0.004, ..Faults::none() }, 4000);
    }
}

#[test]
fn nothing_is_lost_or_forked_under_all_faults() {
    for seed in 2000..2200 {
        run(seed, 3 + seed % 3, Faults::all(), 5000);
    }
}

/// `GAUZE_SEEDS=from..to cargo test -p orderer --lib many_seeds -- --ignored`
#[test]
#[ignore = "long; run on demand"]
fn many_seeds() {
    let range = node::config::environment("GAUZE_SEEDS").unwrap_or_else(|| "0..20000".to_owned());
    let (from, to) = range.split_once("..").unwrap();
    for seed in from.parse().unwrap()..to.parse::<u64>().unwrap() {
        run(seed, 1 + seed % 5, Faults::all(), 6000);
    }
}
