//! Setting up an organization from its definition, with every check in Fabric's order.

use std::sync::Arc;

use bytes::Bytes;
use proto::msp::{FabricMspConfig, FabricOuIdentifier};
use rustls_pki_types::CertificateDer;

use crate::certificate::{self, Certificate};
use crate::chain::Authorities;
use crate::msp::{Msp, MspVersion, certifiers_id};
use crate::node_ou::{CertifiersId, NodeUnits, Role, Unit};
use crate::revocation::RevocationList;
use crate::{Error, SetupError};

const SIGNATURE_HASH: &str = "SHA2";
const IDENTITY_HASH: &str = "SHA256";

pub(crate) fn build(config: &FabricMspConfig, version: MspVersion) -> Result<Msp, SetupError> {
    if config.name.is_empty() {
        return Err(SetupError::NoName);
    }
    check_hashes(config)?;
    let mut msp = Msp {
        id: config.name.clone(),
        version,
        definition: FabricMspConfig { signing_identity: None, ..config.clone() },
        authorities: Authorities::default(),
        internal: Vec::new(),
        revocation_lists: Vec::new(),
        tls_roots: Vec::new(),
        allowed_units: Vec::new(),
        node_units: None,
        admins: Vec::new(),
    };
    set_authorities(&mut msp, config)?;
    set_revocation_lists(&mut msp, config)?;
    check_authorities(&mut msp)?;
    set_tls(&mut msp, config)?;
    for unit in &config.organizational_unit_identifiers {
        let certifiers = Some(certifiers(&msp, unit)?);
        let name = unit.organizational_unit_identifier.clone();
        msp.allowed_units.push(Unit { name, certifiers });
    }
    msp.node_units = node_units(&msp, config)?;
    set_admins(&mut msp, config)?;
    Ok(msp)
}

fn check_hashes(config: &FabricMspConfig) -> Result<(), SetupError> {
    let Some(crypto) = &config.crypto_config else { return Ok(()) };
    for (name, only) in [
        (&crypto.signature_hash_family, SIGNATURE_HASH),
        (&crypto.identity_identifier_hash_function, IDENTITY_HASH),
    ] {
        if !name.is_empty() && name != only {
            return Err(SetupError::Hash { msp_id: config.name.clone(), name: name.clone() });
        }
    }
    Ok(())
}

/// Reads the authorities and brings their certificates into normal form.
fn set_authorities(msp: &mut Msp, config: &FabricMspConfig) -> Result<(), SetupError> {
    if config.root_certs.is_empty() {
        return Err(SetupError::NoRoot(msp.id.clone()));
    }
    let given = authorities(&msp.id, &config.root_certs, &config.intermediate_certs)?;
    // Chains are sought among the certificates as given, before any of them changes its form.
    msp.authorities = given;
    let mut normal = Authorities::default();
    for root in &msp.authorities.roots {
        normal.add_root(sanitised(msp, root)?);
    }
    for intermediate in &msp.authorities.intermediates {
        normal.add_intermediate(sanitised(msp, intermediate)?);
    }
    msp.authorities = normal;
    Ok(())
}

fn authorities(
    msp_id: &str,
    roots: &[Bytes],
    intermediates: &[Bytes],
) -> Result<Authorities, SetupError> {
    let mut authorities = Authorities::default();
    for root in roots {
        authorities.add_root(Arc::new(parse(msp_id, root, "root certificate")?));
    }
    for intermediate in intermediates {
        let certificate = parse(msp_id, intermediate, "intermediate certificate")?;
        authorities.add_intermediate(Arc::new(certificate));
    }
    Ok(authorities)
}

fn parse(msp_id: &str, pem: &[u8], what: &'static str) -> Result<Certificate, SetupError> {
    Certificate::from_pem(pem).map_err(|source| unreadable(msp_id, what, source))
}

fn unreadable(msp_id: &str, what: &'static str, source: certificate::Error) -> SetupError {
    SetupError::Certificate { msp_id: msp_id.to_owned(), what, source }
}

fn sanitised(msp: &Msp, certificate: &Arc<Certificate>) -> Result<Arc<Certificate>, SetupError> {
    msp.resolve(Certificate::clone(certificate))
        .map(|resolved| resolved.certificate)
        .map_err(|error| improper(msp, certificate, chain_text(&error)))
}

fn improper(msp: &Msp, certificate: &Certificate, reason: String) -> SetupError {
    let subject = certificate.common_name().to_owned();
    SetupError::Authority { msp_id: msp.id.clone(), subject, reason }
}

