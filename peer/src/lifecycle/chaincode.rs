//! `_lifecycle`, the system chaincode: two arguments, the function's name and its message.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use channel::Bundle;
use prost::Message;
use proto::lifecycle as wire;
use proto::peer::{CollectionConfigPackage, Response};

use super::definition::{Definition, Parameters};
use super::functions::{Approved, Transaction};
use super::{Error, Lifecycle, state};
use crate::causes::in_one_line;
use crate::system::{Context, SystemChaincode, failure, success};

/// The lifecycle system chaincode.
#[derive(Debug)]
pub struct Chaincode {
    lifecycle: Arc<Lifecycle>,
}

/// A function that is about a channel: gives the encoded result.
type OnChannel = fn(&mut Transaction<'_>, Bytes) -> Result<Vec<u8>, Error>;
/// A function that is about this peer.
type OnPeer = fn(&Lifecycle, Bytes) -> Result<Vec<u8>, Error>;

enum Function {
    OnChannel(OnChannel),
    OnPeer(OnPeer),
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "InstallChaincode" => Self::OnPeer(install),
            "QueryInstalledChaincode" => Self::OnPeer(query_installed),
            "QueryInstalledChaincodes" => Self::OnPeer(query_all_installed),
            "GetInstalledChaincodePackage" => Self::OnPeer(installed_package),
            "ApproveChaincodeDefinitionForMyOrg" => Self::OnChannel(approve),
            "QueryApprovedChaincodeDefinition" => Self::OnChannel(query_approved),
            "QueryApprovedChaincodeDefinitions" => Self::OnChannel(query_all_approved),
            "CheckCommitReadiness" => Self::OnChannel(check_readiness),
            "CommitChaincodeDefinition" => Self::OnChannel(commit),
            "QueryChaincodeDefinition" => Self::OnChannel(query_committed),
            "QueryChaincodeDefinitions" => Self::OnChannel(query_all_committed),
            _ => return None,
        })
    }
}

impl Chaincode {
    /// The system chaincode over `lifecycle`.
    pub fn new(lifecycle: Arc<Lifecycle>) -> Self {
        Self { lifecycle }
    }

    fn call(&self, context: &mut Context<'_>, args: &[Bytes]) -> Result<Response, Response> {
        let refuse = |text: String| failure(500, text);
        let [function, message] = args else {
            return Err(refuse(match args.len() {
                0 => "lifecycle scc must be invoked with arguments".into(),
                count => format!(
                    "lifecycle scc operations require exactly two arguments but received {count}"
                ),
            }));
        };
        let name = std::str::from_utf8(function)
            .map_err(|_| refuse("function name is not text".into()))?;
        let bundle = context.channel.map(|channel| channel.bundle());
        if let Some(bundle) = &bundle {
            check_capabilities(bundle).map_err(refuse)?;
        }
        context.authorize(&format!("{}/{name}", state::NAMESPACE)).map_err(|denied| {
            refuse(format!("Failed to authorize invocation due to failed ACL check: {denied}"))
        })?;
        let function = Function::named(name).ok_or_else(|| {
            refuse(format!("failed to invoke backing implementation of '{name}': no such function"))
        })?;
        let result = match function {
            Function::OnPeer(function) => function(&self.lifecycle, message.clone()),
            Function::OnChannel(function) => match (context.simulator.as_deref_mut(), &bundle) {
                (Some(simulator), Some(bundle)) => {
                    let msp_id = self.lifecycle.msp_id();
                    function(&mut Transaction { simulator, bundle, msp_id }, message.clone())
                }
                _ => Err(Error::Refused(format!("{name} needs a channel"))),
            },
        };
        result.map(success).map_err(|error| to_response(name, &error))
    }
}

impl SystemChaincode for Chaincode {
    fn name(&self) -> &'static str {
        state::NAMESPACE
    }

    fn invoke(&self, context: &mut Context<'_>, args: &[Bytes]) -> Response {
        self.call(context, args).unwrap_or_else(|failure| failure)
    }
}

/// Runs a function on a channel without asking who calls.
#[cfg(test)]
pub(crate) fn replay(
    simulator: &mut ledger::Simulator,
    bundle: &Bundle,
    msp_id: &str,
    args: &[Bytes],
) -> Response {
    let name = std::str::from_utf8(&args[0]).unwrap();
    let Some(Function::OnChannel(function)) = Function::named(name) else { panic!("{name}") };
    match function(&mut Transaction { simulator, bundle, msp_id }, args[1].clone()) {
        Ok(result) => success(result),
        Err(error) => to_response(name, &error),
    }
}

