//! Capabilities: what every node of a channel must understand.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::common;

use super::{Error, key, values::Group};

/// Which section of the configuration requires a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The whole channel.
    Channel,
    /// The ordering service.
    Orderer,
    /// The peers.
    Application,
}

impl Section {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Orderer => "orderer",
            Self::Application => "application",
        }
    }

    /// The capabilities this node has.
    pub const fn supported(self) -> &'static [&'static str] {
        match self {
            Self::Channel => &["V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"],
            Self::Orderer => &["V1_1", "V1_4_2", "V2_0"],
            Self::Application => &["V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"],
        }
    }
}

/// The capabilities a section requires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Reads the capabilities of a group; each must be supported.
    pub(super) fn read(section: Section, group: Group<'_>) -> Result<Self, Error> {
        let value: common::Capabilities = group.get(key::CAPABILITIES)?;
        for name in value.capabilities.keys() {
            if !section.supported().contains(&name.as_str()) {
                let section = section.name();
                return Err(Error::UnsupportedCapability { section, name: name.clone() });
            }
        }
        Ok(Self(value.capabilities.into_keys().collect()))
    }

    /// Whether any of these capabilities is required.
    pub fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains(*name))
    }

    /// The names of all capabilities required.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The encoded message for these names. Fabric's encoder writes empty map values, too, so
    /// that its tools and ours make the same bytes.
    pub fn encode(names: &[String]) -> Bytes {
        let names: BTreeSet<&String> = names.iter().collect();
        let mut out = Vec::new();
        for name in names {
            let mut entry = Vec::with_capacity(name.len() + 8);
            prost::encoding::string::encode(1, name, &mut entry);
            prost::encoding::message::encode(2, &common::Capability {}, &mut entry);
            prost::encoding::bytes::encode(1, &entry, &mut out);
        }
        out.into()
    }
}
