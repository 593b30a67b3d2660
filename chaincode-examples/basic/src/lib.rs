//! The asset-transfer contract every Fabric user knows, with Fabric's function and field names,
//! and a few functions that show the rest of the SDK ([`tour`]) or misbehave on purpose
//! ([`hostile`]).

#![forbid(unsafe_code)]

mod hostile;
pub mod tour;

use gauze_chaincode::host::KeyModification;
use gauze_chaincode::prelude::*;

/// Something with an owner and a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "{id}")]
#[serde(rename_all = "PascalCase")]
pub struct Asset {
    /// What its owner believes it to be worth.
    pub appraised_value: i64,
    /// Its colour.
    pub color: String,
    /// Its name, unique in the ledger.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// How large it is.
    pub size: i64,
}

/// What can go wrong.
#[derive(Debug, ContractError)]
pub enum Fault {
    /// The asset is there already.
    #[code("ASSET_EXISTS", "the asset {0} already exists")]
    Exists(String),
    /// There is no such asset.
    #[code("ASSET_NOT_FOUND", "the asset {0} does not exist")]
    NotFound(String),
}

/// Assets and who owns them.
#[derive(Debug)]
#[contract(name = "basic", version = "1.0.0")]
pub struct Basic;

#[transactions]
impl Basic {
    /// Adds six assets to start with.
    #[submit]
    fn init_ledger(tx: &mut Tx) -> Result<()> {
        let assets = [
            ("asset1", "blue", 5, "Tomoko", 300),
            ("asset2", "red", 5, "Brad", 400),
            ("asset3", "green", 10, "Jin Soo", 500),
            ("asset4", "yellow", 10, "Max", 600),
            ("asset5", "black", 15, "Adriana", 700),
            ("asset6", "white", 15, "Michel", 800),
        ];
        for (id, color, size, owner, appraised_value) in assets {
            tx.save(&asset(id, color, size, owner, appraised_value))?;
        }
        Ok(())
    }

    /// Adds an asset.
    #[submit]
    fn create_asset(
        tx: &mut Tx,
        id: &str,
        color: &str,
        size: i64,
        owner: &str,
        appraised_value: i64,
    ) -> Result<Asset> {
        ensure!(!tx.exists(Asset::at(id))?, Fault::Exists(id.to_owned()));
        let asset = asset(id, color, size, owner, appraised_value);
        tx.save(&asset)?;
        tx.emit("CreateAsset", &asset)?;
        Ok(asset)
    }

    /// One asset.
    #[evaluate]
    fn read_asset(tx: &Tx, id: &str) -> Result<Asset> {
        tx.find(Asset::at(id))?.ok_or_else(|| Fault::NotFound(id.to_owned()).into())
    }

    /// Replaces all fields of an asset.
    #[submit]
    fn update_asset(
        tx: &mut Tx,
        id: &str,
        color: &str,
        size: i64,
        owner: &str,
        appraised_value: i64,
    ) -> Result<()> {
        ensure!(tx.exists(Asset::at(id))?, Fault::NotFound(id.to_owned()));
        let asset = asset(id, color, size, owner, appraised_value);
        tx.save(&asset)?;
        tx.emit("UpdateAsset", &asset)
    }

    /// Removes an asset.
    #[submit]
    fn delete_asset(tx: &mut Tx, id: &str) -> Result<()> {
        let asset = Self::read_asset(tx, id)?;
        tx.remove(Asset::at(id))?;
        tx.emit("DeleteAsset", &asset)
    }

    /// Whether there is such an asset.
    #[evaluate]
    fn asset_exists(tx: &Tx, id: &str) -> Result<bool> {
        tx.exists(Asset::at(id))
    }

    /// Gives an asset to another owner and returns the old one.
    #[submit]
    fn transfer_asset(tx: &mut Tx, id: &str, new_owner: String) -> Result<String> {
        let mut asset = Self::read_asset(tx, id)?;
        let old_owner = std::mem::replace(&mut asset.owner, new_owner);
        tx.save(&asset)?;
        tx.emit("TransferAsset", &asset)?;
        Ok(old_owner)
    }

    /// All assets. Keys of other functions' making are passed over.
    #[evaluate]
    fn get_all_assets(tx: &Tx) -> Result<Vec<Asset>> {
        let entries = tx.get_state_by_range("", "")?;
        entries
            .filter_map(|kv| kv.map(|kv| Asset::decode(&kv.key, &kv.value).ok()).transpose())
            .collect()
    }

    /// Writes a key.
    #[submit(name = "put")]
    fn put(tx: &mut Tx, key: &str, value: Raw) -> Result<()> {
        tx.put_state(key, &value.0)
    }

    /// Reads a key.
    #[evaluate(name = "get")]
    fn get(tx: &Tx, key: &str) -> Result<Raw> {
        Ok(Raw(tx.get_state(key)?.unwrap_or_default()))
    }

    /// Deletes a key.
    #[submit(name = "del")]
    fn del(tx: &mut Tx, key: &str) -> Result<()> {
        tx.del_state(key)
    }

    /// Reads a key, then writes it: a transaction others can invalidate. Returns the old number.
    #[submit(name = "increment")]
    fn increment(tx: &mut Tx, key: &str) -> Result<u64> {
        tour::increment(tx, key)
    }

    /// Keys of a range, at most `limit` of them.
    #[evaluate(name = "range")]
    fn range(tx: &Tx, start: &str, end: &str, limit: u32) -> Result<Vec<String>> {
        tour::keys(tx.get_state_by_range(start, end)?, limit)
    }

