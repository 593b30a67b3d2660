//! Who may use a private collection.
//!
//! The first use of a collection reads the chaincode's whole definition, and these reads are part
//! of the transaction: a change of the definition invalidates it.

use channel::policy::SignaturePolicy;
use proto::peer::StaticCollectionConfig;
use runtime::StubError;

use super::transaction::Transaction;
use crate::lifecycle::{Definition, approvals, definitions};

/// What the creator of a proposal may do in a collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Membership {
    reads: bool,
    writes: bool,
}

/// What is about to be done in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Clear values are read.
    Read,
    /// Something is written.
    Write,
    /// Hashes are read, which everyone may.
    ReadHash,
}

impl Transaction<'_> {
    /// Checks that the collection exists and the creator may use it.
    pub(super) fn check_collection(
        &mut self,
        chaincode: &str,
        collection: &str,
        what: Use,
    ) -> Result<(), StubError> {
        let key = (chaincode.to_owned(), collection.to_owned());
        let membership = match self.collections.get(&key) {
            Some(known) => *known,
            None => {
                let found = self.membership(chaincode, collection)?;
                *self.collections.entry(key).or_insert(found)
            }
        };
        let (allowed, kind) = match what {
            Use::ReadHash => return Ok(()),
            Use::Read => (membership.reads, "read"),
            Use::Write => (membership.writes, "write"),
        };
        if allowed {
            return Ok(());
        }
        Err(StubError::Refused(format!(
            "tx creator does not have {kind} access permission on privatedata in \
             chaincodeName:{chaincode} collectionName: {collection}"
        )))
    }

    fn membership(&mut self, chaincode: &str, collection: &str) -> Result<Membership, StubError> {
        let definition = definitions::get_recorded(&mut self.simulator, chaincode)
            .map_err(|error| StubError::Failed(error.to_string()))?;
        let config = self.collection_config(chaincode, collection, definition.as_ref())?;
        if !config.member_only_read && !config.member_only_write {
            return Ok(Membership { reads: true, writes: true });
        }
        let is_member = self.is_member(&config);
        Ok(Membership {
            reads: is_member || !config.member_only_read,
            writes: is_member || !config.member_only_write,
        })
    }

    fn collection_config(
        &self,
        chaincode: &str,
        collection: &str,
        definition: Option<&Definition>,
    ) -> Result<StaticCollectionConfig, StubError> {
        let Some(definition) = definition else {
            return Err(StubError::Refused(format!(
                "collection config not defined for chaincode [{chaincode}], pass the collection \
                 configuration upon chaincode definition/instantiation"
            )));
        };
        let config = match definitions::implicit_organization(collection) {
            Some(msp_id) => approvals::organizations(&self.bundle)
                .iter()
                .any(|known| known == msp_id)
                .then(|| definitions::implicit_collection(msp_id)),
            None => definition.collection(collection).cloned(),
        };
        config.ok_or_else(|| {
            StubError::Refused(format!(
                "collection [{collection}] not defined in the collection config for chaincode \
                 [{chaincode}]"
            ))
        })
    }

    fn is_member(&self, config: &StaticCollectionConfig) -> bool {
        let policy = definitions::member_policy(config);
        let Some(policy) = policy.and_then(|policy| SignaturePolicy::compile(policy).ok()) else {
            return false;
        };
        self.bundle
            .msps()
            .deserialize(&self.proposal.peeled.signature_header.creator)
            .is_ok_and(|creator| policy.evaluate(&[creator]).is_ok())
    }
}
