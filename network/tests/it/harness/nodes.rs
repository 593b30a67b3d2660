//! Nodes: who runs where, their metrics, and their sudden death.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::Network;

/// A node as `gauze network ps` shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    #[serde(rename = "node")]
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) state: String,
    pub(crate) pid: Option<u32>,
    pub(crate) port: u16,
    pub(crate) operations_port: u16,
    pub(crate) admin_port: Option<u16>,
}

impl Network {
    /// All nodes.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        serde_json::from_value(self.ask(&["network", "ps"])).unwrap()
    }

    /// A node by name.
    pub(crate) fn node(&self, name: &str) -> Node {
        self.nodes().into_iter().find(|node| node.name == name).unwrap()
    }

    /// The nodes of a role: `peer`, `orderer` or `ca`.
    pub(crate) fn of_role(&self, role: &str) -> Vec<Node> {
        self.nodes().into_iter().filter(|node| node.role == role).collect()
    }

    /// The orderer that leads a channel.
    pub(crate) async fn leader(&self, channel: &str) -> Node {
        let orderers = self.of_role("orderer");
        let name = format!("gauze_orderer_leader{{channel=\"{channel}\"}}");
        super::until("a leader", Duration::from_secs(60), async || {
            for orderer in &orderers {
                if orderer.metric(&name).await == Some(1.0) {
                    return Some(orderer.clone());
                }
            }
            None
        })
        .await
    }
}

impl Node {
    /// `host:port` of its gRPC service.
    pub(crate) fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The value of a metric; `None` if the node does not run or has no such metric.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics().await?;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next()?.trim().parse().ok()
    }

    async fn metrics(&self) -> Option<String> {
        let address = format!("127.0.0.1:{}", self.operations_port);
        let request = http::Request::builder().uri("/metrics").body(Bytes::new()).unwrap();
        let answer = node::http::send(&address, None, request).await.ok()?;
        Some(String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// Kills the process as a crash of the machine would.
    pub(crate) fn kill(&self) {
        kill(std::slice::from_ref(self));
    }

    pub(crate) fn is_running(&self) -> bool {
        let Some(pid) = self.pid else { return false };
        // A process without a parent that waits for it stays as a zombie.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    }

    pub(crate) fn ports_are_free(&self) -> bool {
        let ports = [Some(self.port), Some(self.operations_port), self.admin_port];
        let mut ports = ports.into_iter().flatten();
        ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }
}

/// Kills processes with one command, so that none sees another one gone.
pub(crate) fn kill(nodes: &[Node]) {
    let pids: Vec<_> = nodes.iter().map(|node| node.pid.unwrap().to_string()).collect();
    let status = Command::new("sh").args(["-c", "kill -9 \"$@\"", "kill"]).args(&pids).status();
    assert!(status.unwrap().success());
    while nodes.iter().any(Node::is_running) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The command lines of processes that name a folder, apart from the janitor's own.
pub(super) fn processes_naming(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.contains(&*folder) && !line.contains(" janitor ")).then_some(line)
    });
    lines.collect()
}
