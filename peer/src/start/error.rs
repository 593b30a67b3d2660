//! Why a peer could not be started.

/// Why a peer could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledgers cannot be opened.
    #[error("open ledgers")]
    Ledger(#[from] ledger::Error),
    /// A channel cannot be opened.
    #[error("open channels")]
    Channels(#[from] crate::channels::Error),
    /// The installed chaincode cannot be opened.
    #[error("open installed chaincode")]
    Lifecycle(#[from] crate::lifecycle::Error),
    /// The chaincode engine refuses its configuration.
    #[error("start the chaincode engine")]
    Runtime(#[from] runtime::Error),
    /// The peer's own key or certificate is unusable.
    #[error("load the peer's identity")]
    Signer(#[from] msp::SignerError),
    /// The peer's MSP folder is unusable.
    #[error("load the peer's MSP")]
    Directory(#[from] msp::directory::Error),
    /// The peer's organization is not well defined.
    #[error("set up the peer's MSP")]
    Msp(#[from] msp::SetupError),
    /// The peer is not a valid member of its own organization.
    #[error("the peer's certificate is not one of organization {msp_id}")]
    NotMember {
        /// The organization.
        msp_id: String,
        /// What is wrong.
        source: msp::Error,
    },
    /// The peer cannot sign.
    #[error("sign with the peer's key")]
    Sign(#[from] msp::Error),
    /// TLS is unusable.
    #[error("TLS")]
    Tls(#[from] node::tls::Error),
    /// The listen address cannot be bound.
    #[error("listen")]
    Listen(#[from] std::io::Error),
    /// The operations endpoint cannot be served.
    #[error("operations endpoint")]
    Operations(#[from] node::operations::Error),
    /// Opening ledgers or compiling chaincode panicked.
    #[error("a task of the start ended early")]
    Task(#[from] tokio::task::JoinError),
}
