//! Revoke and GenerateCrl.

use std::sync::Arc;

use ca::client::Wish;
use ca::messages::{ListCertificatesRequest, Profile, RevokeRequest};
use msp::{Error, Msp, MspVersion, SigningIdentity};
use tonic::Code;

use crate::running::*;

fn by_id(id: &str) -> RevokeRequest {
    RevokeRequest { id: id.to_owned(), ..Default::default() }
}

fn by_serial(signer: &SigningIdentity) -> RevokeRequest {
    let certificate = signer.certificate();
    RevokeRequest {
        serial: hex::encode_upper(certificate.serial()),
        authority_key_id: hex::encode(certificate.authority_key_id().unwrap()),
        reason: 1,
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_identities_are_out_everywhere() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let ann = ca.enroll("ann", &secret).await;
    let other = ca.member(registration("bob", "client")).await;
    let revoked = ca
        .client
        .revoke(&ca.admin, RevokeRequest { generate_crl: true, ..by_id("ann") })
        .await
        .unwrap();
    assert_eq!(revoked.certificates.len(), 1);
    assert_eq!(revoked.certificates[0].serial, hex::encode(ann.certificate().serial()));
    // At the authority …
    let result = ca.client.identity(&ann, "ann").await;
    refused(result, Code::Unauthenticated, "authentication failure");
    let result = ca.client.reenroll(&ann, &Wish::identity()).await;
    refused(result, Code::Unauthenticated, "authentication failure");
    let result = ca.client.enroll("ann", &secret, &Wish::identity()).await;
    refused(result, Code::PermissionDenied, "revoked");
    // … and in the organization, once the list is in its definition.
    let mut definition = ca::client::definition(&ca.handle.info, MSP_ID);
    let check = |definition: &_, signer: &SigningIdentity| {
        let msp = Arc::new(Msp::new(definition, MspVersion::V1_4_3).unwrap());
        msp.deserialize(signer.serialized()).unwrap().validate()
    };
    assert_eq!(check(&definition, &ann), Ok(()));
    definition.revocation_list = vec![revoked.crl];
    assert_eq!(check(&definition, &ann), Err(Error::Revoked));
    assert_eq!(check(&definition, &other), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_can_be_revoked_without_its_identity() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let (lost, kept) = (ca.enroll("ann", &secret).await, ca.enroll("ann", &secret).await);
    // Everyone may revoke what is their own.
    ca.client.revoke(&kept, by_serial(&lost)).await.unwrap();
    refused(ca.client.identity(&lost, "ann").await, Code::Unauthenticated, "");
    ca.client.identity(&kept, "ann").await.unwrap();
    refused(ca.client.revoke(&kept, by_serial(&lost)).await, Code::FailedPrecondition, "already");
    let filter = ListCertificatesRequest { not_revoked: true, ..Default::default() };
    let left = ca.client.certificates(&kept, &filter).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].serial, hex::encode(kept.certificate().serial()));
    let wrong = RevokeRequest { authority_key_id: "00".to_owned(), ..by_serial(&kept) };
    refused(ca.client.revoke(&ca.admin, wrong).await, Code::NotFound, "no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_needs_the_right() {
    let ca = start().await;
    let ann = ca.member(registration("ann", "client")).await;
    let bob = ca.member(registration("bob", "client")).await;
    refused(ca.client.revoke(&ann, by_id("bob")).await, Code::PermissionDenied, "hf.Revoker");
    refused(ca.client.revoke(&ann, by_serial(&bob)).await, Code::PermissionDenied, "hf.Revoker");
    let rights = [("hf.Registrar.Roles", "client"), ("hf.Revoker", "true")];
    let revoker = ca.member(registrar("revoker", "ward7", &rights)).await;
    let result = ca.client.revoke(&revoker, by_id("bob")).await;
    refused(result, Code::PermissionDenied, "affiliation");
    let result = ca.client.generate_crl(&revoker, Profile::Identity).await;
    refused(result, Code::PermissionDenied, "hf.GenCRL");
    let with_crl = RevokeRequest { generate_crl: true, ..by_id("revoker") };
    refused(ca.client.revoke(&revoker, with_crl).await, Code::PermissionDenied, "hf.GenCRL");
    for (request, code) in [
        (RevokeRequest::default(), Code::InvalidArgument),
        (RevokeRequest { serial: "1".to_owned(), ..by_id("ann") }, Code::InvalidArgument),
        (RevokeRequest { reason: 7, ..by_id("ann") }, Code::InvalidArgument),
        (by_id("nobody"), Code::NotFound),
    ] {
        refused(ca.client.revoke(&ca.admin, request).await, code, "");
    }
    ca.client.revoke(&ann, by_id("ann")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_belong_to_one_root_and_count_up() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("peer0", "peer")).await.unwrap();
    ca.client.enroll("peer0", &secret, &Wish::tls(&["localhost"])).await.unwrap();
    ca.enroll("peer0", &secret).await;
    assert_eq!(ca.client.revoke(&ca.admin, by_id("peer0")).await.unwrap().certificates.len(), 2);
    for (profile, root) in [
        (Profile::Identity, &ca.handle.info.identity_root),
        (Profile::Tls, &ca.handle.info.tls_root),
    ] {
        let mut definition = ca::client::definition(&ca.handle.info, MSP_ID);
        for number in 1..=2 {
            let list = ca.client.generate_crl(&ca.admin, profile).await.unwrap();
            let der = msp::pem::decode(&list).unwrap().content;
            let (_, parsed) = x509_parser::parse_x509_crl(&der).unwrap();
            assert_eq!(parsed.crl_number().unwrap().to_string(), number.to_string());
            assert_eq!(parsed.iter_revoked_certificates().count(), 1);
            let root = msp::Certificate::from_pem(root).unwrap();
            assert_eq!(parsed.issuer().as_raw(), &root.subject()[..]);
            definition.revocation_list = vec![list];
        }
        Msp::new(&definition, MspVersion::V1_4_3).unwrap();
    }
}
