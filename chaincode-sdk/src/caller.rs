//! Who sent the proposal. The host has read the certificate; the contract only asks.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The caller's certificate: organization, name, role and attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The organization's MSP id.
    pub msp_id: String,
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organizational units.
    pub organizational_units: Vec<String>,
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Attributes the certificate authority put into the certificate.
    pub attributes: BTreeMap<String, String>,
    /// The certificate in DER.
    pub certificate: Vec<u8>,
}

impl Caller {
    /// The id Fabric's client identity library gives: base64 of `x509::subject::issuer`.
    pub fn id(&self) -> String {
        base64(format!("x509::{}::{}", self.subject, self.issuer).as_bytes())
    }

    /// An attribute of the certificate.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Refuses callers whose attribute has another value, or who lack it.
    pub fn require_attribute(&self, name: &str, value: &str) -> Result<()> {
        if self.attribute(name) == Some(value) {
            return Ok(());
        }
        Err(Error::new(Error::FORBIDDEN, format!("caller lacks attribute {name}={value}")))
    }

    /// Refuses callers of other organizations.
    pub fn require_msp(&self, msp_id: &str) -> Result<()> {
        if self.msp_id == msp_id {
            return Ok(());
        }
        Err(Error::new(Error::FORBIDDEN, format!("caller is not of {msp_id}")))
    }

    /// Whether the certificate names this organizational unit.
    pub fn has_ou(&self, unit: &str) -> bool {
        self.organizational_units.iter().any(|ou| ou == unit)
    }

    /// The role the certificate authority gave by organizational unit: `client`, `peer`, `admin`
    /// or `orderer`.
    pub fn role(&self) -> Option<&str> {
        ["client", "peer", "admin", "orderer"].into_iter().find(|role| self.has_ou(role))
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            text.push(if i > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_pads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
        assert_eq!(super::base64(&[0xff, 0xfe, 0xfd, 0xfc]), "//79/A==");
    }
}
