//! Which rules a namespace is under, as of the state before the block; looked up once per block.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Policy;
use parking_lot::Mutex;
use prost::Message;

use super::{Before, Halt, Policies};
use crate::lifecycle::definitions::implicit_organization;
use crate::lifecycle::{self, Definition};

/// The namespace of chaincode definitions.
const LIFECYCLE: &str = "_lifecycle";
/// The validation this module is about, under the name definitions give it.
const PLUGIN: &str = "vscc";

/// The rules of one namespace.
#[derive(Debug)]
pub(super) struct Rules {
    /// What endorsements must satisfy; `None` if nobody can.
    pub(super) chaincode: Option<Policy>,
    /// The definition, except for `_lifecycle`, which has none.
    definition: Option<Definition>,
}

/// The policy a write to a collection is under.
#[derive(Debug)]
pub(super) enum CollectionPolicy {
    /// There is no such collection, or nobody satisfies its policy.
    Unsatisfiable,
    /// The collection's own.
    Own(Policy),
    /// That of the chaincode.
    Chaincode,
}

/// The rules of the namespaces met in one block.
pub(super) struct Definitions<'a> {
    before: &'a Before<'a>,
    policies: &'a Policies,
    known: Mutex<BTreeMap<String, Option<Arc<Rules>>>>,
}

impl<'a> Definitions<'a> {
    pub(super) fn new(before: &'a Before<'a>, policies: &'a Policies) -> Self {
        Self { before, policies, known: Mutex::default() }
    }

    /// The rules of a namespace; `None` if it has no usable definition.
    pub(super) fn get(&self, namespace: &str) -> Result<Option<Arc<Rules>>, Halt> {
        if let Some(known) = self.known.lock().get(namespace) {
            return Ok(known.clone());
        }
        let rules = self.load(namespace)?.map(Arc::new);
        self.known.lock().insert(namespace.to_owned(), rules.clone());
        Ok(rules)
    }

    fn load(&self, namespace: &str) -> Result<Option<Rules>, Halt> {
        if namespace == LIFECYCLE {
            return Ok(Some(Rules { chaincode: self.policies.lifecycle(), definition: None }));
        }
        let Some(definition) = self.before.definition(namespace)? else {
            return Ok(None);
        };
        let plugin = definition.validation_plugin();
        if plugin.is_empty() || definition.validation_parameter().is_empty() {
            return Ok(None);
        }
        if plugin != PLUGIN {
            return Err(Halt::Plugin { chaincode: namespace.into(), plugin: plugin.into() });
        }
        let chaincode = self.policies.application(definition.validation_parameter());
        Ok(Some(Rules { chaincode, definition: Some(definition) }))
    }
}

impl Rules {
    /// The policy for writes to `collection`.
    pub(super) fn collection(&self, collection: &str, policies: &Policies) -> CollectionPolicy {
        use CollectionPolicy::{Chaincode, Own, Unsatisfiable};
        if let Some(msp_id) = implicit_organization(collection) {
            return policies.implicit_collection(msp_id).map_or(Unsatisfiable, Own);
        }
        let config = self.definition.as_ref().and_then(|found| found.collection(collection));
        match config.map(|config| config.endorsement_policy.as_ref()) {
            None => Unsatisfiable,
            Some(None) => Chaincode,
            Some(Some(policy)) => {
                policies.application(&policy.encode_to_vec().into()).map_or(Unsatisfiable, Own)
            }
        }
    }
}

/// A definition that is there but incomplete counts as absent: Fabric does not survive it, and a
/// channel must not stop because of what a transaction wrote.
pub(super) fn usable(
    found: Result<Option<Definition>, lifecycle::Error>,
    chaincode: &str,
) -> Result<Option<Definition>, Halt> {
    match found {
        Ok(definition) => Ok(definition),
        Err(lifecycle::Error::Ledger(source)) => Err(Halt::Ledger(source)),
        Err(lifecycle::Error::State(source)) => Err(Halt::Ledger(source.into())),
        Err(error) => {
            tracing::warn!(chaincode, %error, "chaincode definition is not usable");
            Ok(None)
        }
    }
}
