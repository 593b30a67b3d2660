//! Mutual TLS, names, limits and draining.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use node::grpc::{ConnectError, Dial, Server};
use node::tasks::{Drained, Tasks};
use node::tls::{ClientTls, ServerTls};
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::Channel;

use crate::authority::Authority;
use crate::echo::{Echo, call};

const WAIT: Duration = Duration::from_secs(10);

struct Running {
    authority: Authority,
    address: SocketAddr,
    tls: ServerTls,
    tasks: Tasks,
    _directory: tempfile::TempDir,
}

async fn start(hosts: &[&str], require: bool) -> Running {
    let authority = Authority::new("ours");
    let directory = tempfile::tempdir().unwrap();
    let tls = ServerTls::load(&authority.server(directory.path(), hosts, require)).unwrap();
    let tasks = Tasks::new();
    let server = Server::bind("127.0.0.1:0", Some(tls.clone())).await.unwrap();
    let address = server.local_address();
    server.serve(Routes::new(Echo), &tasks);
    Running { authority, address, tls, tasks, _directory: directory }
}

impl Running {
    async fn dial(
        &self,
        authority: &Authority,
        identity: Option<&ClientTls>,
    ) -> Result<Channel, ConnectError> {
        let address = format!("localhost:{}", self.address.port());
        node::grpc::connect(&address, &authority.root(), identity, WAIT).await
    }

    /// Dials and calls: with TLS 1.3 a refused client certificate shows on first use.
    async fn reach(&self, identity: Option<&ClientTls>) -> Result<Bytes, String> {
        let channel =
            self.dial(&self.authority, identity).await.map_err(|error| error.to_string())?;
        let answer = call(&channel, "/test.Echo/Who", Bytes::new(), None).await;
        answer.map_err(|status| status.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_binds_the_certificate_to_the_request() {
    let server = start(&["localhost"], true).await;
    let client = server.authority.client();
    let answer = server.reach(Some(&client)).await.unwrap();
    assert_eq!(answer, client.certificate_hash().as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_certificate_must_be_there_and_chain_to_the_roots() {
    let server = start(&["localhost"], true).await;
    let stranger = Authority::new("theirs");
    assert!(server.reach(None).await.is_err());
    assert!(server.reach(Some(&stranger.client())).await.is_err());
    assert!(server.reach(Some(&server.authority.client())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_certificate_is_requested_but_not_verified() {
    let server = start(&["localhost"], false).await;
    let stranger = Authority::new("theirs").client();
    assert_eq!(server.reach(None).await.unwrap(), Bytes::new());
    let answer = server.reach(Some(&stranger)).await.unwrap();
    assert_eq!(answer, stranger.certificate_hash().as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_roots_are_replaced_while_running() {
    let server = start(&["localhost"], true).await;
    let newcomer = Authority::new("newcomer");
    let client = newcomer.client();
    assert!(server.reach(Some(&client)).await.is_err());
    server.tls.set_client_roots([server.authority.root(), newcomer.root()].concat()).unwrap();
    assert!(server.reach(Some(&client)).await.is_ok());
    server.tls.set_client_roots(vec![]).unwrap();
    assert!(server.reach(Some(&client)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_an_unknown_authority_or_another_name_is_refused() {
    let server = start(&["peer0.hospital.example"], false).await;
    let wrong_name = server.dial(&server.authority, None).await.unwrap_err().to_string();
    assert!(wrong_name.contains("not valid for name"), "{wrong_name}");

    let address = server.address.to_string();
    let roots = server.authority.root();
    let dial = Dial {
        address: &address,
        roots: Some(&roots),
        identity: None,
        server_name: Some("peer0.hospital.example"),
        timeout: WAIT,
    };
    dial.connect().await.unwrap();

    let stranger = Authority::new("theirs").root();
    let refused = Dial { roots: Some(&stranger), ..dial }.connect().await.unwrap_err().to_string();
    assert!(refused.contains("UnknownIssuer") || refused.contains("certificate"), "{refused}");
    let plain = Dial { roots: None, ..dial }.connect().await;
    if let Ok(channel) = plain {
        assert!(call(&channel, "/test.Echo/Who", Bytes::new(), None).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_checked_and_dead_ones_named() {
    let roots = Authority::new("ours").root();
    for address in ["", "localhost", ":7051", "localhost:port"] {
        let refused = node::grpc::connect(address, &roots, None, WAIT).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Address(_)), "{address}: {refused}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = node::grpc::connect(&free.to_string(), &roots, None, WAIT).await.unwrap_err();
    assert!(refused.to_string().contains("refused"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_beyond_four_mebibytes_pass() {
    let server = start(&["localhost"], false).await;
    let channel = server.dial(&server.authority, None).await.unwrap();
    let large = Bytes::from(vec![7_u8; 9 << 20]);
    let answer = call(&channel, "/test.Echo/Echo", large.clone(), None).await.unwrap();
    assert!(answer == large);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_one_call_and_a_deadline_is_kept() {
    let server = start(&["localhost"], false).await;
    let channel = server.dial(&server.authority, None).await.unwrap();
    let before = node::panics::count();
    let failed = call(&channel, "/test.Echo/Panic", Bytes::new(), None).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    assert_eq!(node::panics::count(), before + 1);

    let short = Some(Duration::from_millis(50));
    let late = call(&channel, "/test.Echo/Slow", Bytes::new(), short).await.unwrap_err();
    // tonic's own client gives up with `Cancelled`; whoever is first, the caller has an answer.
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late}");
    let answer = call(&channel, "/test.Echo/Slow", Bytes::new(), Some(WAIT)).await.unwrap();
    assert_eq!(answer, "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_calls_in_flight_finish_and_closes_the_port() {
    let server = start(&["localhost"], false).await;
    let channel = server.dial(&server.authority, None).await.unwrap();
    let in_flight = {
        let channel = channel.clone();
        async move { call(&channel, "/test.Echo/Slow", Bytes::new(), None).await }
    };
    let shutdown = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.tasks.shutdown(WAIT).await
    };
    let (answer, drained) = tokio::join!(in_flight, shutdown);
    assert_eq!(answer.unwrap(), "false");
    assert_eq!(drained, Drained::default());
    assert!(server.dial(&server.authority, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_holds_nobody_up() {
    let server = start(&["localhost"], false).await;
    let silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    assert!(server.reach(None).await.is_ok());
    drop(silent);
}
