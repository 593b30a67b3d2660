//! The gRPC service by which administrators request snapshots.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use channel::SignedData;
use prost::Message;
use proto::common::SignatureHeader;
use proto::peer::snapshot_server::{Snapshot, SnapshotServer};
use proto::peer::{
    QueryPendingSnapshotsResponse, SignedSnapshotRequest, SnapshotQuery, SnapshotRequest,
};
use tonic::{Request, Response, Status};

use super::Snapshots;
use crate::channels::{Channel, Channels};
use crate::system::Access;

/// `protos.Snapshot`. Refusals have the code Unknown and Fabric's texts, as its clients expect.
#[derive(Debug)]
pub struct Service {
    snapshots: Arc<Snapshots>,
    channels: Arc<Channels>,
    access: Access,
}

impl Service {
    /// Serves the snapshots of `channels`.
    pub fn server(
        snapshots: Arc<Snapshots>,
        channels: Arc<Channels>,
        access: Access,
    ) -> SnapshotServer<Self> {
        SnapshotServer::new(Self { snapshots, channels, access })
    }

    /// Lets administrators of the peer's own organization pass.
    fn authorize(
        &self,
        resource: &str,
        header: Option<SignatureHeader>,
        signed: &SignedSnapshotRequest,
    ) -> Result<(), Status> {
        let header = header.ok_or_else(|| Status::unknown("missing signature header"))?;
        if self.is_expired(&header) {
            return Err(Status::unknown("client identity expired"));
        }
        let request = SignedData {
            data: signed.request.clone(),
            identity: header.creator,
            signature: signed.signature.clone(),
        };
        let outcome = self.access.check(resource, None, &request);
        outcome.map_err(|denied| Status::unknown(denied.to_string()))
    }

    fn is_expired(&self, header: &SignatureHeader) -> bool {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let creator = self.access.local().deserialize(&header.creator);
        creator.is_ok_and(|creator| creator.certificate().not_after() < now)
    }

    fn channel(&self, id: &str) -> Result<Arc<Channel>, Status> {
        if id.is_empty() {
            return Err(Status::unknown("missing channel ID"));
        }
        let unknown = || Status::unknown(format!("cannot find ledger for channel {id}"));
        self.channels.get(id).ok_or_else(unknown)
    }
}

/// Runs what may wait for a commit or for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, super::Error> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|error| Status::unknown(error.to_string())),
        Err(_) => Err(Status::internal("the request ended early")),
    }
}

fn parse<M: Message + Default>(signed: &SignedSnapshotRequest) -> Result<M, Status> {
    M::decode(signed.request.clone())
        .map_err(|error| Status::unknown(format!("failed to unmarshal snapshot request: {error}")))
}

#[tonic::async_trait]
impl Snapshot for Service {
    async fn generate(
        &self,
        request: Request<SignedSnapshotRequest>,
    ) -> Result<Response<()>, Status> {
        let signed = request.into_inner();
        let request: SnapshotRequest = parse(&signed)?;
        self.authorize("snapshot/submitrequest", request.signature_header, &signed)?;
        let (channel, snapshots) = (self.channel(&request.channel_id)?, self.snapshots.clone());
        blocking(move || snapshots.submit(&channel, request.block_number)).await?;
        Ok(Response::new(()))
    }

    async fn cancel(
        &self,
        request: Request<SignedSnapshotRequest>,
    ) -> Result<Response<()>, Status> {
        let signed = request.into_inner();
        let request: SnapshotRequest = parse(&signed)?;
        self.authorize("snapshot/cancelrequest", request.signature_header, &signed)?;
        let (channel, snapshots) = (self.channel(&request.channel_id)?, self.snapshots.clone());
        blocking(move || snapshots.cancel(&channel, request.block_number)).await?;
        Ok(Response::new(()))
    }

    async fn query_pendings(
        &self,
        request: Request<SignedSnapshotRequest>,
    ) -> Result<Response<QueryPendingSnapshotsResponse>, Status> {
        let signed = request.into_inner();
        let query: SnapshotQuery = parse(&signed)?;
        self.authorize("snapshot/listpending", query.signature_header, &signed)?;
        let (channel, snapshots) = (self.channel(&query.channel_id)?, self.snapshots.clone());
        let block_numbers = blocking(move || snapshots.pending(&channel)).await?;
        Ok(Response::new(QueryPendingSnapshotsResponse { block_numbers }))
    }
}
