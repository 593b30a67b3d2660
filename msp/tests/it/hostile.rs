//! What must not get in, and what must although it looks wrong.

use bytes::Bytes;
use msp::authority::{Authority, Revoked, Template};
use msp::keys::{self, Algorithm, PrivateKey};
use msp::{
    Certificate, Error, Manager, Msp, MspVersion, SigningIdentity, certificate, pem as text,
};
use proptest::prelude::*;
use proto::msp::FabricMspConfig;
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::consortium::*;

/// Refuses the certificate for a reason that `expected` recognises.
#[track_caller]
fn refused(config: &FabricMspConfig, certificate: &Certificate, expected: fn(&Error) -> bool) {
    let error = accept(config, certificate).unwrap_err();
    assert!(expected(&error), "{error:?}");
}

fn revocation_list(authority: &Authority, certificate: &Certificate) -> Bytes {
    let revoked = Revoked { serial: certificate.serial().to_vec(), time: BEGIN, reason: 1 };
    authority.revocation_list(&[revoked], 1, BEGIN, BEGIN + 1).unwrap().into()
}

#[test]
fn another_authority_with_the_same_name_vouches_for_nobody() {
    let (ours, theirs) = (root("ca"), root("ca"));
    assert_eq!(ours.certificate().subject(), theirs.certificate().subject());
    let stranger = enroll(&theirs, "peer0", &["peer"]);
    refused(&definition(&ours), stranger.certificate(), |it| matches!(it, Error::Chain { .. }));
}

#[test]
fn tls_authorities_do_not_vouch_for_identities() {
    let (identities, tls) = (root("ca"), root("tlsca"));
    let mut config = definition(&identities);
    config.tls_root_certs = vec![pem(tls.certificate())];
    let certificate = enroll(&tls, "peer0", &["peer"]);
    refused(&config, certificate.certificate(), |it| matches!(it, Error::Chain { .. }));
}

#[test]
fn roles_must_be_exactly_one() {
    let root = root("ca");
    let config = definition(&root);
    let cases: [(&[&str], bool); 8] = [
        (&["peer"], true),
        (&["client", "org1", "department1"], true),
        (&["admin"], true),
        (&["orderer"], true),
        (&["peer", "admin"], false),
        (&["peer", "peer"], false),
        (&[], false),
        (&["Peer"], false),
    ];
    for (units, valid) in cases {
        let identity = enroll(&root, "someone", units);
        let verdict = accept(&config, identity.certificate());
        assert_eq!(verdict.is_ok(), valid, "{units:?}");
        assert!(valid || matches!(verdict, Err(Error::Roles(_))));
    }
}

#[test]
fn roles_from_another_authority_of_the_organization_do_not_count() {
    let (roles, other) = (root("ca"), root("other-ca"));
    let mut config = definition(&roles);
    config.root_certs.push(pem(other.certificate()));
    let identity = enroll(&other, "peer0", &["peer"]);
    refused(&config, identity.certificate(), |it| matches!(it, Error::Certifier(_)));
    config.fabric_node_ous = Some(node_units(None));
    accept(&config, identity.certificate()).unwrap();
}

#[test]
fn revoked_certificates_are_refused() {
    let (root, other) = (root("ca"), root("ca"));
    let [identity, innocent] = ["a", "b"].map(|name| enroll(&root, name, &["peer"]));
    let mut config = definition(&root);
    config.revocation_list = vec![revocation_list(&root, identity.certificate())];
    refused(&config, identity.certificate(), |it| matches!(it, Error::Revoked));
    accept(&config, innocent.certificate()).unwrap();
    // A list of another authority, and one that pretends to be ours, have no effect.
    let foreign = revocation_list(&other, identity.certificate());
    config.revocation_list = vec![foreign];
    accept(&config, identity.certificate()).unwrap();
    let mut forged = text::decode(&revocation_list(&root, identity.certificate())).unwrap().content;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    config.revocation_list = vec![forged.into()];
    accept(&config, identity.certificate()).unwrap();
}

