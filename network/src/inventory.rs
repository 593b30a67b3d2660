//! The nodes of a network and their ports, kept from the first `up` on: ports are part of genesis
//! blocks and may not change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Explain, Failure, Result};
use crate::topology::Topology;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A certificate authority.
    Ca,
    /// An orderer.
    Orderer,
    /// A peer.
    Peer,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Orderer => "orderer",
            Self::Peer => "peer",
        }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// `peer0.hospital`.
    pub(crate) name: String,
    /// What it does.
    pub(crate) kind: Kind,
    /// Whose it is.
    pub(crate) organization: String,
    /// Where it serves gRPC.
    pub(crate) port: u16,
    /// Where it serves operations.
    pub(crate) operations_port: u16,
    /// Where an orderer serves channel participation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin_port: Option<u16>,
}

/// All nodes, in the order they start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inventory {
    pub(crate) nodes: Vec<Node>,
}

impl Inventory {
    /// What an earlier `up` has written down; empty before the first.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(Exit::Failed, format!("{} is damaged", path.display()))
                    .because(error)
                    .next("gauze network down --purge")
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).explain(|| format!("read {}", path.display())),
        }
    }

    pub(crate) fn store(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_whole(path, &text).explain(|| format!("write {}", path.display()))
    }

    /// Adds the nodes `topology` has and the inventory lacks, on free ports.
    pub(crate) fn extend(&mut self, topology: &Topology) -> Result<()> {
        let mut taken: BTreeSet<u16> = self.nodes.iter().flat_map(Node::ports).collect();
        let mut next = topology.first_port;
        let mut free = || -> Result<u16> {
            loop {
                let port = next;
                next = next.checked_add(1).ok_or_else(|| {
                    let what = format!("no free ports from {} on", topology.first_port);
                    Failure::new(Exit::Unavailable, what)
                        .next("choose a lower first_port in gauze.toml")
                })?;
                if taken.insert(port) && is_free(port) {
                    return Ok(port);
                }
            }
        };
        for (name, kind, organization) in wanted(topology) {
            if self.nodes.iter().any(|node| node.name == name) {
                continue;
            }
            let admin_port = (kind == Kind::Orderer).then(&mut free).transpose()?;
            let (port, operations_port) = (free()?, free()?);
            self.nodes.push(Node { name, kind, organization, port, operations_port, admin_port });
        }
        self.nodes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(())
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.kind == kind)
    }

    pub(crate) fn of_organization(&self, kind: Kind, organization: &str) -> Vec<&Node> {
        self.of_kind(kind).filter(|node| node.organization == organization).collect()
    }

    pub(crate) fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
            let known: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            Failure::not_found(format!("there is no node `{name}`"))
                .because(format!("the network has {}", known.join(", ")))
                .next("gauze network ps")
        })
    }

    /// The authority of an organization.
    pub(crate) fn ca(&self, organization: &str) -> Result<&Node> {
        self.node(&format!("ca.{organization}"))
    }
}

impl Node {
    fn ports(&self) -> impl Iterator<Item = u16> {
        [Some(self.port), Some(self.operations_port), self.admin_port].into_iter().flatten()
    }

    /// Its ports that another program has taken.
    pub(crate) fn busy_ports(&self) -> Vec<u16> {
        self.ports().filter(|port| !is_free(*port)).collect()
    }
}

fn wanted(topology: &Topology) -> Vec<(String, Kind, String)> {
    let mut wanted = Vec::new();
    for (name, organization) in &topology.organizations {
        wanted.push((format!("ca.{name}"), Kind::Ca, name.clone()));
        let counts = BTreeMap::from([
            (Kind::Orderer, organization.orderers),
            (Kind::Peer, organization.peers),
        ]);
        for (kind, count) in counts {
            for index in 0..count {
                wanted.push((format!("{}{index}.{name}", kind.name()), kind, name.clone()));
            }
        }
    }
    wanted
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Writes a file in one step, so that a reader sees the old or the new content.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".new");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::SAMPLE;

    #[test]
    fn ports_are_free_distinct_and_kept() {
        let topology = Topology::parse(SAMPLE).unwrap();
        let mut inventory = Inventory::default();
        inventory.extend(&topology).unwrap();
        assert_eq!(inventory.nodes.len(), 4 + 3 + 3);
        let ports: Vec<u16> = inventory.nodes.iter().flat_map(Node::ports).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
        let before = inventory.clone();
        inventory.extend(&topology).unwrap();
        assert_eq!(inventory, before);

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep").join("nodes.json");
        inventory.store(&path).unwrap();
        assert_eq!(Inventory::load(&path).unwrap(), inventory);
        assert_eq!(inventory.ca("maker").unwrap().organization, "maker");
    }

    #[test]
    fn taken_ports_are_left_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut topology = Topology::parse(SAMPLE).unwrap();
        topology.first_port = port;
        let mut inventory = Inventory::default();
        if inventory.extend(&topology).is_ok() {
            assert!(inventory.nodes.iter().flat_map(Node::ports).all(|found| found != port));
        }
    }
}
