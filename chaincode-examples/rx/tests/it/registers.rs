//! Master data and commissioning.

use serde_json::{Value, json};

use crate::market::{
    BOARD, GTIN, MAKER, MAKER_GLN, Market, PHARMACY, PHARMACY_GLN, pack, party, product, refused,
};

#[test]
fn registers_are_kept_by_the_authority() {
    let market = Market::empty();
    let admin = market.net.user(MAKER, "admin").role("admin");
    refused(market.submit(&admin, "SetAuthority", [MAKER]), "E_EXISTS");
    refused(market.submit(&market.maker, "SetAuthority", [MAKER]), "E_CALLER");
    refused(market.submit(&market.maker, "RegisterGCP", ["030002", MAKER]), "E_CALLER");
    refused(market.submit(&market.board, "RegisterGCP", ["030001", PHARMACY]), "E_EXISTS");
    refused(market.submit(&market.board, "RegisterGCP", ["0300012", PHARMACY]), "E_EXISTS");
    refused(market.submit(&market.board, "RegisterGCP", ["03x", PHARMACY]), "E_IDENTIFIER");
    let own = party(PHARMACY_GLN, PHARMACY, "dispenser");
    refused(market.submit(&market.pharmacy, "RegisterParty", [own]), "E_CALLER");
    let taken = party(PHARMACY_GLN, MAKER, "dispenser");
    refused(market.submit(&market.board, "RegisterParty", [taken]), "E_EXISTS");
    let wrong = party("0399999999992", BOARD, "wholesaler");
    refused(market.submit(&market.board, "RegisterParty", [wrong]), "E_IDENTIFIER");
    let lapsed = party("0399999999991", PHARMACY, "dispenser").replace("2027", "2020");
    refused(market.submit(&market.board, "RegisterParty", [lapsed]), "E_EXPIRED");
}

#[test]
fn products_stand_under_the_prefix_of_their_maker() {
    let market = Market::empty();
    let register = |user, text: String| market.submit(user, "RegisterProduct", [text]);
    refused(register(&market.maker, product()), "E_EXISTS");
    refused(register(&market.pharmacy, product()), "E_PREFIX");
    let of = |gtin: &str, ndc: &str| product().replace(GTIN, gtin).replace("0001-0123-45", ndc);
    refused(register(&market.maker, of("00300010123456", "0001-0123-45")), "E_IDENTIFIER");
    refused(register(&market.maker, of("10300010123452", "0001-0123-46")), "E_IDENTIFIER");
    refused(register(&market.maker, of("00305910369019", "0591-0369-01")), "E_PREFIX");
    refused(register(&market.maker, of("90300010123458", "0001-0123-45")), "E_IDENTIFIER");
    register(&market.maker, of("10300010123452", "0001-0123-45")).expect("a case of the same");
}

#[test]
fn a_batch_is_commissioned_whole_or_not_at_all() {
    let market = Market::new();
    let outcome = market.commission(json!({ "serials": ["23", "22", "24"] }));
    let error = outcome.expect_err("serial 22 is known");
    assert_eq!(error.code(), "E_EXISTS");
    assert!(error.to_string().contains(&pack(22)), "{error} names the offender");
    let missing = market.net.as_(&market.maker).evaluate("GetUnit", [pack(23)]);
    refused(missing, "E_NOT_FOUND");
    let outcome: Value = market.commission(json!({ "serials": ["ab", "AB"] })).expect("ok").json();
    assert_eq!(outcome, json!({ "count": 2, "warnings": ["AB and ab"] }));
}

#[test]
fn batches_that_cannot_be_right_are_refused() {
    let market = Market::new();
    for (with, code) in [
        (json!({ "serials": [] }), "E_LIMIT"),
        (json!({ "serials": ["a", "a"] }), "E_EXISTS"),
        (json!({ "serials": ["a b"] }), "E_IDENTIFIER"),
        (json!({ "range": { "prefix": "x", "from": 1, "to": 501 } }), "E_LIMIT"),
        (json!({ "range": { "prefix": "x", "from": 2, "to": 1 } }), "E_LIMIT"),
        (
            json!({ "range": { "prefix": "x", "from": 1, "to": 2 }, "serials": ["a"] }),
            "E_IDENTIFIER",
        ),
        (json!({ "serials": ["a"], "expiry": "2025-03-28" }), "E_LOT"),
        (json!({ "serials": ["a"], "lot": "B1", "expiry": "2023-01-01" }), "E_EXPIRED"),
        (json!({ "serials": ["a"], "lot": "B1", "expiry": "soon" }), "E_IDENTIFIER"),
        (json!({ "serials": ["a"], "lot": "" }), "E_IDENTIFIER"),
        (json!({ "serials": ["a"], "gtin": "10300010123452" }), "E_NOT_FOUND"),
        (json!({ "serials": ["a"], "gtin": "00305910369019" }), "E_PREFIX"),
        (json!({ "serials": ["a"], "gln": PHARMACY_GLN }), "E_CALLER"),
        (json!({ "serials": ["a"], "gln": "0399999999992" }), "E_IDENTIFIER"),
        (json!({ "serials": ["a"], "owner": MAKER }), "INVALID_ARGUMENT"),
    ] {
        refused(market.commission(with), code);
    }
    let foreign = json!({
        "gtin": GTIN, "lot": "A123", "expiry": "2025-03-27", "gln": MAKER_GLN, "serials": ["a"],
    });
    refused(market.submit(&market.pharmacy, "Commission", [foreign.to_string()]), "E_PREFIX");
}
