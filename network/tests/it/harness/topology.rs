//! What the networks of tests look like.

use std::sync::atomic::{AtomicU16, Ordering};

/// An organization with a peer and a user `anna`.
pub(crate) const ALPHA: &str = "alpha";
/// Another one.
pub(crate) const BETA: &str = "beta";
/// The organization of the orderers.
pub(crate) const ORDERER: &str = "orderer";
/// The channel both organizations use.
pub(crate) const MAIN: &str = "main";
/// A channel of alpha alone, for tests that count its blocks.
pub(crate) const LAB: &str = "lab";

/// Ports below those the system gives to clients, and a range per process and network.
const FIRST_PORT: u16 = 18_000;
const PORTS_OF_A_NETWORK: u16 = 40;
const NETWORKS: u16 = 350;

/// A `gauze.toml`.
#[derive(Debug)]
pub(crate) struct Topology {
    name: &'static str,
    text: String,
}

impl Topology {
    /// Two organizations, three orderers, and both channels.
    pub(crate) fn consortium() -> Self {
        let lab = format!(
            "[channels.{LAB}]\norganizations = [\"{ALPHA}\"]\nordered_by = [\"{ORDERER}\"]\n\
             batch = {{ absolute_bytes = 1_048_576, preferred_bytes = 524_288 }}\n\
             [channels.{LAB}.chaincode.basic]\nsource = \"chaincode-examples/basic\"\n"
        );
        Self::new("consortium", &(channel("") + &lab))
    }

    /// Two organizations, either of which endorses, and three orderers.
    pub(crate) fn tolerant() -> Self {
        let either = "endorsement = \"OR('AlphaMSP.peer', 'BetaMSP.peer')\"\n";
        Self::new("tolerant", &channel(either))
    }

    fn new(name: &'static str, channels: &str) -> Self {
        let first_port = first_port();
        let text = format!(
            r#"name = "{name}"
first_port = {first_port}
state = "state"

[organizations.{ORDERER}]
msp_id = "OrdererMSP"
domain = "orderer.test"
orderers = 3

[organizations.{ALPHA}]
msp_id = "AlphaMSP"
domain = "alpha.test"
peers = 1
users.anna.attributes = {{ department = "tests" }}

[organizations.{BETA}]
msp_id = "BetaMSP"
domain = "beta.test"
peers = 1
users.bert = {{}}

{channels}"#
        );
        Self { name, text }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

fn channel(endorsement: &str) -> String {
    format!(
        "[channels.{MAIN}]\norganizations = [\"{ALPHA}\", \"{BETA}\"]\n\
         ordered_by = [\"{ORDERER}\"]\n\
         [channels.{MAIN}.chaincode.basic]\nsource = \"chaincode-examples/basic\"\n{endorsement}\n"
    )
}

/// Where the ports of the next network begin. Networks of one process never share ports; `gauze`
/// passes over ports that something else has taken.
pub(crate) fn first_port() -> u16 {
    static STARTED: AtomicU16 = AtomicU16::new(0);
    let of_process = u16::try_from(std::process::id() % u32::from(NETWORKS)).unwrap();
    let network = (of_process + STARTED.fetch_add(1, Ordering::Relaxed)) % NETWORKS;
    FIRST_PORT + network * PORTS_OF_A_NETWORK
}
