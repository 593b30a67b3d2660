//! The cast: a maker, a pharmacy, a wholesaler without a licence, and one product.

use gauze_chaincode::Timestamp;
use gauze_testing::{CallError, Committed, Network, User};
use serde_json::{Value, json};

pub(crate) const MAKER: &str = "MakerMSP";
pub(crate) const PHARMACY: &str = "PharmacyMSP";
pub(crate) const BOARD: &str = "BoardMSP";
pub(crate) const GTIN: &str = "00300010123455";
pub(crate) const MAKER_GLN: &str = "0300011111116";
pub(crate) const PHARMACY_GLN: &str = "0399999999991";
pub(crate) const SECOND_GLN: &str = "0399993456780";
pub(crate) const SSCC: &str = "00/403000112345678901";

/// A market with registers filled and twelve packs commissioned, serials 11 to 22.
pub(crate) struct Market {
    pub(crate) net: Network,
    pub(crate) maker: User,
    pub(crate) pharmacy: User,
    pub(crate) board: User,
}

impl Market {
    /// Registers filled, nothing commissioned.
    pub(crate) fn empty() -> Self {
        let net = Network::new().orgs([MAKER, PHARMACY, BOARD]).deploy::<rx::Rx>("rx");
        net.set_time(Timestamp::from_seconds(1_700_000_000));
        let admin = net.user(BOARD, "admin").role("admin");
        net.as_(&admin).submit("SetAuthority", [BOARD]).expect("set the authority");
        let market = Self {
            maker: net.user(MAKER, "line"),
            pharmacy: net.user(PHARMACY, "counter"),
            board: net.user(BOARD, "clerk"),
            net,
        };
        let board = &market.board;
        market.submit(board, "RegisterGCP", ["030001", MAKER]).expect("register the prefix");
        for (gln, msp_id, kind) in [
            (MAKER_GLN, MAKER, "manufacturer"),
            (PHARMACY_GLN, PHARMACY, "dispenser"),
            (SECOND_GLN, PHARMACY, "dispenser"),
        ] {
            market.submit(board, "RegisterParty", [party(gln, msp_id, kind)]).expect("register");
        }
        market.submit(&market.maker, "RegisterProduct", [product()]).expect("register the product");
        market
    }

    pub(crate) fn new() -> Self {
        let market = Self::empty();
        market
            .commission(json!({ "range": { "prefix": "", "from": 11, "to": 22 } }))
            .expect("commission");
        market
    }

    pub(crate) fn submit<A: Into<Vec<u8>>>(
        &self,
        user: &User,
        function: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Committed, CallError> {
        self.net.as_(user).submit(function, args)
    }

    pub(crate) fn read<A: Into<Vec<u8>>>(
        &self,
        function: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Value {
        self.net.as_(&self.pharmacy).evaluate(function, args).expect("read").json()
    }

    /// Commissions serials of lot A123.
    pub(crate) fn commission(&self, with: Value) -> Result<Committed, CallError> {
        let mut batch = json!({
            "gtin": GTIN, "lot": "A123", "expiry": "2025-03-27", "gln": MAKER_GLN,
        });
        if let (Some(batch), Some(with)) = (batch.as_object_mut(), with.as_object()) {
            batch.extend(with.clone());
        }
        self.submit(&self.maker, "Commission", [batch.to_string()])
    }

    pub(crate) fn pack(
        &self,
        user: &User,
        parent: &str,
        children: &[String],
    ) -> Result<Committed, CallError> {
        self.submit(user, "Pack", [parent.to_owned(), json!(children).to_string()])
    }

    pub(crate) fn ship(
        &self,
        user: &User,
        id: &str,
        tops: &[String],
    ) -> Result<Committed, CallError> {
        let shipment = json!({
            "shipmentId": id, "tops": tops, "fromGln": MAKER_GLN, "toGln": PHARMACY_GLN,
            "transfersOwnership": true,
        });
        self.submit(user, "Ship", [shipment.to_string()])
    }

    pub(crate) fn receive(
        &self,
        user: &User,
        id: &str,
        tops: &[String],
    ) -> Result<Committed, CallError> {
        self.submit(user, "Receive", [id.to_owned(), json!(tops).to_string()])
    }

    /// Packs the pack with this serial alone into the pharmacy's hands.
    pub(crate) fn deliver(&self, serial: u32) {
        let id = format!("S{serial}");
        let tops = [pack(serial)];
        self.ship(&self.maker, &id, &tops).expect("ship");
        self.receive(&self.pharmacy, &id, &tops).expect("receive");
    }

    pub(crate) fn dispense(&self, serial: u32) -> Result<Committed, CallError> {
        let args = [GTIN, &serial.to_string(), "A123", "2025-03-27", PHARMACY_GLN, ""];
        self.submit(&self.pharmacy, "Dispense", args)
    }

    pub(crate) fn unit(&self, epc: &str) -> Value {
        self.read("GetUnit", [epc])
    }
}

pub(crate) fn pack(serial: u32) -> String {
    format!("01/{GTIN}/21/{serial}")
}

pub(crate) fn packs(serials: impl IntoIterator<Item = u32>) -> Vec<String> {
    serials.into_iter().map(pack).collect()
}

pub(crate) fn party(gln: &str, msp_id: &str, kind: &str) -> String {
    json!({
        "gln": gln, "mspId": msp_id, "kinds": [kind], "licence": "L-1", "until": "2027-12-31",
    })
    .to_string()
}

pub(crate) fn product() -> String {
    json!({
        "gtin": GTIN, "ndc": "0001-0123-45", "name": "Epcistra 100 mg, 500 pills",
        "storageMinDecicelsius": 20, "storageMaxDecicelsius": 80, "excursionBudgetMinutes": 30,
    })
    .to_string()
}

/// The refusal's code.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    let error = result.expect_err("this must be refused");
    assert_eq!(error.code(), code, "{error}");
}
