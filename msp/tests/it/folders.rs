//! Organizations and signing identities on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use msp::keys::PrivateKey;
use msp::{Msp, MspVersion, SignerError, SigningIdentity, directory};

use crate::consortium::*;

#[test]
fn a_definition_survives_its_folder() {
    let (root_a, root_b, tls) = (root("ca"), root("ca"), root("tlsca"));
    let sub = intermediate(&root_a, "sub/../../ca", None);
    let mut config = definition(&root_a);
    config.crypto_config = Some(directory::default_crypto());
    config.root_certs.push(pem(root_b.certificate()));
    config.intermediate_certs = vec![pem(sub.certificate())];
    config.admins = vec![pem(enroll(&sub, "boss", &["client"]).certificate())];
    config.tls_root_certs = vec![pem(tls.certificate())];
    config.revocation_list = vec![root_a.revocation_list(&[], 1, BEGIN, BEGIN + 1).unwrap().into()];
    let ous = config.fabric_node_ous.as_mut().unwrap();
    ous.orderer_ou_identifier = Some(unit("orderer", Some(&root_b)));
    config.organizational_unit_identifiers = vec![unit("ward", Some(&sub))];
    let folder = tempfile::tempdir().unwrap();
    directory::store_config(folder.path(), &config).unwrap();
    let mut loaded = directory::load_fabric_config(folder.path(), MSP_ID).unwrap();
    loaded.root_certs.sort_by_key(|it| *it != config.root_certs[0]);
    assert_eq!(loaded, config);
    Msp::new(&loaded, MspVersion::V1_4_3).unwrap();
}

#[test]
fn a_signer_survives_its_folder_whatever_its_key_is_called() {
    let root = root("ca");
    let key = PrivateKey::generate().unwrap();
    let certificate = root.issue(key.public(), &template("peer0", &["peer"])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    directory::store_signer(folder.path(), &certificate, &key.to_pem().unwrap()).unwrap();
    let loaded = SigningIdentity::load(folder.path(), MSP_ID).unwrap();
    assert_eq!(loaded.certificate(), &certificate);
    let keystore = folder.path().join("keystore");
    let file = keystore.join(format!("{}_sk", hex::encode(key.ski())));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&file, keystore.join("priv_sk")).unwrap();
    fs::write(keystore.join("junk"), "junk").unwrap();
    let other = PrivateKey::generate().unwrap();
    fs::write(keystore.join("a_sk"), other.to_pem().unwrap()).unwrap();
    SigningIdentity::load(folder.path(), MSP_ID).unwrap();
    fs::remove_file(keystore.join("priv_sk")).unwrap();
    let error = SigningIdentity::load(folder.path(), MSP_ID).unwrap_err();
    assert!(matches!(error, SignerError::Directory(directory::Error::NoKey(_))));
}

#[test]
fn what_is_no_pem_is_skipped_and_what_is_missing_is_named() {
    let root = root("ca");
    let folder = tempfile::tempdir().unwrap();
    let error = directory::load_config(folder.path(), MSP_ID).unwrap_err();
    assert!(error.to_string().contains("cacerts"), "{error}");
    directory::store_config(folder.path(), &definition(&root)).unwrap();
    fs::write(folder.path().join("cacerts/README"), "not a certificate").unwrap();
    let loaded = directory::load_fabric_config(folder.path(), MSP_ID).unwrap();
    assert_eq!(loaded.root_certs, [pem(root.certificate())]);
    fs::remove_file(folder.path().join("config.yaml")).unwrap();
    let loaded = directory::load_fabric_config(folder.path(), MSP_ID).unwrap();
    assert_eq!(loaded.fabric_node_ous, None);
    fs::write(folder.path().join("config.yaml"), "NodeOUs: [").unwrap();
    let error = directory::load_config(folder.path(), MSP_ID).unwrap_err();
    assert!(matches!(error, directory::Error::Config { .. }));
}

#[test]
fn keys_in_the_older_form_are_read() {
    // SEQUENCE { 1, private key, [0] P-256, [1] public key }, as other tools write it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let status = std::process::Command::new("openssl")
        .args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"])
        .arg(&path)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return; // No OpenSSL on this machine.
    }
    let text = fs::read(&path).unwrap();
    assert!(text.starts_with(b"-----BEGIN EC PRIVATE KEY-----"));
    let key = PrivateKey::from_pem(&text).unwrap();
    key.public().verify(b"m", &key.sign(b"m").unwrap()).unwrap();
}
