//! Verifying, dispensing, and the counterfeit.

use std::time::Duration;

use serde_json::json;

use crate::market::{
    GTIN, MAKER_GLN, Market, PHARMACY_GLN, SECOND_GLN, SSCC, pack, packs, refused,
};

const DAY: Duration = Duration::from_secs(86_400);

fn scan(serial: &str) -> String {
    format!("(01){GTIN}(21){serial}(17)250327(10)A123")
}

#[test]
fn verification_answers_in_the_words_of_gs1() {
    let market = Market::new();
    let verify =
        |serial: &str, lot: &str, expiry: &str| market.read("Verify", [GTIN, serial, lot, expiry]);
    let failed = |reason: &str| json!({ "verified": false, "verificationFailureReason": reason });
    assert_eq!(verify("11", "A123", "2025-03-27"), json!({ "verified": true }));
    assert_eq!(verify("11", "A123", "250327"), json!({ "verified": true }));
    assert_eq!(verify("99", "A123", "250327"), failed("No_match_GTIN_Serial"));
    assert_eq!(verify("11", "A124", "250327"), failed("No_match_GTIN_Serial_Lot"));
    assert_eq!(verify("11", "A123", "250328"), failed("No_match_GTIN_Serial_Expiry"));
    assert_eq!(verify("11", "X", "260101"), failed("No_match_GTIN_Serial_Lot_Expiry"));
    assert_eq!(market.read("VerifyScan", [scan("11")]), json!({ "verified": true }));
    let malformed = market.net.as_(&market.maker).evaluate("VerifyScan", ["(01)123"]);
    refused(malformed, "E_IDENTIFIER");
}

#[test]
fn a_pack_is_dispensed_once() {
    let market = Market::new();
    market.deliver(11);
    market.dispense(11).expect("dispense");
    refused(market.dispense(11), "E_TRANSITION");
    let told = market.read("VerifyScan", [scan("11")]);
    assert_eq!(told, json!({ "verified": true, "additionalInfo": "dispensed" }));
    let history = market.read("GetUnitHistory", [pack(11)]);
    assert_eq!(history.as_array().map(Vec::len), Some(4), "commission, ship, receive, dispense");
    assert_eq!(history[0]["unit"]["state"], "DISPENSED");
}

#[test]
fn what_cannot_be_dispensed() {
    let market = Market::new();
    refused(market.dispense(11), "E_NOT_HOLDER");
    refused(market.dispense(99), "E_NOT_VERIFIED");
    market.pack(&market.maker, SSCC, &packs([12])).expect("pack");
    market.ship(&market.maker, "S1", &[SSCC.to_owned()]).expect("ship");
    market.receive(&market.pharmacy, "S1", &[SSCC.to_owned()]).expect("receive");
    refused(market.dispense(12), "E_ALREADY_PACKED");
    market.deliver(13);
    let dispense = |lot: &str, gln: &str, reference: &str| {
        let args = [GTIN, "13", lot, "2025-03-27", gln, reference];
        market.submit(&market.pharmacy, "Dispense", args)
    };
    refused(dispense("A124", PHARMACY_GLN, ""), "E_NOT_VERIFIED");
    refused(dispense("A123", MAKER_GLN, ""), "E_CALLER");
    refused(dispense("A123", PHARMACY_GLN, "Mrs Smith"), "E_IDENTIFIER");
    let args = [GTIN, "14", "A123", "2025-03-27", MAKER_GLN, ""];
    refused(market.submit(&market.maker, "Dispense", args), "E_CALLER");
    market.net.set_time("2025-03-27T23:59:59Z".parse().expect("a time"));
    dispense("A123", PHARMACY_GLN, "").expect("the expiry is the last usable day");
    market.net.set_time("2025-03-27T12:00:00Z".parse().expect("a time"));
    market.deliver(15);
    market.net.set_time("2025-03-28T00:00:00Z".parse().expect("a time"));
    refused(market.dispense(15), "E_EXPIRED");
}

#[test]
fn dispensing_can_be_undone_for_ten_days_at_the_same_counter() {
    let market = Market::new();
    for serial in [11, 12] {
        market.deliver(serial);
        market.dispense(serial).expect("dispense");
    }
    let undo = |user, serial, gln: &str| {
        market.submit(user, "UndoDispense", [pack(serial), gln.to_owned()])
    };
    refused(undo(&market.pharmacy, 11, SECOND_GLN), "E_UNDO");
    refused(undo(&market.maker, 11, PHARMACY_GLN), "E_CALLER");
    refused(undo(&market.pharmacy, 13, PHARMACY_GLN), "E_TRANSITION");
    market.net.advance(DAY * 10);
    undo(&market.pharmacy, 11, PHARMACY_GLN).expect("on the tenth day");
    market.net.advance(Duration::from_secs(1));
    refused(undo(&market.pharmacy, 12, PHARMACY_GLN), "E_UNDO");
    assert_eq!(market.unit(&pack(11))["state"], "ACTIVE");
}

#[test]
fn a_counterfeit_is_caught_and_reported() {
    let market = Market::new();
    let report = |serial: &str| {
        let args = [scan(serial), PHARMACY_GLN.to_owned()];
        market.submit(&market.pharmacy, "ReportVerificationFailure", args)
    };
    refused(report("11"), "E_NOT_VERIFIED");
    let reported = report("666").expect("raises an alert");
    let alerts = market.read("ListAlerts", ["10", ""]);
    assert_eq!(alerts["records"][0]["id"], json!(reported.tx_id));
    let finding = &alerts["records"][0]["finding"];
    assert_eq!(finding["verificationFailureReason"], "No_match_GTIN_Serial");
    market.deliver(11);
    market.dispense(11).expect("dispense");
    report("11").expect("a pack that is offered again is suspect");
}
