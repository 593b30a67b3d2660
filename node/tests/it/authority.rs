//! A certificate authority for tests.

use std::path::{Path, PathBuf};

use node::tls::{CertificateDer, ClientTls, Config};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    pub(crate) fn root(&self) -> Vec<CertificateDer<'static>> {
        vec![self.issuer.der().clone()]
    }

    fn issue(&self, hosts: &[&str]) -> (String, String) {
        let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn client(&self) -> ClientTls {
        let (certificate, key) = self.issue(&["client"]);
        ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }

    /// The configuration of a server for `hosts`, with its files in `directory`.
    pub(crate) fn server(&self, directory: &Path, hosts: &[&str], require: bool) -> Config {
        let (certificate, key) = self.issue(hosts);
        let write = |name: &str, text: &str| -> PathBuf {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Config {
            enabled: true,
            certificate: write("server.crt", &certificate),
            private_key: write("server.key", &key),
            root_cas: vec![],
            client_auth_required: require,
            client_root_cas: vec![write("ca.crt", &self.issuer.pem())],
        }
    }
}
