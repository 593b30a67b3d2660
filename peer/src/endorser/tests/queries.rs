//! Queries asked of recorded peers at the end: histories, ranges, pages, private reads.

use bytes::Bytes;
use channel::SignedData;
use ledger::PrivateWriteSets;
use prost::Message;
use proto::common::{ChannelHeader, SignatureHeader};
use proto::envelope::Envelope;
use proto::peer::{ChaincodeInput, Response, SignedProposal};
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::{Action, PeeledProposal};
use serde_json::Value;

use super::peer::{ORG1, ORG2, Peer, recorded};
use super::replay::{arguments, codes, commit, pretend_installed};
use crate::endorser::process::simulate;
use crate::endorser::transaction::Proposal;

/// A peer of an organization at the end of a recorded ledger, and some client of it.
struct Asked {
    peer: Peer,
    creator: Bytes,
}

impl Asked {
    fn new(ledger: &str, org: &str, msp_id: &str) -> Self {
        let block = |number: u32| {
            let bytes = recorded(&format!("{ledger}/blocks/block_{number:06}.pb"))?;
            Some(proto::block::parse(bytes).unwrap())
        };
        let peer = Peer::join(&block(0).unwrap(), msp_id);
        let mut creator = Bytes::new();
        for number in 1.. {
            let Some(block) = block(number) else { break };
            let mut private = PrivateWriteSets::default();
            for (index, envelope) in (0u32..).zip(proto::block::envelopes(&block)) {
                let Ok(envelope) = Envelope::parse(envelope.clone()) else { continue };
                let file = format!("{ledger}/private_{org}/block_{number:06}_tx_{index:04}.pb");
                let set = recorded(&file).map(|bytes| TxPvtReadWriteSet::decode(bytes).unwrap());
                private.write_sets.extend(set.map(|set| (index, set)));
                let Ok(action) = Action::parse(envelope.data.clone()) else { continue };
                pretend_installed(&peer, &arguments(&action));
                let from = envelope.signature_header.creator;
                let identity = proto::msp::SerializedIdentity::decode(from.clone());
                if identity.is_ok_and(|identity| identity.mspid == msp_id) {
                    creator = from;
                }
            }
            let codes = codes(&block);
            commit(&peer, block, codes, private);
        }
        Self { peer, creator }
    }

    fn ask(&self, chaincode: &str, args: &[&str]) -> Response {
        let bundle = self.peer.channel.bundle();
        let creator = bundle.msps().deserialize(&self.creator).unwrap();
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
        let nonce = Bytes::from_static(b"nonce");
        let channel_header = ChannelHeader {
            tx_id: proto::transaction::tx_id(&nonce, &self.creator),
            channel_id: self.peer.channel.id().to_owned(),
            ..Default::default()
        };
        let peeled = PeeledProposal {
            proposal_bytes: Bytes::new(),
            signature: Bytes::new(),
            channel_header_bytes: channel_header.encode_to_vec().into(),
            signature_header_bytes: Bytes::new(),
            channel_header,
            signature_header: SignatureHeader { creator: self.creator.clone(), nonce },
            chaincode: chaincode.to_owned(),
            input_bytes: Bytes::new(),
            input: ChaincodeInput { args, ..Default::default() },
            transient: Default::default(),
        };
        let (data, signature) = (Bytes::new(), Bytes::new());
        let request = SignedData { data, identity: self.creator.clone(), signature };
        let proposal = Proposal {
            endorser: &self.peer.endorser.0,
            signed: &SignedProposal::default(),
            peeled: &peeled,
            request: &request,
            creator: &creator,
        };
        let outcome = simulate(&proposal, self.peer.channel.clone());
        outcome.unwrap_or_else(|error| panic!("{chaincode} {peeled:?}: {error}")).response
    }

    /// Asks what `query` says, and compares the answer with the recorded one.
    fn check(&self, chaincode: &str, query: &str, expected: &Value) {
        let args: Vec<&str> = query.split(' ').collect();
        let response = self.ask(chaincode, &args);
        if let Some((_, refusal)) = expected.as_str().and_then(|text| text.split_once("tx creator"))
        {
            assert_eq!(response.status, 500, "{query}");
            assert!(response.message.contains(refusal), "{query}: {}", response.message);
            return;
        }
        assert_eq!(response.status, 200, "{query}: {}", response.message);
        let text = String::from_utf8_lossy(&response.payload).into_owned();
        let found = match args[0] {
            "pget" => Value::from(text),
            "phash" => Value::from(hex::encode(&response.payload)),
            _ => serde_json::from_str(&text).unwrap(),
        };
        // What a contract answers in JSON was recorded as text in some places.
        let expected = match expected.as_str().filter(|_| args[0].ends_with("range")) {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => expected.clone(),
        };
        assert_eq!(found, expected, "{query}");
    }
}

fn queries(ledger: &str) -> serde_json::Map<String, Value> {
    let bytes = recorded(&format!("{ledger}/queries.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn histories_ranges_and_pages() {
    let asked = Asked::new("l1-simple", "org1", ORG1);
    let queries = queries("l1-simple");
    for (query, expected) in &queries {
        let (chaincode, query) = query.split_once(' ').unwrap();
        asked.check(chaincode, query, expected);
    }
    assert!(queries.len() >= 7);
}

#[test]
fn private_keys_as_each_organization_sees_them() {
    let queries = queries("l4-private");
    for (org, msp_id) in [("org1", ORG1), ("org2", ORG2)] {
        let asked = Asked::new("l4-private", org, msp_id);
        let mut count = 0;
        for (query, expected) in &queries {
            let Some(query) = query.strip_prefix(org) else { continue };
            asked.check("gz", query.trim_start(), expected);
            count += 1;
        }
        assert!(count >= 9, "{org}: {count}");
    }
}
