//! What an endorsed transaction claims to do: the chaincode, and the keys it writes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger::rwset::{CollectionRwSet, NsRwSet, TxRwSet};
use proto::peer::{
    ChaincodeAction, ChaincodeEvent, ChaincodeHeaderExtension, TxValidationCode as Code,
};
use proto::transaction::Action;

/// The checked content of an endorsed transaction.
#[derive(Debug)]
pub(super) struct Effects {
    /// The chaincode that was invoked.
    pub(super) chaincode: String,
    /// What is written, by namespace; namespaces without writes are left out.
    pub(super) writes: BTreeMap<String, Writes>,
    /// The collections for which there is private data somewhere.
    pub(super) private: Vec<PrivateWrite>,
    /// The decoded read-write sets, for the ledger.
    pub(super) set: TxRwSet,
}

/// Private data a transaction announces by its hash.
#[derive(Debug)]
pub struct PrivateWrite {
    /// The namespace: a chaincode's name.
    pub namespace: String,
    /// Name of the collection.
    pub collection: String,
    /// SHA-256 of the private write set.
    pub hash: Bytes,
}

/// Keys whose value or metadata one transaction writes in one namespace.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Every public key written.
    pub(super) keys: BTreeSet<String>,
    /// Public keys whose metadata is written.
    pub(super) metadata: BTreeSet<String>,
    /// Hashed keys, by collection.
    pub(super) collections: BTreeMap<String, HashedWrites>,
}

/// Hashes of keys written in one collection.
#[derive(Debug, Default)]
pub(super) struct HashedWrites {
    /// Every key written.
    pub(super) keys: BTreeSet<Bytes>,
    /// Keys whose metadata is written.
    pub(super) metadata: BTreeSet<Bytes>,
}

impl Effects {
    /// Reads the content of `action`; `extension` is that of the envelope's channel header.
    pub(super) fn parse(extension: Bytes, action: &Action) -> Result<Self, Code> {
        let extension: ChaincodeHeaderExtension =
            proto::decode(extension).map_err(|_| Code::BadHeaderExtension)?;
        if action.response_payload.extension.is_empty() {
            return Err(Code::BadResponsePayload);
        }
        let result = action.chaincode_action().map_err(|_| Code::BadResponsePayload)?;
        let set = TxRwSet::decode(result.results.clone()).map_err(|_| Code::BadRwset)?;
        let chaincode = chaincode_name(extension, &result)?;
        check_event(&result, &chaincode)?;
        let private = set.namespaces.iter().flat_map(private_writes).collect();
        let writes = by_namespace(&set)?;
        Ok(Self { chaincode, writes, private, set })
    }

    /// The namespaces that need a definition and an endorsement: the invoked one first.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        let others = self.writes.keys().filter(|name| **name != self.chaincode);
        std::iter::once(self.chaincode.as_str()).chain(others.map(String::as_str))
    }
}

fn chaincode_name(
    extension: ChaincodeHeaderExtension,
    result: &ChaincodeAction,
) -> Result<String, Code> {
    let invoked = extension.chaincode_id.ok_or(Code::InvalidOtherReason)?;
    let executed = result.chaincode_id.as_ref().ok_or(Code::InvalidOtherReason)?;
    let agree =
        !invoked.name.is_empty() && invoked.name == executed.name && !executed.version.is_empty();
    if agree { Ok(invoked.name) } else { Err(Code::InvalidChaincode) }
}

fn check_event(result: &ChaincodeAction, chaincode: &str) -> Result<(), Code> {
    if result.events.is_empty() {
        return Ok(());
    }
    let event: ChaincodeEvent =
        proto::decode(result.events.clone()).map_err(|_| Code::InvalidOtherReason)?;
    if event.chaincode_id == chaincode { Ok(()) } else { Err(Code::InvalidOtherReason) }
}

fn private_writes(set: &NsRwSet) -> impl Iterator<Item = PrivateWrite> {
    let announced = |collection: &&CollectionRwSet| !collection.private_hash.is_empty();
    set.collections.iter().filter(announced).map(|collection| PrivateWrite {
        namespace: set.namespace.clone(),
        collection: collection.name.clone(),
        hash: collection.private_hash.clone(),
    })
}

fn by_namespace(set: &TxRwSet) -> Result<BTreeMap<String, Writes>, Code> {
    let mut seen = BTreeMap::new();
    for set in &set.namespaces {
        if seen.insert(set.namespace.clone(), Writes::of(set)).is_some() {
            return Err(Code::IllegalWriteset);
        }
    }
    seen.retain(|_, writes| !writes.is_empty());
    Ok(seen)
}

impl Writes {
    fn of(set: &NsRwSet) -> Self {
        let metadata: BTreeSet<_> =
            set.public.metadata_writes.iter().map(|write| write.key.clone()).collect();
        let mut keys = metadata.clone();
        keys.extend(set.public.writes.iter().map(|write| write.key.clone()));
        let mut collections = BTreeMap::<_, HashedWrites>::new();
        for collection in &set.collections {
            let writes = HashedWrites::of(collection);
            if !writes.keys.is_empty() {
                let all = collections.entry(collection.name.clone()).or_default();
                all.keys.extend(writes.keys);
                all.metadata.extend(writes.metadata);
            }
        }
        Self { keys, metadata, collections }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.collections.is_empty()
    }
}

impl HashedWrites {
    fn of(set: &CollectionRwSet) -> Self {
        let set = &set.hashed;
        let metadata: BTreeSet<_> =
            set.metadata_writes.iter().map(|write| write.key_hash.clone()).collect();
        let mut keys = metadata.clone();
        keys.extend(set.hashed_writes.iter().map(|write| write.key_hash.clone()));
        Self { keys, metadata }
    }
}
