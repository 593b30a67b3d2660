//! What survives a restart, and what keeps the service from starting.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ca::StartError;
use ca::client::Wish;
use ca::messages::RevokeRequest;
use node::tasks::Tasks;
use tonic::Code;

use crate::running::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing() {
    let Authority { running: ca, folder } = start().await;
    let info = ca.handle.info.clone();
    let secret = ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let ann = ca.enroll("ann", &secret).await;
    let bob = ca.member(registration("bob", "client")).await;
    let revoke = RevokeRequest { id: "bob".to_owned(), ..Default::default() };
    ca.client.revoke(&ca.admin, revoke).await.unwrap();
    ca.client.add_affiliation(&ca.admin, "lab", false).await.unwrap();
    let mut config = ca.stop().await;
    // The secret of the first registrar is not needed any more, and a new one has no effect.
    config.bootstrap.secret = "changed".into();
    let result = run_unenrolled(config.clone()).await;
    assert!(result.0.enroll("admin", &"changed".into(), &Wish::identity()).await.is_err());
    result.1.shutdown(std::time::Duration::from_secs(10)).await;
    config.bootstrap.secret = Default::default();
    let ca = run(config).await;
    assert_eq!(ca.handle.info, info);
    assert_eq!(ca.client.identity(&ann, "ann").await.unwrap().enrollments, 1);
    refused(ca.client.identity(&bob, "bob").await, Code::Unauthenticated, "");
    ca.enroll("ann", &secret).await;
    assert!(ca.client.affiliations(&ca.admin, "lab").await.unwrap().contains(&"lab".to_owned()));
    for key in ["ca/key.pem", "tlsca/key.pem", "tls/server.key"] {
        let mode = fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    ca.stop().await;
    // No secret lies in the folder in clear.
    for file in walk(folder.path()) {
        let content = fs::read(&file).unwrap();
        for secret in [secret.expose(), ADMIN_SECRET] {
            let found = content.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!found, "{}", file.display());
        }
    }
}

async fn run_unenrolled(config: ca::Config) -> (ca::client::Client, Tasks) {
    let tasks = Tasks::new();
    for _ in 0..500 {
        match ca::start(config.clone(), &tasks).await {
            Ok(handle) => return (connect(&handle).await, tasks),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    panic!("does not start");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |change: &dyn Fn(&mut ca::Config)| {
        let mut config = config(&folder);
        change(&mut config);
        ca::start(config, &Tasks::new()).await.map(|_| ()).unwrap_err()
    };
    let no_secret = start(&|it| it.bootstrap.secret = Default::default()).await;
    assert!(matches!(no_secret, StartError::NoBootstrapSecret));
    assert!(no_secret.to_string().contains("CA_BOOTSTRAP__SECRET"));
    let error = start(&|it| it.hosts.clear()).await;
    assert!(matches!(error, StartError::Config(_)));
    let error = start(&|it| it.affiliations = vec!["admin".to_owned()]).await;
    assert!(matches!(error, StartError::Config(_)));
    fs::create_dir_all(folder.path().join("ca")).unwrap();
    fs::remove_file(folder.path().join("ca/key.pem")).ok();
    fs::write(folder.path().join("ca/cert.pem"), "junk").unwrap();
    let error = start(&|_| {}).await;
    assert!(matches!(error, StartError::Root { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_health_are_served() {
    let ca = start_with(|it| it.operations.listen_address = "127.0.0.1:0".to_owned()).await;
    let address = ca.handle.operations.unwrap();
    let get = async |path: &str| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    let metrics = get("/metrics").await;
    assert!(
        metrics.contains("gauze_ca_requests_total{call=\"Enroll\",outcome=\"Ok\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("gauze_panics_total 0"), "{metrics}");
}
