//! Fabric's own client for Node, unmodified, against a network of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::lab::Lab;

/// The care channel with the chaincode every user of Fabric knows.
fn with_basic(text: String) -> String {
    let chaincode = text.find("# A folder with a Cargo package").unwrap();
    format!(
        "{}\n[channels.care.chaincode.basic]\nsource = \"chaincode-examples/basic\"\n",
        &text[..chaincode]
    )
}

#[test]
fn the_official_client_works() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fabric_gateway");
    let Some(folder) = install(&sources) else { return };
    let lab = Lab::new(with_basic);
    lab.up();
    let connection = lab.path("connection.json");
    std::fs::write(&connection, settings(&lab).to_string()).unwrap();
    let run = Command::new("node")
        .args(["--test", "--test-reporter=spec", "gateway.test.mjs"])
        .current_dir(&folder)
        .env("GAUZE_CONNECTION", &connection)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}

/// Copies the test below `target/` and installs its packages there; `None` where npm is missing,
/// which continuous integration does not accept.
#[expect(clippy::disallowed_methods, reason = "tells continuous integration from a laptop")]
fn install(sources: &Path) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fabric-gateway");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "gateway.test.mjs"] {
        std::fs::copy(sources.join(file), folder.join(file)).unwrap();
    }
    if folder.join("node_modules/@hyperledger/fabric-gateway").exists() {
        return Some(folder);
    }
    let run = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"])
        .current_dir(&folder)
        .output();
    match run {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "npm install: {errors}");
            Some(folder)
        }
        Err(error) if std::env::var("CI").is_err() => {
            eprintln!("skipped: npm cannot be started ({error})");
            None
        }
        Err(error) => panic!("npm cannot be started: {error}"),
    }
}

fn settings(lab: &Lab) -> serde_json::Value {
    let user = lab.path(".gauze/organizations/hospital/users/registrar");
    let only_file =
        |folder: PathBuf| std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let port = lab.node("peer0.hospital")["port"].as_u64().unwrap();
    json!({
        "peer": format!("localhost:{port}"),
        "tlsCa": user.join("tls/ca.crt"),
        "tlsCertificate": user.join("tls/client.crt"),
        "tlsKey": user.join("tls/client.key"),
        "mspId": "HospitalMSP",
        "certificate": only_file(user.join("msp/signcerts")),
        "key": only_file(user.join("msp/keystore")),
        "channel": "care",
        "chaincode": "basic",
    })
}