#[test]
fn dates_do_not_matter_but_the_authority_must_have_been_valid_then() {
    let root = root("ca");
    let long_ago = Template { not_after: BEGIN + 60, ..template("old", &["peer"]) };
    let identity = enroll_with(&root, &long_ago, Algorithm::P256);
    accept(&definition(&root), identity.certificate()).unwrap();
    for (not_before, not_after) in
        [(BEGIN - 2 * YEAR, BEGIN + YEAR), (BEGIN + 20 * YEAR, BEGIN + 30 * YEAR), (BEGIN, BEGIN)]
    {
        let template = Template { not_before, not_after, ..template("odd", &["peer"]) };
        let identity = enroll_with(&root, &template, Algorithm::P256);
        refused(&definition(&root), identity.certificate(), |it| matches!(it, Error::Chain { .. }));
    }
}

#[test]
fn authorities_are_no_identities() {
    let root = root("ca");
    let sub = intermediate(&root, "sub", None);
    let mut config = definition(&root);
    config.intermediate_certs = vec![pem(sub.certificate())];
    for authority in [root.certificate(), sub.certificate()] {
        refused(&config, authority, |it| matches!(it, Error::CertificateAuthority));
    }
}

#[test]
fn only_leaves_of_the_tree_of_authorities_issue_identities() {
    let root = root("ca");
    let upper = intermediate(&root, "upper", None);
    let lower = intermediate(&upper, "lower", None);
    let mut config = definition(&root);
    config.fabric_node_ous = Some(node_units(None));
    let by_root = enroll(&root, "a", &["peer"]);
    accept(&config, by_root.certificate()).unwrap();
    config.intermediate_certs = vec![pem(lower.certificate()), pem(upper.certificate())];
    for (authority, allowed) in [(&root, false), (&upper, false), (&lower, true)] {
        let identity = enroll(authority, "a", &["peer"]);
        let verdict = accept(&config, identity.certificate());
        assert_eq!(verdict.is_ok(), allowed);
        assert!(allowed || matches!(verdict, Err(Error::InternalIssuer)));
    }
}

#[test]
fn paths_longer_than_an_authority_allows_are_refused() {
    let root = root("ca");
    let upper = intermediate(&root, "upper", Some(0));
    let lower = intermediate(&upper, "lower", None);
    let mut config = definition(&root);
    config.intermediate_certs = vec![pem(upper.certificate()), pem(lower.certificate())];
    config.fabric_node_ous = Some(node_units(None));
    let too_deep = enroll(&lower, "a", &["peer"]);
    refused(&config, too_deep.certificate(), |it| matches!(it, Error::Chain { .. }));
    config.intermediate_certs.pop();
    accept(&config, enroll(&upper, "a", &["peer"]).certificate()).unwrap();
}

#[test]
fn end_entities_cannot_issue() {
    let root = root("ca");
    let user = PrivateKey::generate().unwrap();
    let user_certificate = root.issue(user.public(), &template("user", &["client"])).unwrap();
    assert!(Authority::new(user_certificate.clone(), user).is_err());
    // The definition cannot make an authority of it either.
    let mut config = definition(&root);
    config.intermediate_certs = vec![pem(&user_certificate)];
    assert!(Msp::new(&config, MspVersion::V1_4_3).is_err());
}

#[test]
fn ed25519_needs_the_new_rules() {
    let root = root("ca");
    let identity = enroll_with(&root, &template("peer0", &["peer"]), Algorithm::Ed25519);
    for (version, valid) in [(MspVersion::V1_4_3, false), (MspVersion::V3_0, true)] {
        let msp = Msp::new(&definition(&root), version).unwrap();
        let manager = Manager::new(vec![msp]).unwrap();
        let found = manager.deserialize(identity.serialized()).unwrap();
        assert_eq!(found.validate().is_ok(), valid);
        found.verify(b"m", &identity.sign(b"m").unwrap()).unwrap();
    }
}

#[test]
fn high_s_signatures_of_messages_are_refused() {
    let root = root("ca");
    let signer = enroll(&root, "peer0", &["peer"]);
    let identity = accept(&definition(&root), signer.certificate()).unwrap();
    let signature = signer.sign(b"message").unwrap();
    identity.verify(b"message", &signature).unwrap();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let high = with_s(&signature, |s| subtract(&hex::decode(order).unwrap(), s));
    let error = identity.verify(b"message", &high).unwrap_err();
    assert_eq!(error, Error::Signature(keys::Error::HighS));
    let other = identity.verify(b"massage", &signature).unwrap_err();
    assert_eq!(other, Error::Signature(keys::Error::Signature));
    for bad in [&b""[..], b"junk", &signature[..10]] {
        let error = identity.verify(b"message", bad).unwrap_err();
        assert_eq!(error, Error::Signature(keys::Error::MalformedSignature));
    }
}

