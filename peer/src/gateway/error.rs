//! Errors of the gateway, as its clients read them: a code, a text, and what each node said.

use bytes::Bytes;
use prost::Message;
use prost_types::Any;
use proto::gateway::ErrorDetail;
use proto::google::rpc;
use proto::peer::ProposalResponse;
use tonic::{Code, Status};

/// Type of the details, which clients look up by this name.
const DETAIL: &str = "type.googleapis.com/gateway.ErrorDetail";

/// A status whose details say what each node answered.
pub(super) fn status(code: Code, message: impl Into<String>, details: &[ErrorDetail]) -> Status {
    let message = message.into();
    let details = details
        .iter()
        .map(|detail| Any { type_url: DETAIL.to_owned(), value: detail.encode_to_vec() })
        .collect::<Vec<_>>();
    if details.is_empty() {
        return Status::new(code, message);
    }
    let encoded = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, Bytes::from(encoded.encode_to_vec()))
}

/// Why a call of an endorser gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// It could not be reached or did not answer.
    Unreachable(String),
    /// It refused the proposal itself.
    Refused(String),
}

/// An endorser did not endorse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
    /// Whether another peer may do better.
    pub(super) retry: bool,
    /// Whether the connection is of no further use.
    pub(super) disconnect: bool,
}

/// Judges the answer of an endorser.
pub(super) fn classify(
    answer: Result<ProposalResponse, CallFailure>,
) -> Result<ProposalResponse, Failure> {
    let failure =
        |code, message, retry, disconnect| Err(Failure { code, message, retry, disconnect });
    let answer = match answer {
        Ok(answer) => answer,
        Err(CallFailure::Unreachable(text)) => return failure(Code::Unavailable, text, true, true),
        Err(CallFailure::Refused(text)) => {
            return failure(Code::FailedPrecondition, text, false, false);
        }
    };
    let (status, message) = match &answer.response {
        Some(response) => (response.status, response.message.as_str()),
        None => (0, ""),
    };
    if (200..400).contains(&status) {
        return Ok(answer);
    }
    // The peer itself failed, not the contract: another peer may do better.
    if status == 500 && answer.payload.is_empty() {
        let disconnect = message.ends_with("chaincode stream terminated");
        return failure(Code::Aborted, message.to_owned(), true, disconnect);
    }
    failure(Code::Unknown, format!("chaincode response {status}, {message}"), false, false)
}

#[cfg(test)]
mod tests {
    use proto::peer::Response;

    use super::*;

    #[track_caller]
    fn check(
        answer: Result<(i32, &str, &'static [u8]), CallFailure>,
        expected: Option<(Code, &str, bool, bool)>,
    ) {
        let answer = answer.map(|(status, message, payload)| ProposalResponse {
            response: Some(Response { status, message: message.into(), payload: Bytes::new() }),
            payload: Bytes::from_static(payload),
            ..Default::default()
        });
        let found = classify(answer).err();
        let found = found.as_ref().map(|f| (f.code, f.message.as_str(), f.retry, f.disconnect));
        assert_eq!(found, expected);
    }

    #[test]
    fn answers_are_classified() {
        let text = || "t".to_owned();
        check(Err(CallFailure::Unreachable(text())), Some((Code::Unavailable, "t", true, true)));
        check(
            Err(CallFailure::Refused(text())),
            Some((Code::FailedPrecondition, "t", false, false)),
        );
        check(Ok((200, "", b"p")), None);
        check(Ok((399, "", b"")), None);
        check(Ok((500, "t", b"")), Some((Code::Aborted, "t", true, false)));
        let crashed = "x: chaincode stream terminated";
        check(Ok((500, crashed, b"")), Some((Code::Aborted, crashed, true, true)));
        check(
            Ok((500, "t", b"p")),
            Some((Code::Unknown, "chaincode response 500, t", false, false)),
        );
        check(
            Ok((404, "t", b"")),
            Some((Code::Unknown, "chaincode response 404, t", false, false)),
        );
        check(Ok((199, "", b"")), Some((Code::Unknown, "chaincode response 199, ", false, false)));
    }

    #[test]
    fn details_travel_in_the_status() {
        let detail = ErrorDetail {
            address: "peer0:7051".into(),
            msp_id: "Org1MSP".into(),
            message: "no".into(),
        };
        let status = status(Code::Aborted, "failed", std::slice::from_ref(&detail));
        let decoded = rpc::Status::decode(status.details()).unwrap();
        assert_eq!((decoded.code, decoded.message.as_str()), (Code::Aborted as i32, "failed"));
        assert_eq!(decoded.details[0].type_url, DETAIL);
        assert_eq!(ErrorDetail::decode(&decoded.details[0].value[..]).unwrap(), detail);
    }
}
