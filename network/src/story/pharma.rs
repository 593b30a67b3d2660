//! Where each pack of medicine is, and whether it is genuine: EPCIS events become transactions.

use serde_json::{Value, json};

use super::epcis::{self, Event, sgtin};
use super::teller::Teller;
use crate::failure::{Exit, Failure, Result};

pub(super) const MAKING: &str = include_str!("../../demo/epcis/commission-and-pack.jsonld");
pub(super) const MOVING: &str = include_str!("../../demo/epcis/ship-and-receive.xml");

const COMPANY_PREFIX: &str = "0399999";
const NDC: &str = "99999-101-30";
const MAKER_GLN: &str = "0399999000017";
const PHARMACY_GLN: &str = "0614141000012";
const HOSPITAL_GLN: &str = "0614142000011";

const MAKER: &str = "maker/line";
const PHARMACY: &str = "pharmacy/pharmacist";
const HOSPITAL: &str = "hospital/pharmacist";

pub(super) async fn tell(teller: &mut Teller) -> Result<()> {
    teller.chapter("Pharma: where each pack is, and whether it is genuine", "pharma", "rx");
    let making = epcis::from_json(MAKING)?;
    let moving = epcis::from_xml(MOVING);
    let batch = making.first().ok_or_else(|| missing("a commissioning event"))?.clone();
    let first = batch.epcs.first().ok_or_else(|| missing("a commissioned unit"))?;
    let (gtin, _) = sgtin(first).ok_or_else(|| missing("an SGTIN"))?;
    registers(teller, &gtin).await?;

    let run = Run::find(teller, first).await?;
    for event in making.iter().chain(&moving) {
        act(teller, &run.renumber(event)).await?;
    }
    let pack = Pack {
        gtin,
        serial: run.serial(first)?,
        lot: batch.lot.clone(),
        expiry: batch.expiry.clone(),
    };
    teller.say("");
    genuine(teller, &pack).await?;
    counterfeit(teller, &pack, &run).await?;
    provenance(teller, &pack).await
}

fn missing(what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the demo documents lack {what}"))
}

/// A second telling uses the documents with other serial numbers: on a chain, a serial number is
/// used once.
struct Run(u64);

impl Run {
    async fn find(teller: &mut Teller, first: &str) -> Result<Self> {
        for number in 0..9000 {
            let run = Self(number);
            if teller.quietly(MAKER, "GetUnit", &[run.epc(first)]).await.is_err() {
                if number > 0 {
                    teller.note(format!(
                        "the documents' serial numbers are used; this telling adds {}",
                        number * 100
                    ));
                }
                return Ok(run);
            }
        }
        Err(Failure::new(Exit::Conflict, "every serial number of the demo is used")
            .next("gauze network down --purge"))
    }

    /// Adds to the last number of an EPC.
    fn epc(&self, urn: &str) -> String {
        let Some((head, number)) = urn.rsplit_once('.') else { return urn.to_owned() };
        match number.parse::<u64>() {
            Ok(value) => {
                let width = number.len();
                format!("{head}.{:0width$}", value + self.0 * 100)
            }
            Err(_) => urn.to_owned(),
        }
    }

    fn renumber(&self, event: &Event) -> Event {
        let shipment = match (self.0, event.shipment.as_str()) {
            (_, "") => String::new(),
            (0, shipment) => shipment.to_owned(),
            (number, shipment) => format!("{shipment}-{number}"),
        };
        Event {
            epcs: event.epcs.iter().map(|epc| self.epc(epc)).collect(),
            parent: if event.parent.is_empty() { String::new() } else { self.epc(&event.parent) },
            shipment,
            ..event.clone()
        }
    }

    fn serial(&self, urn: &str) -> Result<String> {
        sgtin(&self.epc(urn)).map(|(_, serial)| serial).ok_or_else(|| missing("an SGTIN"))
    }
}

