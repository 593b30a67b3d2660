//! The life of a chaincode: install on peers, approve per organization, commit to a channel.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::lifecycle::{
    ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CheckCommitReadinessArgs,
    CheckCommitReadinessResult, CommitChaincodeDefinitionArgs, InstallChaincodeArgs,
    InstallChaincodeResult, QueryApprovedChaincodeDefinitionArgs,
    QueryApprovedChaincodeDefinitionResult, QueryChaincodeDefinitionArgs,
    QueryChaincodeDefinitionResult, QueryChaincodeDefinitionsArgs, QueryChaincodeDefinitionsResult,
    QueryInstalledChaincodesArgs, QueryInstalledChaincodesResult, chaincode_source,
};
use proto::peer::CollectionConfigPackage;

use super::{Parties, Peer, transact};
use crate::proposal::encode;
use crate::{Class, Error, Outcome};

const LIFECYCLE: &str = "_lifecycle";

/// A chaincode as organizations agree on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name on the channel.
    pub name: String,
    /// Its version, free text.
    pub version: String,
    /// 1 for the first definition, one more for every change.
    pub sequence: i64,
    /// Whether it must be initialized before other calls.
    pub init_required: bool,
    /// Encoded `ApplicationPolicy`; empty means the channel's default endorsement policy.
    pub endorsement_policy: Bytes,
    /// Private data collections.
    pub collections: Option<CollectionConfigPackage>,
}

impl Definition {
    /// A first definition with the channel's default endorsement policy.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sequence: 1,
            init_required: false,
            endorsement_policy: Bytes::new(),
            collections: None,
        }
    }
}

/// A committed definition and who has approved it.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The definition.
    pub definition: Definition,
    /// Organizations by MSP id; true when approved.
    pub organizations: BTreeMap<String, bool>,
}

/// A package on a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// `label:hash`.
    pub package_id: String,
    /// The label chosen when packaging.
    pub label: String,
    /// Where it is used: channel, chaincode, version.
    pub references: Vec<(String, String, String)>,
}

impl Peer {
    /// Installs a package and returns its id; a package that is already there is no error.
    ///
    /// # Errors
    /// When the peer refuses the package.
    pub async fn install(&self, package: Bytes) -> Result<String, Error> {
        let arguments = InstallChaincodeArgs { chaincode_install_package: package };
        match self.lifecycle("", "InstallChaincode", &arguments).await {
            Ok(payload) => {
                let result: InstallChaincodeResult = decode(payload, "install result")?;
                Ok(result.package_id)
            }
            Err(Error::Refused { message, .. })
                if message.contains("chaincode already successfully installed") =>
            {
                already_installed(&message)
                    .ok_or_else(|| Error::decode("package id in the peer's message"))
            }
            Err(error) => Err(error),
        }
    }

    /// The packages on the peer.
    ///
    /// # Errors
    /// When the caller is not an admin of the peer's organization.
    pub async fn installed(&self) -> Result<Vec<Installed>, Error> {
        let arguments = QueryInstalledChaincodesArgs {};
        let payload = self.lifecycle("", "QueryInstalledChaincodes", &arguments).await?;
        let result: QueryInstalledChaincodesResult = decode(payload, "installed chaincodes")?;
        let installed = result.installed_chaincodes.into_iter().map(|chaincode| {
            let references = chaincode.references.into_iter().flat_map(|(channel, used)| {
                used.chaincodes
                    .into_iter()
                    .map(move |used| (channel.clone(), used.name, used.version))
            });
            Installed {
                references: references.collect(),
                package_id: chaincode.package_id,
                label: chaincode.label,
            }
        });
        Ok(installed.collect())
    }