#[test]
fn both_forms_of_a_certificate_are_one_identity() {
    let root = root("ca");
    let signer = enroll(&root, "peer0", &["peer"]);
    let der = signer.certificate_der();
    // The signature is the last element: BIT STRING, unused bits, SEQUENCE.
    let parsed = x509_parser::parse_x509_certificate(der).unwrap().1;
    let signature = parsed.signature_value.as_ref().to_vec();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let high = with_s(&signature, |s| subtract(&hex::decode(order).unwrap(), s));
    let body = tlv(
        0x30,
        &[
            parsed.tbs_certificate.as_ref(),
            &tlv(0x30, &[&tlv(0x06, &[parsed.signature_algorithm.algorithm.as_bytes()])]),
            &tlv(0x03, &[&[0], &high]),
        ],
    );
    let twin = Certificate::from_der(body.into()).unwrap();
    assert_ne!(twin.der(), der);
    let config = definition(&root);
    let one = accept(&config, signer.certificate()).unwrap();
    let other = accept(&config, &twin).unwrap();
    assert_eq!(one.id(), other.id());
    assert_eq!(other.certificate().der(), der);
    assert_ne!(one.serialized(), other.serialized());
}

#[test]
fn malformed_identities_are_refused() {
    let root = root("ca");
    let manager = manager(&definition(&root));
    let certificate = enroll(&root, "peer0", &["peer"]).certificate().clone();
    let longer = [&certificate.der()[..], b"\0"].concat();
    let check = |bytes: &[u8], expected: fn(&Error) -> bool| {
        let error = manager.deserialize(bytes).unwrap_err();
        assert!(expected(&error), "{error:?}");
    };
    check(b"\xff", |it| matches!(it, Error::Decode));
    check(b"", |it| matches!(it, Error::UnknownMsp(id) if id.is_empty()));
    let pem_error = |it: &Error| matches!(it, Error::Certificate(certificate::Error::Pem));
    check(&serialized_text(Bytes::new()), pem_error);
    check(&serialized_text(certificate.der().clone()), pem_error);
    let malformed = |it: &Error| matches!(it, Error::Certificate(certificate::Error::Malformed(_)));
    check(&serialized_text(text::encode(text::CERTIFICATE, &longer).into()), malformed);
    check(&serialized_text(text::encode(text::CERTIFICATE, &[]).into()), malformed);
    let msp = setup(&definition(&root));
    let foreign =
        SigningIdentity::new("OtherMSP", certificate.clone(), PrivateKey::generate().unwrap());
    assert!(foreign.is_err(), "the key must be that of the certificate");
    let mspid = "OtherMSP".to_owned();
    let other = proto::msp::SerializedIdentity { mspid, ..Default::default() };
    let bytes = prost::Message::encode_to_vec(&other);
    assert!(matches!(msp.deserialize(&bytes), Err(Error::WrongMsp { .. })));
    check(&bytes, |it| matches!(it, Error::UnknownMsp(_)));
}

/// A root made by another library, so that both read each other.
fn foreign_root(algorithm: &'static rcgen::SignatureAlgorithm) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "foreign ca");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params, KeyPair::generate_for(algorithm).unwrap())
}

fn foreign_definition(root: &rcgen::Certificate) -> FabricMspConfig {
    FabricMspConfig {
        name: MSP_ID.to_owned(),
        root_certs: vec![root.pem().into()],
        fabric_node_ous: Some(node_units(None)),
        ..Default::default()
    }
}

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationalUnitName, "peer");
    params.distinguished_name.push(DnType::CommonName, "peer0.example.com");
    change(&mut params);
    params
}

