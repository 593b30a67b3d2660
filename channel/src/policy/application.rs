//! Policies of chaincode definitions and collections: their own, or one of the channel's by name.

use proto::common::application_policy::Type;
use proto::common::{ApplicationPolicy, SignaturePolicyEnvelope};

/// The policy of a chaincode definition that names none.
pub const DEFAULT_ENDORSEMENT: &str = "/Channel/Application/Endorsement";

/// A reference to a policy of the channel configuration. A relative name is one of the
/// application's policies.
pub fn reference(name: &str) -> ApplicationPolicy {
    let path = if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/Channel/Application/{name}")
    };
    ApplicationPolicy { r#type: Some(Type::ChannelConfigPolicyReference(path)) }
}

/// A signature policy of its own.
pub fn signature_policy(policy: SignaturePolicyEnvelope) -> ApplicationPolicy {
    ApplicationPolicy { r#type: Some(Type::SignaturePolicy(policy)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_default_reference_has_the_bytes_of_fabric() {
        let expected = "12202f4368616e6e656c2f4170706c69636174696f6e2f456e646f7273656d656e74";
        assert_eq!(hex::encode(reference("Endorsement").encode_to_vec()), expected);
        assert_eq!(reference(DEFAULT_ENDORSEMENT), reference("Endorsement"));
    }
}
