//! What is checked of a proposal before anything runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use msp::{Identity, Manager};
use proto::common::{ChannelHeader, HeaderType};
use proto::transaction::{PeeledProposal, tx_id};

use super::Error;

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The client's clock must be near the peer's, so that old proposals cannot be replayed.
pub(super) fn clock(
    header: &ChannelHeader,
    now: i64,
    difference_max: Duration,
) -> Result<(), Error> {
    let client = header.timestamp.as_ref().map_or(0, |timestamp| timestamp.seconds);
    if client.abs_diff(now) <= difference_max.as_secs() {
        return Ok(());
    }
    Err(Error::Clock { client, peer: now })
}

/// The headers must be complete and the id that of nonce and creator.
pub(super) fn headers(proposal: &PeeledProposal) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::Invalid(text));
    let (channel, signature) = (&proposal.channel_header, &proposal.signature_header);
    let kind = channel.r#type;
    if kind != HeaderType::EndorserTransaction as i32 && kind != HeaderType::Config as i32 {
        let name = HeaderType::try_from(kind).map_or("UNKNOWN", |kind| kind.as_str_name());
        return invalid(format!("invalid header type {name}"));
    }
    if channel.epoch != 0 {
        return invalid(format!("epoch is non-zero: {}", channel.epoch));
    }
    if signature.nonce.is_empty() {
        return invalid("nonce is empty".into());
    }
    if signature.creator.is_empty() {
        return invalid("creator is empty".into());
    }
    let expected = tx_id(&signature.nonce, &signature.creator);
    if channel.tx_id != expected {
        return invalid(format!(
            "incorrectly computed txid '{}' -- expected '{expected}'",
            channel.tx_id
        ));
    }
    Ok(())
}

/// The creator must be a valid member of one of the organizations and have signed the proposal.
/// What exactly is wrong goes to the log, not to a stranger.
pub(super) fn creator(proposal: &PeeledProposal, msps: &Manager) -> Result<Identity, Error> {
    let channel = &proposal.channel_header.channel_id;
    let identity = msps.deserialize(&proposal.signature_header.creator).map_err(|error| {
        tracing::warn!(%channel, %error, "creator of a proposal is unknown");
        Error::Invalid(format!(
            "access denied: channel [{channel}] creator org unknown, creator is malformed"
        ))
    })?;
    let verdict = identity
        .validate()
        .and_then(|()| identity.verify(&proposal.proposal_bytes, &proposal.signature));
    verdict.map_err(|error| {
        let msp_id = identity.msp_id();
        tracing::warn!(%channel, msp_id, %error, "creator of a proposal is refused");
        Error::Invalid(format!("access denied: channel [{channel}] creator org [{msp_id}]"))
    })?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proto::common::SignatureHeader;

    use super::*;

    fn proposal() -> PeeledProposal {
        let signature_header = SignatureHeader {
            creator: Bytes::from_static(b"creator"),
            nonce: Bytes::from_static(b"nonce"),
        };
        let channel_header = ChannelHeader {
            r#type: HeaderType::EndorserTransaction as i32,
            tx_id: tx_id(b"nonce", b"creator"),
            ..Default::default()
        };
        PeeledProposal {
            proposal_bytes: Bytes::new(),
            signature: Bytes::new(),
            channel_header_bytes: Bytes::new(),
            signature_header_bytes: Bytes::new(),
            channel_header,
            signature_header,
            chaincode: "basic".into(),
            input_bytes: Bytes::new(),
            input: Default::default(),
            transient: Default::default(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut PeeledProposal), expected: &str) {
        let mut proposal = proposal();
        change(&mut proposal);
        let text = headers(&proposal).err().map(|error| error.to_string()).unwrap_or_default();
        let text = text.strip_prefix("error validating proposal: ").unwrap_or(&text);
        assert!(text.starts_with(expected) && text.is_empty() == expected.is_empty(), "{text}");
    }

    #[test]
    fn headers_are_checked() {
        check(|_| {}, "");
        check(|p| p.channel_header.r#type = HeaderType::Config as i32, "");
        check(
            |p| p.channel_header.r#type = HeaderType::ConfigUpdate as i32,
            "invalid header type CONFIG_UPDATE",
        );
        check(|p| p.channel_header.r#type = 77, "invalid header type UNKNOWN");
        check(|p| p.channel_header.epoch = 1, "epoch is non-zero");
        check(|p| p.signature_header.nonce = Bytes::new(), "nonce is empty");
        check(|p| p.signature_header.creator = Bytes::new(), "creator is empty");
        check(
            |p| p.channel_header.tx_id = "00".into(),
            "incorrectly computed txid '00' -- expected",
        );
        check(|p| p.channel_header.tx_id = String::new(), "incorrectly computed txid ''");
    }

    #[test]
    fn clocks_may_differ_a_little() {
        for (client, good) in [(1000, true), (100, true), (99, false), (1900, true), (1901, false)]
        {
            let timestamp = Some(prost_types::Timestamp { seconds: client, nanos: 0 });
            let header = ChannelHeader { timestamp, ..Default::default() };
            assert_eq!(clock(&header, 1000, Duration::from_secs(900)).is_ok(), good, "{client}");
        }
        assert!(clock(&ChannelHeader::default(), 10_000, Duration::from_secs(900)).is_err());
    }
}
