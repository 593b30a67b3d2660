//! The part of validation that looks at the state before the block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use channel::Bundle;
use proto::common::ConfigEnvelope;
use proto::peer::TxValidationCode as Code;
use rayon::prelude::*;

use super::definitions::Definitions;
use super::endorsement::{Check, Key};
use super::prepare::{Content, Endorsed, Prepared};
use super::{Before, Halt, Policies};

/// The verdict on a block, before the ledger has looked at reads.
#[derive(Debug)]
pub struct Verdict {
    /// One code per transaction.
    pub codes: Vec<Code>,
    /// The configuration in force after this block, if the block changes it.
    pub bundle: Option<Arc<Bundle>>,
}

/// Judges a prepared block by the state `before` it. `policies` must be those of the configuration
/// the block was prepared with.
pub fn judge(
    prepared: &Prepared,
    before: &Before<'_>,
    policies: &Policies,
) -> Result<Verdict, Halt> {
    let bundle = apply_config(prepared)?;
    let judge = Judge::new(prepared, before, policies);
    let outcomes = judge.outcomes()?;
    let mut codes: Vec<Code> = outcomes.into_iter().map(|outcome| outcome.code).collect();
    mark_repeated(prepared, &mut codes);
    Ok(Verdict { codes, bundle })
}

/// The configuration after the block. One that cannot be applied stops the channel: it comes from
/// the ordering service, and a peer that skipped it would no longer know whom to trust.
fn apply_config(prepared: &Prepared) -> Result<Option<Arc<Bundle>>, Halt> {
    let mut next = None;
    for (index, transaction) in prepared.transactions.iter().enumerate() {
        if let Ok(Content::Config(bytes)) = &transaction.content {
            let current = next.as_ref().unwrap_or(&prepared.bundle);
            let applied =
                next_bundle(current, bytes).map_err(|reason| Halt::Config { index, reason })?;
            next = Some(Arc::new(applied));
        }
    }
    Ok(next)
}

fn next_bundle(current: &Bundle, bytes: &Bytes) -> Result<Bundle, String> {
    let envelope: ConfigEnvelope =
        proto::decode(bytes.clone()).map_err(|error| error.to_string())?;
    let next = channel::update::validate(current, &envelope).map_err(|error| error.to_string())?;
    check_capabilities(&next)?;
    Ok(next)
}

/// This validation is that of application capability V2_0; older channels are judged otherwise.
pub fn check_capabilities(bundle: &Bundle) -> Result<(), String> {
    let application = bundle.application().ok_or("configuration has no Application group")?;
    if application.capabilities.any(&["V2_0", "V2_5"]) {
        return Ok(());
    }
    Err("application capability V2_0 or later is required".into())
}

/// What became of one transaction.
#[derive(Debug)]
struct Outcome<'a> {
    code: Code,
    /// Namespaces whose endorsement was found sufficient, whatever became of the others.
    endorsed: BTreeSet<&'a str>,
}

impl Outcome<'_> {
    fn of(code: Code) -> Self {
        Self { code, endorsed: BTreeSet::new() }
    }
}

struct Judge<'a> {
    prepared: &'a Prepared,
    before: &'a Before<'a>,
    policies: &'a Policies,
    definitions: Definitions<'a>,
    /// Which transactions of the block change the policies of which keys.
    changes: BTreeMap<Key<'a>, Vec<usize>>,
}

impl<'a> Judge<'a> {
    fn new(prepared: &'a Prepared, before: &'a Before<'a>, policies: &'a Policies) -> Self {
        let definitions = Definitions::new(before, policies);
        Self { prepared, before, policies, definitions, changes: changes(prepared) }
    }

