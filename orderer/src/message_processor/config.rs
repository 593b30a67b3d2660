//! Config updates become config envelopes, signed by this orderer.

use bytes::Bytes;
use channel::{Bundle, update};
use msp::{Certificate, SigningIdentity};
use prost::Message;
use proto::common::{
    self, ChannelHeader, ConfigEnvelope, ConfigUpdate, ConfigUpdateEnvelope, Header, HeaderType,
    Payload, SignatureHeader, Status,
};
use proto::envelope::Envelope;
use rand::RngCore;

use super::{Rejection, maintenance, now};
use crate::channels::Consenters;
use crate::consensus::{Change, NodeId};

/// Applies an update and wraps what it leads to.
pub(super) fn propose(
    bundle: &Bundle,
    signer: &SigningIdentity,
    update: &common::Envelope,
) -> Result<Envelope, Rejection> {
    let proposed = update::propose(bundle, update).map_err(|error| {
        Rejection::bad_request(format_args!(
            "error applying config update to existing channel '{}': {}",
            bundle.channel_id(),
            causes(&error)
        ))
    })?;
    check_orderer(bundle, &proposed.bundle, &update_of(update)?)?;
    wrap(bundle.channel_id(), signer, &proposed.envelope)
}

/// An envelope of type CONFIG around a configuration.
fn wrap(
    channel_id: &str,
    signer: &SigningIdentity,
    config: &ConfigEnvelope,
) -> Result<Envelope, Rejection> {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    let channel_header = ChannelHeader {
        r#type: HeaderType::Config as i32,
        timestamp: Some(prost_types::Timestamp { seconds: now(), nanos: 0 }),
        channel_id: channel_id.to_owned(),
        ..Default::default()
    };
    let signature_header = SignatureHeader {
        creator: signer.serialized().clone(),
        nonce: Bytes::copy_from_slice(&nonce),
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data: config.encode_to_vec().into() };
    let payload = Bytes::from(payload.encode_to_vec());
    let internal = |error: &dyn std::fmt::Display| {
        Rejection::new(Status::InternalServerError, format!("sign configuration: {error}"))
    };
    let signature = signer.sign(&payload).map_err(|error| internal(&error))?;
    Envelope::peel(common::Envelope { payload, signature }).map_err(|error| internal(&error))
}

/// The client's update inside a config envelope.
pub(super) fn update_within(config: &Envelope) -> Result<Envelope, Rejection> {
    let envelope = proto::decode::<ConfigEnvelope>(config.data.clone())
        .map_err(|_| Rejection::bad_request("config envelope does not decode"))?;
    let update = envelope.last_update;
    let update = update.ok_or_else(|| Rejection::bad_request("config without its update"))?;
    Envelope::peel(update).map_err(Rejection::bad_request)
}

/// See [`super::Processor::check_config`].
pub(super) fn check(
    bundle: &Bundle,
    consenters: &Consenters,
    alive: &[NodeId],
    config: &Envelope,
) -> Result<Option<Change>, Rejection> {
    let envelope = proto::decode::<ConfigEnvelope>(config.data.clone())
        .map_err(|_| Rejection::bad_request("config envelope does not decode"))?;
    let next =
        update::validate(bundle, &envelope).map_err(|e| Rejection::bad_request(causes(&e)))?;
    let update = envelope.last_update.as_ref();
    let update = update.ok_or_else(|| Rejection::bad_request("config without its update"))?;
    check_orderer(bundle, &next, &update_of(update)?)?;
    let (set, change) = consenters.advance(&next).map_err(Rejection::bad_request)?;
    if change.is_some() {
        check_quorum(consenters, &set, alive)?;
    }
    Ok(change)
}

fn check_orderer(current: &Bundle, next: &Bundle, update: &ConfigUpdate) -> Result<(), Rejection> {
    let (Some(before), Some(after)) = (current.orderer(), next.orderer()) else {
        return Err(Rejection::bad_request("config has no orderer section"));
    };
    maintenance::check_transition(before, after, update)?;
    check_new_certificates(current, next)
}

/// The TLS certificates of a consenter that joins must be valid now and come from an authority of
/// an organization that orders. Those of the others were checked when they joined; time may have
/// passed since.
fn check_new_certificates(current: &Bundle, next: &Bundle) -> Result<(), Rejection> {
    let consenters = |bundle: &Bundle| {
        bundle.orderer().map_or(Vec::new(), |orderer| orderer.consenters().to_vec())
    };
    let known = consenters(current);
    let orgs = next.orderer().into_iter().flat_map(|orderer| orderer.orgs.values());
    let msps = orgs.filter_map(|org| next.msps().msp(&org.msp_id));
    let roots = msps.flat_map(|msp| msp.tls_roots());
    let authorities: Vec<_> =
        roots.filter_map(|der| Certificate::from_der(der.to_vec().into()).ok()).collect();
    for consenter in consenters(next).iter().filter(|consenter| !known.contains(consenter)) {
        for (kind, pem) in
            [("client", &consenter.client_tls_cert), ("server", &consenter.server_tls_cert)]
        {
            let refuse = |reason: &str| {
                let (host, port) = (&consenter.host, consenter.port);
                Err(Rejection::bad_request(format_args!(
                    "consenter {host}:{port} has an invalid {kind} TLS certificate: {reason}"
                )))
            };
            match Certificate::from_pem(pem) {
                Err(_) => return refuse("it cannot be read"),
                Ok(it) if it.not_after() < now() => return refuse("it has expired"),
                Ok(it) if !authorities.iter().any(|authority| it.is_signed_by(authority)) => {
                    return refuse("it is signed by an unknown authority");
                }
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// Refuses a change that would leave a set that could stand a fault without a working quorum.
fn check_quorum(now: &Consenters, next: &Consenters, alive: &[NodeId]) -> Result<(), Rejection> {
    let working = next.ids().filter(|id| alive.contains(id) || !now.contains(*id)).count();
    let working_before = now.ids().filter(|id| alive.contains(id)).count();
    let all = next.ids().count();
    let added = next.ids().any(|id| !now.contains(id));
    // A new consenter is not up yet: those working now must be a quorum without it.
    let sure = working - usize::from(added);
    if all > 2 && sure < all / 2 + 1 {
        return Err(Rejection::bad_request(format_args!(
            "{working_before} out of {} nodes are alive, configuration will result in quorum loss",
            now.ids().count()
        )));
    }
    Ok(())
}

fn update_of(envelope: &common::Envelope) -> Result<ConfigUpdate, Rejection> {
    let decoded = Envelope::peel(envelope.clone())
        .ok()
        .and_then(|envelope| proto::decode::<ConfigUpdateEnvelope>(envelope.data).ok())
        .and_then(|update| proto::decode::<ConfigUpdate>(update.config_update).ok());
    decoded.ok_or_else(|| Rejection::bad_request("config update does not decode"))
}

/// An error and its causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
