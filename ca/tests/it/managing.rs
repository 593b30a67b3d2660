//! Identities, affiliations and certificates, listed and changed.

use ca::messages::{ListCertificatesRequest, ModifyIdentityRequest, RemoveIdentityRequest};
use tonic::Code;

use crate::running::*;

fn modify(id: &str) -> ModifyIdentityRequest {
    ModifyIdentityRequest { id: id.to_owned(), ..Default::default() }
}

fn remove(id: &str, force: bool) -> RemoveIdentityRequest {
    RemoveIdentityRequest { id: id.to_owned(), force }
}

#[tokio::test(flavor = "multi_thread")]
async fn registrars_see_what_they_manage_page_by_page() {
    let ca = start_with(|it| it.list_max = 3).await;
    for index in 0..7 {
        let kind = if index % 2 == 0 { "client" } else { "peer" };
        ca.client.register(&ca.admin, registration(&format!("i{index}"), kind)).await.unwrap();
    }
    let ids = |found: Vec<ca::messages::Identity>| -> Vec<String> {
        found.into_iter().map(|it| it.id).collect()
    };
    let all = ids(ca.client.identities(&ca.admin).await.unwrap());
    assert_eq!(all, ["admin", "i0", "i1", "i2", "i3", "i4", "i5", "i6"]);
    let rights = [("hf.Registrar.Roles", "peer")];
    let registrar = ca.member(registrar("peers", "", &rights)).await;
    assert_eq!(ids(ca.client.identities(&registrar).await.unwrap()), ["i1", "i3", "i5"]);
    let certificates = ca.client.certificates(&ca.admin, &Default::default()).await.unwrap();
    assert_eq!(certificates.len(), 2);
    let own = ca.client.certificates(&registrar, &Default::default()).await.unwrap();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].id, "peers");
    for _ in 0..4 {
        ca.client.reenroll(&registrar, &ca::client::Wish::identity()).await.unwrap();
    }
    let many = ca.client.certificates(&ca.admin, &Default::default()).await.unwrap();
    assert_eq!(many.len(), 6, "two pages");
    let filter = ListCertificatesRequest { expires_before: 1000, ..Default::default() };
    assert!(ca.client.certificates(&ca.admin, &filter).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_change_within_the_rights_of_the_caller() {
    let ca = start().await;
    let mut request = registration("ann", "client");
    request.attributes = vec![attribute("doctor", "yes", true)];
    ca.client.register(&ca.admin, request).await.unwrap();
    let change = ModifyIdentityRequest {
        r#type: Some("peer".to_owned()),
        affiliation: Some("ward7".to_owned()),
        attributes: vec![attribute("doctor", "", false), attribute("nurse", "yes", true)],
        max_enrollments: Some(5),
        ..modify("ann")
    };
    let ann = ca.client.modify_identity(&ca.admin, change).await.unwrap();
    assert_eq!((ann.r#type.as_str(), ann.affiliation.as_str()), ("peer", "ward7"));
    assert_eq!(ann.attributes, [attribute("nurse", "yes", true)]);
    assert_eq!(ann.max_enrollments, 5);
    // A registrar cannot take over a mightier identity by giving it a new secret.
    let rights = [("hf.Registrar.Roles", "client,peer"), ("hf.Registrar.Attributes", "nurse")];
    let registrar = ca.member(registrar("head", "", &rights)).await;
    let takeover = ModifyIdentityRequest { secret: Some("x".to_owned()), ..modify("admin") };
    let result = ca.client.modify_identity(&registrar, takeover).await;
    refused(result, Code::PermissionDenied, "may not give attribute");
    let promote = ModifyIdentityRequest { r#type: Some("admin".to_owned()), ..modify("ann") };
    refused(
        ca.client.modify_identity(&registrar, promote).await,
        Code::PermissionDenied,
        "of type admin",
    );
    let give = ModifyIdentityRequest {
        attributes: vec![attribute("doctor", "yes", false)],
        ..modify("ann")
    };
    let result = ca.client.modify_identity(&registrar, give).await;
    refused(result, Code::PermissionDenied, "attribute doctor");
    let own = ModifyIdentityRequest {
        attributes: vec![attribute("hf.Revoker", "true", false)],
        ..modify("head")
    };
    let result = ca.client.modify_identity(&registrar, own).await;
    refused(result, Code::PermissionDenied, "hf.Revoker");
    let moved = ModifyIdentityRequest { affiliation: Some("none".to_owned()), ..modify("ann") };
    refused(ca.client.modify_identity(&ca.admin, moved).await, Code::NotFound, "none");
    let result = ca.client.modify_identity(&ca.admin, modify("nobody")).await;
    refused(result, Code::NotFound, "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_must_be_enabled_and_revokes() {
    let ca = start().await;
    let result = ca.client.remove_identity(&ca.admin, remove("admin", true)).await;
    refused(result, Code::FailedPrecondition, "cannot be removed");
    let ca = start_with(|it| it.registry.allow_removal = true).await;
    let ann = ca.member(registration("ann", "client")).await;
    let result = ca.client.remove_identity(&ann, remove("admin", false)).await;
    refused(result, Code::PermissionDenied, "may not manage");
    ca.client.remove_identity(&ca.admin, remove("ann", false)).await.unwrap();
    refused(ca.client.identity(&ann, "ann").await, Code::Unauthenticated, "");
    refused(ca.client.identity(&ca.admin, "ann").await, Code::NotFound, "ann");
    let filter = ListCertificatesRequest { id: "ann".to_owned(), ..Default::default() };
    let left = ca.client.certificates(&ca.admin, &filter).await.unwrap();
    assert!(left.len() == 1 && left[0].revoked_at > 0 && left[0].reason == 5);
    let result = ca.client.remove_identity(&ca.admin, remove("admin", false)).await;
    refused(result, Code::FailedPrecondition, "force");
    ca.client.remove_identity(&ca.admin, remove("admin", true)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn affiliations_form_a_tree() {
    let ca = start().await;
    let list = async || ca.client.affiliations(&ca.admin, "").await.unwrap();
    assert_eq!(list().await, ["ward7", "ward7.night", "ward8"]);
    let add = async |name, force| ca.client.add_affiliation(&ca.admin, name, force).await;
    refused(add("lab.blood", false).await, Code::NotFound, "lab");
    add("lab.blood", true).await.unwrap();
    refused(add("lab", false).await, Code::AlreadyExists, "lab");
    refused(add("lab.peer", false).await, Code::InvalidArgument, "proper");
    assert_eq!(ca.client.affiliations(&ca.admin, "lab").await.unwrap(), ["lab", "lab.blood"]);
    let remove = async |name, force| ca.client.remove_affiliation(&ca.admin, name, force).await;
    refused(remove("lab", false).await, Code::FailedPrecondition, "below");
    assert_eq!(remove("lab", true).await.unwrap(), ["lab", "lab.blood"]);
    refused(remove("lab", true).await, Code::NotFound, "lab");
    let rights = [("hf.Registrar.Roles", "client"), ("hf.AffiliationMgr", "true")];
    let manager = ca.member(registrar("head", "ward7", &rights)).await;
    refused(remove("ward7", true).await, Code::FailedPrecondition, "head belongs");
    ca.client.add_affiliation(&manager, "ward7.day", false).await.unwrap();
    let result = ca.client.add_affiliation(&manager, "ward8.day", false).await;
    refused(result, Code::PermissionDenied, "ward8");
    let seen = ca.client.affiliations(&manager, "").await.unwrap();
    assert_eq!(seen, ["ward7", "ward7.day", "ward7.night"]);
    refused(ca.client.affiliations(&manager, "ward8").await, Code::PermissionDenied, "ward8");
    let user = ca.member(registration("ann", "client")).await;
    let result = ca.client.add_affiliation(&user, "x", false).await;
    refused(result, Code::PermissionDenied, "hf.AffiliationMgr");
}
