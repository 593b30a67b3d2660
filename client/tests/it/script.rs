//! A gateway that answers from a script and checks what a real one would: signatures and ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::{PrivateKey, PublicKey};
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls, Config, ServerTls};
use prost::Message;
use proto::common::{Envelope, Header, Payload};
use proto::gateway::gateway_server::{Gateway, GatewayServer};
use proto::gateway::*;
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeEvent,
    ProposalResponsePayload, Response as Answer, SignedProposal, TransactionAction,
};
use proto::transaction::{PeeledProposal, TxValidationCode};
use tonic::{Code, Request, Response, Status};

const YEARS: (i64, i64) = (1_600_000_000, 4_000_000_000);

/// What the gateway has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) submitted: Vec<String>,
    pub(crate) transient: BTreeMap<String, Bytes>,
    pub(crate) organizations: Vec<String>,
    pub(crate) after: Vec<String>,
}

pub(crate) struct Script {
    public: PublicKey,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// A running gateway and what a client needs to reach it.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) tls: ClientTls,
    pub(crate) certificate: String,
    pub(crate) key: PrivateKey,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) tasks: Tasks,
    _directory: tempfile::TempDir,
}

fn issue(authority: &Authority, name: &str, usage: Usage) -> (String, PrivateKey) {
    let key = PrivateKey::generate().unwrap();
    let subject = Subject { common_name: name.into(), ..Default::default() };
    let template = Template {
        subject,
        usage,
        hosts: vec!["localhost".into()],
        attributes: BTreeMap::new(),
        not_before: YEARS.0,
        not_after: YEARS.1,
    };
    let certificate = authority.issue(key.public(), &template).unwrap();
    (certificate.to_pem(), key)
}

impl Running {
    pub(crate) async fn start() -> Self {
        let subject = Subject { common_name: "root".into(), ..Default::default() };
        let authority = Authority::generate(&subject, YEARS.0, YEARS.1).unwrap();
        let root = authority.certificate().to_pem();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (server, server_key) = issue(&authority, "localhost", Usage::Tls);
        let config = Config {
            enabled: true,
            certificate: write("server.crt", &server),
            private_key: write("server.key", &server_key.to_pem().unwrap()),
            client_auth_required: true,
            client_root_cas: vec![write("ca.crt", &root)],
            ..Config::default()
        };
        let (certificate, key) = issue(&authority, "anna", Usage::Identity);
        let (client, client_key) = issue(&authority, "anna", Usage::Tls);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let script = Script { public: key.public().clone(), seen: Arc::clone(&seen) };
        let tasks = Tasks::new();
        let tls = ServerTls::load(&config).unwrap();
        let server = node::grpc::Server::bind("127.0.0.1:0", Some(tls)).await.unwrap();
        let address = format!("localhost:{}", server.local_address().port());
        server.serve(tonic::service::Routes::new(GatewayServer::new(script)), &tasks);
        let tls = ClientTls::from_pem(client.as_bytes(), client_key.to_pem().unwrap().as_bytes());
        Self {
            address,
            roots: node::tls::certificates_from_pem(root.as_bytes()).unwrap(),
            tls: tls.unwrap(),
            certificate,
            key,
            seen,
            tasks,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&self) -> client::Gateway {
        let key = self.key.to_pem().unwrap();
        let identity = msp::SigningIdentity::from_pem(
            "HospitalMSP",
            self.certificate.as_bytes(),
            key.as_bytes(),
        );
        self.connect_as(client::Signer::from(identity.unwrap())).await
    }

    pub(crate) async fn connect_as(&self, signer: client::Signer) -> client::Gateway {
        client::Gateway::connect(&self.address, &self.roots, Some(&self.tls), signer).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}

impl Script {
    fn peel(&self, proposal: Option<SignedProposal>) -> Result<PeeledProposal, Status> {
        let signed = proposal.ok_or_else(|| Status::invalid_argument("no proposal"))?;
        self.public
            .verify(&signed.proposal_bytes, &signed.signature)
            .map_err(|_| Status::permission_denied("signature"))?;
        let peeled = PeeledProposal::peel(&signed).unwrap();
        let header = &peeled.signature_header;
        let id = proto::transaction::tx_id(&header.nonce, &header.creator);
        assert_eq!(id, peeled.channel_header.tx_id);
        Ok(peeled)
    }
}

fn function(peeled: &PeeledProposal) -> String {
    String::from_utf8(peeled.input.args[0].to_vec()).unwrap()
}

fn refused() -> Status {
    let detail = ErrorDetail {
        address: "peer0:7051".into(),
        msp_id: "PharmacyMSP".into(),
        message: "chaincode response 500, E_ROLE: needs physician".into(),
    };
    let details = proto::google::rpc::Status {
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/gateway.ErrorDetail".into(),
            value: detail.encode_to_vec(),
        }],
        ..Default::default()
    };
    let details = details.encode_to_vec().into();
    Status::with_details(Code::Aborted, "failed to endorse transaction", details)
}

