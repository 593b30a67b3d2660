//! The policies transactions are judged by, compiled once per configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use channel::{Bundle, Policy};
use lru::LruCache;
use parking_lot::Mutex;
use proto::common::{SignaturePolicy, SignaturePolicyEnvelope, signature_policy};

/// Compiled policies kept per configuration.
const COMPILED_MAX: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// The policy for changes of chaincode definitions, if the channel has it.
const LIFECYCLE_ENDORSEMENT: &str = "/Channel/Application/LifecycleEndorsement";

/// The policies of one configuration. A policy that does not exist or does not compile is `None`:
/// nobody satisfies it.
pub struct Policies {
    bundle: Arc<Bundle>,
    compiled: Mutex<LruCache<(Form, Bytes), Option<Policy>>>,
}

/// How a policy is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// `ApplicationPolicy`
    Application,
    /// `SignaturePolicyEnvelope`
    Signature,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies")
            .field("sequence", &self.bundle.sequence())
            .finish_non_exhaustive()
    }
}

impl Policies {
    /// The policies of `bundle`.
    pub fn new(bundle: Arc<Bundle>) -> Self {
        Self { bundle, compiled: Mutex::new(LruCache::new(COMPILED_MAX)) }
    }

    /// The configuration whose policies these are.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The policy in a chaincode or collection definition, an encoded `ApplicationPolicy`.
    pub(super) fn application(&self, bytes: &Bytes) -> Option<Policy> {
        self.compile(Form::Application, bytes, |bytes| {
            self.bundle.application_policy_bytes(&bytes).ok()
        })
    }

    /// The policy set on a key, an encoded `SignaturePolicyEnvelope`. Where it does not parse,
    /// Fabric stops the channel; here nobody satisfies it, so that the channel lives on.
    pub(super) fn key(&self, bytes: &Bytes) -> Option<Policy> {
        self.compile(Form::Signature, bytes, |bytes| {
            self.signature(&proto::decode::<SignaturePolicyEnvelope>(bytes).ok()?)
        })
    }

    /// The policy for `_lifecycle`: the channel's own, or a majority of its organizations.
    pub(super) fn lifecycle(&self) -> Option<Policy> {
        if self.bundle.has_policy(LIFECYCLE_ENDORSEMENT) {
            return self.bundle.policy(LIFECYCLE_ENDORSEMENT).ok();
        }
        let orgs = &self.bundle.application()?.orgs;
        let mut msp_ids: Vec<_> = orgs.values().map(|org| org.msp_id.as_str()).collect();
        msp_ids.sort_unstable();
        msp_ids.dedup();
        self.signature(&majority_of_members(&msp_ids))
    }

    /// The policy of an organization's implicit collection: the organization's own policy for
    /// endorsements, or any of its members. `None` for organizations that are not in the channel.
    pub(super) fn implicit_collection(&self, msp_id: &str) -> Option<Policy> {
        let orgs = &self.bundle.application()?.orgs;
        let (group, _) = orgs.iter().find(|(_, org)| org.msp_id == msp_id)?;
        let path = format!("/Channel/Application/{group}/Endorsement");
        if self.bundle.has_policy(&path) {
            return self.bundle.policy(&path).ok();
        }
        self.signature(&majority_of_members(&[msp_id]))
    }

    fn signature(&self, envelope: &SignaturePolicyEnvelope) -> Option<Policy> {
        Policy::signature(envelope, self.bundle.msps()).ok()
    }

    fn compile(
        &self,
        form: Form,
        bytes: &Bytes,
        compile: impl FnOnce(Bytes) -> Option<Policy>,
    ) -> Option<Policy> {
        let key = (form, bytes.clone());
        if let Some(known) = self.compiled.lock().get(&key) {
            return known.clone();
        }
        // Own bytes: what is cached must not keep a whole block alive.
        let bytes = Bytes::copy_from_slice(bytes);
        let policy = compile(bytes.clone());
        self.compiled.lock().put((form, bytes), policy.clone());
        policy
    }
}

fn majority_of_members(msp_ids: &[&str]) -> SignaturePolicyEnvelope {
    let signed_by =
        |index| SignaturePolicy { r#type: Some(signature_policy::Type::SignedBy(index)) };
    let rules: Vec<_> = (0..).take(msp_ids.len()).map(signed_by).collect();
    let n = i32::try_from(msp_ids.len() / 2 + 1).unwrap_or(i32::MAX);
    let gate = signature_policy::NOutOf { n, rules };
    SignaturePolicyEnvelope {
        version: 0,
        rule: Some(SignaturePolicy { r#type: Some(signature_policy::Type::NOutOf(gate)) }),
        identities: msp_ids.iter().map(|msp_id| msp::principal::member(msp_id)).collect(),
    }
}