    /// Transactions that touch a key whose policy an earlier one changes have to wait for its
    /// outcome; all others are judged in parallel.
    fn outcomes(&self) -> Result<Vec<Outcome<'a>>, Halt> {
        let mut outcomes = (0..self.prepared.transactions.len())
            .into_par_iter()
            .map(|index| {
                let waits = self.waits(index);
                if waits { Ok(Outcome::of(Code::NotValidated)) } else { self.outcome(index, &[]) }
            })
            .collect::<Result<Vec<_>, Halt>>()?;
        if !self.changes.is_empty() {
            for index in 0..outcomes.len() {
                if self.waits(index) {
                    let outcome = self.outcome(index, &outcomes)?;
                    if let Some(place) = outcomes.get_mut(index) {
                        *place = outcome;
                    }
                }
            }
        }
        Ok(outcomes)
    }

    fn waits(&self, index: usize) -> bool {
        if self.changes.is_empty() {
            return false;
        }
        let earlier = |key: &Key<'_>| {
            self.changes.get(key).is_some_and(|by| by.iter().any(|other| *other < index))
        };
        self.endorsed(index).is_some_and(|endorsed| keys(endorsed).any(|key| earlier(&key)))
    }

    fn endorsed(&self, index: usize) -> Option<&'a Endorsed> {
        match &self.prepared.transactions.get(index)?.content {
            Ok(Content::Endorsed(endorsed)) => Some(endorsed),
            _ => None,
        }
    }

    /// Judges one transaction; `earlier` holds the outcomes of those it has to wait for.
    fn outcome(&self, index: usize, earlier: &[Outcome<'a>]) -> Result<Outcome<'a>, Halt> {
        let Some(transaction) = self.prepared.transactions.get(index) else {
            return Ok(Outcome::of(Code::NotValidated));
        };
        let endorsed = match &transaction.content {
            Err(code) => return Ok(Outcome::of(*code)),
            Ok(Content::Config(_)) => return Ok(Outcome::of(Code::Valid)),
            Ok(Content::Endorsed(endorsed)) => endorsed,
        };
        if self.before.tx_exists(&transaction.tx_id)? {
            return Ok(Outcome::of(Code::DuplicateTxid));
        }
        let changed = |key: &Key<'_>| {
            let by = self.changes.get(key).map_or(&[][..], Vec::as_slice);
            by.iter().filter(|other| **other < index).any(|other| {
                earlier.get(*other).is_some_and(|outcome| outcome.endorsed.contains(key.namespace))
            })
        };
        self.namespaces(endorsed, changed)
    }

    fn namespaces(
        &self,
        endorsed: &'a Endorsed,
        changed: impl Fn(&Key<'_>) -> bool,
    ) -> Result<Outcome<'a>, Halt> {
        let effects = match &endorsed.effects {
            Ok(effects) => effects,
            Err(code) => return Ok(Outcome::of(*code)),
        };
        let mut outcome = Outcome::of(Code::Valid);
        for namespace in effects.namespaces() {
            let Some(rules) = self.definitions.get(namespace)? else {
                outcome.code = Code::InvalidChaincode;
                break;
            };
            let check = Check {
                namespace,
                writes: effects.writes.get(namespace),
                rules: &rules,
                endorsers: &endorsed.endorsers,
                before: self.before,
                policies: self.policies,
            };
            if !check.passes(&changed)? {
                outcome.code = Code::EndorsementPolicyFailure;
                break;
            }
            outcome.endorsed.insert(namespace);
        }
        Ok(outcome)
    }
}

fn changes(prepared: &Prepared) -> BTreeMap<Key<'_>, Vec<usize>> {
    let mut changes = BTreeMap::<_, Vec<usize>>::new();
    for (index, transaction) in prepared.transactions.iter().enumerate() {
        let Ok(Content::Endorsed(Endorsed { effects: Ok(effects), .. })) = &transaction.content
        else {
            continue;
        };
        for (namespace, writes) in &effects.writes {
            let public = writes.metadata.iter().map(|key| (None, key.as_bytes()));
            let hashed = writes.collections.iter().flat_map(|(collection, hashed)| {
                hashed.metadata.iter().map(|key| (Some(collection.as_str()), key.as_ref()))
            });
            for (collection, key) in public.chain(hashed) {
                changes.entry(Key { namespace, collection, key }).or_default().push(index);
            }
        }
    }
    changes
}

/// All keys a transaction writes.
fn keys(endorsed: &Endorsed) -> impl Iterator<Item = Key<'_>> {
    let writes = endorsed.effects.as_ref().map(|effects| &effects.writes).into_iter().flatten();
    writes.flat_map(|(namespace, writes)| {
        let public =
            writes.keys.iter().map(|key| Key { namespace, collection: None, key: key.as_bytes() });
        let hashed = writes.collections.iter().flat_map(move |(collection, hashed)| {
            let collection = Some(collection.as_str());
            hashed.keys.iter().map(move |key| Key { namespace, collection, key })
        });
        public.chain(hashed)
    })
}

/// Of transactions with the same id that passed so far, the first counts.
fn mark_repeated(prepared: &Prepared, codes: &mut [Code]) {
    let mut seen = BTreeSet::new();
    for (transaction, code) in prepared.transactions.iter().zip(codes) {
        let counts =
            *code == Code::Valid && matches!(transaction.content, Ok(Content::Endorsed(_)));
        if counts && !seen.insert(transaction.tx_id.as_str()) {
            *code = Code::DuplicateTxid;
        }
    }
}
