//! A network for tests: described in a temporary folder, started by `gauze network up`, used
//! through sockets and files like any other, and gone afterwards.

mod janitor;
mod nodes;
mod program;
mod topology;
mod users;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub(crate) use nodes::{Node, kill};
pub(crate) use topology::{ALPHA, BETA, LAB, MAIN, ORDERER, Topology, first_port};
pub(crate) use users::User;

use janitor::Janitor;

/// A network that runs until it is dropped, or until the test process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Network {
    folder: PathBuf,
    janitor: Janitor,
}

/// One network for all tests that leave it as it is.
pub(crate) fn shared() -> &'static Network {
    static SHARED: LazyLock<Network> = LazyLock::new(|| Network::start(&Topology::consortium()));
    &SHARED
}

impl Network {
    /// Describes a network and brings it up.
    pub(crate) fn start(topology: &Topology) -> Self {
        let network = Self::prepare();
        std::fs::write(network.file(), topology.text()).unwrap();
        let began = Instant::now();
        network.up();
        eprintln!("{} is up after {:.1?}", topology.name(), began.elapsed());
        network
    }

    /// A folder for a network, empty.
    pub(crate) fn prepare() -> Self {
        let folder = tempfile::Builder::new().prefix("gauze-").tempdir().unwrap().keep();
        std::fs::create_dir(folder.join("tmp")).unwrap();
        let janitor = Janitor::hire(&folder);
        Self { folder, janitor }
    }

    /// Where everything of the network is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The description.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("gauze.toml")
    }

    /// The folder `gauze` keeps its state in.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Starts what does not run; shows the logs of the nodes if that fails.
    pub(crate) fn up(&self) {
        let run = self.gauze(&["network", "up", "--output", "json"]);
        assert!(run.code == 0, "network up: {run}\n{}", self.logs());
    }

    /// Stops the network, deletes its state, and makes sure nothing is left of it.
    pub(crate) fn down(mut self) {
        let nodes = self.nodes();
        let running = nodes.iter().filter(|node| node.pid.is_some()).count();
        let run = self.gauze(&["network", "down", "--purge", "--output", "json"]);
        assert_eq!(run.json()["stopped"], running, "{run}");
        for node in &nodes {
            assert!(!node.is_running(), "{} still runs", node.name);
            assert!(node.ports_are_free(), "a port of {} is still taken", node.name);
        }
        assert_eq!(nodes::processes_naming(&self.folder), Vec::<String>::new());
        assert!(!self.state().exists(), "the state folder is still there");
        let temporary = std::fs::read_dir(self.folder.join("tmp")).unwrap();
        let left: Vec<_> = temporary.map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "temporary files are left: {left:?}");
        self.janitor.dismiss();
        assert!(!self.folder.exists());
    }

    /// The last lines of every node's log.
    fn logs(&self) -> String {
        let nodes = std::fs::read_dir(self.state().join("nodes")).into_iter().flatten();
        let logs = nodes.map(|node| {
            let path = node.unwrap().path();
            let text = std::fs::read_to_string(path.join("log")).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(8)..].join("\n");
            format!("--- {}\n{last}\n", path.display())
        });
        logs.collect()
    }
}

/// Waits until `condition` gives a value; `what` says what was waited for in vain.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    within: Duration,
    condition: impl Fn() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
