//! Peers of this crate, started as their binary starts them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use node::operations::Operations;
use node::tasks::Tasks;
use peer::{Config, Handle};

use crate::consortium::Org;

/// A peer in this process.
pub struct Node {
    pub handle: Handle,
    pub operations: Operations,
    /// Everything that runs in the peer.
    pub tasks: Tasks,
    pub dir: tempfile::TempDir,
}

/// Starts a peer of an organization in a new folder.
pub async fn start(org: &Org, tasks: &Tasks) -> Node {
    start_with(org, tasks, &|_| {}).await
}

/// The same, with changes of its configuration.
pub async fn start_with(org: &Org, tasks: &Tasks, change: &dyn Fn(&mut Config)) -> Node {
    let dir = tempfile::tempdir().unwrap();
    prepare(org, dir.path());
    restart_with(org, dir, tasks, change).await
}

/// Starts a peer in a folder used before.
pub async fn restart(org: &Org, dir: tempfile::TempDir, tasks: &Tasks) -> Node {
    restart_with(org, dir, tasks, |_| {}).await
}

/// The same, with other settings.
pub async fn restart_with(
    org: &Org,
    dir: tempfile::TempDir,
    tasks: &Tasks,
    set: impl FnOnce(&mut Config),
) -> Node {
    let operations = Operations::default();
    let mut config = config(org, dir.path());
    set(&mut config);
    let tasks = tasks.child();
    let handle = peer::start_with(config, tasks.clone(), operations.clone()).await.unwrap();
    Node { handle, operations, tasks, dir }
}

/// Writes keys and certificates of a new peer.
pub fn prepare(org: &Org, dir: &Path) {
    let msp = dir.join("msp");
    msp::directory::store_config(&msp, &org.definition()).unwrap();
    let (signer, key) = org.identity_and_key("peer0", "peer");
    msp::directory::store_signer(&msp, signer.certificate(), &key).unwrap();
    let (certificate, key) = org.tls("localhost");
    for (name, text) in
        [("tls.pem", certificate), ("tls.key", key), ("tls-root.pem", org.tls_root())]
    {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

/// The configuration of a peer whose keys are in `dir`.
pub fn config(org: &Org, dir: &Path) -> Config {
    let file = |name: &str| -> PathBuf { dir.join(name) };
    let mut config = Config { data_directory: file("data"), ..Config::default() };
    config.listen_address = "127.0.0.1:0".into();
    config.msp.id.clone_from(&org.msp_id);
    config.msp.directory = file("msp");
    config.tls.enabled = true;
    config.tls.certificate = file("tls.pem");
    config.tls.private_key = file("tls.key");
    config.tls.root_cas = vec![file("tls-root.pem")];
    config.gossip.alive_interval = Duration::from_millis(100);
    config.gossip.news_interval = Duration::from_millis(50);
    config.gossip.alive_expiration = Duration::from_secs(2);
    config.gossip.reconnect_interval = Duration::from_millis(100);
    config.gossip.message_bytes_max = 64 << 10;
    config.orderers.backoff_max = Duration::from_millis(200);
    config.orderers.distrust = Duration::from_millis(100);
    config
}

/// Waits for a condition; a test that waits in vain fails after a while.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
