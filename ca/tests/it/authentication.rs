//! Tokens that must not work.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ca::client::{Error, Wish};
use ca::messages::certificate_authority_client::CertificateAuthorityClient;
use ca::messages::{GetIdentityRequest, Identity};
use ca::token;
use msp::SigningIdentity;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::running::*;

const PATH: &str = "/gauze.ca.CertificateAuthority/GetIdentity";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

struct Raw(CertificateAuthorityClient<Channel>);

impl Raw {
    async fn new(ca: &Running) -> Self {
        let roots = node::tls::certificates_from_pem(&ca.handle.info.tls_root).unwrap();
        let address = ca.handle.address.to_string();
        let timeout = Duration::from_secs(10);
        let channel = node::grpc::connect(&address, &roots, None, timeout).await.unwrap();
        Self(CertificateAuthorityClient::new(channel))
    }

    async fn get(&self, id: &str, token: Option<&str>) -> Result<Identity, Error> {
        let mut request = Request::new(GetIdentityRequest { id: id.to_owned() });
        if let Some(token) = token {
            request.metadata_mut().insert(token::METADATA, token.parse().unwrap());
        }
        Ok(self.0.clone().get_identity(request).await?.into_inner())
    }
}

fn body(id: &str) -> Vec<u8> {
    GetIdentityRequest { id: id.to_owned() }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_once_for_what_it_was_made_for() {
    let ca = start().await;
    let raw = Raw::new(&ca).await;
    let make = |path, body: &[u8], time| token::create(&ca.admin, path, body, time).unwrap();
    let good = make(PATH, &body("admin"), now());
    assert_eq!(raw.get("admin", Some(&good)).await.unwrap().id, "admin");
    let denied = |result| refused(result, Code::Unauthenticated, "authentication failure");
    denied(raw.get("admin", Some(&good)).await);
    denied(raw.get("admin", None).await);
    denied(raw.get("admin", Some("junk")).await);
    let fresh = || make(PATH, &body("admin"), now());
    denied(raw.get("other", Some(&fresh())).await);
    denied(raw.get("admin", Some(&make("/other", &body("admin"), now()))).await);
    denied(raw.get("admin", Some(&make(PATH, &body("admin"), now() - 3600))).await);
    denied(raw.get("admin", Some(&make(PATH, &body("admin"), now() + 3600))).await);
    raw.get("admin", Some(&fresh())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_token_is_refused_after_a_restart_too() {
    let crate::running::Authority { running: ca, folder: _folder } = start().await;
    let token = token::create(&ca.admin, PATH, &body("admin"), now()).unwrap();
    Raw::new(&ca).await.get("admin", Some(&token)).await.unwrap();
    let ca = run(ca.stop().await).await;
    let result = Raw::new(&ca).await.get("admin", Some(&token)).await;
    refused(result, Code::Unauthenticated, "authentication failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_others_prove_nothing() {
    let ca = start().await;
    let root = Authority::generate(&Subject::default(), now() - 100, now() + 1000).unwrap();
    let key = PrivateKey::generate().unwrap();
    let template = Template {
        subject: Subject { common_name: "admin".to_owned(), ..Default::default() },
        usage: Usage::Identity,
        hosts: Vec::new(),
        attributes: Default::default(),
        not_before: now() - 10,
        not_after: now() + 1000,
    };
    let certificate = root.issue(key.public(), &template).unwrap();
    let stranger = SigningIdentity::new(MSP_ID, certificate, key).unwrap();
    let result = ca.client.identity(&stranger, "admin").await;
    refused(result, Code::Unauthenticated, "authentication failure");
    // Somebody else's certificate without its key.
    let other = PrivateKey::generate().unwrap();
    assert!(SigningIdentity::new(MSP_ID, ca.admin.certificate().clone(), other).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_certificates_prove_nothing_unless_they_may_ask_for_their_successor() {
    for allowed in [false, true] {
        let ca = start_with(|it| it.registry.reenroll_expired = allowed).await;
        let crate::running::Authority { running, folder } = ca;
        let mut config = running.stop().await;
        config.validity.identity = Duration::from_secs(1);
        let ca = run(config).await;
        let expired = ca.admin.certificate().not_after();
        while now() <= expired {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let result = ca.client.identity(&ca.admin, "admin").await;
        refused(result, Code::Unauthenticated, "authentication failure");
        let result = ca.client.reenroll(&ca.admin, &Wish::identity()).await;
        assert_eq!(result.is_ok(), allowed);
        drop(folder);
    }
}
