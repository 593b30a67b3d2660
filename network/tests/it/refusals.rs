//! Wrong input gets a clear answer and the exit code for it; nothing is started.

use crate::lab::Lab;

#[test]
fn mistakes_are_explained() {
    let lab = Lab::new(|text| text);
    lab.gauze(&["network", "init"]).fails(5, "gauze.toml exists");
    lab.gauze(&["network", "ps"]).fails(6, "gauze network up");
    lab.gauze(&["ledger", "height", "care"]).fails(6, "gauze network up");
    lab.gauze(&["channel", "show", "nowhere"]).fails(3, "gauze.toml has care, pharma");
    lab.gauze(&["network", "logs", "peer9.nowhere"]).fails(3, "no node");
    lab.gauze(&["--file", "other.toml", "network", "up"]).fails(3, "gauze network init");
    lab.gauze(&["network", "fly"]).fails(2, "fly");
    assert_eq!(lab.gauze(&["network", "down"]).code, 0);

    let json = lab.gauze(&["channel", "show", "nowhere", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!((json.code, &error["error"]["code"]), (3, &3.into()));
}

#[test]
fn a_description_that_cannot_work_is_refused() {
    let lab = Lab::new(|text| text.replace("orderers = 3", "orderers = 4"));
    lab.gauze(&["network", "up"]).fails(2, "must be odd");
    let lab = Lab::new(|text| text.replace("first_port", "first_prot"));
    lab.gauze(&["network", "up"]).fails(2, "first_prot");
}

#[test]
fn every_command_explains_itself() {
    let lab = Lab::new(|text| text);
    for command in [
        "network init",
        "network up",
        "network down",
        "network ps",
        "network logs",
        "channel list",
        "channel show",
        "chaincode build",
        "chaincode package",
        "chaincode install",
        "chaincode approve",
        "chaincode commit",
        "chaincode deploy",
        "chaincode list",
        "chaincode invoke",
        "chaincode query",
        "ledger height",
        "ledger block",
        "ledger tx",
        "ca enroll",
        "ca register",
        "ca revoke",
        "ca list",
        "demo",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = lab.gauze(&words);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains("Examples:\n  gauze "), "{command}: {}", help.out);
    }
}
