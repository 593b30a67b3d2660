//! Values of the root group.

use msp::MspVersion;
use proto::common::{BlockDataHashingStructure, Consortium, HashingAlgorithm, OrdererAddresses};

use super::capabilities::{Capabilities, Section};
use super::{Error, key, values::Group};

/// What is agreed on for the whole channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Channel {
    /// What every node must understand.
    pub capabilities: Capabilities,
    /// Addresses of all orderers, in configurations that do not list them by organization.
    pub orderer_addresses: Vec<String>,
}

const KEYS: [&str; 5] = [
    key::CAPABILITIES,
    key::HASHING_ALGORITHM,
    key::BLOCK_DATA_HASHING_STRUCTURE,
    key::ORDERER_ADDRESSES,
    key::CONSORTIUM,
];

impl Channel {
    pub(crate) fn read(group: Group<'_>) -> Result<Self, Error> {
        let group = group.only(&KEYS)?;
        let capabilities = Capabilities::read(Section::Channel, group)?;
        let hashing: HashingAlgorithm = group.get(key::HASHING_ALGORITHM)?;
        if !["SHA256", "SHA3_256"].contains(&hashing.name.as_str()) {
            return Err(Error::Invalid(format!("unknown hashing algorithm '{}'", hashing.name)));
        }
        let structure: BlockDataHashingStructure = group.get(key::BLOCK_DATA_HASHING_STRUCTURE)?;
        if structure.width != u32::MAX {
            let width = structure.width;
            return Err(Error::Invalid(format!(
                "block data hashing width {width} is not supported"
            )));
        }
        let _: Consortium = group.get(key::CONSORTIUM)?;
        let addresses: OrdererAddresses = group.get(key::ORDERER_ADDRESSES)?;
        let channel = Self { capabilities, orderer_addresses: addresses.addresses };
        channel.check_addresses()?;
        Ok(channel)
    }

    fn check_addresses(&self) -> Result<(), Error> {
        let by_organization = self.capabilities.any(&["V1_4_2", "V1_4_3", "V2_0", "V3_0"]);
        let problem = match self.orderer_addresses.is_empty() {
            true if !by_organization => "must set some OrdererAddresses",
            false if self.v3() => "global orderer addresses are not allowed with V3_0 capability",
            _ => return Ok(()),
        };
        Err(Error::Invalid(problem.into()))
    }

    /// Whether blocks may carry the signatures of a byzantine quorum, and identities Ed25519 keys.
    pub fn v3(&self) -> bool {
        self.capabilities.any(&["V3_0"])
    }

    /// Which rules identities are checked by.
    pub fn msp_version(&self) -> MspVersion {
        let capabilities = &self.capabilities;
        if capabilities.any(&["V3_0"]) { MspVersion::V3_0 } else { MspVersion::V1_4_3 }
    }
}
