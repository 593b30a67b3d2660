//! Which organizations have approved a definition.
//!
//! An approval is private data of the organization that gave it, yet every peer can check it
//! against a definition it knows: the hashes of the approval are public.

use std::collections::BTreeMap;

use channel::Bundle;
use ledger::View;

use super::Error;
use super::definition::{Parameters, private_name};
use super::definitions::implicit_collection_name;
use super::state::{self, NAMESPACES, ReadHash};
use super::views::HashView;

/// MSP ids of the organizations of a channel, each once, in order.
pub fn organizations(bundle: &Bundle) -> Vec<String> {
    let mut ids: Vec<String> = bundle
        .application()
        .map(|application| application.orgs.values().map(|org| org.msp_id.clone()).collect())
        .unwrap_or_default();
    ids.sort();
    ids.dedup();
    ids
}

/// For each organization of the channel, whether it approved `parameters` for this sequence.
pub fn of(
    view: &View,
    bundle: &Bundle,
    chaincode: &str,
    sequence: i64,
    parameters: &Parameters,
) -> Result<BTreeMap<String, bool>, Error> {
    organizations(bundle)
        .into_iter()
        .map(|msp_id| {
            let approved = is_approved(view, &msp_id, chaincode, sequence, parameters)?;
            Ok((msp_id, approved))
        })
        .collect()
}

/// Whether one organization approved `parameters` for this sequence.
pub fn is_approved(
    view: &View,
    msp_id: &str,
    chaincode: &str,
    sequence: i64,
    parameters: &Parameters,
) -> Result<bool, Error> {
    let collection = implicit_collection_name(msp_id);
    let mut hashes = HashView { view, collection: &collection };
    Ok(compare(&mut hashes, chaincode, sequence, parameters)?.is_empty())
}

/// What differs between `parameters` and the approval behind `hashes`; nothing if they agree.
pub(super) fn compare(
    hashes: &mut dyn ReadHash,
    chaincode: &str,
    sequence: i64,
    parameters: &Parameters,
) -> Result<Vec<String>, Error> {
    let name = private_name(chaincode, sequence);
    state::mismatches(hashes, NAMESPACES, &name, &parameters.record())
}
