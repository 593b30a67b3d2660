//! The official Fabric Gateway client for Node, unmodified, as published on npm: evaluates,
//! submits, signs offline, follows events and reads error details. What it does stands in
//! `gateway.test.mjs`; here it is installed and given a network.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::json;

use crate::harness::{ALPHA, MAIN, Network, shared};

#[test]
fn the_official_client_works_unmodified() {
    let Some(folder) = install() else { return };
    let connection = folder.join("connection.json");
    fs::write(&connection, connect(shared()).to_string()).unwrap();
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec", "gateway.test.mjs"])
        .current_dir(&folder)
        .env("GAUZE_CONNECTION", &connection)
        // Set when node runs below another test runner; it would change the report.
        .env_remove("NODE_TEST_CONTEXT")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}\n{errors}");
    let script = fs::read_to_string(folder.join("gateway.test.mjs")).unwrap();
    let tests = script.matches("\ntest(").count();
    assert!(report.contains(&format!("pass {tests}\n")), "{tests} tests: {report}");
}

/// What the script needs to know of a network.
fn connect(network: &Network) -> serde_json::Value {
    let [certificate, key, tls_certificate, tls_key] = network.user_files(ALPHA, "anna");
    json!({
        "peer": network.node("peer0.alpha").address(),
        "tlsCa": network.tls_root_file(ALPHA),
        "tlsCertificate": tls_certificate,
        "tlsKey": tls_key,
        "mspId": "AlphaMSP",
        "certificate": certificate,
        "key": key,
        "channel": MAIN,
        "chaincode": "basic",
    })
}

/// Installs the client below cargo's folder for test files; `None` where Node.js is missing,
/// which continuous integration does not accept.
#[expect(clippy::disallowed_methods, reason = "tells continuous integration from a laptop")]
fn install() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fabric_gateway");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fabric-gateway");
    fs::create_dir_all(&folder).unwrap();
    let wanted = fs::read(source.join("package.json")).unwrap();
    fs::copy(source.join("gateway.test.mjs"), folder.join("gateway.test.mjs")).unwrap();
    // Written last, so that an interrupted installation is repeated.
    let installed = folder.join("installed.json");
    if fs::read(&installed).is_ok_and(|bytes| bytes == wanted) {
        return Some(folder);
    }
    fs::write(folder.join("package.json"), &wanted).unwrap();
    let run = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .output();
    match run {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "npm install: {errors}");
            fs::write(installed, wanted).unwrap();
            Some(folder)
        }
        Err(error) if env::var("CI").is_err() => {
            eprintln!("skipped: npm cannot be started ({error})");
            None
        }
        Err(error) => panic!("npm cannot be started: {error}"),
    }
}
