//! The program itself.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_program_serves_until_it_is_asked_to_stop_and_never_shows_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let set = |key: &str, value: &str| format!("{key}={value}");
    let mut program = Command::new(env!("CARGO_BIN_EXE_ca"))
        .args(["--set", &set("data_directory", &folder.path().display().to_string())])
        .args(["--set", "listen_address=127.0.0.1:0", "--set", "telemetry.filter=trace"])
        .env("CA_BOOTSTRAP__SECRET", "v3ry-s3cret")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut log = String::new();
    while !log.contains("ca ready") {
        log += &lines.next().expect("the program ended early").unwrap();
    }
    let kill = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(kill.success());
    log.extend(lines.map(Result::unwrap));
    assert!(program.wait().unwrap().success(), "{log}");
    assert!(log.contains("ca stopped") && !log.contains("s3cret"), "{log}");
}
