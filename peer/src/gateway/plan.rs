//! Which endorser to ask next: layouts are tried one after the other until one is complete.
//!
//! A plan knows no network. It hands out peers, is told how they did, and gives up layouts whose
//! groups have run out of peers.

use std::collections::{BTreeMap, VecDeque};

use proto::peer::ProposalResponse;

use crate::discovery::{Descriptor, Layout, PeerInfo};

/// The endorsements still to be collected.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    layouts: Vec<Layout>,
    /// Peers not asked yet, the best first.
    waiting: BTreeMap<String, VecDeque<PeerInfo>>,
    obtained: BTreeMap<String, u32>,
}

/// A peer to be asked on behalf of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    pub(super) group: String,
    pub(super) peer: PeerInfo,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Ask these peers.
    Ask(Vec<Ask>),
    /// There are enough endorsements.
    Complete,
    /// No layout can be completed any more.
    Exhausted,
}

impl Plan {
    /// A plan to satisfy one of the layouts of `descriptor`. Layouts are tried in their order.
    pub(super) fn new(descriptor: Descriptor) -> Self {
        let waiting = descriptor.groups.into_iter();
        Self {
            layouts: descriptor.layouts,
            waiting: waiting.map(|(name, peers)| (name, peers.into())).collect(),
            obtained: BTreeMap::new(),
        }
    }

    /// A plan that wants one of the peers of each organization.
    pub(super) fn of_organizations(organizations: BTreeMap<String, Vec<PeerInfo>>) -> Self {
        let layout = organizations.keys().map(|name| (name.clone(), 1)).collect();
        let layouts = vec![layout];
        Self::new(Descriptor { chaincode: String::new(), groups: organizations, layouts })
    }

    /// Counts an endorsement obtained outside of the plan, and prefers the layouts that use it.
    pub(super) fn credit(&mut self, endpoint: &str) {
        let holds = |peers: &VecDeque<PeerInfo>| peers.iter().any(|peer| peer.endpoint == endpoint);
        let groups: Vec<String> = self
            .waiting
            .iter()
            .filter(|(_, peers)| holds(peers))
            .map(|(name, _)| name.clone())
            .collect();
        self.forget(endpoint);
        let uses = |layout: &Layout| groups.iter().any(|group| layout.contains_key(group));
        self.layouts.sort_by_key(|layout| !uses(layout));
        let first = self.layouts.first();
        let used = groups.iter().find(|group| first.is_some_and(|l| l.contains_key(*group)));
        if let Some(group) = used.or(groups.first()) {
            self.succeeded(group);
        }
    }

    /// Counts an endorsement for its group.
    pub(super) fn succeeded(&mut self, group: &str) {
        *self.obtained.entry(group.to_owned()).or_insert(0) += 1;
    }

    /// A peer that was asked is asked no more, for whatever group.
    fn forget(&mut self, endpoint: &str) {
        for peers in self.waiting.values_mut() {
            peers.retain(|peer| peer.endpoint != endpoint);
        }
    }

    /// The next peers to ask. Whoever asks them tells about those that [`succeeded`](Self::succeeded)
    /// before asking for the next step.
    pub(super) fn step(&mut self) -> Step {
        while let Some(layout) = self.layouts.first().cloned() {
            match self.missing(&layout) {
                Some(asks) if asks.is_empty() => return Step::Complete,
                Some(asks) => return Step::Ask(asks),
                None => {
                    self.layouts.remove(0);
                }
            }
        }
        Step::Exhausted
    }

    /// The peers to ask for a layout; nothing is taken if there are too few.
    fn missing(&mut self, layout: &Layout) -> Option<Vec<Ask>> {
        let before = self.waiting.clone();
        let mut asks = Vec::new();
        for (group, wanted) in layout {
            let obtained = self.obtained.get(group).copied().unwrap_or(0);
            for _ in obtained..*wanted {
                let next = self.waiting.get_mut(group).and_then(VecDeque::pop_front);
                let Some(peer) = next else {
                    self.waiting = before;
                    return None;
                };
                self.forget(&peer.endpoint);
                asks.push(Ask { group: group.clone(), peer });
            }
        }
        Some(asks)
    }
}

/// The endorsements collected so far; all must be over the same bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Collected {
    responses: Vec<ProposalResponse>,
}

impl Collected {
    /// Adds an endorsement, unless it is over other bytes than the first one.
    pub(super) fn add(&mut self, response: ProposalResponse) -> bool {
        let same = self.responses.first().is_none_or(|first| first.payload == response.payload);
        if same {
            self.responses.push(response);
        }
        same
    }

