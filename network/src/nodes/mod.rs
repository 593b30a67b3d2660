//! The configuration files of nodes, one function per kind.

mod ca;
mod orderer;
mod peer;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::failure::{Explain, Result};
use crate::inventory::{Kind, Node, write_whole};
use crate::layout::Layout;
use crate::topology::Topology;

pub(crate) use ca::BOOTSTRAP;

/// Writes the configuration of a node, if it differs from what is there; tells whether it did.
pub(crate) fn write(topology: &Topology, layout: &Layout, node: &Node) -> Result<bool> {
    let settings = Settings { topology, layout, node };
    let (what, tree) = match node.kind {
        Kind::Ca => ("certificate authority", ca::config(&settings)?),
        Kind::Orderer => ("orderer", orderer::config(&settings)),
        Kind::Peer => ("peer", peer::config(&settings)),
    };
    let body = serde_yaml_ng::to_string(&tree).unwrap_or_default();
    let text = format!(
        "# Configuration of the {what} {}, written by `gauze network up`.\n\
         # What stands here only; `{} --sample` explains every key.\n{body}",
        node.name,
        node.kind.name()
    );
    let path = layout.config(&node.name);
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    write_whole(&path, text.as_bytes()).explain(|| format!("write {}", path.display()))?;
    Ok(true)
}

struct Settings<'a> {
    topology: &'a Topology,
    layout: &'a Layout,
    node: &'a Node,
}

impl Settings<'_> {
    fn listen(&self, port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    fn operations(&self) -> Value {
        json!({ "listen_address": self.listen(self.node.operations_port) })
    }

    fn telemetry(&self) -> Value {
        json!({ "filter": self.topology.log })
    }

    fn msp(&self) -> Value {
        let identity = self.layout.node_identity(&self.node.name);
        let organization = self.topology.organizations.get(&self.node.organization);
        let id = organization.map(|organization| organization.msp_id.as_str());
        json!({ "id": id, "directory": identity.msp() })
    }

    /// Mutual TLS with the certificate enrolled for the node, open to all organizations of the
    /// network; nodes narrow this down to the members of their channels as they join.
    fn tls(&self) -> Value {
        let identity = self.layout.node_identity(&self.node.name);
        let roots = self.all_tls_roots();
        json!({
            "enabled": true,
            "certificate": identity.tls_certificate(),
            "private_key": identity.tls_key(),
            "root_cas": roots,
            "client_auth_required": true,
            "client_root_cas": roots,
        })
    }

    fn all_tls_roots(&self) -> Vec<PathBuf> {
        let organizations = self.topology.organizations.keys();
        organizations.map(|organization| self.layout.tls_root(organization)).collect()
    }
}