fn check_capabilities(bundle: &Bundle) -> Result<(), String> {
    let channel = bundle.channel_id();
    let Some(application) = bundle.application() else {
        return Err(format!("could not get application config for channel '{channel}'"));
    };
    if application.capabilities.any(&["V2_0", "V2_5"]) {
        return Ok(());
    }
    Err(format!(
        "cannot use new lifecycle for channel '{channel}' as it does not have the required \
         capabilities enabled"
    ))
}

fn to_response(function: &str, error: &Error) -> Response {
    let text = in_one_line(error);
    match error {
        Error::NotDefined(_) | Error::PackageNotFound(_) => failure(404, text),
        _ => {
            failure(500, format!("failed to invoke backing implementation of '{function}': {text}"))
        }
    }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Error> {
    M::decode(message)
        .map_err(|error| Error::Refused(format!("could not decode input arg: {error}")))
}

/// The parameters as they stand in every message that carries a definition.
macro_rules! parameters {
    ($message:expr) => {
        parameters(
            $message.version,
            $message.endorsement_plugin,
            $message.validation_plugin,
            $message.validation_parameter,
            $message.collections,
            $message.init_required,
        )
    };
}

fn parameters(
    version: String,
    endorsement_plugin: String,
    validation_plugin: String,
    validation_parameter: Bytes,
    collections: Option<CollectionConfigPackage>,
    init_required: bool,
) -> Parameters {
    Parameters {
        endorsement: wire::ChaincodeEndorsementInfo { version, init_required, endorsement_plugin },
        validation: wire::ChaincodeValidationInfo { validation_plugin, validation_parameter },
        collections: collections.unwrap_or_default(),
    }
}

fn install(lifecycle: &Lifecycle, message: Bytes) -> Result<Vec<u8>, Error> {
    let args: wire::InstallChaincodeArgs = decode(message)?;
    let (package_id, label) = lifecycle.packages().install(&args.chaincode_install_package)?;
    Ok(wire::InstallChaincodeResult { package_id, label }.encode_to_vec())
}

fn query_installed(lifecycle: &Lifecycle, message: Bytes) -> Result<Vec<u8>, Error> {
    use wire::query_installed_chaincode_result::{Chaincode, References};
    let args: wire::QueryInstalledChaincodeArgs = decode(message)?;
    let label = lifecycle.packages().label(&args.package_id)?;
    let mut references = BTreeMap::new();
    for (channel, uses) in lifecycle.references()?.remove(&args.package_id).unwrap_or_default() {
        let chaincodes = uses.into_iter().map(|(name, version)| Chaincode { name, version });
        references.insert(channel, References { chaincodes: chaincodes.collect() });
    }
    let package_id = args.package_id;
    Ok(wire::QueryInstalledChaincodeResult { package_id, label, references }.encode_to_vec())
}

fn query_all_installed(lifecycle: &Lifecycle, message: Bytes) -> Result<Vec<u8>, Error> {
    use wire::query_installed_chaincodes_result::{Chaincode, InstalledChaincode, References};
    let _: wire::QueryInstalledChaincodesArgs = decode(message)?;
    let mut all = lifecycle.references()?;
    let mut installed_chaincodes = Vec::new();
    for (package_id, label) in lifecycle.packages().list() {
        let mut references = BTreeMap::new();
        for (channel, uses) in all.remove(&package_id).unwrap_or_default() {
            let chaincodes = uses.into_iter().map(|(name, version)| Chaincode { name, version });
            references.insert(channel, References { chaincodes: chaincodes.collect() });
        }
        installed_chaincodes.push(InstalledChaincode { package_id, label, references });
    }
    Ok(wire::QueryInstalledChaincodesResult { installed_chaincodes }.encode_to_vec())
}

fn installed_package(lifecycle: &Lifecycle, message: Bytes) -> Result<Vec<u8>, Error> {
    let args: wire::GetInstalledChaincodePackageArgs = decode(message)?;
    let chaincode_install_package = lifecycle
        .packages()
        .file(&args.package_id)
        .map_err(|error| Error::Refused(format!("could not load cc install package: {error}")))?;
    Ok(wire::GetInstalledChaincodePackageResult { chaincode_install_package }.encode_to_vec())
}

fn approve(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    use wire::chaincode_source::Type;
    let args: wire::ApproveChaincodeDefinitionForMyOrgArgs = decode(message)?;
    let package_id = match args.source.and_then(|source| source.r#type) {
        Some(Type::LocalPackage(local)) => local.package_id,
        Some(Type::Unavailable(_)) | None => String::new(),
    };
    let parameters = parameters!(args);
    transaction.check(&args.name, &parameters)?;
    transaction.approve(&args.name, args.sequence, parameters, &package_id)?;
    Ok(wire::ApproveChaincodeDefinitionForMyOrgResult {}.encode_to_vec())
}

fn check_readiness(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    use wire::check_commit_readiness_result::Mismatches;
    let args: wire::CheckCommitReadinessArgs = decode(message)?;
    let parameters = parameters!(args);
    transaction.check(&args.name, &parameters)?;
    let (_, differing) = transaction.readiness(&args.name, args.sequence, parameters)?;
    let approvals = approvals(&differing);
    let mismatches = differing
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(msp_id, items)| (msp_id, Mismatches { items }))
        .collect();
    Ok(wire::CheckCommitReadinessResult { approvals, mismatches }.encode_to_vec())
}

