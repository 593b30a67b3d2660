//! The gRPC services `gauze.peer.Administration` and `gauze.peer.LedgerQuery`.

use std::sync::Arc;

use ledger::Ledger;
use node::tasks::Tasks;
use proto::gauze::peer::administration_server::{Administration, AdministrationServer};
use proto::gauze::peer::ledger_query_server::{LedgerQuery, LedgerQueryServer};
use proto::gauze::peer::request::Content;
use proto::gauze::peer::{
    Changes, Channels as Statuses, Entries, KeyState, Modifications, SignedRequest,
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::operate::{Reports, operate};
use super::request::{Asked, Gate};
use super::{Config, convert, query};
use crate::channels::{Channels, Operation};
use crate::system::Access;

/// What stands for reading all of a channel: whoever may read its blocks knows all that is told.
const READ: &str = "qscc/GetBlockByNumber";

/// What the services need of the rest of the peer.
#[derive(Debug)]
pub struct Dependencies {
    /// The channels.
    pub channels: Arc<Channels>,
    /// Who may do what.
    pub access: Access,
    /// Where operations run.
    pub tasks: Tasks,
    /// Whether a request must name the TLS certificate of its connection.
    pub tls_binding: bool,
}

/// Both services; clones are the same.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) channels: Arc<Channels>,
    access: Access,
    pub(super) tasks: Tasks,
    gate: Gate,
    queries: Semaphore,
}

type Answer<T> = Result<Response<T>, Status>;

impl Admin {
    /// The services within the bounds of `config`.
    pub fn new(config: Config, dependencies: Dependencies) -> Self {
        let Dependencies { channels, access, tasks, tls_binding } = dependencies;
        let gate = Gate::new(config.time_window, config.requests_max, tls_binding);
        let queries = Semaphore::new(config.queries_max.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(Inner { config, channels, access, tasks, gate, queries }))
    }

    /// The service for administrators.
    pub fn administration(&self) -> AdministrationServer<Self> {
        AdministrationServer::new(self.clone())
    }

    /// The service for readers.
    pub fn ledger_query(&self) -> LedgerQueryServer<Self> {
        LedgerQueryServer::new(self.clone())
            .max_encoding_message_size(node::grpc::MAX_MESSAGE_BYTES)
    }

    /// Carries out what an administrator asks for, if the request was made for this call.
    fn administer(
        &self,
        request: Request<SignedRequest>,
        operation: impl FnOnce(Content) -> Option<Operation>,
    ) -> Answer<Reports> {
        let inner = &self.0;
        let asked = inner.gate.read(request)?;
        inner.access.check_local_admin(&asked.signed).map_err(denied)?;
        inner.gate.once(&asked)?;
        let operation = operation(asked.content).ok_or_else(another)?;
        Ok(Response::new(operate(inner, &asked.channel, operation)?))
    }

    /// Answers a question of a reader of the channel, away from the threads that serve requests.
    async fn answer<Q, T: Send + 'static>(
        &self,
        request: Request<SignedRequest>,
        question: impl FnOnce(Content) -> Option<Q>,
        answer: impl FnOnce(&Ledger, &Config, Q) -> Result<T, Status> + Send + 'static,
    ) -> Answer<T>
    where
        Q: Send + 'static,
    {
        let inner = &self.0;
        let Asked { channel, content, signed, .. } = inner.gate.read(request)?;
        let question = question(content).ok_or_else(another)?;
        let channel = inner.channels.find(&channel).map_err(|error| convert::refused(&error))?;
        inner.access.check(READ, Some(&channel), &signed).map_err(denied)?;
        let _permit = inner.queries.try_acquire().map_err(|_| {
            Status::resource_exhausted("too many questions at a time; try again later")
        })?;
        let (worker, tasks) = (inner.clone(), inner.tasks.clone());
        let work = move || answer(channel.ledger(), &worker.config, question);
        let answered = tasks.spawn_blocking("ledger query", work).await;
        let answered = answered.map_err(|_| Status::internal("a question met a defect"))?;
        Ok(Response::new(answered?))
    }
}

fn denied(error: crate::system::Denied) -> Status {
    Status::permission_denied(format!("access denied: {error}"))
}

fn another() -> Status {
    Status::invalid_argument("the request was made for another call")
}

#[tonic::async_trait]
impl Administration for Admin {
    type PauseStream = Reports;
    type ResumeStream = Reports;
    type RebuildStream = Reports;
    type RollbackStream = Reports;
    type ResetStream = Reports;
    type UnjoinStream = Reports;

    async fn status(&self, request: Request<SignedRequest>) -> Answer<Statuses> {
        let asked = self.0.gate.read(request)?;
        self.0.access.check("cscc/GetChannels", None, &asked.signed).map_err(denied)?;
        if !matches!(asked.content, Content::Status(_)) {
            return Err(another());
        }
        let statuses = self.0.channels.statuses();
        let wanted =
            statuses.iter().filter(|it| asked.channel.is_empty() || it.id == asked.channel);
        Ok(Response::new(Statuses { channels: wanted.map(convert::status).collect() }))
    }

    async fn pause(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| {
            matches!(content, Content::Pause(_)).then_some(Operation::Pause)
        })
    }

    async fn resume(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| {
            matches!(content, Content::Resume(_)).then_some(Operation::Resume)
        })
    }

    async fn rebuild(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| {
            matches!(content, Content::Rebuild(_)).then_some(Operation::Rebuild)
        })
    }

    async fn rollback(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| match content {
            Content::Rollback(asked) => Some(Operation::Rollback { to: asked.block }),
            _ => None,
        })
    }

    async fn reset(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| {
            matches!(content, Content::Reset(_)).then_some(Operation::Reset)
        })
    }

    async fn unjoin(&self, request: Request<SignedRequest>) -> Answer<Reports> {
        self.administer(request, |content| {
            matches!(content, Content::Unjoin(_)).then_some(Operation::Unjoin)
        })
    }
}

#[tonic::async_trait]
impl LedgerQuery for Admin {
    async fn history(&self, request: Request<SignedRequest>) -> Answer<Modifications> {
        let question = |content| match content {
            Content::History(asked) => Some(asked),
            _ => None,
        };
        self.answer(request, question, |ledger, config, asked| {
            query::history(ledger, config, &asked)
        })
        .await
    }

    async fn state(&self, request: Request<SignedRequest>) -> Answer<KeyState> {
        let question = |content| match content {
            Content::State(asked) => Some(asked),
            _ => None,
        };
        self.answer(request, question, |ledger, _, asked| query::state(ledger, &asked)).await
    }

    async fn range(&self, request: Request<SignedRequest>) -> Answer<Entries> {
        let question = |content| match content {
            Content::Range(asked) => Some(asked),
            _ => None,
        };
        self.answer(request, question, |ledger, config, asked| query::range(ledger, config, &asked))
            .await
    }

    async fn diff(&self, request: Request<SignedRequest>) -> Answer<Changes> {
        let question = |content| match content {
            Content::Diff(asked) => Some(asked),
            _ => None,
        };
        self.answer(request, question, |ledger, config, asked| query::diff(ledger, config, &asked))
            .await
    }
}
