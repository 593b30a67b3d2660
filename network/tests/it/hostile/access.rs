//! Connections nobody should get, and functions for administrators only.

use client::Class;
use client::admin::Participation;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use node::tls::{CertificateDer, ClientTls};
use tokio::io::AsyncReadExt;

use super::{CONNECT, Lab};
use crate::harness::{ALPHA, BETA, LAB};

/// Connects and waits for the first byte of the server; TLS 1.3 tells a client only then whether
/// its certificate is accepted.
async fn greeting(
    address: &str,
    roots: &[CertificateDer<'static>],
    tls: Option<&ClientTls>,
) -> Result<(), String> {
    let config = node::tls::client_config(roots, tls, &[b"h2"]).unwrap();
    let mut stream = match node::tls::connect(address, None, config).await {
        Ok(stream) => stream,
        Err(error) => return Err(error.to_string()),
    };
    stream.read_u8().await.map(drop).map_err(|error| error.to_string())
}

/// A TLS certificate of an authority nobody knows, or one that expired.
fn strange_tls(lab: &Lab, expired: bool) -> ClientTls {
    let folder = lab.network.state().join("nodes/ca.alpha/data/tlsca");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let real = Authority::from_pem(&read("cert.pem"), &read("key.pem")).unwrap();
    let subject = |name: &str| Subject {
        common_name: name.into(),
        organization: "alpha".into(),
        organizational_units: vec![],
    };
    let root = real.certificate();
    let (from, now) = (root.not_before(), jiff::Timestamp::now().as_second());
    let (authority, to) = match expired {
        true => (real, now - 60),
        false => (Authority::generate(&subject("tlsca"), from, now + 3600).unwrap(), now + 3600),
    };
    let key = PrivateKey::generate().unwrap();
    let template = Template {
        subject: subject("mallory"),
        usage: Usage::Tls,
        hosts: vec!["mallory.test".into()],
        attributes: Default::default(),
        not_before: from,
        not_after: to,
    };
    let certificate = authority.issue(key.public(), &template).unwrap().to_pem();
    ClientTls::from_pem(certificate.as_bytes(), key.to_pem().unwrap().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_trust_do_not_come_about() {
    let lab = Lab::enter().await;
    let (unknown, expired) = (strange_tls(&lab, false), strange_tls(&lab, true));
    let nodes = [
        (lab.peer.address(), lab.network.tls_roots(ALPHA)),
        (lab.orderer.address(), lab.orderer_roots()),
    ];
    for (address, roots) in &nodes {
        greeting(address, roots, Some(&lab.anna.tls)).await.unwrap();
        let others = lab.network.tls_roots(BETA);
        let cases = [
            ("the server's authority is another", &others, Some(&lab.anna.tls), "UnknownIssuer"),
            ("no client certificate", roots, None, "CertificateRequired"),
            ("an unknown client authority", roots, Some(&unknown), "UnknownCA"),
            ("an expired client certificate", roots, Some(&expired), "CertificateExpired"),
        ];
        for (what, roots, tls, expected) in cases {
            let error = greeting(address, roots, tls).await.expect_err(what);
            assert!(error.contains(expected), "{what} at {address}: {error}");
        }
    }
    // Channel participation is for the orderers' own organization.
    let address = format!("localhost:{}", lab.orderer.admin_port.unwrap());
    let foreign =
        Participation::new(&address, &lab.orderer_roots(), &lab.anna.tls, CONNECT).unwrap();
    assert!(foreign.list().await.is_err());
    lab.leave(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_is_for_administrators() {
    let lab = Lab::enter().await;
    let anna = lab.network.peer(&lab.peer, &lab.anna).await;
    let admin = lab.network.user(ALPHA, "admin");
    let config = lab.ledger.config_block(LAB).await.unwrap();
    let package = lab.network.state().join("chaincode");
    let package = std::fs::read_dir(package).unwrap().next().unwrap().unwrap().path();
    let package = std::fs::read(package).unwrap();
    let bert = lab.network.peer(&lab.peer, &lab.network.user(BETA, "bert")).await;
    let refusals = [
        ("join", anna.join(&config).await.map(drop)),
        ("list channels", bert.channels().await.map(drop)),
        ("install", anna.install(package.into()).await.map(drop)),
        ("read the ledger", bert.chain_info(LAB).await.map(drop)),
    ];
    for (what, refusal) in refusals {
        let error = refusal.expect_err(what);
        assert_eq!(error.class(), Class::Denied, "{what}: {error}");
    }
    // The same as the administrator is allowed, or refused for another reason.
    let administrator = lab.network.peer(&lab.peer, &admin).await;
    assert_eq!(administrator.join(&config).await.unwrap_err().class(), Class::Conflict);
    lab.leave(0).await;
}
