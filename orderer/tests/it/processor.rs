//! Which envelopes may be ordered.

use channel::Bundle;
use channel::genesis::{Organization, Profile};
use orderer::message_processor::Processor;
use proto::common::{Envelope, HeaderType, Status};
use proto::envelope::Envelope as Peeled;

use crate::network::{CHANNEL, Org, envelope};

struct Case {
    ordering: Org,
    members: Org,
    bundle: Bundle,
}

impl Case {
    fn new() -> Self {
        let (ordering, members) = (Org::new("OrdererMSP"), Org::new("HospitalMSP"));
        let mut profile = Profile::new(CHANNEL);
        let organization =
            Organization::ordering("Ordering", ordering.msp_id, ordering.definition());
        profile.orderer.organizations = vec![organization];
        let certificate = ordering.tls("orderer").0;
        profile.orderer.raft.consenters = vec![proto::etcdraft::Consenter {
            host: "127.0.0.1".to_owned(),
            port: 7050,
            client_tls_cert: certificate.clone().into(),
            server_tls_cert: certificate.into(),
        }];
        profile.orderer.batch_size.absolute_max_bytes = 3000;
        profile.orderer.batch_size.preferred_max_bytes = 2000;
        let organization = Organization::using("Hospital", members.msp_id, members.definition());
        profile.application.organizations = vec![organization];
        let bundle = Bundle::from_block(&profile.block().unwrap()).unwrap();
        Self { ordering, members, bundle }
    }

    #[track_caller]
    fn check(&self, envelope: Envelope, expected: Result<(), (Status, &str)>) {
        let processor = Processor::new(self.ordering.identity("orderer", "orderer"), true);
        let peeled = Peeled::peel(envelope).unwrap();
        match (processor.process(&self.bundle, &peeled), expected) {
            (Ok(accepted), Ok(())) => {
                assert_eq!(accepted.size, peeled.payload.len() + peeled.signature.len());
                assert_eq!(accepted.sequence, 0);
                proto::envelope::check_canonical(&accepted.envelope).unwrap();
                assert_eq!(processor.recheck(&self.bundle, &peeled), Ok(accepted));
            }
            (Err(rejection), Err((status, text))) => {
                assert_eq!(rejection.status, status, "{rejection}");
                assert!(rejection.info.contains(text), "{rejection} lacks {text}");
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    fn by(&self, org: &Org, role: &str) -> Envelope {
        envelope(&org.identity(role, role), CHANNEL, HeaderType::EndorserTransaction, vec![1; 100])
    }
}

#[test]
fn writers_may_write() {
    let case = Case::new();
    case.check(case.by(&case.members, "client"), Ok(()));
    case.check(case.by(&case.members, "admin"), Ok(()));
    case.check(case.by(&case.ordering, "orderer"), Ok(()));
    let refused = Err((Status::Forbidden, "permission denied"));
    case.check(case.by(&case.members, "peer"), refused);
    case.check(case.by(&Org::new("HospitalMSP"), "client"), refused);
    case.check(case.by(&Org::new("OtherMSP"), "client"), refused);
    let plain = case.members.identity("client", "client");
    case.check(envelope(&plain, CHANNEL, HeaderType::Message, vec![1]), Ok(()));
}

#[test]
fn an_expired_identity_is_told_so() {
    let case = Case::new();
    let expired = case.members.identity_until("client", "client", 1_700_000_000 + 7200);
    let late = envelope(&expired, CHANNEL, HeaderType::EndorserTransaction, vec![1]);
    // Whatever else is wrong with it.
    let processor = Processor::new(case.ordering.identity("orderer", "orderer"), true);
    let refused = processor.process(&case.bundle, &Peeled::peel(late).unwrap()).unwrap_err();
    assert_eq!(refused.info, "broadcast client identity expired");
}

#[test]
fn size_is_payload_and_signature() {
    let case = Case::new();
    let signer = case.members.identity("client", "client");
    let sized =
        |data: usize| envelope(&signer, CHANNEL, HeaderType::EndorserTransaction, vec![1; data]);
    let overhead = sized(1000).payload.len() - 1000;
    let mut large = sized(3000 - overhead);
    case.check(large.clone(), Err((Status::BadRequest, "exceeds maximum allowed 3000 bytes")));
    large.signature = vec![1; 3001].into();
    case.check(large, Err((Status::BadRequest, "exceeds maximum allowed 3000 bytes")));
    case.check(sized(3000 - overhead - 80), Ok(()));
}

#[test]
fn signatures_must_be_there_and_good() {
    let case = Case::new();
    let good = case.by(&case.members, "client");
    let unsigned = Envelope { signature: Vec::new().into(), ..good.clone() };
    case.check(unsigned, Err((Status::BadRequest, "not signed")));
    let forged = Envelope { signature: vec![0x30, 0].into(), ..good.clone() };
    case.check(forged, Err((Status::Forbidden, "permission denied")));
    let mut payload = good.payload.to_vec();
    *payload.last_mut().unwrap() ^= 1;
    let tampered = Envelope { payload: payload.into(), ..good };
    case.check(tampered, Err((Status::Forbidden, "permission denied")));
}

#[test]
fn types_that_are_not_for_clients_are_refused() {
    let case = Case::new();
    let signer = case.ordering.identity("orderer", "orderer");
    for (kind, text) in [
        (HeaderType::Config, "cannot be processed directly"),
        (HeaderType::OrdererTransaction, "not supported"),
        (HeaderType::ConfigUpdate, "error applying config update"),
    ] {
        case.check(
            envelope(&signer, CHANNEL, kind, vec![0xff; 9]),
            Err((Status::BadRequest, text)),
        );
    }
}
