//! Makes organizations and identities for the other tests.

use std::sync::Arc;

use bytes::Bytes;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::{Algorithm, PrivateKey};
use msp::{Certificate, Error, Identity, Manager, Msp, MspVersion, SigningIdentity};
use prost::Message;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, SerializedIdentity};

pub(crate) const MSP_ID: &str = "HospitalMSP";
pub(crate) const BEGIN: i64 = 1_700_000_000;
pub(crate) const YEAR: i64 = 365 * 24 * 3600;

pub(crate) fn subject(name: &str, units: &[&str]) -> Subject {
    Subject {
        common_name: name.to_owned(),
        organization: "hospital".to_owned(),
        organizational_units: units.iter().map(|&unit| unit.to_owned()).collect(),
    }
}

pub(crate) fn template(name: &str, units: &[&str]) -> Template {
    Template {
        subject: subject(name, units),
        usage: Usage::Identity,
        hosts: Vec::new(),
        attributes: Default::default(),
        not_before: BEGIN,
        not_after: BEGIN + YEAR,
    }
}

pub(crate) fn root(name: &str) -> Authority {
    Authority::generate(&subject(name, &[]), BEGIN - YEAR, BEGIN + 10 * YEAR).unwrap()
}

pub(crate) fn intermediate(
    parent: &Authority,
    name: &str,
    intermediates_max: Option<u8>,
) -> Authority {
    let key = PrivateKey::generate().unwrap();
    let usage = Usage::Authority { intermediates_max };
    let template = Template { usage, not_before: BEGIN - YEAR, ..template(name, &[]) };
    Authority::new(parent.issue(key.public(), &template).unwrap(), key).unwrap()
}

pub(crate) fn pem(certificate: &Certificate) -> Bytes {
    certificate.to_pem().into()
}

pub(crate) fn unit(name: &str, authority: Option<&Authority>) -> FabricOuIdentifier {
    FabricOuIdentifier {
        certificate: authority.map(|it| pem(it.certificate())).unwrap_or_default(),
        organizational_unit_identifier: name.to_owned(),
    }
}

pub(crate) fn node_units(authority: Option<&Authority>) -> FabricNodeOUs {
    FabricNodeOUs {
        enable: true,
        client_ou_identifier: Some(unit("client", authority)),
        peer_ou_identifier: Some(unit("peer", authority)),
        admin_ou_identifier: Some(unit("admin", authority)),
        orderer_ou_identifier: Some(unit("orderer", authority)),
    }
}

/// An organization with one root and enforced roles.
pub(crate) fn definition(root: &Authority) -> FabricMspConfig {
    FabricMspConfig {
        name: MSP_ID.to_owned(),
        root_certs: vec![pem(root.certificate())],
        fabric_node_ous: Some(node_units(Some(root))),
        ..Default::default()
    }
}

pub(crate) fn setup(config: &FabricMspConfig) -> Arc<Msp> {
    Arc::new(Msp::new(config, MspVersion::V1_4_3).unwrap())
}

pub(crate) fn manager(config: &FabricMspConfig) -> Manager {
    Manager::new(vec![Msp::new(config, MspVersion::V1_4_3).unwrap()]).unwrap()
}

pub(crate) fn serialized(certificate: &Certificate) -> Vec<u8> {
    serialized_text(pem(certificate))
}

pub(crate) fn serialized_text(text: Bytes) -> Vec<u8> {
    SerializedIdentity { mspid: MSP_ID.to_owned(), id_bytes: text }.encode_to_vec()
}

/// Issues a P-256 identity.
pub(crate) fn enroll(authority: &Authority, name: &str, units: &[&str]) -> SigningIdentity {
    enroll_with(authority, &template(name, units), Algorithm::P256)
}

pub(crate) fn enroll_with(
    authority: &Authority,
    template: &Template,
    algorithm: Algorithm,
) -> SigningIdentity {
    let key = PrivateKey::generate_for(algorithm).unwrap();
    let certificate = authority.issue(key.public(), template).unwrap();
    SigningIdentity::new(MSP_ID, certificate, key).unwrap()
}

/// The identity behind `certificate`, if it is one and valid.
pub(crate) fn accept(
    config: &FabricMspConfig,
    certificate: &Certificate,
) -> Result<Identity, Error> {
    let identity = setup(config).deserialize(&serialized(certificate))?;
    identity.validate().map(|()| identity)
}
