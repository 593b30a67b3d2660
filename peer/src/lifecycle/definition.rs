//! A chaincode definition: what the organizations of a channel agree on about a chaincode.

use bytes::Bytes;
use prost::Message;
use proto::lifecycle::{ChaincodeEndorsementInfo, ChaincodeValidationInfo};
use proto::peer::{CollectionConfigPackage, StaticCollectionConfig};

use super::Error;
use super::state::{self, NAMESPACES, Read, Record};

/// Type name of a committed definition.
pub const DEFINITION: &str = "ChaincodeDefinition";
/// Type name of an approval.
pub const PARAMETERS: &str = "ChaincodeParameters";
/// Type name of what package an organization runs.
pub const LOCAL_PACKAGE: &str = "ChaincodeLocalPackage";

/// Everything about a definition except its sequence: what approvals must agree on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// Version and endorsement plugin, and whether the chaincode wants initialization.
    pub endorsement: ChaincodeEndorsementInfo,
    /// Validation plugin and endorsement policy (an encoded `ApplicationPolicy`).
    pub validation: ChaincodeValidationInfo,
    /// Private data collections.
    pub collections: CollectionConfigPackage,
}

impl Parameters {
    /// The fields as they lie in state.
    fn fields(&self) -> Vec<(&'static str, Bytes)> {
        vec![
            ("EndorsementInfo", state::message(Some(&self.endorsement))),
            ("ValidationInfo", state::message(Some(&self.validation))),
            ("Collections", state::message(Some(&self.collections))),
        ]
    }

    /// The record of an approval.
    pub fn record(&self) -> Record {
        Record { datatype: PARAMETERS, fields: self.fields() }
    }

    /// Reads the fields of the record `name`.
    pub fn read(state: &mut dyn Read, name: &str) -> Result<Self, Error> {
        Ok(Self {
            endorsement: state::read_message(state, NAMESPACES, name, "EndorsementInfo")?,
            validation: state::read_message(state, NAMESPACES, name, "ValidationInfo")?,
            collections: state::read_message(state, NAMESPACES, name, "Collections")?,
        })
    }

    /// Says how `passed` differs from these parameters.
    pub fn compare(&self, passed: &Self) -> Result<(), String> {
        let (e, p) = (&self.endorsement, &passed.endorsement);
        let (v, w) = (&self.validation, &passed.validation);
        differ("Version", &e.version, &p.version)?;
        differ("EndorsementPlugin", &e.endorsement_plugin, &p.endorsement_plugin)?;
        differ("InitRequired", &e.init_required, &p.init_required)?;
        differ("ValidationPlugin", &v.validation_plugin, &w.validation_plugin)?;
        let hex = |info: &ChaincodeValidationInfo| hex::encode(&info.validation_parameter);
        differ("ValidationParameter", &hex(v), &hex(w))?;
        if self.collections != passed.collections {
            return Err("collections do not match".into());
        }
        Ok(())
    }
}

fn differ<T: PartialEq + std::fmt::Display>(name: &str, old: &T, new: &T) -> Result<(), String> {
    if old == new {
        return Ok(());
    }
    Err(format!("expected {name} '{old}' does not match passed {name} '{new}'"))
}

/// The definition of a chaincode on a channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// How many definitions of this name there were, this one included.
    pub sequence: i64,
    /// Everything else.
    pub parameters: Parameters,
}

impl Definition {
    /// The record of a committed definition.
    pub fn record(&self) -> Record {
        let mut fields = vec![("Sequence", state::number(self.sequence))];
        fields.extend(self.parameters.fields());
        Record { datatype: DEFINITION, fields }
    }

    /// The committed definition of `name`: reads its metadata and, if they are there, its fields.
    pub fn read(state: &mut dyn Read, name: &str) -> Result<Option<Self>, Error> {
        let Some(metadata) = state::read_metadata(state, NAMESPACES, name)? else {
            return Ok(None);
        };
        if metadata.datatype != DEFINITION {
            return Err(Error::Corrupt(format!("not a chaincode type: {}", metadata.datatype)));
        }
        let sequence = read_sequence(state, name)?;
        Ok(Some(Self { sequence, parameters: Parameters::read(state, name)? }))
    }

    /// Version of the chaincode, free text.
    pub fn version(&self) -> &str {
        &self.parameters.endorsement.version
    }

    /// Whether the chaincode must be initialized before other calls.
    pub fn init_required(&self) -> bool {
        self.parameters.endorsement.init_required
    }

    /// Name of the endorsement plugin.
    pub fn endorsement_plugin(&self) -> &str {
        &self.parameters.endorsement.endorsement_plugin
    }

    /// Name of the validation plugin.
    pub fn validation_plugin(&self) -> &str {
        &self.parameters.validation.validation_plugin
    }

    /// The endorsement policy, an encoded `ApplicationPolicy`.
    pub fn validation_parameter(&self) -> &Bytes {
        &self.parameters.validation.validation_parameter
    }

    /// The collections the definition names; implicit ones are not among them.
    pub fn collections(&self) -> impl Iterator<Item = &StaticCollectionConfig> {
        static_collections(&self.parameters.collections)
    }

    /// The configuration of one collection the definition names.
    pub fn collection(&self, name: &str) -> Option<&StaticCollectionConfig> {
        self.collections().find(|collection| collection.name == name)
    }
}

/// The sequence of the committed definition of `name`, 0 if there is none.
pub fn read_sequence(state: &mut dyn Read, name: &str) -> Result<i64, Error> {
    state::read_number(state, NAMESPACES, name, "Sequence")
}

/// The static configurations in a package.
pub fn static_collections(
    package: &CollectionConfigPackage,
) -> impl Iterator<Item = &StaticCollectionConfig> {
    use proto::peer::collection_config::Payload;
    package.config.iter().filter_map(|config| match config.payload.as_ref()? {
        Payload::StaticCollectionConfig(config) => Some(config),
    })
}

/// The record of which package an organization runs; empty for none.
pub fn local_package(package_id: &str) -> Record {
    Record { datatype: LOCAL_PACKAGE, fields: vec![("PackageID", state::text(package_id))] }
}

/// Name of an organization's record about sequence `sequence` of `chaincode`.
pub fn private_name(chaincode: &str, sequence: i64) -> String {
    format!("{chaincode}#{sequence}")
}

/// The endorsement policy of definitions that name none: a reference to the channel's own.
pub fn default_validation_parameter() -> Bytes {
    channel::policy::reference(DEFAULT_POLICY).encode_to_vec().into()
}

/// The channel policy a definition without policy refers to.
pub const DEFAULT_POLICY: &str = channel::policy::DEFAULT_ENDORSEMENT;
