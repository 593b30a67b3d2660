//! Certificates, requests and lists made here, read by other libraries.

use std::collections::BTreeMap;

use msp::authority::{Revoked, Template, Usage};
use msp::keys::{Algorithm, PrivateKey};
use msp::request::{self, Request};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::consortium::*;

#[test]
fn attributes_come_back() {
    let root = root("ca");
    let attributes: BTreeMap<_, _> =
        [("role", "nurse"), ("hf.EnrollmentID", "é\"1")].map(|(k, v)| (k.into(), v.into())).into();
    let template = Template { attributes: attributes.clone(), ..template("ann", &["client"]) };
    let signer = enroll_with(&root, &template, Algorithm::P256);
    assert_eq!(signer.certificate().attributes().unwrap(), attributes);
    let plain = enroll(&root, "bob", &["client"]);
    assert_eq!(plain.certificate().attributes().unwrap(), BTreeMap::new());
}

#[test]
fn tls_certificates_name_their_hosts() {
    let root = root("tlsca");
    let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let template = Template { usage: Usage::Tls, hosts, ..template("localhost", &[]) };
    let signer = enroll_with(&root, &template, Algorithm::P256);
    let (_, parsed) = x509_parser::parse_x509_certificate(signer.certificate_der()).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap().value;
    let expected = [
        GeneralName::DNSName("localhost"),
        GeneralName::IPAddress(&[127, 0, 0, 1]),
        GeneralName::IPAddress(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    assert_eq!(names.general_names, expected);
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth);
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    assert!(!parsed.is_ca());
    let (_, parsed) = x509_parser::parse_x509_certificate(root.certificate().der()).unwrap();
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(parsed.is_ca() && usage.key_cert_sign() && usage.crl_sign());
}

#[test]
fn certificates_verify_elsewhere() {
    let root = root("ca");
    for algorithm in [Algorithm::P256, Algorithm::P521, Algorithm::Ed25519] {
        let signer = enroll_with(&root, &template("ann", &["client", "ward"]), algorithm);
        let (_, leaf) = x509_parser::parse_x509_certificate(signer.certificate_der()).unwrap();
        let (_, issuer) = x509_parser::parse_x509_certificate(root.certificate().der()).unwrap();
        leaf.verify_signature(Some(issuer.public_key())).unwrap();
        assert_eq!(leaf.subject().to_string(), "O=hospital, OU=client, OU=ward, CN=ann");
        assert_eq!(leaf.validity().not_before.timestamp(), BEGIN);
    }
}

#[test]
fn requests_go_both_ways() {
    let hosts = ["peer0.example.com".to_owned(), "10.0.0.1".to_owned()];
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let key = PrivateKey::generate_for(algorithm).unwrap();
        for hosts in [&hosts[..], &[]] {
            let text = request::create(&key, &subject("peer0", &[]), hosts).unwrap();
            let parsed = Request::from_pem(text.as_bytes()).unwrap();
            assert_eq!((parsed.common_name.as_str(), &parsed.hosts[..]), ("peer0", hosts));
            assert_eq!(&parsed.public_key, key.public());
            let foreign = rcgen::CertificateSigningRequestParams::from_pem(&text).unwrap();
            assert_eq!(foreign.params.subject_alt_names.len(), hosts.len());
        }
    }
    let mut params = rcgen::CertificateParams::new(vec!["a.org".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "foreign");
    let key = rcgen::KeyPair::generate().unwrap();
    let text = params.serialize_request(&key).unwrap().pem().unwrap();
    let parsed = Request::from_pem(text.as_bytes()).unwrap();
    assert_eq!(
        (parsed.common_name.as_str(), &parsed.hosts[..]),
        ("foreign", &["a.org".to_owned()][..])
    );
}

#[test]
fn requests_must_be_signed_by_their_key() {
    let key = PrivateKey::generate().unwrap();
    let text = request::create(&key, &subject("peer0", &[]), &[]).unwrap();
    let mut der = msp::pem::decode(text.as_bytes()).unwrap().content;
    let position = der.windows(5).position(|it| it == b"peer0").unwrap();
    der[position] = b'P';
    let forged = msp::pem::encode(msp::pem::CERTIFICATE_REQUEST, &der);
    assert!(matches!(Request::from_pem(forged.as_bytes()), Err(request::Error::Key(_))));
    let other = msp::pem::encode(msp::pem::CERTIFICATE, &der);
    assert_eq!(Request::from_pem(other.as_bytes()), Err(request::Error::Pem));
}

#[test]
fn revocation_lists_are_read_elsewhere() {
    let root = root("ca");
    let revoked = [
        Revoked { serial: vec![0x80, 1], time: BEGIN, reason: 1 },
        Revoked { serial: vec![2], time: BEGIN, reason: 0 },
    ];
    let text = root.revocation_list(&revoked, 7, BEGIN, BEGIN + 60).unwrap();
    let der = msp::pem::decode(text.as_bytes()).unwrap().content;
    let (rest, list) = x509_parser::parse_x509_crl(&der).unwrap();
    assert!(rest.is_empty());
    let (_, issuer) = x509_parser::parse_x509_certificate(root.certificate().der()).unwrap();
    list.verify_signature(issuer.public_key()).unwrap();
    assert_eq!(list.crl_number().unwrap().to_string(), "7");
    assert_eq!(list.next_update().unwrap().timestamp(), BEGIN + 60);
    let entries: Vec<_> = list.iter_revoked_certificates().collect();
    assert_eq!(entries[0].serial().to_bytes_be(), [0x80, 1]);
    assert_eq!(entries[0].reason_code().unwrap().1.0, 1);
    assert!(entries[1].reason_code().is_none());
    let named = list
        .extensions()
        .iter()
        .any(|it| matches!(it.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(_)));
    assert!(named);
    assert!(x509_parser::revocation_list::CertificateRevocationList::from_der(&der).is_ok());
}