fn approvals(differing: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, bool> {
    differing.iter().map(|(msp_id, items)| (msp_id.clone(), items.is_empty())).collect()
}

fn commit(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    let args: wire::CommitChaincodeDefinitionArgs = decode(message)?;
    let parameters = parameters!(args);
    transaction.check(&args.name, &parameters)?;
    transaction.commit(&args.name, args.sequence, parameters)?;
    Ok(wire::CommitChaincodeDefinitionResult {}.encode_to_vec())
}

fn query_committed(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    let args: wire::QueryChaincodeDefinitionArgs = decode(message)?;
    let Definition { sequence, parameters } = transaction.committed(&args.name)?;
    let differing = transaction.mismatches(&args.name, sequence, &parameters)?;
    let result = wire::QueryChaincodeDefinitionResult {
        sequence,
        version: parameters.endorsement.version,
        endorsement_plugin: parameters.endorsement.endorsement_plugin,
        validation_plugin: parameters.validation.validation_plugin,
        validation_parameter: parameters.validation.validation_parameter,
        collections: Some(parameters.collections),
        init_required: parameters.endorsement.init_required,
        approvals: approvals(&differing),
    };
    Ok(result.encode_to_vec())
}

fn query_all_committed(
    transaction: &mut Transaction<'_>,
    message: Bytes,
) -> Result<Vec<u8>, Error> {
    use wire::query_chaincode_definitions_result::ChaincodeDefinition;
    let _: wire::QueryChaincodeDefinitionsArgs = decode(message)?;
    let chaincode_definitions = transaction
        .all_committed()?
        .into_iter()
        .map(|(name, Definition { sequence, parameters })| ChaincodeDefinition {
            name,
            sequence,
            version: parameters.endorsement.version,
            endorsement_plugin: parameters.endorsement.endorsement_plugin,
            validation_plugin: parameters.validation.validation_plugin,
            validation_parameter: parameters.validation.validation_parameter,
            collections: Some(parameters.collections),
            init_required: parameters.endorsement.init_required,
        })
        .collect();
    Ok(wire::QueryChaincodeDefinitionsResult { chaincode_definitions }.encode_to_vec())
}

fn query_approved(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    let args: wire::QueryApprovedChaincodeDefinitionArgs = decode(message)?;
    let approved = transaction.approved(&args.name, args.sequence)?;
    let source = Some(source(&approved));
    let Approved { sequence, parameters, .. } = approved;
    let result = wire::QueryApprovedChaincodeDefinitionResult {
        sequence,
        version: parameters.endorsement.version,
        endorsement_plugin: parameters.endorsement.endorsement_plugin,
        validation_plugin: parameters.validation.validation_plugin,
        validation_parameter: parameters.validation.validation_parameter,
        collections: Some(parameters.collections),
        init_required: parameters.endorsement.init_required,
        source,
    };
    Ok(result.encode_to_vec())
}

fn query_all_approved(transaction: &mut Transaction<'_>, message: Bytes) -> Result<Vec<u8>, Error> {
    use wire::query_approved_chaincode_definitions_result::ApprovedChaincodeDefinition;
    let _: wire::QueryApprovedChaincodeDefinitionsArgs = decode(message)?;
    let approved_chaincode_definitions = transaction
        .all_approved()?
        .into_iter()
        .map(|approved| {
            let source = Some(source(&approved));
            let Approved { name, sequence, parameters, .. } = approved;
            ApprovedChaincodeDefinition {
                name,
                sequence,
                version: parameters.endorsement.version,
                endorsement_plugin: parameters.endorsement.endorsement_plugin,
                validation_plugin: parameters.validation.validation_plugin,
                validation_parameter: parameters.validation.validation_parameter,
                collections: Some(parameters.collections),
                init_required: parameters.endorsement.init_required,
                source,
            }
        })
        .collect();
    let result = wire::QueryApprovedChaincodeDefinitionsResult { approved_chaincode_definitions };
    Ok(result.encode_to_vec())
}

fn source(approved: &Approved) -> wire::ChaincodeSource {
    use wire::chaincode_source::{Local, Type, Unavailable};
    let source = if approved.package_id.is_empty() {
        Type::Unavailable(Unavailable {})
    } else {
        Type::LocalPackage(Local { package_id: approved.package_id.clone() })
    };
    wire::ChaincodeSource { r#type: Some(source) }
}
