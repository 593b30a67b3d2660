//! The peer's process is killed again and again while it commits, and loses nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::certificates_from_pem;
use prost::Message;
use proto::common::{Block, BlockchainInfo, HeaderType};
use proto::peer::Response;
use proto::peer::endorser_client::EndorserClient;

use crate::consortium::{Org, genesis_at};
use crate::network::Draft as Proposal;
use crate::ordering::Orderer;
use crate::peers::{config, prepare, start, until};
use crate::transactions::{Draft, definition, writes};

const CHANNEL: &str = "care";
const BLOCKS: u64 = 60;

/// The peer's own binary, killed when it is dropped.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(file: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peer"))
            .arg("--config")
            .arg(file)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("peer serves") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the peer ended");
        }
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told.to_string();
        let from = address.find("127.0.0.1:").unwrap();
        let end = address[from..].find('"').unwrap();
        let address = address[from..from + end].to_owned();
        // Somebody must read what else it says.
        std::thread::spawn(move || for _ in lines.lines() {});
        Self { child, address }
    }
}

impl Drop for Process {
    /// `kill -9`.
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Calls a system chaincode of the process.
async fn call(
    process: &Process,
    org: &Org,
    caller: &SigningIdentity,
    name: &str,
    header_type: HeaderType,
    args: &[&[u8]],
) -> Response {
    let roots = certificates_from_pem(org.tls_root().as_bytes()).unwrap();
    let dial = Dial {
        address: &process.address,
        roots: Some(&roots),
        identity: None,
        server_name: None,
        timeout: Duration::from_secs(5),
    };
    let mut client = EndorserClient::new(dial.connect().await.unwrap());
    let mut proposal = Proposal::new(name, args);
    proposal.channel = String::new();
    proposal.header_type = header_type;
    let answer = client.process_proposal(proposal.sign(caller)).await.unwrap().into_inner();
    answer.response.unwrap()
}

async fn height(process: &Process, org: &Org, caller: &SigningIdentity) -> u64 {
    let args: [&[u8]; 2] = [b"GetChainInfo", CHANNEL.as_bytes()];
    let kind = HeaderType::EndorserTransaction;
    let response = call(process, org, caller, "qscc", kind, &args).await;
    assert_eq!(response.status, 200, "{}", response.message);
    BlockchainInfo::decode(response.payload).unwrap().height
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_peer_loses_nothing() {
    let tasks = Tasks::new();
    let orderer = Orderer::start(&tasks).await;
    let org = Org::new("Org1MSP");
    let genesis = genesis_at(CHANNEL, &orderer.org, &orderer.address, &[(&org, vec![])]);
    let chain = orderer.begin(genesis.clone());
    let witness = start(&org, &tasks).await;
    witness.handle.channels.join(&genesis).unwrap();

    let dir = tempfile::tempdir().unwrap();
    prepare(&org, dir.path());
    let mut settings = config(&org, dir.path());
    settings.telemetry.format = node::telemetry::Format::Json;
    let file = dir.path().join("peer.yaml");
    std::fs::write(&file, serde_yaml_ng::to_string(&settings).unwrap()).unwrap();
    let (admin, client) = (org.identity("admin", "admin"), org.identity("user1", "client"));
    let endorser = org.identity("peer1", "peer");
    let mut process = Process::start(&file);
    let block = genesis.encode_to_vec();
    let join: [&[u8]; 2] = [b"JoinChain", &block];
    let joined = call(&process, &org, &admin, "cscc", HeaderType::Config, &join).await;
    assert_eq!(joined.status, 200, "{}", joined.message);

    let mut draft = Draft::new(CHANNEL, "_lifecycle", &client);
    draft.namespaces = vec![definition("cc")];
    draft.endorsers = vec![&endorser];
    chain.order(vec![draft.envelope()]);
    for number in 2..BLOCKS {
        let envelopes = (0..3).map(|index| {
            let mut draft = Draft::new(CHANNEL, "cc", &client);
            draft.namespaces = vec![writes("cc", &[(&format!("{number}-{index}"), b"value")])];
            draft.endorsers = vec![&endorser];
            draft.envelope()
        });
        chain.order(envelopes.collect());
        if number % 20 == 0 {
            // Kill it as soon as it has moved, in the middle of its work.
            let before = height(&process, &org, &client).await;
            let end = Instant::now() + Duration::from_secs(20);
            while height(&process, &org, &client).await == before && before <= number {
                assert!(Instant::now() < end, "the peer does not commit");
            }
            drop(process);
            process = Process::start(&file);
            assert!(height(&process, &org, &client).await >= before);
        }
    }
    let end = Instant::now() + Duration::from_secs(30);
    while height(&process, &org, &client).await < BLOCKS {
        assert!(Instant::now() < end, "the peer does not catch up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let channel = witness.handle.channels.get(CHANNEL).unwrap();
    until("witness", || channel.height() == BLOCKS).await;
    let args: [&[u8]; 3] = [b"GetBlockByNumber", CHANNEL.as_bytes(), b"18446744073709551615"];
    let kind = HeaderType::EndorserTransaction;
    let newest = call(&process, &org, &client, "qscc", kind, &args).await;
    let newest = Block::decode(newest.payload).unwrap();
    assert_eq!(proto::block::transactions_filter(&newest), Bytes::from_static(&[0; 3]));
    let hash = proto::block::commit_hash(&newest);
    let expected = channel.ledger().block(BLOCKS - 1).unwrap().unwrap();
    assert_eq!(hash, proto::block::commit_hash(&expected));
    drop(process);
    tasks.shutdown(Duration::from_secs(10)).await;
}
