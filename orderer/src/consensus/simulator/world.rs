//! The world a simulated cluster lives in.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::driver::wal;
use super::super::raft::{Options, Raft};
use super::super::{Batch, Change, Consenter, Effect, Input, NodeId, Position, Status};

/// Chances per event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) loss: f64,
    pub(super) double: f64,
    pub(super) crash: f64,
    pub(super) partition: f64,
    pub(super) reconfigure: f64,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self { loss: 0.0, double: 0.0, crash: 0.0, partition: 0.0, reconfigure: 0.0 }
    }

    pub(super) fn all() -> Self {
        Self { loss: 0.05, double: 0.03, crash: 0.002, partition: 0.002, reconfigure: 0.004 }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) acknowledged: usize,
}

#[derive(Debug)]
enum Event {
    Deliver { from: NodeId, to: NodeId, bytes: Bytes },
    Synced { to: NodeId, life: u64, number: u64, length: usize },
    Fetched { to: NodeId, life: u64, height: u64 },
    Tick(NodeId),
    Restart(NodeId),
    Order,
    Heal,
}

type Block = (u64, Batch);

#[derive(Debug, Default)]
struct Node {
    raft: Option<Raft>,
    /// Counts starts, so that what a crash interrupted does not reach the next life.
    life: u64,
    disk: Vec<u8>,
    synced: usize,
    ledger: Vec<Block>,
    status: Status,
    removed: bool,
}

impl Node {
    fn tip(&self) -> Position {
        let index = self.ledger.last().map_or(0, |block| block.0);
        Position { height: self.ledger.len() as u64, index }
    }
}

#[derive(Debug)]
pub(super) struct World {
    rng: StdRng,
    faults: Faults,
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    genesis: Vec<NodeId>,
    nodes: BTreeMap<NodeId, Node>,
    broken: BTreeSet<(NodeId, NodeId)>,
    /// The one chain all must agree on.
    chain: Vec<Block>,
    tickets: BTreeMap<u64, Bytes>,
    acknowledged: BTreeSet<Bytes>,
    orders: u64,
}

const TICK: u64 = 100;

impl World {
    pub(super) fn new(seed: u64, nodes: u64, faults: Faults) -> Self {
        let mut world = Self {
            rng: StdRng::seed_from_u64(seed),
            faults,
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            genesis: (1..=nodes).collect(),
            nodes: BTreeMap::new(),
            broken: BTreeSet::new(),
            chain: vec![(0, Batch::default())],
            tickets: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            orders: 0,
        };
        for id in world.genesis.clone() {
            world.add(id);
        }
        world.schedule(1, Event::Order);
        world
    }