    pub(super) fn into_responses(self) -> Vec<ProposalResponse> {
        self.responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(endpoint: &str) -> PeerInfo {
        PeerInfo { endpoint: endpoint.to_owned(), ..Default::default() }
    }

    /// Groups are named by a letter and hold the peers listed; layouts are lists of groups.
    fn plan(groups: &[(&str, &[&str])], layouts: &[&[(&str, u32)]]) -> Plan {
        let groups = groups.iter().map(|(name, peers)| {
            ((*name).to_owned(), peers.iter().map(|endpoint| peer(endpoint)).collect())
        });
        let layouts = layouts.iter().map(|layout| {
            layout.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        });
        let (groups, layouts) = (groups.collect(), layouts.collect());
        Plan::new(Descriptor { chaincode: String::new(), groups, layouts })
    }

    /// Runs the plan; `good` are the peers that endorse. Gives the rounds of peers asked.
    fn run(mut plan: Plan, good: &[&str]) -> (Vec<String>, Step) {
        let mut rounds = Vec::new();
        loop {
            match plan.step() {
                Step::Ask(asks) => {
                    rounds.push(asks.iter().map(|ask| ask.peer.endpoint.as_str()).collect());
                    for ask in asks {
                        if good.contains(&ask.peer.endpoint.as_str()) {
                            plan.succeeded(&ask.group);
                        }
                    }
                }
                end => return (rounds, end),
            }
        }
    }

    #[track_caller]
    fn check(plan: Plan, good: &[&str], expected: &[&str], end: Step) {
        assert_eq!(run(plan, good), (expected.iter().map(|r| (*r).to_owned()).collect(), end));
    }

    const THREE: [(&str, &[&str]); 3] = [("a", &["a1", "a2"]), ("b", &["b1"]), ("c", &["c1"])];
    const TWO_OF_THREE: [&[(&str, u32)]; 3] =
        [&[("a", 1), ("b", 1)], &[("a", 1), ("c", 1)], &[("b", 1), ("c", 1)]];

    #[test]
    fn the_first_layout_is_tried_first() {
        check(plan(&THREE, &TWO_OF_THREE), &["a1", "b1"], &["a1b1"], Step::Complete);
    }

    #[test]
    fn another_peer_of_the_group_is_asked() {
        check(plan(&THREE, &TWO_OF_THREE), &["a2", "b1"], &["a1b1", "a2"], Step::Complete);
    }

    #[test]
    fn endorsements_count_in_the_next_layout() {
        check(plan(&THREE, &TWO_OF_THREE), &["a1", "c1"], &["a1b1", "c1"], Step::Complete);
        check(plan(&THREE, &TWO_OF_THREE), &["b1", "c1"], &["a1b1", "a2", "c1"], Step::Complete);
    }

    #[test]
    fn plans_run_out() {
        check(plan(&THREE, &TWO_OF_THREE), &["b1"], &["a1b1", "a2", "c1"], Step::Exhausted);
        check(plan(&THREE, &[]), &[], &[], Step::Exhausted);
        check(plan(&THREE, &[&[("d", 1)]]), &[], &[], Step::Exhausted);
    }

    #[test]
    fn a_first_endorsement_is_counted_and_preferred() {
        let mut credited = plan(&THREE, &TWO_OF_THREE);
        credited.credit("c1");
        check(credited, &["a1"], &["a1"], Step::Complete);
        let mut needless = plan(&[("b", &["b1"])], &[&[("b", 1)]]);
        needless.credit("x");
        check(needless, &["b1"], &["b1"], Step::Complete);
    }

    #[test]
    fn a_peer_in_two_groups_is_asked_once() {
        let groups: [(&str, &[&str]); 2] = [("a", &["x", "y"]), ("b", &["x", "y"])];
        check(plan(&groups, &[&[("a", 1), ("b", 1)]]), &["x", "y"], &["xy"], Step::Complete);
    }

    #[test]
    fn endorsements_must_agree() {
        let response = |payload: &'static [u8]| ProposalResponse {
            payload: bytes::Bytes::from_static(payload),
            ..Default::default()
        };
        let mut collected = Collected::default();
        assert!(collected.add(response(b"x")));
        assert!(collected.add(response(b"x")));
        assert!(!collected.add(response(b"y")));
        assert_eq!(collected.into_responses().len(), 2);
    }
}