    /// The package id this peer's organization has approved `name` with; `None` when it has
    /// approved the definition without a package, or not at all.
    ///
    /// # Errors
    /// When the caller is not an admin of the peer's organization.
    pub async fn approved_package(
        &self,
        channel: &str,
        name: &str,
        sequence: i64,
    ) -> Result<Option<String>, Error> {
        let arguments = QueryApprovedChaincodeDefinitionArgs { name: name.to_owned(), sequence };
        let asked = self.lifecycle(channel, "QueryApprovedChaincodeDefinition", &arguments).await;
        let payload = match asked {
            Ok(payload) => payload,
            Err(error) if is_undefined(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let result: QueryApprovedChaincodeDefinitionResult = decode(payload, "approval")?;
        Ok(match result.source.and_then(|source| source.r#type) {
            Some(chaincode_source::Type::LocalPackage(local)) => Some(local.package_id),
            _ => None,
        })
    }

    /// Which organizations have approved exactly this definition.
    ///
    /// # Errors
    /// When the sequence is not the next one.
    pub async fn readiness(
        &self,
        channel: &str,
        definition: &Definition,
    ) -> Result<BTreeMap<String, bool>, Error> {
        let Definition { name, version, sequence, .. } = definition.clone();
        let arguments = CheckCommitReadinessArgs {
            sequence,
            name,
            version,
            validation_parameter: definition.endorsement_policy.clone(),
            collections: definition.collections.clone(),
            init_required: definition.init_required,
            ..Default::default()
        };
        let payload = self.lifecycle(channel, "CheckCommitReadiness", &arguments).await?;
        let result: CheckCommitReadinessResult = decode(payload, "readiness")?;
        Ok(result.approvals)
    }

    /// The committed definition of `name`, or `None`.
    ///
    /// # Errors
    /// When the peer cannot tell.
    pub async fn committed(&self, channel: &str, name: &str) -> Result<Option<Approval>, Error> {
        let arguments = QueryChaincodeDefinitionArgs { name: name.to_owned() };
        let asked = self.lifecycle(channel, "QueryChaincodeDefinition", &arguments).await;
        let payload = match asked {
            Ok(payload) => payload,
            Err(error) if is_undefined(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let result: QueryChaincodeDefinitionResult = decode(payload, "definition")?;
        let definition = Definition {
            name: name.to_owned(),
            version: result.version,
            sequence: result.sequence,
            init_required: result.init_required,
            endorsement_policy: result.validation_parameter,
            collections: result.collections,
        };
        Ok(Some(Approval { definition, organizations: result.approvals }))
    }

    /// All committed definitions of a channel.
    ///
    /// # Errors
    /// When the peer cannot tell.
    pub async fn committed_all(&self, channel: &str) -> Result<Vec<Definition>, Error> {
        let arguments = QueryChaincodeDefinitionsArgs {};
        let payload = self.lifecycle(channel, "QueryChaincodeDefinitions", &arguments).await?;
        let result: QueryChaincodeDefinitionsResult = decode(payload, "definitions")?;
        let definitions = result.chaincode_definitions.into_iter().map(|found| Definition {
            name: found.name,
            version: found.version,
            sequence: found.sequence,
            init_required: found.init_required,
            endorsement_policy: found.validation_parameter,
            collections: found.collections,
        });
        Ok(definitions.collect())
    }

    async fn lifecycle(
        &self,
        channel: &str,
        function: &'static str,
        arguments: &impl Message,
    ) -> Result<Bytes, Error> {
        let args = vec![Bytes::from_static(function.as_bytes()), encode(arguments)];
        self.query(channel, LIFECYCLE, args).await
    }
}

impl Parties<'_> {
    /// Approves a definition for the organization of the endorsing peer, to be run from
    /// `package_id` if given.
    ///
    /// # Errors
    /// When the sequence does not fit or nothing would change.
    pub async fn approve(
        self,
        channel: &str,
        definition: &Definition,
        package_id: Option<&str>,
    ) -> Result<Outcome, Error> {
        let source = match package_id {
            Some(id) => chaincode_source::Type::LocalPackage(chaincode_source::Local {
                package_id: id.to_owned(),
            }),
            None => chaincode_source::Type::Unavailable(chaincode_source::Unavailable {}),
        };
        let arguments = ApproveChaincodeDefinitionForMyOrgArgs {
            sequence: definition.sequence,
            name: definition.name.clone(),
            version: definition.version.clone(),
            validation_parameter: definition.endorsement_policy.clone(),
            collections: definition.collections.clone(),
            init_required: definition.init_required,
            source: Some(ChaincodeSource { r#type: Some(source) }),
            ..Default::default()
        };
        let name = Bytes::from_static(b"ApproveChaincodeDefinitionForMyOrg");
        transact(self, channel, LIFECYCLE, vec![name, encode(&arguments)]).await
    }

    /// Commits a definition that enough organizations have approved; the endorsers must satisfy
    /// the channel's lifecycle endorsement policy.
    ///
    /// # Errors
    /// When an endorser's organization has not approved or the policy is not satisfied.
    pub async fn commit(self, channel: &str, definition: &Definition) -> Result<Outcome, Error> {
        let arguments = CommitChaincodeDefinitionArgs {
            sequence: definition.sequence,
            name: definition.name.clone(),
            version: definition.version.clone(),
            validation_parameter: definition.endorsement_policy.clone(),
            collections: definition.collections.clone(),
            init_required: definition.init_required,
            ..Default::default()
        };
        let name = Bytes::from_static(b"CommitChaincodeDefinition");
        transact(self, channel, LIFECYCLE, vec![name, encode(&arguments)]).await
    }
}

fn decode<M: Message + Default>(payload: Bytes, what: &str) -> Result<M, Error> {
    M::decode(payload).map_err(|_| Error::decode(what))
}

fn is_undefined(error: &Error) -> bool {
    error.class() == Class::NotFound
        || matches!(error, Error::Refused { message, .. }
            if message.contains("could not fetch approved chaincode definition"))
}

/// The id in `chaincode already successfully installed (package ID 'label:hash')`.
fn already_installed(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("package ID '")?;
    rest.split_once('\'').map(|(id, _)| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_id_of_a_package_that_is_already_there() {
        let message = "failed to invoke backing implementation of 'InstallChaincode': \
                       chaincode already successfully installed (package ID 'ehr_1:ab12')";
        assert_eq!(already_installed(message).as_deref(), Some("ehr_1:ab12"));
        assert_eq!(already_installed("no"), None);
    }
}
