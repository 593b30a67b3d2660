//! What stands around every gRPC handler: caller's certificate, deadline, panic boundary.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::Status;
use tower::{Service, ServiceExt};

use super::ClientCertificate;
use crate::server::Peer;

/// When the caller gives up (its `grpc-timeout`), as a request extension.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// The caller's deadline, if it set one.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Instant> {
        request.extensions().get::<Self>().map(|deadline| deadline.0)
    }
}

/// Wraps the router of a listener.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    router: axum::Router,
}

impl Guard {
    pub(super) fn new(router: axum::Router) -> Self {
        Self { router }
    }
}

type Body = tonic::body::Body;

impl Service<Request<Incoming>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let certificate =
            request.extensions().get::<Peer>().and_then(|peer| peer.certificate.clone());
        request.extensions_mut().insert(ClientCertificate(certificate));
        let deadline = timeout_of(&request).map(|timeout| Instant::now() + timeout);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(Deadline(deadline));
        }
        let handler = self.router.clone().oneshot(request);
        Box::pin(async move {
            let guarded = AssertUnwindSafe(handler).catch_unwind();
            let outcome = match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, guarded).await {
                    Ok(outcome) => outcome,
                    Err(_) => return Ok(refuse(&Status::deadline_exceeded("deadline exceeded"))),
                },
                None => guarded.await,
            };
            match outcome {
                Ok(Ok(response)) => Ok(response.map(|body| Body::new(Caught(body)))),
                Ok(Err(never)) => match never {},
                Err(payload) => {
                    crate::panics::caught("grpc handler", payload.as_ref());
                    Ok(refuse(&Status::internal("internal error")))
                }
            }
        })
    }
}

fn refuse(status: &Status) -> Response<Body> {
    status.clone().into_http()
}

/// The `grpc-timeout` header: up to eight digits and a unit.
fn timeout_of<B>(request: &Request<B>) -> Option<Duration> {
    let text = request.headers().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// A response body whose panics end the stream with a status instead of the task.
struct Caught(axum::body::Body);

impl hyper::body::Body for Caught {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Status>>> {
        let body = Pin::new(&mut self.0);
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| body.poll_frame(context)));
        match polled {
            Ok(poll) => poll.map_err(|error| Status::internal(error.to_string())),
            Err(payload) => {
                crate::panics::caught("grpc stream", payload.as_ref());
                self.0 = axum::body::Body::empty();
                let trailers = Status::internal("internal error").into_http::<Body>().into_parts();
                Poll::Ready(Some(Ok(hyper::body::Frame::trailers(trailers.0.headers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_timeouts() {
        for (text, expected) in [
            ("5S", Some(Duration::from_secs(5))),
            ("250m", Some(Duration::from_millis(250))),
            ("1H", Some(Duration::from_secs(3600))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("5x", None),
        ] {
            let request = Request::builder().header("grpc-timeout", text).body(()).unwrap();
            assert_eq!(timeout_of(&request), expected, "{text}");
        }
    }
}
