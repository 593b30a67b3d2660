//! What the founders of a channel agreed on.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::etcdraft;
use proto::msp::MspConfig;
use proto::orderer::BatchSize;

/// Policies by name, as text: `ANY Readers`, `MAJORITY Admins`, `OR('Org1MSP.admin')`.
pub type Policies = BTreeMap<String, String>;

/// A new channel.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The channel's name.
    pub channel_id: String,
    /// What every node must understand.
    pub capabilities: Vec<String>,
    /// Policies of the whole channel.
    pub policies: Policies,
    /// Who orders, and how.
    pub orderer: Orderer,
    /// Who uses the channel.
    pub application: Application,
}

/// Who orders, and how.
#[derive(Debug, Clone)]
pub struct Orderer {
    /// What every orderer must understand.
    pub capabilities: Vec<String>,
    /// Policies of the ordering service.
    pub policies: Policies,
    /// Limits of a block.
    pub batch_size: BatchSize,
    /// How long a message may wait for others.
    pub batch_timeout: Duration,
    /// How many channels may exist, 0 for no limit.
    pub max_channels: u64,
    /// The consensus.
    pub raft: Raft,
    /// The organizations that order.
    pub organizations: Vec<Organization>,
}

/// Settings of the Raft consensus.
#[derive(Debug, Clone)]
pub struct Raft {
    /// The nodes, with the certificates they present to each other.
    pub consenters: Vec<etcdraft::Consenter>,
    /// Times and limits.
    pub options: etcdraft::Options,
}

/// Who uses the channel.
#[derive(Debug, Clone)]
pub struct Application {
    /// What every peer must understand.
    pub capabilities: Vec<String>,
    /// Policies of the users.
    pub policies: Policies,
    /// Policies of resources that differ from the defaults; a relative name is one of the above.
    pub acls: BTreeMap<String, String>,
    /// The organizations.
    pub organizations: Vec<Organization>,
}

/// An organization of a channel.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Name of its group.
    pub name: String,
    /// Its certificates.
    pub msp: MspConfig,
    /// Its policies.
    pub policies: Policies,
    /// Addresses of its orderers.
    pub endpoints: Vec<String>,
    /// Host and port of the peers through which others find its peers.
    pub anchor_peers: Vec<(String, u16)>,
}

fn policies<const N: usize>(texts: [(&str, String); N]) -> Policies {
    texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

/// Anyone of any group below reads and writes, a majority of the groups administers.
fn shared() -> Policies {
    policies([
        ("Readers", "ANY Readers".into()),
        ("Writers", "ANY Writers".into()),
        ("Admins", "MAJORITY Admins".into()),
    ])
}

impl Profile {
    /// A channel with the usual policies, without organizations.
    pub fn new(channel_id: impl Into<String>) -> Self {
        Self {
            channel_id: channel_id.into(),
            capabilities: vec!["V2_0".into()],
            policies: shared(),
            orderer: Orderer::default(),
            application: Application::default(),
        }
    }
}

impl Default for Orderer {
    fn default() -> Self {
        let mut policies = shared();
        policies.insert("BlockValidation".into(), "ANY Writers".into());
        Self {
            capabilities: vec!["V2_0".into()],
            policies,
            batch_size: BatchSize {
                max_message_count: 500,
                absolute_max_bytes: 10 << 20,
                preferred_max_bytes: 2 << 20,
            },
            batch_timeout: Duration::from_secs(2),
            max_channels: 0,
            raft: Raft::default(),
            organizations: Vec::new(),
        }
    }
}

impl Default for Raft {
    fn default() -> Self {
        Self {
            consenters: Vec::new(),
            options: etcdraft::Options {
                tick_interval: "500ms".into(),
                election_tick: 10,
                heartbeat_tick: 1,
                max_inflight_blocks: 5,
                snapshot_interval_size: 16 << 20,
            },
        }
    }
}

impl Default for Application {
    fn default() -> Self {
        let mut policies = shared();
        for name in ["LifecycleEndorsement", "Endorsement"] {
            policies.insert(name.into(), "MAJORITY Endorsement".into());
        }
        Self {
            capabilities: vec!["V2_5".into()],
            policies,
            acls: BTreeMap::new(),
            organizations: Vec::new(),
        }
    }
}

impl Organization {
    /// An organization that orders, with the usual policies.
    pub fn ordering(name: impl Into<String>, msp_id: &str, msp: MspConfig) -> Self {
        let policies = policies([
            ("Readers", format!("OR('{msp_id}.member')")),
            ("Writers", format!("OR('{msp_id}.member')")),
            ("Admins", format!("OR('{msp_id}.admin')")),
        ]);
        Self { name: name.into(), msp, policies, endpoints: Vec::new(), anchor_peers: Vec::new() }
    }

    /// An organization that uses the channel, with the usual policies.
    pub fn using(name: impl Into<String>, msp_id: &str, msp: MspConfig) -> Self {
        let policies = policies([
            ("Readers", format!("OR('{msp_id}.admin', '{msp_id}.peer', '{msp_id}.client')")),
            ("Writers", format!("OR('{msp_id}.admin', '{msp_id}.client')")),
            ("Admins", format!("OR('{msp_id}.admin')")),
            ("Endorsement", format!("OR('{msp_id}.peer')")),
        ]);
        Self { name: name.into(), msp, policies, endpoints: Vec::new(), anchor_peers: Vec::new() }
    }
}
