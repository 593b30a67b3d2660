//! How fast orderers are; run on demand and on a quiet machine.

use std::time::Instant;

use proto::common::Status;

use crate::network::{Network, send};

/// Envelopes of 4 KB on four streams, pipelined; then single ones, one after the other.
async fn measure(orderers: usize) {
    const STREAMS: usize = 4;
    const COUNT: usize = 2000;
    let network = Network::with_channel(orderers, |_| {}).await;
    let leader = network.leader().await;
    let mut streams = Vec::new();
    for stream in 0..STREAMS {
        let sent = network.transactions(&format!("stream {stream}"), COUNT, 4000);
        streams.push(send(network.connect(leader).await, sent));
    }
    let start = Instant::now();
    for answers in futures::future::join_all(streams).await {
        assert!(
            answers.len() == COUNT && answers.iter().all(|a| a.status == Status::Success as i32)
        );
    }
    let rate = (STREAMS * COUNT) as f64 / start.elapsed().as_secs_f64();
    let height = network.nodes[leader].height();
    let mut times: Vec<_> = Vec::new();
    for envelope in network.transactions("single", 100, 4000) {
        let client = network.connect(leader).await;
        let start = Instant::now();
        assert_eq!(send(client, vec![envelope]).await.len(), 1);
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "{orderers} orderers: {rate:.0} envelopes/s in {height} blocks; alone: median {:?}, p95 {:?}",
        times[50], times[95]
    );
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn throughput_and_latency() {
    for orderers in [1, 3] {
        measure(orderers).await;
    }
}
