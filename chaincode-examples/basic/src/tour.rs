//! The parts of the SDK that assets do not need.

use gauze_chaincode::host::KeyModification;
use gauze_chaincode::prelude::*;
use gauze_chaincode::range::Entries;

/// A record under a composite key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, Record)]
#[record(key = "visit/{town}/{guest}")]
pub struct Visit {
    /// Where.
    pub town: String,
    /// Who.
    pub guest: String,
    /// How long.
    pub nights: u32,
}

/// One change of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The transaction.
    pub tx_id: String,
    /// When its client made it.
    pub timestamp: Timestamp,
    /// What it wrote, as text.
    pub value: String,
    /// Whether it deleted the key.
    pub is_delete: bool,
}

impl From<KeyModification> for Change {
    fn from(change: KeyModification) -> Self {
        Self {
            tx_id: change.tx_id,
            timestamp: change.timestamp,
            value: String::from_utf8_lossy(&change.value).into_owned(),
            is_delete: change.is_delete,
        }
    }
}

/// The caller and the transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The organization.
    pub msp_id: String,
    /// The common name.
    pub common_name: String,
    /// The role.
    pub role: Option<String>,
    /// The attributes of the certificate.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// The transaction.
    pub tx_id: String,
    /// The channel.
    pub channel_id: String,
    /// The client's time.
    pub timestamp: Timestamp,
}

pub(crate) fn identity(tx: &Tx) -> Result<Identity> {
    let caller = tx.caller()?;
    Ok(Identity {
        role: caller.role().map(str::to_owned),
        msp_id: caller.msp_id,
        common_name: caller.common_name,
        attributes: caller.attributes,
        tx_id: tx.id(),
        channel_id: tx.channel_id(),
        timestamp: tx.timestamp(),
    })
}

pub(crate) fn increment(tx: &mut Tx, key: &str) -> Result<u64> {
    let old = tx.get_state(key)?.and_then(|value| String::from_utf8(value).ok());
    let old = old.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    tx.put_state(key, (old + 1).to_string().as_bytes())?;
    Ok(old)
}

pub(crate) fn keys(entries: Entries<'_>, limit: u32) -> Result<Vec<String>> {
    entries.take(limit as usize).map(|kv| kv.map(|kv| kv.key)).collect()
}

pub(crate) fn page(
    tx: &Tx,
    start: &str,
    end: &str,
    page_size: u32,
    bookmark: &str,
) -> Result<Paged<String>> {
    let page = tx.get_state_by_range_with_pagination(start, end, page_size, bookmark)?;
    let records = page.records.into_iter().map(|kv| kv.key).collect();
    Ok(Paged { records, bookmark: page.bookmark })
}

pub(crate) fn count(tx: &mut Tx, start: &str, end: &str, into: &str) -> Result<u64> {
    let count =
        tx.get_state_by_range(start, end)?.try_fold(0, |count, kv| kv.map(|_| count + 1))?;
    tx.put_state(into, count.to_string().as_bytes())?;
    Ok(count)
}

pub(crate) fn transient_value(tx: &Tx) -> Result<Vec<u8>> {
    tx.transient_map()
        .remove("value")
        .ok_or_else(|| Error::new(Error::INVALID_ARGUMENT, "transient input 'value' is missing"))
}
