//! Whether this peer is one of those that hold a collection.

use bytes::Bytes;
use channel::{Bundle, Policy};
use ledger::View;
use msp::Identity;
use proto::peer::StaticCollectionConfig;
use proto::peer::collection_policy_config::Payload;

use crate::lifecycle;
use crate::lifecycle::definitions::{self, implicit_organization};

/// This peer, asked about collections.
#[derive(Debug, Clone)]
pub struct Member {
    msp_id: String,
    identity: Bytes,
}

impl Member {
    /// The peer with this serialized identity, of organization `msp_id`.
    pub fn new(msp_id: impl Into<String>, identity: Bytes) -> Self {
        Self { msp_id: msp_id.into(), identity }
    }

    /// Whether this peer holds a collection, by the definitions in `view`.
    pub fn holds(
        &self,
        bundle: &Bundle,
        view: &View,
        namespace: &str,
        collection: &str,
    ) -> Result<bool, lifecycle::Error> {
        if let Some(msp_id) = implicit_organization(collection) {
            return Ok(msp_id == self.msp_id);
        }
        // An incomplete definition defines no collection, as in validation.
        let config = match definitions::collection(view, namespace, collection) {
            Ok(Some(config)) => config,
            Ok(None) | Err(lifecycle::Error::Corrupt(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Ok(identity) = bundle.msps().deserialize(&self.identity) else {
            return Ok(false);
        };
        Ok(is_member(bundle, &config, &identity))
    }
}

/// Whether `identity` is a member by the collection's member policy.
pub fn is_member(bundle: &Bundle, config: &StaticCollectionConfig, identity: &Identity) -> bool {
    let policy = config.member_orgs_policy.as_ref().and_then(|policy| policy.payload.as_ref());
    let Some(Payload::SignaturePolicy(envelope)) = policy else {
        return false;
    };
    Policy::signature(envelope, bundle.msps())
        .is_ok_and(|policy| policy.evaluate_identities(std::slice::from_ref(identity)).is_ok())
}
