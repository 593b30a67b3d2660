//! The service as gRPC: authentication, bounds and metrics in front of the calls.

use std::sync::Arc;

use node::metrics::{Counter, Family, Registry};
use node::tasks::Tasks;
use prost::Message;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::messages::certificate_authority_server::CertificateAuthority;
use crate::messages::*;
use crate::{record, token};

use super::Service;

/// Path of the calls.
const PREFIX: &str = "/gauze.ca.CertificateAuthority/";
const REENROLL: &str = "Reenroll";

/// The gRPC face of the authority.
#[derive(Debug)]
pub(crate) struct Grpc {
    service: Arc<Service>,
    tasks: Tasks,
    permits: Arc<Semaphore>,
    requests: Family<Vec<(&'static str, String)>, Counter>,
}

type Answer<T> = Result<Response<T>, Status>;
type Call<Q, A> = fn(&Service, &record::Identity, Q) -> Result<A, Error>;

impl Grpc {
    pub(crate) fn new(service: Arc<Service>, tasks: Tasks, metrics: &Registry) -> Self {
        let permits = Arc::new(Semaphore::new(service.config().requests_max.max(1)));
        let requests = metrics.add("gauze_ca_requests", "Calls by name and outcome");
        Self { service, tasks, permits, requests }
    }

    /// Runs a call on the blocking pool: hashing and the registry take their time.
    async fn run<A: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Service) -> Result<A, Error> + Send + 'static,
    ) -> Answer<A> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Status::unavailable("stopping"))?;
        let service = Arc::clone(&self.service);
        let work = move || {
            let _permit = permit;
            work(&service).map_err(Status::from)
        };
        let ended = self.tasks.spawn_blocking(name, work).await;
        let outcome = ended.unwrap_or_else(|_| Err(Status::internal("internal error")));
        let code = outcome.as_ref().err().map_or(tonic::Code::Ok, Status::code);
        let labels = vec![("call", name.to_owned()), ("outcome", format!("{code:?}"))];
        self.requests.get_or_create(&labels).inc();
        outcome.map(Response::new)
    }

    /// Runs a call for the caller its token proves.
    async fn authenticated<Q: Message + Send + 'static, A: Send + 'static>(
        &self,
        name: &'static str,
        request: Request<Q>,
        call: Call<Q, A>,
    ) -> Answer<A> {
        let token = request.metadata().get(token::METADATA);
        let token = token.and_then(|it| it.to_str().ok()).map(str::to_owned);
        let request = request.into_inner();
        self.run(name, move |service| {
            // Both sides compile the same messages, whose encoding is unique. What a newer client
            // adds is lost here, so that its token is refused instead of half understood.
            let body = request.encode_to_vec();
            let path = format!("{PREFIX}{name}");
            let reenrolling = name == REENROLL;
            let caller = service.authenticate(token.as_deref(), &path, &body, reenrolling)?;
            call(service, &caller, request)
        })
        .await
    }
}

#[tonic::async_trait]
impl CertificateAuthority for Grpc {
    async fn get_info(&self, _: Request<GetInfoRequest>) -> Answer<Info> {
        self.run("GetInfo", |service| Ok(service.info())).await
    }

    async fn enroll(&self, request: Request<EnrollRequest>) -> Answer<Enrolled> {
        let request = request.into_inner();
        self.run("Enroll", move |service| service.enroll(request)).await
    }

    async fn reenroll(&self, request: Request<ReenrollRequest>) -> Answer<Enrolled> {
        self.authenticated(REENROLL, request, Service::reenroll).await
    }

    async fn register(&self, request: Request<RegisterRequest>) -> Answer<Registered> {
        self.authenticated("Register", request, Service::register).await
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Answer<Revoked> {
        self.authenticated("Revoke", request, Service::revoke).await
    }

    async fn generate_crl(&self, request: Request<GenerateCrlRequest>) -> Answer<Crl> {
        self.authenticated("GenerateCrl", request, Service::generate_crl).await
    }

    async fn list_identities(&self, request: Request<ListIdentitiesRequest>) -> Answer<Identities> {
        self.authenticated("ListIdentities", request, Service::list_identities).await
    }

    async fn get_identity(&self, request: Request<GetIdentityRequest>) -> Answer<Identity> {
        self.authenticated("GetIdentity", request, Service::get_identity).await
    }

    async fn modify_identity(&self, request: Request<ModifyIdentityRequest>) -> Answer<Identity> {
        self.authenticated("ModifyIdentity", request, Service::modify_identity).await
    }

    async fn remove_identity(&self, request: Request<RemoveIdentityRequest>) -> Answer<Identity> {
        self.authenticated("RemoveIdentity", request, Service::remove_identity).await
    }

    async fn list_affiliations(
        &self,
        request: Request<ListAffiliationsRequest>,
    ) -> Answer<Affiliations> {
        self.authenticated("ListAffiliations", request, Service::list_affiliations).await
    }

    async fn add_affiliation(
        &self,
        request: Request<AddAffiliationRequest>,
    ) -> Answer<Affiliations> {
        self.authenticated("AddAffiliation", request, Service::add_affiliation).await
    }

    async fn remove_affiliation(
        &self,
        request: Request<RemoveAffiliationRequest>,
    ) -> Answer<Affiliations> {
        self.authenticated("RemoveAffiliation", request, Service::remove_affiliation).await
    }

    async fn list_certificates(
        &self,
        request: Request<ListCertificatesRequest>,
    ) -> Answer<Certificates> {
        self.authenticated("ListCertificates", request, Service::list_certificates).await
    }
}
