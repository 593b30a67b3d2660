//! Who may see what of a patient: FHIR resources in the hospital's vault, pointers, consent,
//! decisions and the access log on the channel.

use serde_json::{Value, json};

use super::teller::Teller;
use super::vault::{Recipient, Vault};
use crate::failure::{Exit, Failure, Result};
use crate::output::short;

const PATIENT: &str = include_str!("../../demo/fhir/patient.json");
const CONSENT: &str = include_str!("../../demo/fhir/consent.json");
const RECORDS: [&str; 3] = [
    include_str!("../../demo/fhir/allergy-intolerance.json"),
    include_str!("../../demo/fhir/medication-request.json"),
    include_str!("../../demo/fhir/observation.json"),
];

const REGISTRAR: &str = "hospital/registrar";
const PATIENT_USER: &str = "hospital/patient";
const PHARMACIST: &str = "pharmacy/pharmacist";

pub(super) async fn tell(teller: &mut Teller) -> Result<()> {
    teller.chapter("Care: who may see what of a patient", "care", "ehr");
    enter_organizations(teller).await?;
    let pid = register_patient(teller).await?;
    let folder = teller.context().layout.root().join("demo").join("vault").join(&pid);
    let vault = Vault::new(folder);
    register_records(teller, &pid, &vault).await?;
    teller.say("");
    denied_without_consent(teller, &pid).await?;
    grant(teller, &pid).await?;
    permitted_with_consent(teller, &pid, &vault).await?;
    refusals(teller, &pid).await?;
    audit(teller, &pid).await
}