/// Company prefix, trading partners and product; registered once.
async fn registers(teller: &mut Teller, gtin: &str) -> Result<()> {
    if teller.quietly(MAKER, "GetProduct", &[gtin.to_owned()]).await.is_ok() {
        return Ok(());
    }
    let authority = "hospital/admin";
    let arguments = ["HospitalMSP".to_owned()];
    let what = "the hospital keeps the registers of this network";
    teller.submit(authority, what, "SetAuthority", &arguments).await?;
    let arguments = [COMPANY_PREFIX, "MakerMSP"].map(str::to_owned);
    let what = format!("the maker numbers under company prefix {COMPANY_PREFIX}");
    teller.submit(authority, &what, "RegisterGCP", &arguments).await?;
    let parties = [
        ("maker", "MakerMSP", MAKER_GLN, json!(["manufacturer"])),
        ("pharmacy", "PharmacyMSP", PHARMACY_GLN, json!(["wholesaler", "dispenser"])),
        ("hospital", "HospitalMSP", HOSPITAL_GLN, json!(["dispenser"])),
    ];
    for (name, msp_id, gln, kinds) in parties {
        let party = json!({
            "gln": gln, "mspId": msp_id, "kinds": kinds,
            "licence": format!("STATE-{gln}"), "until": "2035-12-31",
        });
        let what = format!("{name} is an authorized trading partner");
        teller.submit(authority, &what, "RegisterParty", &[party.to_string()]).await?;
    }
    let product = json!({
        "gtin": gtin, "ndc": NDC, "name": "Calmaril 20 mg tablets",
        "storageMinDecicelsius": 150, "storageMaxDecicelsius": 250,
        "excursionBudgetMinutes": 120,
    });
    let what = "the maker registers Calmaril 20 mg";
    teller.submit(MAKER, what, "RegisterProduct", &[product.to_string()]).await?;
    Ok(())
}

/// One EPCIS event as a transaction.
async fn act(teller: &mut Teller, event: &Event) -> Result<()> {
    let list = |epcs: &[String]| json!(epcs).to_string();
    match event.step.as_str() {
        "commissioning" => commission(teller, event).await,
        "packing" => {
            let what = format!("pack {} units into {}", event.epcs.len(), tail(&event.parent));
            let arguments = [event.parent.clone(), list(&event.epcs)];
            teller.submit(MAKER, &what, "Pack", &arguments).await.map(drop)
        }
        "shipping" => {
            let shipment = json!({
                "shipmentId": event.shipment, "tops": event.epcs, "fromGln": event.gln,
                "toGln": event.to_gln, "transfersOwnership": true, "carrier": "Coastline Freight",
            });
            let what = format!("ship {} to {}", event.shipment, event.to_gln);
            teller.submit(MAKER, &what, "Ship", &[shipment.to_string()]).await.map(drop)
        }
        "receiving" => {
            let arguments = [event.shipment.clone(), list(&event.epcs)];
            let what = format!("receive {}; the pharmacy owns it now", event.shipment);
            teller.submit(PHARMACY, &what, "Receive", &arguments).await.map(drop)
        }
        "unpacking" => {
            let what = format!("unpack {}", tail(&event.parent));
            // An empty list of children means all of them.
            let arguments = [event.parent.clone(), list(&event.epcs)];
            teller.submit(PHARMACY, &what, "Unpack", &arguments).await.map(drop)
        }
        other => Err(missing(&format!("a business step this story knows, not `{other}`"))),
    }
}

async fn commission(teller: &mut Teller, event: &Event) -> Result<()> {
    let units: Vec<(String, String)> = event.epcs.iter().filter_map(|epc| sgtin(epc)).collect();
    let Some((gtin, first)) = units.first() else { return Err(missing("units")) };
    let serials: Vec<&str> = units.iter().map(|(_, serial)| serial.as_str()).collect();
    let batch = json!({
        "gtin": gtin, "lot": event.lot, "expiry": event.expiry,
        "serials": serials, "gln": event.gln,
    });
    let last = serials.last().copied().unwrap_or_default();
    let what = format!("commission serials {first} to {last}, lot {}", event.lot);
    teller.submit(MAKER, &what, "Commission", &[batch.to_string()]).await.map(drop)
}

fn tail(urn: &str) -> &str {
    urn.rsplit(':').next().unwrap_or(urn)
}

/// The data on a pack.
#[derive(Clone)]
struct Pack {
    gtin: String,
    serial: String,
    lot: String,
    expiry: String,
}

