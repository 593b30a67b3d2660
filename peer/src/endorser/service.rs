//! The gRPC service `protos.Endorser`.

use proto::peer::endorser_server;
use proto::peer::{ProposalResponse, SignedProposal};
use tonic::{Request, Response, Status};

use super::Endorser;

#[tonic::async_trait]
impl endorser_server::Endorser for Endorser {
    async fn process_proposal(
        &self,
        request: Request<SignedProposal>,
    ) -> Result<Response<ProposalResponse>, Status> {
        Ok(Response::new(self.process(request.into_inner()).await?))
    }
}
