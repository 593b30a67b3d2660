//! Enroll and Reenroll.

use ca::Secret;
use ca::client::{Error, Wish};
use ca::messages::certificate_authority_client::CertificateAuthorityClient;
use ca::messages::{
    EnrollRequest, ListCertificatesRequest, ModifyIdentityRequest, RegisterRequest,
};
use msp::authority::Subject;
use msp::keys::PrivateKey;
use msp::{Manager, Msp, MspVersion, Role, principal, request};
use tonic::Code;
use tonic::transport::Channel;

use crate::running::*;

#[tokio::test(flavor = "multi_thread")]
async fn identities_have_their_roles_and_attributes() {
    let ca = start().await;
    let definition = ca::client::definition(&ca.handle.info, MSP_ID);
    let manager = Manager::new(vec![Msp::new(&definition, MspVersion::V1_4_3).unwrap()]).unwrap();
    for (kind, role) in [
        ("client", Role::Client),
        ("peer", Role::Peer),
        ("admin", Role::Admin),
        ("orderer", Role::Orderer),
    ] {
        let request = RegisterRequest {
            affiliation: "ward7.night".to_owned(),
            attributes: vec![attribute("doctor", "yes", true), attribute("shift", "late", false)],
            ..registration(&format!("a-{kind}"), kind)
        };
        let signer = ca.member(request).await;
        let identity = manager.deserialize(signer.serialized()).unwrap();
        identity.validate().unwrap();
        assert_eq!(identity.role(), Some(role));
        assert!(identity.satisfies(&principal::member(MSP_ID)));
        let certificate = identity.certificate();
        assert_eq!(certificate.organizational_units(), [kind, "ward7", "night"]);
        let attributes = certificate.attributes().unwrap();
        let expected = [
            ("doctor", "yes"),
            ("hf.Affiliation", "ward7.night"),
            ("hf.EnrollmentID", certificate.common_name()),
            ("hf.Type", kind),
        ];
        assert!(attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_asked_for_must_be_there() {
    let ca = start().await;
    let mut request = registration("ann", "client");
    request.attributes = vec![attribute("shift", "late", false)];
    let secret = ca.client.register(&ca.admin, request).await.unwrap();
    let wish = |names: &[&str]| Wish {
        attributes: names.iter().map(|&name| name.to_owned()).collect(),
        ..Wish::identity()
    };
    let enrolled = ca.client.enroll("ann", &secret, &wish(&["shift"])).await.unwrap();
    assert_eq!(enrolled.certificate.attributes().unwrap()["shift"], "late");
    let result = ca.client.enroll("ann", &secret, &wish(&["rank"])).await;
    refused(result, Code::InvalidArgument, "has no attribute rank");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_certificates_come_from_the_other_root() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("peer0", "peer")).await.unwrap();
    let wish = Wish::tls(&["peer0.hospital.example", "127.0.0.1"]);
    let enrolled = ca.client.enroll("peer0", &secret, &wish).await.unwrap();
    let authority = msp::Certificate::from_pem(&ca.handle.info.tls_root).unwrap();
    assert_eq!(enrolled.certificate.issuer(), authority.subject());
    assert_eq!(enrolled.certificate.authority_key_id(), authority.subject_key_id());
    let definition = ca::client::definition(&ca.handle.info, MSP_ID);
    let msp = std::sync::Arc::new(Msp::new(&definition, MspVersion::V1_4_3).unwrap());
    let signer = enrolled.into_signer(MSP_ID).unwrap();
    assert!(msp.deserialize(signer.serialized()).is_err(), "no identity");
    // It proves no identity to the authority either.
    let result = ca.client.identity(&signer, "peer0").await;
    refused(result, Code::Unauthenticated, "authentication failure");
    for (hosts, text) in [(&[][..], "1 to 64 hosts"), (&["a b"], "neither"), (&["a..b"], "neither")]
    {
        let result = ca.client.enroll("peer0", &secret, &Wish::tls(hosts)).await;
        refused(result, Code::InvalidArgument, text);
    }
    let both = Wish { hosts: vec!["a".to_owned()], ..Wish::identity() };
    let result = ca.client.enroll("peer0", &secret, &both).await;
    refused(result, Code::InvalidArgument, "hosts are for TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_checked_and_lock() {
    let ca = start_with(|it| it.registry.wrong_secrets_max = 3).await;
    let secret = ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let enroll = async |id: &str, secret: &Secret| {
        ca.client.enroll(id, secret, &Wish::identity()).await.map(|_| ())
    };
    enroll("ann", &secret).await.unwrap();
    refused(enroll("nobody", &secret).await, Code::Unauthenticated, "authentication failure");
    for _ in 0..3 {
        let result = enroll("ann", &"wrong".into()).await;
        refused(result, Code::Unauthenticated, "authentication failure");
    }
    refused(enroll("ann", &secret).await, Code::Unauthenticated, "authentication failure");
    assert!(ca.client.identity(&ca.admin, "ann").await.unwrap().locked);
    let unlock = ModifyIdentityRequest {
        id: "ann".to_owned(),
        secret: Some("new".to_owned()),
        ..Default::default()
    };
    assert!(!ca.client.modify_identity(&ca.admin, unlock).await.unwrap().locked);
    enroll("ann", &"new".into()).await.unwrap();
    refused(enroll("ann", &secret).await, Code::Unauthenticated, "authentication failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolments_are_counted() {
    let ca = start().await;
    let request = RegisterRequest { max_enrollments: 2, ..registration("ann", "client") };
    let secret = ca.client.register(&ca.admin, request).await.unwrap();
    let (first, _) = (ca.enroll("ann", &secret).await, ca.enroll("ann", &secret).await);
    let result = ca.client.enroll("ann", &secret, &Wish::identity()).await;
    refused(result, Code::FailedPrecondition, "used up");
    assert_eq!(ca.client.identity(&ca.admin, "ann").await.unwrap().enrollments, 2);
    // The certificate still gets its successor.
    let again = ca.client.reenroll(&first, &Wish::identity()).await.unwrap();
    assert_ne!(again.certificate.serial(), first.certificate().serial());
    assert_eq!(again.certificate.common_name(), "ann");
    ca.client.identity(&again.into_signer(MSP_ID).unwrap(), "ann").await.unwrap();
    let filter = ListCertificatesRequest { id: "ann".to_owned(), ..Default::default() };
    assert_eq!(ca.client.certificates(&ca.admin, &filter).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_authority_holds_for_all() {
    let ca = start_with(|it| it.registry.max_enrollments = 1).await;
    let request = RegisterRequest { max_enrollments: -1, ..registration("ann", "client") };
    let secret = ca.client.register(&ca.admin, request).await.unwrap();
    ca.enroll("ann", &secret).await;
    let result = ca.client.enroll("ann", &secret, &Wish::identity()).await;
    refused(result, Code::FailedPrecondition, "used up");
}

async fn raw(ca: &Running) -> CertificateAuthorityClient<Channel> {
    let roots = node::tls::certificates_from_pem(&ca.handle.info.tls_root).unwrap();
    let address = ca.handle.address.to_string();
    let timeout = std::time::Duration::from_secs(10);
    let channel = node::grpc::connect(&address, &roots, None, timeout).await.unwrap();
    CertificateAuthorityClient::new(channel)
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_requests_are_checked() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let key = PrivateKey::generate().unwrap();
    let csr = |name: &str| {
        let subject = Subject { common_name: name.to_owned(), ..Default::default() };
        request::create(&key, &subject, &[]).unwrap()
    };
    let mut forged = msp::pem::decode(csr("ann").as_bytes()).unwrap().content;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let mut calls = raw(&ca).await;
    for (csr, profile, text) in [
        (csr("bob"), 0, "is not the id"),
        (csr(""), 0, "is not the id"),
        (msp::pem::encode(msp::pem::CERTIFICATE_REQUEST, &forged), 0, "key of certificate request"),
        ("junk".to_owned(), 0, "no PEM block"),
        (csr("ann"), 7, "unknown profile"),
    ] {
        let request = EnrollRequest {
            id: "ann".to_owned(),
            secret: secret.expose().to_owned(),
            certificate_request: csr.into(),
            profile,
            ..Default::default()
        };
        let result = calls.enroll(request).await.map_err(Error::from);
        refused(result, Code::InvalidArgument, text);
    }
    assert_eq!(ca.client.identity(&ca.admin, "ann").await.unwrap().enrollments, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_requests_are_refused() {
    let ca = start_with(|it| it.request_bytes_max = 10_000).await;
    let id = "x".repeat(20_000);
    let result = ca.client.enroll(&id, &"secret".into(), &Wish::identity()).await;
    refused(result, Code::OutOfRange, "");
    ca.client.info().await.unwrap();
}