impl Pack {
    /// What a scanner reads, with the expiry as `YYMMDD`.
    fn scan(&self) -> String {
        let date = self.expiry.replace('-', "");
        let date = date.get(2..).unwrap_or_default();
        format!("(01){}(21){}(17){date}(10){}", self.gtin, self.serial, self.lot)
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let data = [&self.gtin, &self.serial, &self.lot, &self.expiry];
        data.into_iter().cloned().chain(more.iter().map(|it| (*it).to_owned())).collect()
    }

    fn epc(&self) -> String {
        format!("01/{}/21/{}", self.gtin, self.serial)
    }
}

fn finding(answer: &Value) -> String {
    let reason = answer["verificationFailureReason"].as_str();
    let more = answer["additionalInfo"].as_str();
    match (answer["verified"] == json!(true), reason, more) {
        (true, _, None) => "verified".to_owned(),
        (true, _, Some(more)) => format!("verified, but {more}"),
        (false, reason, _) => format!("NOT verified: {}", reason.unwrap_or("no reason")),
    }
}

async fn scan(teller: &mut Teller, who: &str, what: &str, pack: &Pack, good: bool) -> Result<()> {
    let answer = teller.ask(who, what, "VerifyScan", &[pack.scan()]).await?;
    teller.note(format!("{}  {}", pack.scan(), finding(&answer)));
    let sound = answer["verified"] == json!(true) && answer["additionalInfo"].is_null();
    if sound == good {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "the network did otherwise than the story says").because(answer))
}

async fn genuine(teller: &mut Teller, pack: &Pack) -> Result<()> {
    scan(teller, PHARMACY, "the pharmacist scans a pack", pack, true).await?;
    // A salted hash links to the prescription, which stays in the vault.
    let reference = proto::sha256_all([&rand::random::<[u8; 16]>()[..], b"prescription-calmaril"]);
    let arguments = pack.arguments(&[PHARMACY_GLN, &hex::encode(reference)]);
    let what = "dispense it to the patient";
    teller.submit(PHARMACY, what, "Dispense", &arguments).await.map(drop)
}

async fn counterfeit(teller: &mut Teller, pack: &Pack, run: &Run) -> Result<()> {
    let invented = Pack { serial: format!("77{:04}", 1 + run.0), ..pack.clone() };
    scan(teller, HOSPITAL, "a pack with an invented serial number", &invented, false).await?;
    let relabeled = Pack { lot: "NF26B02".to_owned(), ..pack.clone() };
    scan(teller, HOSPITAL, "a pack with another lot number", &relabeled, false).await?;
    scan(teller, HOSPITAL, "a copy of the pack that was dispensed", pack, false).await?;

    let report = [pack.scan(), HOSPITAL_GLN.to_owned()];
    let what = "the hospital reports the copy";
    teller.submit(HOSPITAL, what, "ReportVerificationFailure", &report).await?;
    let again = pack.arguments(&[PHARMACY_GLN, ""]);
    let what = "dispensing the same number again";
    teller.refused(PHARMACY, what, "Dispense", &again, "E_TRANSITION").await?;
    let alerts = teller
        .ask(MAKER, "the maker sees the alert", "ListAlerts", &["100".to_owned(), String::new()])
        .await?;
    let alerts = alerts["records"].as_array().cloned().unwrap_or_default();
    let ours = alerts.iter().find(|alert| alert["epc"] == json!(pack.epc()));
    let alert = ours.ok_or_else(|| Failure::new(Exit::Failed, "the alert is not on record"))?;
    let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
    teller.note(format!(
        "{} at {}: {} (reported by {})",
        text("epc"),
        text("gln"),
        finding(&alert["finding"]),
        text("reportedBy")
    ));
    Ok(())
}

async fn provenance(teller: &mut Teller, pack: &Pack) -> Result<()> {
    let what = "the history of the pack, oldest first";
    let history = teller.ask(HOSPITAL, what, "GetUnitHistory", &[pack.epc()]).await?;
    for change in history.as_array().into_iter().flatten().rev() {
        let unit = &change["unit"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let at = text(&change["at"]);
        let inside = unit["parent"].as_str().map(|parent| format!(", inside {parent}"));
        teller.note(format!(
            "{}  {:<10}  with {}{}  tx {}",
            at.get(..19).unwrap_or(&at),
            text(&unit["state"]),
            text(&unit["custodian"]),
            inside.unwrap_or_default(),
            crate::output::short(&text(&change["txId"])),
        ));
    }
    Ok(())
}
