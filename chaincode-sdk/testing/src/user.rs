//! Who calls.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::msp::SerializedIdentity;
use runtime::Caller;

use crate::certificate;

/// A member of an organization, with a certificate nobody signed. Its public key depends on the
/// organization and the name alone.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) caller: Caller,
}

impl User {
    pub(crate) fn new(msp_id: &str, name: &str) -> Self {
        let caller = Caller {
            msp_id: msp_id.to_owned(),
            common_name: name.to_owned(),
            organizational_units: vec!["client".to_owned()],
            subject: format!("CN={name},OU=client"),
            issuer: format!("CN=ca.{msp_id}"),
            attributes: BTreeMap::new(),
            certificate: Bytes::new(),
        };
        Self { caller }.certified()
    }

    fn certified(mut self) -> Self {
        let Caller { msp_id, common_name, organizational_units, attributes, .. } = &self.caller;
        let der = certificate::of(msp_id, common_name, organizational_units, attributes);
        self.caller.certificate = Bytes::from(der);
        self
    }

    /// Adds an attribute, as the certificate authority would.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.caller.attributes.insert(name.to_owned(), value.to_owned());
        self.certified()
    }

    /// Another role than `client`: `admin`, `peer` or `orderer`.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.caller.organizational_units[0] = role.to_owned();
        self.caller.subject = format!("CN={},OU={role}", self.caller.common_name);
        self.certified()
    }

    /// Adds an organizational unit.
    #[must_use]
    pub fn organizational_unit(mut self, unit: &str) -> Self {
        self.caller.organizational_units.push(unit.to_owned());
        self.certified()
    }

    /// The organization.
    pub fn msp_id(&self) -> &str {
        &self.caller.msp_id
    }

    /// The common name.
    pub fn name(&self) -> &str {
        &self.caller.common_name
    }

    /// The identity as it stands in proposals.
    pub(crate) fn creator(&self) -> Bytes {
        let identity = SerializedIdentity {
            mspid: self.caller.msp_id.clone(),
            id_bytes: Bytes::from(certificate::pem(&self.caller.certificate)),
        };
        Bytes::from(identity.encode_to_vec())
    }
}
