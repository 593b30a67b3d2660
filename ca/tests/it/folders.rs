//! Enrolments written as Fabric's folders.

use std::fs;

use ca::client::{TlsRole, Wish};
use msp::{Manager, Msp, MspVersion, SigningIdentity, directory, principal};
use node::tls::{ClientTls, ServerTls};

use crate::running::*;

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_complete() {
    let ca = start().await;
    let secret = ca.client.register(&ca.admin, registration("peer0", "peer")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (msp_dir, tls_dir) = (folder.path().join("msp"), folder.path().join("tls"));
    let identity = ca.client.enroll("peer0", &secret, &Wish::identity()).await.unwrap();
    identity.store_msp(&msp_dir).unwrap();
    let signer = SigningIdentity::load(&msp_dir, MSP_ID).unwrap();
    let config = directory::load_config(&msp_dir, MSP_ID).unwrap();
    let msp = Msp::from_config(&config, MspVersion::V3_0).unwrap();
    assert_eq!(msp.tls_roots().len(), 1);
    let manager = Manager::new(vec![msp]).unwrap();
    let peer = manager.deserialize(signer.serialized()).unwrap();
    assert!(peer.satisfies(&principal::peer(MSP_ID)));
    let tls = ca.client.enroll("peer0", &secret, &Wish::tls(&["localhost"])).await.unwrap();
    tls.store_tls(&tls_dir, TlsRole::Server).unwrap();
    tls.store_tls(&tls_dir, TlsRole::Client).unwrap();
    let server = node::tls::Config {
        enabled: true,
        certificate: tls_dir.join("server.crt"),
        private_key: tls_dir.join("server.key"),
        root_cas: vec![tls_dir.join("ca.crt")],
        ..Default::default()
    };
    ServerTls::load(&server).unwrap();
    ClientTls::load(&tls_dir.join("client.crt"), &tls_dir.join("client.key")).unwrap();
    assert_eq!(fs::read(tls_dir.join("ca.crt")).unwrap(), ca.handle.info.tls_root);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_check_whom_they_talk_to() {
    let ca = start().await;
    let timeout = std::time::Duration::from_secs(5);
    let address = ca.handle.address.to_string();
    // The root for identities does not vouch for the listener.
    let roots = node::tls::certificates_from_pem(&ca.handle.info.identity_root).unwrap();
    assert!(ca::client::Client::connect(&address, &roots, timeout).await.is_err());
    assert_eq!(ca.client.info().await.unwrap(), ca.handle.info);
    assert_eq!(ca.handle.info.name, "hospital-ca");
    assert!(ca.folder.path().exists());
}
