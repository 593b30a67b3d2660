//! `cscc` and `qscc` as clients and administrators see them.

use std::sync::Arc;

use bytes::Bytes;
use channel::SignedData;
use ledger::Ledgers;
use msp::{Manager, Msp, MspVersion, SigningIdentity};
use node::tasks::Tasks;
use peer::channels::Channels;
use peer::private_data::Member;
use peer::snapshots::Joins;
use peer::system::{Access, Context, Cscc, Qscc, SystemChaincode};
use prost::Message;
use proto::common::{Block, BlockchainInfo, Config};
use proto::peer::{ChannelQueryResponse, ProcessedTransaction, Response, TxValidationCode};

use crate::consortium::{Org, genesis};

struct Peer {
    channels: Arc<Channels>,
    access: Access,
    _dir: tempfile::TempDir,
}

impl Peer {
    fn new(org: &Org) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledgers = Ledgers::open(dir.path(), ledger::Config::default()).unwrap();
        let channels = Arc::new(Channels::open(ledgers, 2, 10).unwrap());
        let msp = Msp::new(&org.definition(), MspVersion::V1_4_3).unwrap();
        let local = Arc::new(Manager::new(vec![msp]).unwrap());
        Self { channels, access: Access::new(&*org.msp_id, local), _dir: dir }
    }

    fn cscc(&self, org: &Org) -> Cscc {
        let member = Member::new(&*org.msp_id, org.identity("peer0", "peer").serialized().clone());
        let joins = Joins::new(self.channels.clone(), member, Tasks::new());
        Cscc::new(self.channels.clone(), Arc::new(joins))
    }

    fn call(
        &self,
        chaincode: &dyn SystemChaincode,
        caller: &SigningIdentity,
        args: &[&[u8]],
    ) -> Response {
        let data = Bytes::from_static(b"proposal");
        let proposal = SignedData {
            identity: caller.serialized().clone(),
            signature: caller.sign(&data).unwrap(),
            data,
        };
        let mut context = Context {
            channel: None,
            simulator: None,
            tx_id: "",
            proposal: &proposal,
            access: &self.access,
            nested: false,
        };
        let args: Vec<Bytes> = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
        chaincode.invoke(&mut context, &args)
    }
}

#[track_caller]
fn check<M: Message + Default>(response: Response) -> M {
    assert_eq!((response.status, response.message.as_str()), (200, ""));
    M::decode(response.payload).unwrap()
}

#[track_caller]
fn refused(response: &Response, text: &str) {
    assert_eq!(response.status, 500);
    assert!(response.message.contains(text), "{}", response.message);
}

#[test]
fn channels_are_joined_by_administrators_and_once() {
    let [one, foreign, orderer] = ["Org1MSP", "Org9MSP", "OrdererMSP"].map(Org::new);
    let peer = Peer::new(&one);
    let cscc = peer.cscc(&one);
    let (admin, client) = (one.identity("admin", "admin"), one.identity("user", "client"));
    let stranger = foreign.identity("admin", "admin");
    let block = genesis("care", &orderer, &[(&one, vec![])]);
    let bytes = block.encode_to_vec();
    let join = |caller, bytes: &[u8]| peer.call(&cscc, caller, &[b"JoinChain", bytes]);
    refused(&join(&client, &bytes), "access denied for [JoinChain][]");
    refused(&join(&stranger, &bytes), "access denied for [JoinChain][]");
    refused(&join(&admin, b"\xff"), "Failed to reconstruct the genesis block");
    refused(&join(&admin, b""), "Incorrect number of arguments");
    let mut later = block.clone();
    later.header.as_mut().unwrap().number = 1;
    refused(&join(&admin, &later.encode_to_vec()), "a ledger starts at block 0");
    let mut tampered = block.clone();
    tampered.header.as_mut().unwrap().data_hash = Bytes::from_static(&[7; 32]);
    refused(&join(&admin, &tampered.encode_to_vec()), "invalid join block");
    assert_eq!(join(&admin, &bytes).status, 200);
    let again = "cannot create ledger from genesis block: ledger [care] already exists with state \
                 [ACTIVE]";
    refused(&join(&admin, &bytes), again);
    for (channel, status) in [("pharma", 200), ("third", 500)] {
        let block = genesis(channel, &orderer, &[(&one, vec![])]).encode_to_vec();
        assert_eq!(join(&admin, &block).status, status, "{channel}");
    }
    let list: ChannelQueryResponse = check(peer.call(&cscc, &client, &[b"GetChannels"]));
    let names: Vec<_> = list.channels.iter().map(|channel| channel.channel_id.as_str()).collect();
    assert_eq!(names, ["care", "pharma"]);
    let found: Block = check(peer.call(&cscc, &client, &[b"GetConfigBlock", b"care"]));
    assert_eq!(found.header, block.header);
    let config: Config = check(peer.call(&cscc, &client, &[b"GetChannelConfig", b"care"]));
    assert_eq!(&config, peer.channels.get("care").unwrap().bundle().config());
    let stranger = foreign.identity("user", "client");
    refused(&peer.call(&cscc, &stranger, &[b"GetConfigBlock", b"care"]), "access denied");
    refused(
        &peer.call(&cscc, &client, &[b"Nothing", b"care"]),
        "Requested function Nothing not found",
    );
}