#[test]
fn authorities_may_have_any_kind_of_key_but_identities_not() {
    let kinds = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, true),
        (&rcgen::PKCS_ECDSA_P384_SHA384, true),
        (&rcgen::PKCS_ECDSA_P521_SHA512, true),
        (&rcgen::PKCS_RSA_SHA256, false),
        (&rcgen::PKCS_ED25519, false),
    ];
    let (leaf_key, leaf) = (KeyPair::generate().unwrap(), leaf(|_| {}));
    for (algorithm, identity_allowed) in kinds {
        let (params, key) = foreign_root(algorithm);
        let root = params.self_signed(&key).unwrap();
        let config = foreign_definition(&root);
        let issuer = Issuer::new(params, key);
        let signed = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let certificate = Certificate::from_der(signed.der().to_vec().into()).unwrap();
        accept(&config, &certificate).unwrap();
        let own = KeyPair::generate_for(algorithm).unwrap();
        let signed = leaf.signed_by(&own, &issuer).unwrap();
        let certificate = Certificate::from_der(signed.der().to_vec().into()).unwrap();
        let verdict = accept(&config, &certificate);
        assert_eq!(verdict.is_ok(), identity_allowed, "{algorithm:?}");
        assert!(identity_allowed || matches!(verdict, Err(Error::KeyAlgorithm(_))));
    }
}

#[test]
fn extensions_are_honoured() {
    let (mut params, key) = foreign_root(&rcgen::PKCS_ECDSA_P256_SHA256);
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.com".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let config = foreign_definition(&params.self_signed(&key).unwrap());
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let dns = |name: &str| rcgen::SanType::DnsName(name.try_into().unwrap());
    let check = |change: &dyn Fn(&mut CertificateParams), valid: bool| {
        let signed = leaf(|params| change(params)).signed_by(&leaf_key, &issuer).unwrap();
        let certificate = Certificate::from_der(signed.der().to_vec().into()).unwrap();
        assert_eq!(accept(&config, &certificate).is_ok(), valid, "{signed:?}");
    };
    check(&|it| it.subject_alt_names = vec![dns("peer0.example.com")], true);
    check(&|it| it.subject_alt_names = vec![dns("peer0.evil.com")], false);
    check(&|_| {}, false);
    check(&|it| it.distinguished_name.push(DnType::CommonName, "peer 0"), true);
    let unknown = |critical| {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
        extension.set_criticality(critical);
        move |it: &mut CertificateParams| {
            it.distinguished_name.push(DnType::CommonName, "peer 0");
            it.custom_extensions = vec![extension.clone()];
        }
    };
    check(&unknown(false), true);
    check(&unknown(true), false);
}

#[test]
fn no_certificate_with_a_changed_bit_is_accepted() {
    let root = root("ca");
    let manager = manager(&definition(&root));
    let der = enroll(&root, "peer0", &["peer"]).certificate_der().clone();
    for bit in 0..der.len() * 8 {
        let mut changed = der.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let text = text::encode(text::CERTIFICATE, &changed);
        assert!(manager.deserialize(&serialized_text(text.into())).is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let pem = text::encode(text::CERTIFICATE, &bytes);
        prop_assert!(Certificate::from_pem(pem.as_bytes()).is_err());
        prop_assert!(msp::request::Request::from_pem(pem.as_bytes()).is_err());
    }
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        length @ 0..0x80 => out.push(length as u8),
        length @ 0x80..0x100 => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

/// Replaces `s` in a short DER signature.
fn with_s(signature: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let r_end = 4 + usize::from(signature[3]);
    let s = change(&signature[r_end + 2..]);
    let zero: &[u8] = if s[0] >= 0x80 { &[0] } else { &[] };
    tlv(0x30, &[&signature[2..r_end], &tlv(0x02, &[zero, &s])])
}

fn subtract(order: &[u8], s: &[u8]) -> Vec<u8> {
    let s: Vec<u8> = s.iter().copied().skip_while(|&byte| byte == 0).collect();
    let padded = [vec![0; order.len() - s.len()], s].concat();
    let mut borrow = 0i16;
    let mut out = vec![0; order.len()];
    for index in (0..order.len()).rev() {
        let difference = i16::from(order[index]) - i16::from(padded[index]) - borrow;
        borrow = i16::from(difference < 0);
        out[index] = difference.rem_euclid(256) as u8;
    }
    out.into_iter().skip_while(|&byte| byte == 0).collect()
}
