//! The extensions of a certificate, as far as they matter here.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralSubtree, ParsedExtension, X509Extension};

use crate::certificate::{ATTRIBUTES_OID, Error};
use crate::name_constraints::{Name, NameConstraints};

/// What the extensions say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    /// Basic constraints: whether it is an authority, and the longest path below it.
    pub(crate) authority: Option<(bool, Option<u32>)>,
    pub(crate) may_sign_certificates: Option<bool>,
    pub(crate) subject_key_id: Option<Bytes>,
    pub(crate) authority_key_id: Option<Bytes>,
    pub(crate) alternative_names: Option<Vec<Name>>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) attributes: Option<Bytes>,
    pub(crate) unknown_critical: bool,
}

/// The content of the attributes extension.
#[derive(Serialize, Deserialize)]
struct Attributes {
    attrs: BTreeMap<String, String>,
}

/// Encodes attributes the way the extension holds them.
pub(crate) fn encode_attributes(attributes: &BTreeMap<String, String>) -> Vec<u8> {
    serde_json::to_vec(&Attributes { attrs: attributes.clone() }).unwrap_or_default()
}

/// Decodes the content of the attributes extension.
pub(crate) fn decode_attributes(json: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    serde_json::from_slice::<Attributes>(json)
        .map(|attributes| attributes.attrs)
        .map_err(|_| Error::Malformed("attributes"))
}

impl Extensions {
    pub(crate) fn parse(x509: &X509Certificate<'_>) -> Result<Self, Error> {
        let mut parsed = Self::default();
        let mut seen = Vec::new();
        for extension in x509.extensions() {
            if seen.contains(&&extension.oid) {
                return Err(Error::Malformed("extension given twice"));
            }
            seen.push(&extension.oid);
            parsed.add(extension)?;
        }
        Ok(parsed)
    }

    fn add(&mut self, extension: &X509Extension<'_>) -> Result<(), Error> {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(it) => {
                self.authority = Some((it.ca, it.path_len_constraint));
            }
            ParsedExtension::KeyUsage(it) => {
                self.may_sign_certificates = (it.flags != 0).then(|| it.key_cert_sign());
            }
            ParsedExtension::SubjectKeyIdentifier(it) => {
                self.subject_key_id = Some(Bytes::copy_from_slice(it.0));
            }
            ParsedExtension::AuthorityKeyIdentifier(it) => {
                self.authority_key_id =
                    it.key_identifier.as_ref().map(|it| Bytes::copy_from_slice(it.0));
            }
            ParsedExtension::SubjectAlternativeName(it) => {
                let names: Vec<_> = it.general_names.iter().map(Name::of).collect();
                self.alternative_names = Some(names);
            }
            ParsedExtension::NameConstraints(it) => {
                let bases = |trees: &Option<Vec<_>>| names(trees.as_deref());
                let constraints = NameConstraints::new(
                    bases(&it.permitted_subtrees),
                    bases(&it.excluded_subtrees),
                );
                self.unknown_critical |= extension.critical && constraints.has_unknown();
                self.name_constraints = Some(constraints);
            }
            ParsedExtension::ExtendedKeyUsage(_) => {}
            ParsedExtension::ParseError { .. } => return Err(Error::Malformed("extension")),
            _ if extension.oid == ATTRIBUTES_OID => {
                self.attributes = Some(Bytes::copy_from_slice(extension.value));
            }
            _ => self.unknown_critical |= extension.critical,
        }
        Ok(())
    }
}

fn names(trees: Option<&[GeneralSubtree<'_>]>) -> Vec<Name> {
    trees.unwrap_or_default().iter().map(|tree| Name::of(&tree.base)).collect()
}
