use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sample {
    name: String,
    listen: Listen,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listen {
    port: u16,
    #[serde(with = "duration")]
    idle_timeout: Duration,
    hosts: Vec<String>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { name: "one".into(), listen: Listen::default(), tags: BTreeMap::new() }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { port: 7051, idle_timeout: Duration::from_secs(5), hosts: vec![] }
    }
}

fn check(file: &str, environment: &[(&str, &str)], sets: &[&str]) -> Result<Sample, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sample.yaml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let sets: Vec<_> = sets.iter().map(|s| parse_set(s).unwrap()).collect();
    load_from(Some(&path), "SAMPLE", environment, &sets)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn later_layers_win() {
    let loaded = check(
        "name: two\nlisten:\n  port: 1\n  idle_timeout: 1m\n",
        &[("SAMPLE_LISTEN__PORT", "2"), ("OTHER_NAME", "no"), ("SAMPLE_NAME", "7")],
        &["listen.port=3", "listen.hosts=[a, b]", "tags={x: y}"],
    )
    .unwrap();
    assert_eq!(loaded.name, "7");
    assert_eq!(loaded.listen.port, 3);
    assert_eq!(loaded.listen.idle_timeout, Duration::from_secs(60));
    assert_eq!(loaded.listen.hosts, ["a", "b"]);
    assert_eq!(loaded.tags["x"], "y");
}

#[test]
fn nothing_given_means_defaults() {
    assert_eq!(check("", &[], &[]).unwrap(), Sample::default());
    assert_eq!(check("# only a comment\n", &[], &[]).unwrap(), Sample::default());
}

#[track_caller]
fn refused(file: &str, environment: &[(&str, &str)], sets: &[&str], expected: &str) {
    assert_eq!(check(file, environment, sets).unwrap_err(), expected);
}

#[test]
fn unknown_keys_are_named_with_their_origin() {
    refused("nam: x", &[], &[], "unknown configuration key nam (from file FILE)");
    refused(
        "listen:\n  prot: 3",
        &[],
        &[],
        "unknown configuration key listen.prot (from file FILE)",
    );
    refused(
        "",
        &[("SAMPLE_LISTEN__PROT", "3")],
        &[],
        "unknown configuration key listen.prot (from environment variable SAMPLE_LISTEN__PROT)",
    );
    refused("", &[], &["a.b=3"], "unknown configuration key a.b (from flag --set a.b)");
}

#[test]
fn unfit_values_are_named_with_their_origin() {
    let error = check("listen: {port: many}", &[], &[]).unwrap_err();
    assert!(error.starts_with("invalid configuration (from file FILE): "), "{error}");
    assert!(error.contains("many"), "{error}");
    assert!(check("- 1", &[], &[]).unwrap_err().contains("mapping"));
    assert!(check("a: [", &[], &[]).unwrap_err().contains("is not YAML"));
    let missing = load::<Sample>(Some(Path::new("/nowhere/x.yaml")), "", &[]).unwrap_err();
    assert_eq!(missing.to_string(), "read configuration /nowhere/x.yaml");
}