fn parse(document: &str) -> Result<Value> {
    serde_json::from_str(document)
        .map_err(|error| Failure::new(Exit::Failed, "read a demo document").because(error))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Organizations and practitioners are registered once; a second telling finds them.
async fn enter_organizations(teller: &mut Teller) -> Result<()> {
    let organizations = [
        ("hospital", "HospitalMSP", "westside", json!(["provider", "acute"])),
        ("pharmacy", "PharmacyMSP", "harbor", json!(["pharmacy"])),
    ];
    for (organization, msp_id, fhir_id, kinds) in organizations {
        let admin = format!("{organization}/admin");
        if teller.quietly(&admin, "GetOrg", &[msp_id.to_owned()]).await.is_ok() {
            continue;
        }
        let vault_key = hex::encode(proto::sha256(organization.as_bytes()));
        let url = format!("https://vault.{organization}.example");
        let arguments = [fhir_id.to_owned(), kinds.to_string(), url, vault_key];
        let what = format!("{organization} enters the network");
        teller.submit(&admin, &what, "RegisterOrg", &arguments).await?;
    }
    let practitioners = [
        ("hospital", "HospitalMSP", "dr-okafor", "1234567893", "physician"),
        ("pharmacy", "PharmacyMSP", "rx-lindqvist", "1245319599", "pharmacist"),
    ];
    for (organization, msp_id, id, npi, role) in practitioners {
        let registrar = format!("{organization}/registrar");
        let known = [msp_id.to_owned(), id.to_owned()];
        if teller.quietly(&registrar, "GetPractitioner", &known).await.is_ok() {
            continue;
        }
        let not_after = "2035-01-01T00:00:00Z";
        let arguments = [id, npi, role, "[]", not_after].map(str::to_owned);
        let what = format!("{organization} attests {id} as {role}");
        teller.submit(&registrar, &what, "AttestPractitioner", &arguments).await?;
    }
    Ok(())
}

async fn register_patient(teller: &mut Teller) -> Result<String> {
    let patient = parse(PATIENT)?;
    let pid = hex::encode(rand::random::<[u8; 16]>());
    let fingerprint = teller.ask(PATIENT_USER, "the patient's key", "MyFingerprint", &[]).await?;
    let arguments = [pid.clone(), text(&fingerprint), "America/Chicago".to_owned()];
    let name = format!(
        "{} {}",
        text(&patient["name"][0]["given"][0]),
        text(&patient["name"][0]["family"])
    );
    teller.submit(REGISTRAR, "register a patient", "RegisterPatient", &arguments).await?;
    teller.note(format!("on the chain: {pid}; that this is {name} stays with the hospital"));
    Ok(pid)
}

async fn register_records(teller: &mut Teller, pid: &str, vault: &Vault) -> Result<()> {
    for document in RECORDS {
        let resource = parse(document)?;
        let (kind, id) = (text(&resource["resourceType"]), text(&resource["id"]));
        let pointer = vault.keep(&id, document.as_bytes())?;
        let security = resource["meta"]["security"].as_array();
        let labels: Vec<String> =
            security.into_iter().flatten().map(|label| text(&label["code"])).collect();
        let dated = ["recordedDate", "authoredOn", "effectiveDateTime"];
        let day = dated.iter().find_map(|field| resource[*field].as_str()).unwrap_or_default();
        // Of a sensitive record the month is all the chain learns.
        let day = day.get(..if labels.is_empty() { 10 } else { 7 });
        let record = json!({
            "pid": pid, "recId": id, "fhirType": kind, "cid": pointer.cid,
            "commit": pointer.commit, "size": pointer.size, "labels": labels, "day": day,
        });
        let what = format!("point to the {kind} in the hospital's vault");
        teller.submit(REGISTRAR, &what, "RegisterRecord", &[record.to_string()]).await?;
        teller.note(format!(
            "hash only: {}… of {} encrypted bytes",
            short(&pointer.cid),
            pointer.size
        ));
    }
    Ok(())
}

fn request(pid: &str, purpose: &str, recipient: &[u8]) -> String {
    json!({
        "pid": pid, "purpose": purpose, "types": ["*"], "windowSeconds": 3600,
        "recipientKey": hex::encode(proto::sha256(recipient)),
    })
    .to_string()
}

/// `n released, m withheld (WHY)`.
fn verdict(decided: &Value) -> String {
    let permitted = decided["permitted"].as_array().map_or(0, Vec::len);
    let withheld = decided["withheld"].as_array().into_iter().flatten();
    let withheld: Vec<String> = withheld
        .map(|entry| format!("{} withheld ({})", entry["count"], text(&entry["reason"])))
        .collect();
    let mut parts = vec![format!("{permitted} released")];
    parts.extend(withheld);
    parts.join(", ")
}

async fn decide(teller: &mut Teller, what: &str, request: String) -> Result<Value> {
    let done = teller.submit(PHARMACIST, what, "RequestAccess", &[request]).await?;
    let decided = crate::output::payload_json(&done.result);
    teller.note(format!("decided on the chain: {}", verdict(&decided)));
    Ok(decided)
}

async fn denied_without_consent(teller: &mut Teller, pid: &str) -> Result<()> {
    let recipient = Recipient::new()?;
    let request = request(pid, "TREAT", recipient.public());
    let decided = decide(teller, "the pharmacist asks for the records", request).await?;
    expect(decided["permitted"] == json!([]), "access without consent is denied")
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("the network did otherwise: {what}")))
}

/// The FHIR consent as terms of the contract.
fn terms() -> Result<(String, Value)> {
    let consent = parse(CONSENT)?;
    let provision = &consent["provision"];
    let codes = |field: &str| -> Vec<String> {
        provision[field].as_array().into_iter().flatten().map(|it| text(&it["code"])).collect()
    };
    let actors = provision["actor"].as_array().into_iter().flatten();
    let grantees: Vec<Value> = actors
        .map(|actor| json!({ "organization": actor["reference"]["identifier"]["value"] }))
        .collect();
    let terms = json!({
        "decision": provision["type"], "grantees": grantees, "purposes": codes("purpose"),
        "types": codes("class"), "validFrom": provision["period"]["start"],
        "validTo": provision["period"]["end"], "operations": ["r", "s"],
        "obligations": ["no-redisclosure"],
    });
    Ok((text(&consent["id"]), terms))
}

