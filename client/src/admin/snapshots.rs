//! Snapshots of a peer's ledgers, and joining channels by them.

use std::path::Path;

use bytes::Bytes;
use prost::Message;
use proto::common::{HeaderType, SignatureHeader};
use proto::peer::snapshot_client::SnapshotClient;
use proto::peer::{JoinBySnapshotStatus, SignedSnapshotRequest, SnapshotQuery, SnapshotRequest};
use rand::RngCore;

use super::Peer;
use crate::Error;
use crate::proposal::Request;

impl Peer {
    /// Requests a snapshot of a block, of the newest one if `block` is 0.
    ///
    /// # Errors
    /// When the caller is not an admin of the peer's organization, or the block has been passed.
    pub async fn request_snapshot(&self, channel: &str, block: u64) -> Result<(), Error> {
        let request = self.snapshot_request(channel, block)?;
        let what = "snapshot.Generate";
        let call = async move |mut client: SnapshotClient<_>| client.generate(request).await;
        self.snapshots(what, call).await
    }

    /// Withdraws a request.
    ///
    /// # Errors
    /// When the caller is not an admin of the peer's organization, or there is no such request.
    pub async fn cancel_snapshot(&self, channel: &str, block: u64) -> Result<(), Error> {
        let request = self.snapshot_request(channel, block)?;
        let call = async move |mut client: SnapshotClient<_>| client.cancel(request).await;
        self.snapshots("snapshot.Cancel", call).await
    }

    /// The blocks whose snapshots are requested and not there yet.
    ///
    /// # Errors
    /// When the caller is not an admin of the peer's organization.
    pub async fn pending_snapshots(&self, channel: &str) -> Result<Vec<u64>, Error> {
        let query =
            SnapshotQuery { signature_header: Some(self.header()), channel_id: channel.to_owned() };
        let request = self.signed(&query)?;
        let call = async move |mut client: SnapshotClient<_>| client.query_pendings(request).await;
        Ok(self.snapshots("snapshot.QueryPendings", call).await?.block_numbers)
    }

    /// Makes the peer begin to join the channel of a snapshot, whose folder is on the peer's own
    /// machine. It goes on behind the answer: see [`join_under_way`](Self::join_under_way).
    ///
    /// # Errors
    /// When the caller is not an admin, the snapshot's metadata is wrong, or the channel exists.
    pub async fn join_by_snapshot(&self, dir: &Path) -> Result<(), Error> {
        let dir = Bytes::copy_from_slice(dir.as_os_str().as_encoded_bytes());
        let args = vec![Bytes::from_static(b"JoinChainBySnapshot"), dir];
        let request = Request { chaincode: "cscc".to_owned(), args, ..Request::default() };
        let kind = HeaderType::EndorserTransaction;
        self.propose(request, kind, "cscc.JoinChainBySnapshot").await.map(drop)
    }

    /// The folder of the snapshot by which the peer is joining a channel now.
    ///
    /// # Errors
    /// When the caller is not an admin.
    pub async fn join_under_way(&self) -> Result<Option<String>, Error> {
        let args = vec![Bytes::from_static(b"JoinBySnapshotStatus")];
        let payload = self.query("", "cscc", args).await?;
        let status = JoinBySnapshotStatus::decode(payload)
            .map_err(|_| Error::decode("status of a join by snapshot"))?;
        Ok(status.in_progress.then_some(status.bootstrapping_snapshot_dir))
    }

    fn snapshot_request(&self, channel: &str, block: u64) -> Result<SignedSnapshotRequest, Error> {
        self.signed(&SnapshotRequest {
            signature_header: Some(self.header()),
            channel_id: channel.to_owned(),
            block_number: block,
        })
    }

    fn header(&self) -> SignatureHeader {
        let mut nonce = [0; 24];
        rand::rng().fill_bytes(&mut nonce);
        let creator = self.target.signer.creator().clone();
        SignatureHeader { creator, nonce: Bytes::copy_from_slice(&nonce) }
    }

    fn signed(&self, request: &impl Message) -> Result<SignedSnapshotRequest, Error> {
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.target.signer.sign(&request)?;
        Ok(SignedSnapshotRequest { request, signature })
    }

    /// Calls the snapshot service.
    async fn snapshots<T, F>(
        &self,
        what: &str,
        call: impl FnOnce(SnapshotClient<tonic::transport::Channel>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    {
        let call = call(SnapshotClient::new(self.channel.clone()));
        match tokio::time::timeout(self.target.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Error::Refused {
                peer: self.address().to_owned(),
                what: what.to_owned(),
                status: 500,
                message: status.message().to_owned(),
            }),
            Err(_) => Err(Error::Timeout(format!("{what} at {}", self.address()))),
        }
    }
}