fn chain_text(error: &Error) -> String {
    match error {
        Error::Chain { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn set_revocation_lists(msp: &mut Msp, config: &FabricMspConfig) -> Result<(), SetupError> {
    let parse = |bytes: &Bytes| {
        RevocationList::parse(bytes).map_err(|it| unreadable(&config.name, "revocation list", it))
    };
    msp.revocation_lists = config.revocation_list.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(())
}

/// Checks the identity authorities and finds those that only vouch for other authorities.
fn check_authorities(msp: &mut Msp) -> Result<(), SetupError> {
    check_chains(msp, &msp.authorities)?;
    let mut internal = Vec::new();
    for intermediate in &msp.authorities.intermediates {
        let chain = msp.authorities.unique_chain(intermediate);
        let chain = chain.map_err(|it| improper(msp, intermediate, it.to_string()))?;
        internal.extend(chain.into_iter().skip(1));
    }
    msp.internal = internal;
    Ok(())
}

fn check_chains(msp: &Msp, authorities: &Authorities) -> Result<(), SetupError> {
    for certificate in authorities.roots.iter().chain(&authorities.intermediates) {
        let improper = |reason: &dyn ToString| improper(msp, certificate, reason.to_string());
        if !certificate.is_ca() {
            return Err(improper(&"the CA attribute is missing"));
        }
        if certificate.subject_key_id().is_none() {
            return Err(improper(&"the subject key identifier is missing"));
        }
        let chain = authorities.unique_chain(certificate).map_err(|it| improper(&it))?;
        if let Some(issuer) = chain.get(1) {
            msp.check_revocation(certificate, issuer).map_err(|it| improper(&it))?;
        }
    }
    Ok(())
}

fn set_tls(msp: &mut Msp, config: &FabricMspConfig) -> Result<(), SetupError> {
    let tls = authorities(&msp.id, &config.tls_root_certs, &config.tls_intermediate_certs)?;
    check_chains(msp, &tls)?;
    let all = tls.roots.iter().chain(&tls.intermediates);
    msp.tls_roots = all.map(|it| CertificateDer::from(it.der().to_vec())).collect();
    Ok(())
}

/// The chain that starts at the authority an organizational unit names.
fn certifiers(msp: &Msp, unit: &FabricOuIdentifier) -> Result<CertifiersId, SetupError> {
    let name = &unit.organizational_unit_identifier;
    let unknown = || SetupError::UnitCertificate { msp_id: msp.id.clone(), unit: name.clone() };
    let certificate = parse(&msp.id, &unit.certificate, "certificate of an organizational unit")?;
    let resolved = msp.resolve(certificate).map_err(|_| unknown())?;
    if msp.authorities.roots.contains(&resolved.certificate) {
        return Ok(certifiers_id(&[resolved.certificate]));
    }
    let known = msp.authorities.intermediates.contains(&resolved.certificate);
    if !known || msp.internal.contains(&resolved.certificate) {
        return Err(unknown());
    }
    Ok(certifiers_id(&resolved.chain))
}

fn node_units(msp: &Msp, config: &FabricMspConfig) -> Result<Option<NodeUnits>, SetupError> {
    let Some(node_ous) = &config.fabric_node_ous else { return Ok(None) };
    let mut units = Vec::new();
    for (role, unit) in [
        (Role::Client, &node_ous.client_ou_identifier),
        (Role::Peer, &node_ous.peer_ou_identifier),
        (Role::Admin, &node_ous.admin_ou_identifier),
        (Role::Orderer, &node_ous.orderer_ou_identifier),
    ] {
        let Some(unit) = unit else { continue };
        let certifiers =
            (!unit.certificate.is_empty()).then(|| certifiers(msp, unit)).transpose()?;
        units.push((role, Unit { name: unit.organizational_unit_identifier.clone(), certifiers }));
    }
    Ok((node_ous.enable && !units.is_empty()).then_some(NodeUnits { units }))
}

fn set_admins(msp: &mut Msp, config: &FabricMspConfig) -> Result<(), SetupError> {
    for (index, admin) in config.admins.iter().enumerate() {
        let refused = |source| SetupError::Admin { msp_id: msp.id.clone(), index, source };
        let certificate = parse(&msp.id, admin, "certificate of an administrator")?;
        let resolved = msp.resolve(certificate).map_err(refused)?;
        let admissible = match &msp.node_units {
            None => msp.judge(&resolved),
            Some(_)
                if [Role::Client, Role::Admin]
                    .iter()
                    .any(|role| msp.has_role(&resolved.certificate, *role)) =>
            {
                Ok(())
            }
            Some(_) => Err(Error::NotSatisfied("neither client nor admin")),
        };
        admissible.map_err(refused)?;
        msp.admins.push(resolved.certificate.der().clone());
    }
    let by_unit = msp.node_units.as_ref().is_some_and(|it| it.knows(Role::Admin));
    if msp.admins.is_empty() && !by_unit {
        return Err(SetupError::NoAdmin(msp.id.clone()));
    }
    Ok(())
}