    pub(super) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.break_something();
            self.next();
        }
    }

    /// Ends all faults and waits until everything agrees and new work is accepted.
    pub(super) fn calm_down(&mut self) {
        self.faults = Faults::none();
        self.broken.clear();
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.start(id);
        }
        let (deadline, acknowledged) = (self.now + 600 * TICK, self.acknowledged.len());
        while self.acknowledged.len() < acknowledged + 5 || !self.converged() {
            assert!(self.now < deadline, "no progress after the faults ended: {:#?}", self.nodes);
            self.next();
        }
        let ordered: BTreeSet<&Bytes> =
            self.chain.iter().flat_map(|(_, batch)| &batch.envelopes).collect();
        for envelope in &self.acknowledged {
            assert!(ordered.contains(envelope), "{envelope:?} was acknowledged and is lost");
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary { acknowledged: self.acknowledged.len() }
    }

    fn converged(&self) -> bool {
        let members = members(&self.genesis, &self.chain);
        let height = self.chain.len();
        // The last blocks may still be on their way to followers.
        members.iter().all(|id| self.nodes[id].ledger.len() + 2 >= height)
    }

    fn add(&mut self, id: NodeId) {
        let node = Node { ledger: self.chain.clone(), ..Node::default() };
        self.nodes.insert(id, node);
        self.start(id);
        self.schedule(TICK, Event::Tick(id));
    }

    fn schedule(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    fn next(&mut self) {
        let Some(((at, _), event)) = self.queue.pop_first() else { return };
        self.now = at;
        match event {
            Event::Deliver { from, to, bytes } => self.step(to, Input::Message { from, bytes }),
            Event::Synced { to, life, number, length } => {
                let node = self.nodes.get_mut(&to).unwrap();
                if node.life == life && node.raft.is_some() {
                    node.synced = node.synced.max(length.min(node.disk.len()));
                    self.step(to, Input::Persisted(number));
                }
            }
            Event::Fetched { to, life, height } => self.fetched(to, life, height),
            Event::Tick(id) => {
                self.step(id, Input::Tick);
                self.schedule(TICK, Event::Tick(id));
            }
            Event::Restart(id) => self.start(id),
            Event::Order => self.order(),
            Event::Heal => self.broken.clear(),
        }
    }

    fn order(&mut self) {
        let delay = self.rng.random_range(5..60);
        self.schedule(delay, Event::Order);
        let ready: Vec<NodeId> =
            self.nodes.iter().filter(|(_, n)| n.status.ready).map(|(id, _)| *id).collect();
        if ready.is_empty() {
            return;
        }
        let leader = ready[self.rng.random_range(0..ready.len())];
        self.orders += 1;
        let envelope = Bytes::from(format!("envelope {} of {leader}", self.orders));
        let reconfigure = self.rng.random_bool(self.faults.reconfigure * 10.0);
        let change = if reconfigure { self.change(leader) } else { None };
        self.tickets.insert(self.orders, envelope.clone());
        let batch = Batch { envelopes: vec![envelope], config: change.is_some(), change };
        self.step(leader, Input::Order { ticket: self.orders, batch });
    }

    /// A change of the consenter set, as the leader computes it from its chain.
    fn change(&mut self, leader: NodeId) -> Option<Change> {
        let ledger = &self.nodes[&leader].ledger;
        let members = members(&self.genesis, ledger);
        if members.len() > 2 && (members.len() > 5 || self.rng.random_bool(0.5)) {
            let victim = self.rng.random_range(0..members.len());
            return members.iter().nth(victim).copied().map(Change::Remove);
        }
        let added = ledger.iter().filter(|b| matches!(b.1.change, Some(Change::Add(_)))).count();
        Some(Change::Add((self.genesis.len() + added + 1) as u64))
    }

    fn fetched(&mut self, to: NodeId, life: u64, height: u64) {
        let node = self.nodes.get_mut(&to).unwrap();
        if node.life != life || node.raft.is_none() {
            return;
        }
        let have = node.ledger.len();
        node.ledger.extend_from_slice(self.chain.get(have..height as usize).unwrap_or_default());
        let tip = node.tip();
        self.step(to, Input::CaughtUp(tip));
    }

    fn start(&mut self, id: NodeId) {
        let seed = self.rng.random();
        let node = self.nodes.get_mut(&id).unwrap();
        if node.raft.is_some() || node.removed {
            return;
        }
        let scan = wal::scan(&Bytes::from(node.disk.clone()));
        assert!(!scan.damaged, "a crash damaged the log");
        node.disk.truncate(scan.valid);
        node.synced = scan.valid;
        node.life += 1;
        let options = Options {
            compact_bytes: 3000,
            compact_keep: 4,
            message_bytes_max: 500,
            held_bytes_max: 2000,
            inflight_messages_max: 8,
            seed,
            ..Options::new(id, self.genesis.clone())
        };
        let mut effects = Vec::new();
        let raft = Raft::start(options, &scan.records, node.tip(), &mut effects).unwrap();
        node.raft = Some(raft);
        self.perform(id, effects);
    }

    fn step(&mut self, id: NodeId, input: Input) {
        let mut effects = Vec::new();
        match &mut self.nodes.get_mut(&id).unwrap().raft {
            Some(raft) => raft.step(input, &mut effects),
            None => return,
        }
        let crash = self.rng.random_bool(self.faults.crash);
        if crash {
            let done = self.rng.random_range(0..=effects.len());
            effects.truncate(done);
        }
        self.perform(id, effects);
        if crash {
            self.crash(id);
        }
    }

    fn perform(&mut self, id: NodeId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist { number, record } => self.persist(id, number, record),
                Effect::Compact { number, record } => {
                    let node = self.nodes.get_mut(&id).unwrap();
                    node.disk.clear();
                    wal::frame(&[record], &mut node.disk);
                    (node.synced, node.life) = (node.disk.len(), node.life);
                    let (life, length) = (node.life, node.disk.len());
                    self.schedule(0, Event::Synced { to: id, life, number, length });
                }
                Effect::Send { to, bytes } => self.send(id, to, bytes),
                Effect::Commit { batch, proof, ticket } => {
                    self.commit(id, (proof.index, batch));
                    let envelope = ticket.and_then(|ticket| self.tickets.remove(&ticket));
                    self.acknowledged.extend(envelope);
                }
                Effect::Refused(ticket, _) => {
                    self.tickets.remove(&ticket);
                }
                Effect::CatchUp { height, .. } => {
                    assert!(height as usize <= self.chain.len(), "blocks that do not exist");
                    let (life, delay) = (self.nodes[&id].life, self.rng.random_range(1..500));
                    self.schedule(delay, Event::Fetched { to: id, life, height });
                }
                Effect::Status(status) => self.nodes.get_mut(&id).unwrap().status = status,
            }
        }
    }

    fn persist(&mut self, id: NodeId, number: u64, record: Bytes) {
        let node = self.nodes.get_mut(&id).unwrap();
        wal::frame(&[record], &mut node.disk);
        let (life, length) = (node.life, node.disk.len());
        let delay = self.rng.random_range(0..8);
        self.schedule(delay, Event::Synced { to: id, life, number, length });
    }

    fn send(&mut self, from: NodeId, to: NodeId, bytes: Bytes) {
        if self.broken.contains(&(from, to)) || !self.nodes.contains_key(&to) {
            return;
        }
        let copies = 1 + usize::from(self.rng.random_bool(self.faults.double));
        for _ in 0..copies {
            if !self.rng.random_bool(self.faults.loss) {
                let slow = self.faults.loss > 0.0 && self.rng.random_bool(0.02);
                let delay = self.rng.random_range(1..if slow { 1500 } else { 20 });
                self.schedule(delay, Event::Deliver { from, to, bytes: bytes.clone() });
            }
        }
    }

    fn commit(&mut self, id: NodeId, block: Block) {
        let height = self.nodes[&id].ledger.len();
        match self.chain.get(height) {
            Some(agreed) => assert_eq!(agreed, &block, "node {id} forks at block {height}"),
            None => {
                let change = block.1.change;
                self.chain.push(block.clone());
                if let Some(Change::Add(new)) = change {
                    assert!(!self.nodes.contains_key(&new), "consenter {new} was added twice");
                    self.add(new);
                }
            }
        }
        let node = self.nodes.get_mut(&id).unwrap();
        node.removed |= block.1.change == Some(Change::Remove(id));
        node.ledger.push(block);
        if node.removed {
            node.raft = None;
            node.status = Status::default();
        }
    }

    fn break_something(&mut self) {
        if self.rng.random_bool(self.faults.partition) {
            let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
            for (from, to) in ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b))) {
                if self.rng.random_bool(0.4) {
                    self.broken.insert((from, to));
                }
            }
            let delay = self.rng.random_range(10..60 * TICK);
            self.schedule(delay, Event::Heal);
        }
    }

    fn crash(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.raft = None;
        node.status = Status::default();
        let kept = self.rng.random_range(node.synced..=node.disk.len());
        node.disk.truncate(kept);
        let delay = self.rng.random_range(1..40 * TICK);
        self.schedule(delay, Event::Restart(id));
    }
}

/// The consenter set after these blocks.
fn members(genesis: &[NodeId], chain: &[Block]) -> BTreeSet<NodeId> {
    let mut members: BTreeSet<NodeId> = genesis.iter().copied().collect();
    for (_, batch) in chain {
        match batch.change {
            Some(Change::Add(id)) => members.insert(id),
            Some(Change::Remove(id)) => members.remove(&id),
            None => false,
        };
    }
    members
}
