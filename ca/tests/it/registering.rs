//! Register: who may bring in whom.

use ca::messages::RegisterRequest;
use tonic::Code;

use crate::running::*;

#[tokio::test(flavor = "multi_thread")]
async fn registrars_cannot_exceed_their_rights() {
    let ca = start().await;
    let rights = [
        ("hf.Registrar.Roles", "client,peer"),
        ("hf.Registrar.DelegateRoles", "client"),
        ("hf.Registrar.Attributes", "ward.*,hf.Registrar.Roles,hf.Revoker"),
    ];
    let registrar = ca.member(registrar("head", "ward7", &rights)).await;
    let register = async |request: RegisterRequest| ca.client.register(&registrar, request).await;
    let below = RegisterRequest {
        affiliation: "ward7.night".to_owned(),
        attributes: vec![attribute("ward.number", "7", true)],
        ..registration("p", "peer")
    };
    register(below).await.unwrap();
    let own = registration("q", "client");
    register(own).await.unwrap();
    assert_eq!(ca.client.identity(&registrar, "q").await.unwrap().affiliation, "ward7");
    let other = RegisterRequest { affiliation: "ward8".to_owned(), ..registration("r", "peer") };
    refused(register(other).await, Code::PermissionDenied, "ward8");
    let with = |name, value| RegisterRequest {
        attributes: vec![attribute(name, value, false)],
        ..registration("r", "client")
    };
    for (request, text) in [
        (registration("r", "admin"), "of type admin"),
        (registration("r", "orderer"), "of type orderer"),
        (with("doctor", "yes"), "attribute doctor"),
        (with("hf.Revoker", "true"), "hf.Revoker"),
        (with("hf.GenCRL", "true"), "hf.GenCRL"),
        (with("hf.Registrar.Roles", "client,peer"), "hf.Registrar.Roles"),
        (with("hf.Registrar.Attributes", "*"), "hf.Registrar.Attributes"),
    ] {
        refused(register(request).await, Code::PermissionDenied, text);
    }
    let missing =
        RegisterRequest { affiliation: "ward7.day".to_owned(), ..registration("r", "peer") };
    refused(register(missing).await, Code::NotFound, "ward7.day");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_no_registrars_register_nobody() {
    let ca = start().await;
    let user = ca.member(registration("ann", "client")).await;
    let result = ca.client.register(&user, registration("bob", "client")).await;
    refused(result, Code::PermissionDenied, "may not manage");
    refused(ca.client.identities(&user).await, Code::PermissionDenied, "no registrar");
    refused(ca.client.identity(&user, "admin").await, Code::PermissionDenied, "may not manage");
    assert_eq!(ca.client.identity(&user, "ann").await.unwrap().id, "ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn improper_registrations_are_refused() {
    let ca = start().await;
    ca.client.register(&ca.admin, registration("ann", "client")).await.unwrap();
    let base = || registration("bob", "client");
    let twice = vec![attribute("a", "1", false), attribute("a", "2", false)];
    for (request, code, text) in [
        (registration("ann", "peer"), Code::AlreadyExists, "ann"),
        (registration("", "peer"), Code::InvalidArgument, "id"),
        (registration("a\u{7}", "peer"), Code::InvalidArgument, "id"),
        (registration("bob", "king"), Code::InvalidArgument, "type must be"),
        (RegisterRequest { max_enrollments: -2, ..base() }, Code::InvalidArgument, "max_enr"),
        (RegisterRequest { secret: "x".repeat(600), ..base() }, Code::InvalidArgument, "secret"),
        (RegisterRequest { attributes: twice, ..base() }, Code::InvalidArgument, "twice"),
        (
            RegisterRequest { attributes: vec![attribute("hf.Type", "admin", true)], ..base() },
            Code::InvalidArgument,
            "cannot be given",
        ),
        (RegisterRequest { affiliation: "none".to_owned(), ..base() }, Code::NotFound, "none"),
    ] {
        refused(ca.client.register(&ca.admin, request).await, code, text);
    }
    let given = RegisterRequest { secret: "given".to_owned(), ..base() };
    assert_eq!(ca.client.register(&ca.admin, given).await.unwrap().expose(), "given");
}
