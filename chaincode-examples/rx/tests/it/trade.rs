//! Shipping and receiving.

use gauze_testing::TxValidationCode;
use serde_json::{Value, json};

use crate::market::{
    MAKER, MAKER_GLN, Market, PHARMACY, PHARMACY_GLN, SECOND_GLN, SSCC, pack, packs, party, refused,
};

#[test]
fn ownership_changes_when_the_receiver_says_so() {
    let market = Market::new();
    market.pack(&market.maker, SSCC, &packs(11..=22)).expect("pack");
    let tops = [SSCC.to_owned()];
    market.ship(&market.maker, "S1", &tops).expect("ship");
    let told =
        |unit: &Value| (unit["state"].clone(), unit["owner"].clone(), unit["custodian"].clone());
    assert_eq!(told(&market.unit(&pack(11))), (json!("IN_TRANSIT"), json!(MAKER), json!(MAKER)));
    market.receive(&market.pharmacy, "S1", &tops).expect("receive");
    assert_eq!(told(&market.unit(&pack(11))), (json!("ACTIVE"), json!(PHARMACY), json!(PHARMACY)));
    let shipment = market.read("GetShipment", ["S1"]);
    assert_eq!(shipment["lines"][0]["state"], "received");
}

#[test]
fn the_price_of_a_shipment_does_not_grow_with_its_content() {
    let shipped = |inside: Vec<String>| {
        let market = Market::new();
        market.pack(&market.maker, SSCC, &inside).expect("pack");
        let before = market.net.height();
        market.ship(&market.maker, "S1", &[SSCC.to_owned()]).expect("ship");
        let block = market.net.ledger().block(before).expect("read").expect("it is there");
        prost::Message::encoded_len(&block)
    };
    let difference = shipped(packs([11])).abs_diff(shipped(packs(11..=22)));
    assert!(difference < 64, "{difference} bytes");
}

#[test]
fn what_cannot_be_shipped() {
    let market = Market::new();
    market.pack(&market.maker, SSCC, &packs([11])).expect("pack");
    let ship = |with: Value| {
        let mut shipment = json!({
            "shipmentId": "S9", "tops": packs([12]), "fromGln": MAKER_GLN, "toGln": PHARMACY_GLN,
            "transfersOwnership": true,
        });
        if let (Some(shipment), Some(with)) = (shipment.as_object_mut(), with.as_object()) {
            shipment.extend(with.clone());
        }
        market.submit(&market.maker, "Ship", [shipment.to_string()])
    };
    for (with, code) in [
        (json!({ "tops": packs([11]) }), "E_ALREADY_PACKED"),
        (json!({ "tops": packs([99]) }), "E_NOT_FOUND"),
        (json!({ "tops": [] }), "E_LIMIT"),
        (json!({ "toGln": "0300011111215" }), "E_NOT_ATP"),
        (json!({ "toGln": "0300011111216" }), "E_IDENTIFIER"),
        (json!({ "fromGln": PHARMACY_GLN }), "E_CALLER"),
        (json!({ "shipmentId": "" }), "E_IDENTIFIER"),
    ] {
        refused(ship(with), code);
    }
    refused(market.ship(&market.pharmacy, "S9", &packs([12])), "E_CALLER");
    ship(json!({})).expect("ships");
    refused(ship(json!({ "tops": packs([13]) })), "E_EXISTS");
    refused(ship(json!({ "shipmentId": "S10" })), "E_TRANSITION");
    market.net.advance(std::time::Duration::from_secs(3 * 366 * 86_400));
    let renewed = party(MAKER_GLN, MAKER, "manufacturer").replace("2027", "2030");
    market.submit(&market.board, "RegisterParty", [renewed]).expect("renew");
    refused(ship(json!({ "shipmentId": "S11", "tops": packs([14]) })), "E_EXPIRED");
}

#[test]
fn what_cannot_be_received() {
    let market = Market::new();
    market.ship(&market.maker, "S1", &packs([11, 12])).expect("ship");
    refused(market.receive(&market.maker, "S1", &packs([11])), "E_CALLER");
    refused(market.receive(&market.pharmacy, "S2", &packs([11])), "E_NOT_FOUND");
    refused(market.receive(&market.pharmacy, "S1", &packs([13])), "E_NOT_SHIPPED");
    market.receive(&market.pharmacy, "S1", &packs([11])).expect("receive one");
    refused(market.receive(&market.pharmacy, "S1", &packs([11])), "E_NOT_SHIPPED");
    let state = |serial| market.unit(&pack(serial))["state"].clone();
    assert_eq!((state(11), state(12)), (json!("ACTIVE"), json!("IN_TRANSIT")));
    assert_eq!(market.unit(&pack(12))["owner"], MAKER);
}

#[test]
fn a_shipper_calls_back_what_was_not_received() {
    let market = Market::new();
    market.ship(&market.maker, "S1", &packs([11, 12])).expect("ship");
    market.receive(&market.pharmacy, "S1", &packs([11])).expect("receive");
    let void = |user, serial| {
        market.submit(user, "VoidShipment", ["S1".to_owned(), json!(packs([serial])).to_string()])
    };
    refused(void(&market.maker, 11), "E_NOT_SHIPPED");
    refused(void(&market.pharmacy, 12), "E_CALLER");
    void(&market.maker, 12).expect("calls back");
    assert_eq!(market.unit(&pack(12))["state"], "ACTIVE");
    refused(market.receive(&market.pharmacy, "S1", &packs([12])), "E_NOT_SHIPPED");
}

#[test]
fn partial_receipts_do_not_collide() {
    let market = Market::new();
    market.ship(&market.maker, "S1", &packs([11, 12])).expect("ship");
    let endorsed = [11, 12].map(|serial| {
        let args = ["S1".to_owned(), json!(packs([serial])).to_string()];
        market.net.as_(&market.pharmacy).endorse("Receive", args).expect("endorse")
    });
    assert_eq!(market.net.commit(endorsed), [TxValidationCode::Valid; 2]);
}

#[test]
fn two_shipments_cannot_take_the_same_pack() {
    let market = Market::new();
    let endorsed = ["S1", "S2"].map(|id| {
        let shipment = json!({
            "shipmentId": id, "tops": packs([11]), "fromGln": MAKER_GLN, "toGln": SECOND_GLN,
            "transfersOwnership": true,
        });
        market.net.as_(&market.maker).endorse("Ship", [shipment.to_string()]).expect("endorse")
    });
    let codes = market.net.commit(endorsed);
    assert_eq!(codes, [TxValidationCode::Valid, TxValidationCode::MvccReadConflict]);
}
