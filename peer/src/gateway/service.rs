//! The gRPC service `gateway.Gateway`.

use std::pin::Pin;

use futures::Stream;
use proto::gateway::gateway_server;
use proto::gateway::{
    ChaincodeEventsResponse, CommitStatusResponse, EndorseRequest, EndorseResponse,
    EvaluateRequest, EvaluateResponse, SignedChaincodeEventsRequest, SignedCommitStatusRequest,
    SubmitRequest, SubmitResponse,
};
use tonic::{Request, Response, Status};

use super::Gateway;

#[tonic::async_trait]
impl gateway_server::Gateway for Gateway {
    type ChaincodeEventsStream =
        Pin<Box<dyn Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send>>;

    async fn endorse(
        &self,
        request: Request<EndorseRequest>,
    ) -> Result<Response<EndorseResponse>, Status> {
        let _permit = self.permit()?;
        Ok(Response::new(self.0.endorse(request.into_inner()).await?))
    }

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResponse>, Status> {
        let _permit = self.permit()?;
        Ok(Response::new(self.0.submit(request.into_inner()).await?))
    }

    async fn commit_status(
        &self,
        request: Request<SignedCommitStatusRequest>,
    ) -> Result<Response<CommitStatusResponse>, Status> {
        // Waiting costs nothing and is bounded by the channel.
        Ok(Response::new(self.0.commit_status(request.into_inner()).await?))
    }

    async fn evaluate(
        &self,
        request: Request<EvaluateRequest>,
    ) -> Result<Response<EvaluateResponse>, Status> {
        let _permit = self.permit()?;
        Ok(Response::new(self.0.evaluate(request.into_inner()).await?))
    }

    async fn chaincode_events(
        &self,
        request: Request<SignedChaincodeEventsRequest>,
    ) -> Result<Response<Self::ChaincodeEventsStream>, Status> {
        let permit = self.stream_permit()?;
        let events = self.0.chaincode_events(request.into_inner())?;
        Ok(Response::new(Box::pin(super::held(events, permit))))
    }
}
