//! The policies a question is about: those of chaincodes, collections and keys, all as signature
//! policies.

use std::collections::BTreeSet;

use channel::{Bundle, Policy};
use ledger::View;
use prost::Message;
use proto::common::{MspPrincipal, SignaturePolicyEnvelope, signature_policy};
use proto::peer::{ChaincodeCall, ChaincodeInterest, StaticCollectionConfig};

use super::Error;
use crate::lifecycle::state::NAMESPACE;
use crate::lifecycle::{Definition, approvals, definitions};

/// The policy of changes of definitions, if the channel has it.
const LIFECYCLE_POLICY: &str = "/Channel/Application/LifecycleEndorsement";

/// What the channel says about the chaincodes of a question.
pub(super) struct Question<'a> {
    pub(super) view: &'a View,
    pub(super) bundle: &'a Bundle,
}

impl Question<'_> {
    pub(super) fn definition(&self, chaincode: &str) -> Result<Definition, Error> {
        definitions::get(self.view, chaincode)?
            .ok_or_else(|| Error::NotDefined(chaincode.to_owned()))
    }

    /// The different policies of all calls.
    pub(super) fn policies(
        &self,
        interest: &ChaincodeInterest,
    ) -> Result<Vec<SignaturePolicyEnvelope>, Error> {
        let (mut policies, mut seen) = (Vec::new(), BTreeSet::new());
        for call in &interest.chaincodes {
            for policy in self.policies_of_call(call)? {
                if seen.insert(policy.encode_to_vec()) {
                    policies.push(policy);
                }
            }
        }
        Ok(policies)
    }

    fn policies_of_call(
        &self,
        call: &ChaincodeCall,
    ) -> Result<Vec<SignaturePolicyEnvelope>, Error> {
        let mut policies = call.key_policies.clone();
        if call.disregard_namespace_policy && !policies.is_empty() {
            return Ok(policies);
        }
        for name in &call.collection_names {
            policies.push(self.collection_policy(&call.name, name)?);
        }
        if call.collection_names.is_empty() {
            policies.push(self.chaincode_policy(&call.name)?);
        }
        Ok(policies)
    }

    fn chaincode_policy(&self, chaincode: &str) -> Result<SignaturePolicyEnvelope, Error> {
        if chaincode == NAMESPACE {
            return Ok(match self.bundle.policy(LIFECYCLE_POLICY) {
                Ok(policy) => policy.to_signature_policy(),
                Err(_) => majority(&approvals::organizations(self.bundle)),
            });
        }
        let definition = self.definition(chaincode)?;
        let policy = self.bundle.application_policy_bytes(definition.validation_parameter());
        compiled(chaincode, policy)
    }

    fn collection_policy(
        &self,
        chaincode: &str,
        collection: &str,
    ) -> Result<SignaturePolicyEnvelope, Error> {
        if let Some(msp_id) = definitions::implicit_organization(collection) {
            return Ok(self.organization_policy(msp_id));
        }
        match self.collection(chaincode, collection)?.endorsement_policy {
            Some(policy) => {
                let policy = self.bundle.application_policy_bytes(&policy.encode_to_vec());
                compiled(collection, policy)
            }
            None => self.chaincode_policy(chaincode),
        }
    }

    /// An organization's implicit collection is endorsed by its own policy or any member.
    fn organization_policy(&self, msp_id: &str) -> SignaturePolicyEnvelope {
        let orgs = self.bundle.application().map(|application| &application.orgs);
        let group = orgs.and_then(|orgs| orgs.iter().find(|(_, org)| org.msp_id == msp_id));
        let policy = group.and_then(|(name, _)| {
            self.bundle.policy(&format!("/Channel/Application/{name}/Endorsement")).ok()
        });
        match policy {
            Some(policy) => policy.to_signature_policy(),
            None => n_of_members(1, std::slice::from_ref(&msp_id)),
        }
    }

    fn collection(
        &self,
        chaincode: &str,
        collection: &str,
    ) -> Result<StaticCollectionConfig, Error> {
        definitions::collection(self.view, chaincode, collection)?.ok_or_else(|| {
            Error::NoCollection { chaincode: chaincode.into(), collection: collection.into() }
        })
    }

    /// Whose peers hold a collection.
    pub(super) fn members(
        &self,
        chaincode: &str,
        collection: &str,
    ) -> Result<Vec<MspPrincipal>, Error> {
        let config = self.collection(chaincode, collection)?;
        let policy = definitions::member_policy(&config);
        Ok(policy.map(|policy| policy.identities.clone()).unwrap_or_default())
    }
}

fn compiled(
    subject: &str,
    policy: Result<Policy, channel::policy::Error>,
) -> Result<SignaturePolicyEnvelope, Error> {
    policy
        .map(|policy| policy.to_signature_policy())
        .map_err(|source| Error::Policy { subject: subject.to_owned(), source })
}

/// More than half of the organizations, each by any member.
fn majority(msp_ids: &[String]) -> SignaturePolicyEnvelope {
    n_of_members(msp_ids.len() / 2 + 1, msp_ids)
}

fn n_of_members(n: usize, msp_ids: &[impl AsRef<str>]) -> SignaturePolicyEnvelope {
    use proto::common::SignaturePolicy;
    use signature_policy::{NOutOf, Type};
    let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let signed_by = |index| SignaturePolicy { r#type: Some(Type::SignedBy(small(index))) };
    let rules = (0..msp_ids.len()).map(signed_by).collect();
    let gate = Type::NOutOf(NOutOf { n: small(n), rules });
    SignaturePolicyEnvelope {
        version: 0,
        rule: Some(SignaturePolicy { r#type: Some(gate) }),
        identities: msp_ids.iter().map(|id| msp::principal::member(id.as_ref())).collect(),
    }
}
