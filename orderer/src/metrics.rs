//! The orderer's metrics.

use node::metrics::{Counter, Family, Gauge, Registry};
use prometheus_client::encoding::EncodeLabelSet;

/// Metrics of all channels; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    leader: Family<Channel, Gauge>,
    has_leader: Family<Channel, Gauge>,
    term: Family<Channel, Gauge>,
    alive: Family<Channel, Gauge>,
    height: Family<Channel, Gauge>,
    stopped: Family<Channel, Gauge>,
    blocks: Family<Channel, Counter>,
    envelopes: Family<Channel, Counter>,
    /// Answers to Broadcast, by status.
    pub(crate) answers: Family<Answer, Counter>,
    /// Consensus messages dropped because a queue was full.
    pub(crate) dropped: Counter,
    /// Cluster requests refused because the sender is not a consenter.
    pub(crate) strangers: Counter,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Channel {
    channel: String,
}

/// Label of a Broadcast answer.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
}

/// Metrics of one channel.
#[derive(Debug, Clone)]
pub(crate) struct ChannelMetrics {
    pub(crate) leader: Gauge,
    pub(crate) has_leader: Gauge,
    pub(crate) term: Gauge,
    pub(crate) alive: Gauge,
    pub(crate) height: Gauge,
    pub(crate) stopped: Gauge,
    pub(crate) blocks: Counter,
    pub(crate) envelopes: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &Registry) {
        let add = |name: &str, help: &str, family: &Family<Channel, Gauge>| {
            registry.register(&format!("gauze_orderer_{name}"), help, family.clone());
        };
        add("leader", "1 where this node leads the channel and accepts envelopes", &self.leader);
        add("has_leader", "1 while a leader of the channel is known", &self.has_leader);
        add("term", "Raft term of the channel", &self.term);
        add("active_consenters", "On the leader: consenters heard of lately", &self.alive);
        add("height", "Blocks of the channel", &self.height);
        add("channel_stopped", "1 if the channel has stopped on an error", &self.stopped);
        let count = |name: &str, help: &str, family: &Family<Channel, Counter>| {
            registry.register(&format!("gauze_orderer_{name}"), help, family.clone());
        };
        count("blocks", "Blocks written", &self.blocks);
        count("envelopes", "Envelopes taken by this node as leader", &self.envelopes);
        registry.register(
            "gauze_orderer_broadcast_answers",
            "Answers to Broadcast by status",
            self.answers.clone(),
        );
        registry.register(
            "gauze_orderer_cluster_dropped",
            "Consensus messages dropped because a queue was full",
            self.dropped.clone(),
        );
        registry.register(
            "gauze_orderer_cluster_strangers",
            "Cluster requests refused because the sender is not a consenter",
            self.strangers.clone(),
        );
    }

    pub(crate) fn channel(&self, channel: &str) -> ChannelMetrics {
        let label = Channel { channel: channel.to_owned() };
        ChannelMetrics {
            leader: self.leader.get_or_create(&label).clone(),
            has_leader: self.has_leader.get_or_create(&label).clone(),
            term: self.term.get_or_create(&label).clone(),
            alive: self.alive.get_or_create(&label).clone(),
            height: self.height.get_or_create(&label).clone(),
            stopped: self.stopped.get_or_create(&label).clone(),
            blocks: self.blocks.get_or_create(&label).clone(),
            envelopes: self.envelopes.get_or_create(&label).clone(),
        }
    }

    /// Forgets a removed channel.
    pub(crate) fn forget(&self, channel: &str) {
        let label = Channel { channel: channel.to_owned() };
        let gauges = [&self.leader, &self.has_leader, &self.term, &self.alive];
        for family in gauges.into_iter().chain([&self.height, &self.stopped]) {
            family.remove(&label);
        }
        self.blocks.remove(&label);
        self.envelopes.remove(&label);
    }
}