#[test]
fn blocks_and_transactions_are_found() {
    let [one, foreign, orderer] = ["Org1MSP", "Org9MSP", "OrdererMSP"].map(Org::new);
    let peer = Peer::new(&one);
    let qscc = Qscc::new(peer.channels.clone());
    let block = genesis("care", &orderer, &[(&one, vec![])]);
    peer.channels.join(&block).unwrap();
    let client = one.identity("user", "client");
    let ask = |args: &[&[u8]]| peer.call(&qscc, &client, args);
    let info: BlockchainInfo = check(ask(&[b"GetChainInfo", b"care"]));
    let hash = proto::block::header_hash(block.header.as_ref().unwrap());
    assert_eq!((info.height, info.current_block_hash.as_ref()), (1, &hash[..]));
    for number in ["0", "18446744073709551615"] {
        let found: Block = check(ask(&[b"GetBlockByNumber", b"care", number.as_bytes()]));
        assert_eq!(found.header, block.header);
    }
    let found: Block = check(ask(&[b"GetBlockByHash", b"care", &hash]));
    assert_eq!(found.header, block.header);
    let envelope = proto::block::envelopes(&block)[0].clone();
    let tx_id = proto::envelope::Envelope::parse(envelope).unwrap().channel_header.tx_id;
    let found: Block = check(ask(&[b"GetBlockByTxID", b"care", tx_id.as_bytes()]));
    assert_eq!(found.header, block.header);
    let found: ProcessedTransaction =
        check(ask(&[b"GetTransactionByID", b"care", tx_id.as_bytes()]));
    assert_eq!(found.validation_code, i32::from(TxValidationCode::Valid));
    assert!(found.transaction_envelope.is_some());
    refused(&ask(&[b"GetChainInfo", b"pharma"]), "Invalid chain ID, pharma");
    refused(&ask(&[b"GetChainInfo"]), "Incorrect number of arguments, 1");
    refused(&ask(&[b"GetBlockByNumber", b"care"]), "missing 3rd argument for GetBlockByNumber");
    refused(&ask(&[b"GetBlockByNumber", b"care", b"one"]), "Failed to parse block number");
    refused(&ask(&[b"GetBlockByNumber", b"care", b"9"]), "Failed to get block number 9");
    refused(&ask(&[b"GetTransactionByID", b"care", b"x"]), "no such transaction ID [x] in index");
    refused(&ask(&[b"Nothing", b"care", b"7"]), "Requested function Nothing not found");
    let stranger = foreign.identity("user", "client");
    let response = peer.call(&qscc, &stranger, &[b"GetChainInfo", b"care"]);
    refused(&response, "access denied for [GetChainInfo][care]");
}
