//! Who is served, and who no longer is.

use std::time::Duration;

use bytes::Bytes;
use deliver::seek::{self, newest, oldest};
use msp::SigningIdentity;
use node::tls::ClientTls;
use prost::Message;
use proto::common::{ChannelHeader, Envelope, Header, Payload, Status};

use crate::consortium::{CHANNEL, seconds};
use crate::orderer::Answer;
use crate::seeking::{Network, fail_if_not_ready};

impl Network {
    async fn check(&self, envelope: Envelope, expected: Status, why: &str) {
        let mut stream = self.open().await;
        stream.ask(envelope).await;
        assert_eq!(stream.numbers().await.1, expected, "{why}");
    }

    fn by(&self, signer: &SigningIdentity) -> Envelope {
        let seek = fail_if_not_ready(oldest(), newest());
        seek::envelope(signer, CHANNEL, &seek, Some(self.tls.certificate_hash())).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_readers_of_the_channel_are_served() {
    let network = Network::start(2).await;
    let consortium = &network.consortium;
    let expired = consortium.users.member_until("peer", seconds() - 60);
    for (signer, expected, why) in [
        (network.reader.clone(), Status::Success, "a peer"),
        (consortium.users.member("client"), Status::Success, "a client"),
        (consortium.orderers.member("orderer"), Status::Success, "an orderer"),
        (consortium.users.member("nobody"), Status::Forbidden, "no role"),
        (consortium.strangers.member("peer"), Status::Forbidden, "a stranger"),
        (expired, Status::Forbidden, "expired"),
    ] {
        network.check(network.by(&signer), expected, why).await;
    }
    let mut forged = network.by(&network.reader);
    forged.signature = network.by(&network.reader).signature;
    network.check(forged, Status::Forbidden, "another signature").await;
}

/// The envelope with another channel header, signed again.
fn with_header(
    envelope: &Envelope,
    signer: &SigningIdentity,
    change: impl FnOnce(&mut ChannelHeader),
) -> Envelope {
    let mut payload = Payload::decode(envelope.payload.clone()).unwrap();
    let header = payload.header.as_mut().unwrap();
    let mut channel_header = ChannelHeader::decode(header.channel_header.clone()).unwrap();
    change(&mut channel_header);
    header.channel_header = channel_header.encode_to_vec().into();
    let payload = Bytes::from(payload.encode_to_vec());
    let signature = signer.sign(&payload).unwrap();
    Envelope { payload, signature }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_a_status_not_an_error() {
    let network = Network::start(2).await;
    let good = network.by(&network.reader);
    let with = |change: fn(&mut ChannelHeader)| with_header(&good, &network.reader, change);
    let of = |payload: Vec<u8>| Envelope { payload: payload.into(), signature: Bytes::new() };
    let no_header = Payload { header: None, data: Bytes::new() }.encode_to_vec();
    let empty_header =
        Payload { header: Some(Header::default()), data: Bytes::new() }.encode_to_vec();
    let mut no_seek = Payload::decode(good.payload.clone()).unwrap();
    no_seek.data = b"\xff\xff".as_slice().into();
    for (envelope, expected, why) in [
        (Envelope::default(), Status::BadRequest, "empty"),
        (of(b"\xff".to_vec()), Status::BadRequest, "junk"),
        (of(no_header), Status::BadRequest, "no header"),
        (of(empty_header), Status::BadRequest, "empty header"),
        (of(no_seek.encode_to_vec()), Status::BadRequest, "junk instead of a seek"),
        (with(|header| header.timestamp = None), Status::BadRequest, "no time"),
        (
            with(|header| header.timestamp.as_mut().unwrap().seconds -= 16 * 60),
            Status::BadRequest,
            "too old",
        ),
        (
            with(|header| header.timestamp.as_mut().unwrap().seconds = i64::MAX),
            Status::BadRequest,
            "from the end of time",
        ),
        (
            with(|header| header.timestamp.as_mut().unwrap().seconds += 14 * 60),
            Status::Success,
            "a little ahead",
        ),
        (with(|header| header.tls_cert_hash = Bytes::new()), Status::BadRequest, "not bound"),
        (
            with(|header| header.tls_cert_hash = vec![1; 32].into()),
            Status::BadRequest,
            "bound elsewhere",
        ),
        (with(|header| header.channel_id = "other".into()), Status::NotFound, "unknown channel"),
        (with(|header| header.r#type = 99), Status::Success, "the type does not matter"),
    ] {
        network.check(envelope, expected, why).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_connection_does_not_bind() {
    let network = Network::start(2).await;
    let other: ClientTls = network.consortium.users.client_tls();
    let mut stream = network.orderer.open(&network.consortium.orderers, &other).await;
    stream.ask(network.by(&network.reader)).await;
    assert_eq!(stream.numbers().await, (vec![], Status::BadRequest));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_channel_is_not_served_any_more() {
    let network = Network::start(2).await;
    let mut stream = network.open().await;
    stream.ask(network.request(&seek::follow(1))).await;
    assert!(matches!(stream.next().await, Answer::Block(_)));
    let (users, orderers) = (&network.consortium.users, &network.consortium.orderers);
    let admins = [&*users.member("admin"), &*orderers.member("admin")];
    let remove_readers = |config: &mut proto::common::Config| {
        let root = config.channel_group.as_mut().unwrap();
        let users = root.groups.get_mut("Application").unwrap().groups.get_mut("Users").unwrap();
        let admins = users.policies["Admins"].policy.clone();
        users.policies.get_mut("Readers").unwrap().policy = admins;
    };
    network.chain.reconfigure(remove_readers, &admins, &network.signer);
    assert_eq!(stream.next().await, Answer::Status(Status::Forbidden));
    assert_eq!(stream.next().await, Answer::End);
    let admin = users.member("admin");
    network.check(network.by(&admin), Status::Success, "an administrator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_may_expire_while_blocks_are_delivered() {
    let network = Network::start(2).await;
    let passing = network.consortium.users.member_until("peer", seconds() + 4);
    let mut stream = network.open().await;
    let seek = seek::follow(1);
    let request =
        seek::envelope(&passing, CHANNEL, &seek, Some(network.tls.certificate_hash())).unwrap();
    stream.ask(request).await;
    assert!(matches!(stream.next().await, Answer::Block(_)));
    let deadline = tokio::time::Instant::now() + crate::orderer::SOON;
    loop {
        assert!(tokio::time::Instant::now() < deadline, "still served");
        network.chain.grow(1, &network.signer);
        match stream.next().await {
            Answer::Block(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            answer => {
                assert_eq!(answer, Answer::Status(Status::Forbidden));
                break;
            }
        }
    }
}