/// An envelope as gateways prepare it, with the first argument as the result.
fn prepare(peeled: PeeledProposal) -> Envelope {
    let payload = peeled.input.args.get(1).cloned().unwrap_or_default();
    let response = Answer { status: 200, payload, ..Default::default() };
    let action = ChaincodeAction { response: Some(response), ..Default::default() };
    let payload = ProposalResponsePayload {
        proposal_hash: Bytes::copy_from_slice(&peeled.hash()),
        extension: action.encode_to_vec().into(),
    };
    let action = ChaincodeActionPayload {
        chaincode_proposal_payload: proto::transaction::without_transient(&peeled.input_bytes),
        action: Some(ChaincodeEndorsedAction {
            proposal_response_payload: payload.encode_to_vec().into(),
            endorsements: vec![],
        }),
    };
    let action = TransactionAction {
        header: peeled.signature_header_bytes.clone(),
        payload: action.encode_to_vec().into(),
    };
    let transaction = proto::peer::Transaction { actions: vec![action] };
    let header = Header {
        channel_header: peeled.channel_header_bytes,
        signature_header: peeled.signature_header_bytes,
    };
    let payload = Payload { header: Some(header), data: transaction.encode_to_vec().into() };
    Envelope { payload: payload.encode_to_vec().into(), signature: Bytes::new() }
}

#[tonic::async_trait]
impl Gateway for Script {
    async fn endorse(
        &self,
        request: Request<EndorseRequest>,
    ) -> Result<Response<EndorseResponse>, Status> {
        let request = request.into_inner();
        let peeled = self.peel(request.proposed_transaction)?;
        if function(&peeled) == "Refused" {
            return Err(refused());
        }
        let mut seen = self.seen.lock().unwrap();
        seen.transient = peeled.transient.clone();
        seen.organizations = request.endorsing_organizations;
        Ok(Response::new(EndorseResponse { prepared_transaction: Some(prepare(peeled)) }))
    }

    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResponse>, Status> {
        let request = request.into_inner();
        let envelope = request.prepared_transaction.unwrap();
        self.public
            .verify(&envelope.payload, &envelope.signature)
            .map_err(|_| Status::invalid_argument("prepared transaction must be signed"))?;
        self.seen.lock().unwrap().submitted.push(request.transaction_id);
        Ok(Response::new(SubmitResponse {}))
    }

    async fn commit_status(
        &self,
        request: Request<SignedCommitStatusRequest>,
    ) -> Result<Response<CommitStatusResponse>, Status> {
        let request = request.into_inner();
        self.public
            .verify(&request.request, &request.signature)
            .map_err(|_| Status::permission_denied("signature"))?;
        let id = CommitStatusRequest::decode(request.request).unwrap().transaction_id;
        let block_number = self.seen.lock().unwrap().submitted.len() as u64;
        if !self.seen.lock().unwrap().submitted.contains(&id) {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        // Every third transaction lost a race.
        let conflict = block_number.is_multiple_of(3);
        let code =
            if conflict { TxValidationCode::MvccReadConflict } else { TxValidationCode::Valid };
        Ok(Response::new(CommitStatusResponse { result: code as i32, block_number }))
    }

    async fn evaluate(
        &self,
        request: Request<EvaluateRequest>,
    ) -> Result<Response<EvaluateResponse>, Status> {
        let peeled = self.peel(request.into_inner().proposed_transaction)?;
        let payload = peeled.input.args.concat().into();
        let result = Answer { status: 200, payload, ..Default::default() };
        Ok(Response::new(EvaluateResponse { result: Some(result) }))
    }

    type ChaincodeEventsStream = BoxStream<'static, Result<ChaincodeEventsResponse, Status>>;

    async fn chaincode_events(
        &self,
        request: Request<SignedChaincodeEventsRequest>,
    ) -> Result<Response<Self::ChaincodeEventsStream>, Status> {
        let request = request.into_inner();
        self.public
            .verify(&request.request, &request.signature)
            .map_err(|_| Status::permission_denied("signature"))?;
        let request = ChaincodeEventsRequest::decode(request.request).unwrap();
        self.seen.lock().unwrap().after.push(request.after_transaction_id.clone());
        let event = |tx_id: &str| ChaincodeEvent {
            chaincode_id: request.chaincode_id.clone(),
            tx_id: tx_id.into(),
            event_name: "Granted".into(),
            payload: Bytes::from_static(b"{}"),
        };
        let blocks = if request.after_transaction_id.is_empty() {
            vec![(7, vec![event("a"), event("b")])]
        } else {
            vec![(8, vec![event("c")])]
        };
        let messages = blocks
            .into_iter()
            .map(|(block_number, events)| Ok(ChaincodeEventsResponse { events, block_number }));
        let broken = stream::once(async { Err(Status::unavailable("connection lost")) });
        Ok(Response::new(stream::iter(messages.collect::<Vec<_>>()).chain(broken).boxed()))
    }
}