    /// One page of a range.
    #[evaluate(name = "page")]
    fn page(
        tx: &Tx,
        start: &str,
        end: &str,
        page_size: u32,
        bookmark: &str,
    ) -> Result<Paged<String>> {
        tour::page(tx, start, end, page_size, bookmark)
    }

    /// Reads a range and writes a key: a transaction that phantoms invalidate.
    #[submit(name = "countRange")]
    fn count_range(tx: &mut Tx, start: &str, end: &str, into: &str) -> Result<u64> {
        tour::count(tx, start, end, into)
    }

    /// Adds a visit under a composite key of two attributes.
    #[submit(name = "putComposite")]
    fn put_composite(tx: &mut Tx, visit: tour::Visit) -> Result<()> {
        tx.save(&visit)
    }

    /// All visits of a town.
    #[evaluate(name = "composite")]
    fn composite(tx: &Tx, town: &str) -> Result<Vec<tour::Visit>> {
        tx.list(tour::Visit::all().under(town))?.collect()
    }

    /// What a key held before, newest first.
    #[evaluate(name = "history")]
    fn history(tx: &Tx, key: &str) -> Result<Vec<tour::Change>> {
        let changes = tx.get_history_for_key(key)?;
        changes.map(|change: Result<KeyModification>| change.map(tour::Change::from)).collect()
    }

    /// Sets an event.
    #[submit(name = "event")]
    fn event(tx: &mut Tx, name: &str, payload: Raw) -> Result<()> {
        tx.put_state("event", name.as_bytes())?;
        tx.set_event(name, &payload.0)
    }

    /// Writes the transient input `value` to a private collection.
    #[submit(name = "putPrivate")]
    fn put_private(tx: &mut Tx, collection: &str, key: &str) -> Result<()> {
        let value = tour::transient_value(tx)?;
        tx.private_mut(collection).put(key, &value)
    }

    /// Reads a private key.
    #[evaluate(name = "getPrivate")]
    fn get_private(tx: &Tx, collection: &str, key: &str) -> Result<Raw> {
        Ok(Raw(tx.private(collection).get(key)?.unwrap_or_default()))
    }

    /// The hash of a private value, in hexadecimal.
    #[evaluate(name = "getPrivateHash")]
    fn get_private_hash(tx: &Tx, collection: &str, key: &str) -> Result<String> {
        let hash = tx.private(collection).get_hash(key)?.unwrap_or_default();
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Deletes a private key.
    #[submit(name = "delPrivate")]
    fn del_private(tx: &mut Tx, collection: &str, key: &str) -> Result<()> {
        tx.private_mut(collection).del(key)
    }

    /// Deletes a private key with its past.
    #[submit(name = "purgePrivate")]
    fn purge_private(tx: &mut Tx, collection: &str, key: &str) -> Result<()> {
        tx.private_mut(collection).purge(key)
    }

    /// Keys of a private range.
    #[evaluate(name = "privateRange")]
    fn private_range(tx: &Tx, collection: &str, start: &str, end: &str) -> Result<Vec<String>> {
        tour::keys(tx.private(collection).get_by_range(start, end)?, u32::MAX)
    }

    /// From now on peers of all these organizations must endorse changes of a key.
    #[submit(name = "setKeyPolicy")]
    fn set_key_policy(tx: &mut Tx, key: &str, msp_ids: Vec<String>) -> Result<()> {
        tx.set_state_validation_parameter(key, &policy::all_of(Role::Peer, &msp_ids))
    }

    /// Calls a function of another chaincode; an empty channel is the own.
    #[submit(name = "invoke")]
    fn invoke(
        tx: &mut Tx,
        chaincode: &str,
        channel: &str,
        function: &str,
        args: Vec<String>,
    ) -> Result<Raw> {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        tx.query(chaincode, channel, function, &args).map(Raw)
    }

    /// Who calls, as the contract sees it.
    #[evaluate(name = "whoami")]
    fn whoami(tx: &Tx) -> Result<tour::Identity> {
        tour::identity(tx)
    }

    /// Never returns.
    #[submit(name = "loop")]
    fn endless(_tx: &mut Tx) -> Result<()> {
        hostile::endless()
    }

    /// Takes memory until there is none.
    #[submit(name = "memory")]
    fn memory(_tx: &mut Tx) -> Result<u64> {
        hostile::memory()
    }

    /// Calls itself until the stack ends.
    #[submit(name = "stack")]
    fn stack(_tx: &mut Tx) -> Result<u64> {
        Ok(hostile::stack(0))
    }

    /// Calls itself as a chaincode until the peer refuses.
    #[submit(name = "recurse")]
    fn recurse(tx: &mut Tx) -> Result<Raw> {
        let own = tx.chaincode();
        tx.invoke(&own, "recurse", &[]).map(Raw)
    }

    /// Panics after a write.
    #[submit(name = "trap")]
    fn trap(tx: &mut Tx) -> Result<()> {
        tx.put_state("trapped", b"this is never written")?;
        hostile::trap()
    }

    /// Returns this many bytes.
    #[submit(name = "bigResponse")]
    fn big_response(_tx: &mut Tx, bytes: u64) -> Result<Raw> {
        Ok(Raw(vec![b'x'; usize::try_from(bytes).unwrap_or(usize::MAX)]))
    }

    /// Writes this many keys.
    #[submit(name = "manyWrites")]
    fn many_writes(tx: &mut Tx, count: u64) -> Result<()> {
        (0..count).try_for_each(|i| tx.put_state(&format!("many{i:08}"), b"x"))
    }
}

fn asset(id: &str, color: &str, size: i64, owner: &str, appraised_value: i64) -> Asset {
    Asset { appraised_value, color: color.into(), id: id.into(), owner: owner.into(), size }
}
