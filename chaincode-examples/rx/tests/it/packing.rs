//! Packing and unpacking.

use serde_json::json;

use crate::market::{Market, SSCC, pack, packs, refused};

/// Its check digit should be 0.
const CASE: &str = "00/103000112345678901";

fn case(number: u32) -> String {
    let body = format!("1030001{number:010}");
    let weigh = |(position, digit): (usize, char)| {
        digit.to_digit(10).unwrap_or(0) * if position % 2 == 0 { 3 } else { 1 }
    };
    let sum: u32 = body.chars().rev().enumerate().map(weigh).sum();
    format!("00/{body}{}", (10 - sum % 10) % 10)
}

#[test]
fn a_pallet_of_cases_of_packs() {
    let market = Market::new();
    let cases = [case(1), case(2), case(3)];
    for (number, case) in (0..).zip(&cases) {
        let first = 11 + 4 * number;
        market.pack(&market.maker, case, &packs(first..first + 4)).expect("pack a case");
    }
    market.pack(&market.maker, SSCC, &cases).expect("pack the pallet");
    let unit = market.unit(&pack(11));
    assert_eq!(unit["outermost"], SSCC);
    assert_eq!(unit["unit"]["parent"], json!(cases[0]));
    assert_eq!(market.unit(SSCC)["children"].as_array().map(Vec::len), Some(3));
    market.submit(&market.maker, "Unpack", [SSCC, "[]"]).expect("unpack all");
    assert_eq!(market.unit(&pack(11))["outermost"], json!(cases[0]));
    assert_eq!(market.unit(SSCC)["children"], json!([]));
}

#[test]
fn what_cannot_be_packed() {
    let market = Market::new();
    let inside = case(1);
    market.pack(&market.maker, &inside, &packs([11])).expect("pack");
    let refuse = |parent: &str, children: &[String], code: &str| {
        refused(market.pack(&market.maker, parent, children), code);
    };
    refuse(SSCC, &packs([11]), "E_ALREADY_PACKED");
    refuse(SSCC, &packs([99]), "E_NOT_FOUND");
    refuse(SSCC, &[], "E_LIMIT");
    refuse(SSCC, &[pack(12), pack(12)], "E_NESTING");
    refuse(SSCC, &[SSCC.to_owned()], "E_NOT_FOUND");
    refuse(&inside, std::slice::from_ref(&inside), "E_NESTING");
    refuse(&pack(99), &packs([12]), "E_NOT_FOUND");
    refuse("00/123", &packs([12]), "E_IDENTIFIER");
    refuse(CASE, &packs([12]), "E_IDENTIFIER");
    refused(market.pack(&market.pharmacy, SSCC, &packs([12])), "E_NOT_HOLDER");
    market.pack(&market.maker, SSCC, std::slice::from_ref(&inside)).expect("pack the case");
    refuse(&inside, &packs([12]), "E_ALREADY_PACKED");
    market.ship(&market.maker, "S1", &[SSCC.to_owned()]).expect("ship");
    refuse(SSCC, &packs([12]), "E_TRANSITION");
    let unpack = market.submit(&market.maker, "Unpack", [SSCC, "[]"]);
    refused(unpack, "E_TRANSITION");
}

#[test]
fn trees_have_a_depth() {
    let market = Market::new();
    let mut child = pack(11);
    for level in 1..=4 {
        let parent = case(level);
        market.pack(&market.maker, &parent, &[child]).expect("pack");
        child = parent;
    }
    refused(market.pack(&market.maker, &case(5), &[child]), "E_NESTING");
}

#[test]
fn only_what_is_inside_comes_out() {
    let market = Market::new();
    market.pack(&market.maker, SSCC, &packs([11, 12])).expect("pack");
    let unpack = |children: &[String]| {
        market.submit(&market.maker, "Unpack", [SSCC.to_owned(), json!(children).to_string()])
    };
    refused(unpack(&packs([13])), "E_NOT_INSIDE");
    unpack(&packs([11])).expect("unpack one");
    refused(unpack(&packs([11])), "E_NOT_INSIDE");
    assert_eq!(market.unit(SSCC)["children"], json!(packs([12])));
}