async fn grant(teller: &mut Teller, pid: &str) -> Result<()> {
    let (id, terms) = terms()?;
    let arguments = [pid.to_owned(), id, terms.to_string()];
    teller.submit(PATIENT_USER, "the patient consents", "GrantConsent", &arguments).await?;
    let types: Vec<String> = terms["types"].as_array().into_iter().flatten().map(text).collect();
    teller.note(format!("to the pharmacy, for treatment, {} only", types.join(" and ")));
    Ok(())
}

async fn permitted_with_consent(teller: &mut Teller, pid: &str, vault: &Vault) -> Result<()> {
    let recipient = Recipient::new()?;
    let key = hex::encode(proto::sha256(recipient.public()));
    let wanted = request(pid, "TREAT", recipient.public());
    let decided = decide(teller, "the pharmacist asks again", wanted).await?;
    let permitted = decided["permitted"].as_array().cloned().unwrap_or_default();
    expect(permitted.len() == 2, "two of three records are covered by the consent")?;
    let allergy = permitted
        .iter()
        .find(|record| record["fhirType"] == "AllergyIntolerance")
        .ok_or_else(|| Failure::new(Exit::Failed, "the allergy is not among them"))?;
    let (cid, record) = (text(&allergy["cid"]), text(&allergy["recId"]));

    let envelope = vault.envelope(&record, recipient.public())?;
    let digest = hex::encode(proto::sha256(&envelope));
    let arguments = [
        pid.to_owned(),
        text(&decided["id"]),
        json!([cid]).to_string(),
        json!([digest]).to_string(),
        key,
    ];
    let what = "the vault logs the release, then hands the key over";
    teller.submit("hospital/admin", what, "LogRelease", &arguments).await?;

    let ciphertext = vault.ciphertext(&record)?;
    let hash = hex::encode(proto::sha256(&ciphertext));
    let version = allergy["version"].to_string();
    let arguments = [pid, "HospitalMSP", &record, &version, &hash].map(str::to_owned);
    let what = "is the ciphertext the one registered?";
    let genuine = teller.ask(PHARMACIST, what, "VerifyRecord", &arguments).await?;
    expect(genuine == json!(true), "the ciphertext is the one registered")?;
    let opened = parse(&String::from_utf8_lossy(&recipient.open(&envelope, &ciphertext)?))?;
    teller.note(format!("yes; the pharmacist reads: {}", text(&opened["code"]["text"])));
    Ok(())
}

async fn refusals(teller: &mut Teller, pid: &str) -> Result<()> {
    let recipient = Recipient::new()?;
    let billing = request(pid, "HPAYMT", recipient.public());
    let decided = decide(teller, "the pharmacist asks for billing purposes", billing).await?;
    expect(decided["permitted"] == json!([]), "another purpose is denied")?;
    let wanted = request(pid, "TREAT", recipient.public());
    let what = "somebody who is not attested asks";
    teller.refused("pharmacy/admin", what, "RequestAccess", &[wanted], "E_NO_ROLE").await?;
    let (id, terms) = terms()?;
    let arguments = [pid.to_owned(), format!("{id}-forged"), terms.to_string()];
    let what = "the pharmacist consents in the patient's place";
    teller.refused(PHARMACIST, what, "GrantConsent", &arguments, "E_CALLER").await
}

async fn audit(teller: &mut Teller, pid: &str) -> Result<()> {
    teller.say("");
    let range = ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "100", ""];
    let arguments = [&[pid], &range[..]].concat().into_iter().map(str::to_owned);
    let arguments: Vec<String> = arguments.collect();
    let what = "the patient reads the access log";
    let log = teller.ask(PATIENT_USER, what, "AuditByPatient", &arguments).await?;
    let entries = log["records"].as_array().cloned().unwrap_or_default();
    for entry in &entries {
        let time = text(&entry["at"]);
        teller.note(format!(
            "{}  {:<9}  {} of {} for {}: {} given, {} withheld",
            time.get(..19).unwrap_or(&time),
            text(&entry["act"]),
            text(&entry["actor"]),
            text(&entry["mspId"]),
            text(&entry["purpose"]),
            entry["permitted"],
            entry["withheld"],
        ));
    }
    expect(entries.len() == 4, "three decisions and one release are on record")
}
