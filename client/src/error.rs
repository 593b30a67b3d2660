//! What can go wrong, typed so that callers can decide what to do.

use std::fmt;

use proto::common;
use proto::transaction::TxValidationCode;
use tonic::Code;

/// Any failure of this library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection to the node.
    #[error(transparent)]
    Connect(#[from] node::grpc::ConnectError),
    /// The gateway refused or failed a step.
    #[error(transparent)]
    Gateway(Box<Failure>),
    /// The transaction is in a block, and peers judged it invalid: nothing changed.
    #[error("transaction {tx_id} in block {block} is invalid: {} ({})", .code.as_str_name(), *.code as i32)]
    Invalid {
        /// The transaction.
        tx_id: String,
        /// The block that holds it.
        block: u64,
        /// Why it changed nothing.
        code: TxValidationCode,
    },
    /// A peer answered a proposal with a failure.
    #[error("{peer} refused {what}: {status} {message}")]
    Refused {
        /// The peer's address.
        peer: String,
        /// What was asked for.
        what: String,
        /// The status in its answer.
        status: i32,
        /// Its reason.
        message: String,
    },
    /// One of a peer's own services refused or failed.
    #[error("{peer} refused {what}: {message}")]
    Peer {
        /// The peer's address.
        peer: String,
        /// What was asked for.
        what: String,
        /// The gRPC code.
        code: Code,
        /// Its reason.
        message: String,
    },
    /// Peers computed different results for the same proposal.
    #[error("endorsements of {what} differ between {first} and {second}")]
    Mismatch {
        /// What was asked for.
        what: String,
        /// One peer.
        first: String,
        /// Another peer.
        second: String,
    },
    /// An orderer did not take an envelope.
    #[error("orderer {orderer} refused the envelope: {} {info}", .status.as_str_name())]
    Broadcast {
        /// The orderer's address.
        orderer: String,
        /// Its status.
        status: common::Status,
        /// Its reason.
        info: String,
    },
    /// A stream of blocks ended with a status.
    #[error("blocks of channel {channel} from {from}: {}", .status.as_str_name())]
    Deliver {
        /// The channel asked for.
        channel: String,
        /// The node's address.
        from: String,
        /// Its status.
        status: common::Status,
    },
    /// An HTTP interface answered with an error.
    #[error("{address}: {status} {message}")]
    Http {
        /// The node's address.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The reason in the body.
        message: String,
    },
    /// Nothing happened within the time allowed.
    #[error("{0}: no answer within the time allowed")]
    Timeout(String),
    /// An answer cannot be read.
    #[error("answer cannot be read: {0}")]
    Decode(String),
    /// The identity cannot be loaded or cannot sign.
    #[error("identity: {0}")]
    Identity(String),
    /// The identity has no key here: sign elsewhere and hand the signature in.
    #[error("the identity has no private key here; use the offline signing calls")]
    NoKey,
    /// A local file cannot be read or written.
    #[error("{what}")]
    File {
        /// What was attempted.
        what: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// What a failure means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The thing asked for does not exist.
    NotFound,
    /// The caller may not do this.
    Denied,
    /// The state does not allow it (already exists, changed in between).
    Conflict,
    /// A node cannot be reached or cannot serve now; trying again may help.
    Unavailable,
    /// No answer in time; the outcome may be unknown.
    Timeout,
    /// Everything else.
    Failed,
}

/// The step of a transaction that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A query.
    Evaluate,
    /// Collecting endorsements.
    Endorse,
    /// Handing over to the orderers.
    Submit,
    /// Waiting for the block.
    CommitStatus,
    /// Following events.
    Events,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Evaluate => "evaluate",
            Self::Endorse => "endorse",
            Self::Submit => "submit",
            Self::CommitStatus => "commit status",
            Self::Events => "events",
        })
    }
}

/// A failed gateway call, with what each node involved had to say.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The step that failed.
    pub stage: Stage,
    /// The transaction, if there is one.
    pub tx_id: String,
    /// The gRPC code.
    pub code: Code,
    /// The gateway's message.
    pub message: String,
    /// Reasons of the nodes involved.
    pub details: Vec<ErrorDetail>,
}

/// What one node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetail {
    /// The node.
    pub address: String,
    /// Its organization.
    pub msp_id: String,
    /// Its reason.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed: {:?}: {}", self.stage, self.code, self.message)?;
        for ErrorDetail { address, msp_id, message } in &self.details {
            write!(formatter, "; {address} ({msp_id}): {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(crate) fn new(stage: Stage, tx_id: &str, status: &tonic::Status) -> Self {
        // tonic's own deadline arrives as `Cancelled`.
        let expired = status.code() == Code::Cancelled && status.message().contains("imeout");
        Self {
            stage,
            tx_id: tx_id.to_owned(),
            code: if expired { Code::DeadlineExceeded } else { status.code() },
            message: status.message().to_owned(),
            details: details(status),
        }
    }
}

/// Decodes the details of a gateway status, leaving out what is not an `ErrorDetail`.
fn details(status: &tonic::Status) -> Vec<ErrorDetail> {
    use prost::Message;
    let Ok(status) = proto::google::rpc::Status::decode(status.details()) else { return vec![] };
    let decode = |any: prost_types::Any| proto::gateway::ErrorDetail::decode(&*any.value).ok();
    let details = status.details.into_iter().filter_map(decode);
    details
        .map(|detail| ErrorDetail {
            address: detail.address,
            msp_id: detail.msp_id,
            message: detail.message,
        })
        .collect()
}

impl Error {
    pub(crate) fn gateway(stage: Stage, tx_id: &str, status: &tonic::Status) -> Self {
        Self::Gateway(Box::new(Failure::new(stage, tx_id, status)))
    }

