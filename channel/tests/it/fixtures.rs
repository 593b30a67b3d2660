//! The recorded files, and identities of the recorded organizations.

use std::path::PathBuf;

use bytes::Bytes;
use channel::{Bundle, SignedData};
use msp::SigningIdentity;
use prost::Message;
use proto::common::{Block, Config};

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn read(name: &str) -> Bytes {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

pub(crate) fn block(name: &str) -> Block {
    Block::decode(read(name)).unwrap()
}

pub(crate) fn bundle(name: &str) -> Bundle {
    Bundle::from_block(&block(name)).unwrap()
}

/// The configuration of the recorded genesis block.
pub(crate) fn config() -> Config {
    bundle("genesis.block").config().clone()
}

/// One of the people and nodes of the recorded organizations, as `Org1.peer`.
pub(crate) fn signer(name: &str) -> SigningIdentity {
    let (organization, role) = name.split_once('.').unwrap();
    let number = organization.trim_start_matches("Org");
    let folder = match (organization, role) {
        ("Orderer", "orderer") => {
            "ordererOrganizations/example.com/orderers/orderer1.example.com/msp".to_owned()
        }
        (_, "peer") => {
            format!(
                "peerOrganizations/org{number}.example.com/peers/peer0.org{number}.example.com/msp"
            )
        }
        (_, "admin") => {
            format!(
                "peerOrganizations/org{number}.example.com/users/Admin@org{number}.example.com/msp"
            )
        }
        (_, "client") => {
            format!(
                "peerOrganizations/org{number}.example.com/users/User1@org{number}.example.com/msp"
            )
        }
        _ => panic!("{name} is not recorded"),
    };
    let id = format!("{organization}MSP");
    SigningIdentity::load(&path("organizations").join(folder), &id).unwrap()
}

/// A message signed by one of [`signer`]; with a bad signature if the name starts with `!`.
pub(crate) fn signed(name: &str) -> SignedData {
    let (name, good) = name.strip_prefix('!').map_or((name, true), |name| (name, false));
    let signer = signer(name);
    let data = Bytes::from_static(b"a message");
    let signature = signer.sign(if good { &data } else { b"another message" }).unwrap();
    SignedData { data, identity: signer.serialized().clone(), signature }
}
