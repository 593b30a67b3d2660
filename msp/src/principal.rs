//! Principals: whom a policy may ask for, and who satisfies it.

use bytes::Bytes;
use prost::{Message, Name};
use proto::common::msp_identity_anonymity::MspIdentityAnonymityType;
use proto::common::msp_principal::Classification;
use proto::common::msp_role::MspRoleType;
use proto::common::{
    CombinedPrincipal, MspIdentityAnonymity, MspPrincipal, MspRole, OrganizationUnit,
};

use crate::{Error, Identity, Role};

/// Any valid identity of the organization.
pub fn member(msp_id: &str) -> MspPrincipal {
    role(msp_id, MspRoleType::Member)
}

/// An administrator of the organization.
pub fn admin(msp_id: &str) -> MspPrincipal {
    role(msp_id, MspRoleType::Admin)
}

/// A client of the organization.
pub fn client(msp_id: &str) -> MspPrincipal {
    role(msp_id, MspRoleType::Client)
}

/// A peer of the organization.
pub fn peer(msp_id: &str) -> MspPrincipal {
    role(msp_id, MspRoleType::Peer)
}

/// An orderer of the organization.
pub fn orderer(msp_id: &str) -> MspPrincipal {
    role(msp_id, MspRoleType::Orderer)
}

/// An identity of the organization in a role.
pub fn role(msp_id: &str, role: MspRoleType) -> MspPrincipal {
    let role = MspRole { msp_identifier: msp_id.to_owned(), role: role.into() };
    of(Classification::Role, &role)
}

/// Exactly the identity in these `SerializedIdentity` bytes.
pub fn identity(serialized: Bytes) -> MspPrincipal {
    MspPrincipal {
        principal_classification: Classification::Identity.into(),
        principal: serialized,
    }
}

/// Whoever satisfies all of `principals`.
pub fn combined(principals: Vec<MspPrincipal>) -> MspPrincipal {
    of(Classification::Combined, &CombinedPrincipal { principals })
}

fn of(classification: Classification, message: &impl Message) -> MspPrincipal {
    MspPrincipal {
        principal_classification: classification.into(),
        principal: message.encode_to_vec().into(),
    }
}

/// The organization a principal speaks of; `None` if it names none or cannot be read.
pub fn msp_id(principal: &MspPrincipal) -> Option<String> {
    let bytes = principal.principal.clone();
    match principal.principal_classification() {
        Classification::Role => proto::decode::<MspRole>(bytes).ok().map(|it| it.msp_identifier),
        Classification::OrganizationUnit => {
            proto::decode::<OrganizationUnit>(bytes).ok().map(|it| it.msp_identifier)
        }
        Classification::Identity => {
            proto::decode::<proto::msp::SerializedIdentity>(bytes).ok().map(|it| it.mspid)
        }
        Classification::Anonymity | Classification::Combined => None,
    }
}

pub(crate) fn check(identity: &Identity, principal: &MspPrincipal) -> Result<(), Error> {
    // Combinations are flattened with a list instead of recursion: they may nest deeply.
    let mut pending = vec![principal.clone()];
    while let Some(principal) = pending.pop() {
        let bytes = principal.principal.clone();
        let classification = Classification::try_from(principal.principal_classification);
        match classification.map_err(|_| Error::Principal)? {
            Classification::Role => check_role(identity, &decode(bytes)?)?,
            Classification::OrganizationUnit => check_unit(identity, &decode(bytes)?)?,
            Classification::Identity => check_identity(identity, &bytes)?,
            Classification::Anonymity => check_anonymity(&decode(bytes)?)?,
            Classification::Combined => {
                let combined: CombinedPrincipal = decode(bytes)?;
                if combined.principals.is_empty() {
                    return Err(Error::Principal);
                }
                pending.extend(combined.principals);
            }
        }
    }
    Ok(())
}

fn decode<M: Message + Name + Default>(bytes: Bytes) -> Result<M, Error> {
    proto::decode(bytes).map_err(|_| Error::Principal)
}

fn check_role(identity: &Identity, asked: &MspRole) -> Result<(), Error> {
    check_msp(identity, &asked.msp_identifier)?;
    let role = match MspRoleType::try_from(asked.role).map_err(|_| Error::Principal)? {
        MspRoleType::Member => return identity.validate(),
        // A listed administrator is one whatever else its certificate says.
        MspRoleType::Admin if identity.msp().lists_admin(identity.certificate()) => return Ok(()),
        MspRoleType::Admin => Role::Admin,
        MspRoleType::Client => Role::Client,
        MspRoleType::Peer => Role::Peer,
        MspRoleType::Orderer => Role::Orderer,
    };
    identity.validate()?;
    if identity.msp().has_role(identity.certificate(), role) {
        return Ok(());
    }
    Err(Error::NotSatisfied("another role"))
}

fn check_unit(identity: &Identity, asked: &OrganizationUnit) -> Result<(), Error> {
    check_msp(identity, &asked.msp_identifier)?;
    identity.validate()?;
    let units = identity.certificate().organizational_units();
    if units.contains(&asked.organizational_unit_identifier)
        && asked.certifiers_identifier == identity.certifiers()[..]
    {
        return Ok(());
    }
    Err(Error::NotSatisfied("another organizational unit"))
}

fn check_identity(identity: &Identity, asked: &[u8]) -> Result<(), Error> {
    let asked = identity.msp().deserialize(asked)?;
    if asked.certificate() != identity.certificate() {
        return Err(Error::NotSatisfied("another identity"));
    }
    asked.validate()
}

fn check_anonymity(asked: &MspIdentityAnonymity) -> Result<(), Error> {
    match MspIdentityAnonymityType::try_from(asked.anonymity_type).map_err(|_| Error::Principal)? {
        MspIdentityAnonymityType::Nominal => Ok(()),
        MspIdentityAnonymityType::Anonymous => Err(Error::NotSatisfied("not anonymous")),
    }
}

fn check_msp(identity: &Identity, asked: &str) -> Result<(), Error> {
    if asked == identity.msp_id() {
        return Ok(());
    }
    Err(Error::WrongMsp { expected: asked.to_owned(), actual: identity.msp_id().to_owned() })
}