    pub(crate) fn decode(what: &str) -> Self {
        Self::Decode(what.to_owned())
    }

    /// Wraps what the identity library said.
    pub fn identity(error: impl fmt::Display) -> Self {
        Self::Identity(error.to_string())
    }

    /// What the failure means to the caller.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Connect(node::grpc::ConnectError::Timeout { .. }) => Class::Unavailable,
            Self::Connect(node::grpc::ConnectError::Connect { .. }) => Class::Unavailable,
            Self::Gateway(failure) => failure.class(),
            Self::Invalid { code, .. } => match code {
                TxValidationCode::MvccReadConflict
                | TxValidationCode::PhantomReadConflict
                | TxValidationCode::DuplicateTxid => Class::Conflict,
                TxValidationCode::EndorsementPolicyFailure => Class::Denied,
                _ => Class::Failed,
            },
            Self::Refused { status, message, .. } => by_status(*status, message),
            Self::Peer { code: Code::FailedPrecondition, .. } => Class::Conflict,
            Self::Peer { code, message, .. } => by_code(*code).unwrap_or_else(|| by_text(message)),
            Self::Broadcast { status, info, .. } => by_status(*status as i32, info),
            Self::Deliver { status, .. } => by_status(*status as i32, ""),
            Self::Http { status, message, .. } => by_status(i32::from(*status), message),
            Self::Timeout(_) => Class::Timeout,
            _ => Class::Failed,
        }
    }
}

impl Failure {
    fn class(&self) -> Class {
        let said = || {
            let details = self.details.iter().map(|detail| detail.message.as_str());
            std::iter::once(self.message.as_str()).chain(details)
        };
        let by_said = || said().map(by_text).find(|class| *class != Class::Failed);
        by_code(self.code).or_else(by_said).unwrap_or(Class::Failed)
    }
}

/// What a code means, if it says so by itself.
fn by_code(code: Code) -> Option<Class> {
    match code {
        Code::NotFound => Some(Class::NotFound),
        Code::PermissionDenied | Code::Unauthenticated => Some(Class::Denied),
        Code::AlreadyExists => Some(Class::Conflict),
        Code::Unavailable => Some(Class::Unavailable),
        Code::DeadlineExceeded => Some(Class::Timeout),
        _ => None,
    }
}

fn by_status(status: i32, message: &str) -> Class {
    match status {
        401 | 403 => Class::Denied,
        404 => Class::NotFound,
        405 | 409 => Class::Conflict,
        503 => Class::Unavailable,
        _ => by_text(message),
    }
}

/// Texts that say that the state does not allow it.
const CONFLICTS: [&str; 7] = [
    "already exists",
    "already successfully installed",
    "redefine",
    "_EXISTS",
    "duplicate snapshot request",
    "snapshot already generated",
    "cannot be less than the last committed block",
];

/// Texts that say that something does not exist.
const ABSENT: [&str; 7] = [
    "not found",
    "NOT_FOUND",
    "no such",
    "is not defined",
    "Invalid chain ID",
    "no snapshot request exists",
    "cannot find ledger for channel",
];

/// Fabric tells some causes apart only by their text, and so does chaincode.
fn by_text(message: &str) -> Class {
    let has = |needles: &[&str]| needles.iter().any(|needle| message.contains(needle));
    if has(&[
        "access denied",
        "channelless check policy",
        "ACL check",
        "FORBIDDEN",
        "E_ROLE",
        "E_NO_ROLE",
        "E_CALLER",
    ]) {
        Class::Denied
    } else if has(&CONFLICTS) {
        Class::Conflict
    } else if has(&ABSENT) {
        Class::NotFound
    } else {
        Class::Failed
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn with_details(code: Code, message: &str, said: &str) -> Failure {
        let detail = proto::gateway::ErrorDetail {
            address: "peer0:7051".into(),
            msp_id: "HospitalMSP".into(),
            message: said.into(),
        };
        let any = prost_types::Any {
            type_url: "type.googleapis.com/gateway.ErrorDetail".into(),
            value: detail.encode_to_vec(),
        };
        let details = proto::google::rpc::Status { details: vec![any], ..Default::default() };
        let status = tonic::Status::with_details(code, message, details.encode_to_vec().into());
        Failure::new(Stage::Endorse, "abc", &status)
    }

    #[test]
    fn a_failure_tells_what_each_node_said() {
        let failure = with_details(Code::Aborted, "failed to endorse", "chaincode response 500, x");
        assert_eq!(
            failure.to_string(),
            "endorse failed: Aborted: failed to endorse; \
             peer0:7051 (HospitalMSP): chaincode response 500, x"
        );
    }

    #[track_caller]
    fn check(code: Code, said: &str, expected: Class) {
        let failure = with_details(code, "see details", said);
        assert_eq!(Error::Gateway(Box::new(failure)).class(), expected);
    }

    #[test]
    fn failures_are_classified() {
        check(Code::Unavailable, "", Class::Unavailable);
        check(Code::DeadlineExceeded, "", Class::Timeout);
        check(Code::Aborted, "access denied: channel [c]", Class::Denied);
        check(Code::Unknown, "chaincode response 500, patient p already exists", Class::Conflict);
        check(Code::Unknown, "chaincode response 404, patient p not found", Class::NotFound);
        check(Code::Unknown, "chaincode response 500, E_ROLE: needs physician", Class::Denied);
        check(Code::Unknown, "boom", Class::Failed);
    }

    #[test]
    fn an_expired_deadline_is_one_whoever_noticed() {
        let status = tonic::Status::cancelled("Timeout expired");
        assert_eq!(Failure::new(Stage::Submit, "", &status).code, Code::DeadlineExceeded);
    }
}
