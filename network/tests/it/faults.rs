//! Processes are killed while transactions are under way: nothing acknowledged is lost, and the
//! network goes on or resumes by itself.

use std::process::Child;

use crate::lab::{Lab, until};

/// Only the care channel, for a quicker start.
fn care_only(text: String) -> String {
    let pharma = text.find("# Pharma: where each pack").unwrap();
    text[..pharma].to_owned()
}

/// Registers one organization's admin once, so that there is something to ask for.
fn prepare(lab: &Lab) {
    let key = "0".repeat(64);
    let call = [
        "chaincode",
        "invoke",
        "ehr",
        "RegisterOrg",
        "westside",
        r#"["provider"]"#,
        "https://x",
        &key,
    ];
    lab.json(&call);
}

fn pid(number: usize) -> String {
    format!("{number:032x}")
}

fn register(lab: &Lab, number: usize) -> Vec<String> {
    let key = "1".repeat(64);
    let words = ["--as", "hospital/registrar", "chaincode", "invoke", "ehr", "RegisterPatient"];
    let pid = pid(number);
    let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    all.extend([pid, key, "UTC".to_owned(), "--output".to_owned(), "json".to_owned()]);
    assert!(lab.path("gauze.toml").exists());
    all
}

fn run(lab: &Lab, number: usize) -> bool {
    let words = register(lab, number);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    lab.gauze(&words).code == 0
}

fn is_known(lab: &Lab, number: usize) -> bool {
    lab.gauze(&["chaincode", "query", "ehr", "GetPatient", &pid(number)]).code == 0
}

/// Starts registering patients in the background.
fn start_load(lab: &Lab, from: usize, count: usize) -> Vec<(usize, Child)> {
    let start = |number: usize| {
        let words = register(lab, number);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = lab.command(&words);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        (number, command.spawn().unwrap())
    };
    (from..from + count).map(start).collect()
}

/// The numbers whose registration was acknowledged.
fn acknowledged(load: Vec<(usize, Child)>) -> Vec<usize> {
    let mut done = Vec::new();
    for (number, mut child) in load {
        if child.wait().unwrap().success() {
            done.push(number);
        }
    }
    done
}

#[test]
fn nothing_acknowledged_is_lost() {
    let lab = Lab::new(care_only);
    lab.up();
    prepare(&lab);
    assert!(run(&lab, 1));
    let acknowledged =
        check_orderer_killed(&lab) + check_peer_killed(&lab) + check_all_killed(&lab);
    assert!(acknowledged > 0, "no transaction was acknowledged while processes were killed");
}

/// Two orderers remain a majority; the third catches up when it is back.
fn check_orderer_killed(lab: &Lab) -> usize {
    let mut acknowledged_in_all = 0;
    for (round, orderer) in
        ["orderer0.orderer", "orderer1.orderer", "orderer2.orderer"].iter().enumerate()
    {
        let from = 100 * (round + 1);
        let load = start_load(lab, from, 4);
        lab.kill(orderer);
        let done = acknowledged(load);
        until("transactions go on without one orderer", || run(lab, from + 50).then_some(()));
        acknowledged_in_all += check_kept(lab, &done);
        assert_eq!(lab.up()["started"], 1);
        let height = lab.height("peer0.hospital", "care");
        until("the restarted orderer catches up", || {
            (lab.height(orderer, "care") >= height).then_some(())
        });
    }
    acknowledged_in_all
}

/// What was acknowledged is on the ledger.
fn check_kept(lab: &Lab, numbers: &[usize]) -> usize {
    for number in numbers {
        assert!(is_known(lab, *number), "patient {number} was acknowledged and is lost");
    }
    numbers.len()
}

/// The other organization's peer is where it was; the killed one resumes and catches up.
fn check_peer_killed(lab: &Lab) -> usize {
    let load = start_load(lab, 500, 4);
    lab.kill("peer0.pharmacy");
    let done = acknowledged(load);
    lab.gauze(&["--as", "pharmacy", "ledger", "height", "care"]).fails(6, "peer0.pharmacy");
    assert_eq!(lab.up()["started"], 1);
    let height = lab.height("peer0.hospital", "care");
    until("the restarted peer catches up", || {
        (lab.height("peer0.pharmacy", "care") >= height).then_some(())
    });
    let kept = check_kept(lab, &done);
    assert!(run(lab, 550));
    check_same_chain(lab);
    kept
}

fn check_all_killed(lab: &Lab) -> usize {
    let load = start_load(lab, 600, 4);
    let nodes = lab.nodes();
    for node in &nodes {
        lab_kill(node["pid"].as_u64().unwrap());
    }
    let done = acknowledged(load);
    let count = nodes.len();
    assert_eq!(lab.up()["started"].as_u64().unwrap(), count as u64);
    let kept = check_kept(lab, &done);
    assert!(is_known(lab, 1) && is_known(lab, 550));
    until("transactions go on", || run(lab, 650).then_some(()));
    check_same_chain(lab);
    kept
}

fn lab_kill(pid: u64) {
    let status =
        std::process::Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
    assert!(status.unwrap().success());
}

/// Both peers have the same blocks, judged alike.
fn check_same_chain(lab: &Lab) {
    let height = lab.height("peer0.hospital", "care");
    until("both peers have the same height", || {
        (lab.height("peer0.pharmacy", "care") == height).then_some(())
    });
    let last = (height - 1).to_string();
    let ours = lab.json(&["--as", "hospital", "ledger", "block", "care", &last]);
    let theirs = lab.json(&["--as", "pharmacy", "ledger", "block", "care", &last]);
    assert_eq!(ours["hash"], theirs["hash"]);
    assert_eq!(ours["commitHash"], theirs["commitHash"]);
}
