//! Why a call is refused, and why the service does not start.

use tonic::Status;

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Who calls is not proven. The caller is not told more; the reason goes to the log.
    #[error("authentication failure")]
    Authentication(&'static str),
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing, or none the caller may know of.
    #[error("{0}")]
    NotFound(String),
    /// There is one already.
    #[error("{0}")]
    Exists(String),
    /// The state of the registry does not allow it.
    #[error("{0}")]
    State(String),
    /// Something is broken on our side.
    #[error("internal error")]
    Internal(String),
}

impl From<sled::Error> for Error {
    fn from(error: sled::Error) -> Self {
        Self::Internal(format!("registry: {error}"))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("record: {error}"))
    }
}

impl From<msp::authority::Error> for Error {
    fn from(error: msp::authority::Error) -> Self {
        match error {
            msp::authority::Error::Host(_) => Self::Invalid(error.to_string()),
            other => Self::Internal(format!("issue: {other}")),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Authentication(reason) => {
                tracing::info!(reason, "authentication failed");
                Self::unauthenticated(text)
            }
            Error::Denied(_) => Self::permission_denied(text),
            Error::Invalid(_) => Self::invalid_argument(text),
            Error::NotFound(_) => Self::not_found(text),
            Error::Exists(_) => Self::already_exists(text),
            Error::State(_) => Self::failed_precondition(text),
            Error::Internal(reason) => {
                tracing::error!(%reason, "call failed");
                Self::internal(text)
            }
        }
    }
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The registry cannot be opened or written.
    #[error("registry in {path}: {reason}")]
    Registry {
        /// Where it lies.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The registry was written by a later version.
    #[error("registry has format {found}, this version knows {known}")]
    Format {
        /// The format found.
        found: u64,
        /// The newest format known.
        known: u64,
    },
    /// The registry is empty and there is no secret for the first registrar.
    #[error("bootstrap.secret (CA_BOOTSTRAP__SECRET) is needed at the first start")]
    NoBootstrapSecret,
    /// A configured value cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A root or its key cannot be read, made or written.
    #[error("root {name}")]
    Root {
        /// Which root.
        name: String,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The listener's certificate cannot be used.
    #[error("TLS of the listener")]
    Tls(#[from] node::tls::Error),
    /// The address cannot be bound.
    #[error("listener")]
    Bind(#[from] std::io::Error),
    /// The operations endpoint does not start.
    #[error(transparent)]
    Operations(#[from] node::operations::Error),
}
