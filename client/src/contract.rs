//! A chaincode on a channel: the calls applications make.

use bytes::Bytes;

use crate::gateway::Session;
use crate::proposal::Request;
use crate::{Commit, Error, Outcome, Proposal};

/// A chaincode on a channel.
#[derive(Clone, Debug)]
pub struct Contract {
    session: Session,
    channel: String,
    chaincode: String,
}

impl Contract {
    pub(crate) fn new(session: Session, channel: &str, chaincode: &str) -> Self {
        Self { session, channel: channel.to_owned(), chaincode: chaincode.to_owned() }
    }

    /// The chaincode's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.chaincode
    }

    /// Starts a call of `function` that can carry transient data and name organizations.
    #[must_use]
    pub fn call(&self, function: &str) -> Call {
        let request = Request {
            channel: self.channel.clone(),
            chaincode: self.chaincode.clone(),
            args: vec![Bytes::copy_from_slice(function.as_bytes())],
            ..Request::default()
        };
        Call { session: self.session.clone(), request, organizations: Vec::new() }
    }

    /// Queries: runs `function` on one peer and returns its answer.
    ///
    /// # Errors
    /// When no peer could run it or the chaincode refused.
    pub async fn evaluate<A: AsRef<[u8]>>(
        &self,
        function: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Bytes, Error> {
        self.call(function).args(args).evaluate().await
    }

    /// Endorses, orders, and waits until the transaction is in a block and valid.
    ///
    /// # Errors
    /// When a step failed or peers judged the transaction invalid.
    pub async fn submit<A: AsRef<[u8]>>(
        &self,
        function: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Outcome, Error> {
        self.call(function).args(args).submit().await
    }

    /// As [`Contract::submit`] without waiting for the block.
    ///
    /// # Errors
    /// When endorsing or ordering failed.
    pub async fn submit_async<A: AsRef<[u8]>>(
        &self,
        function: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Commit, Error> {
        self.call(function).args(args).submit_async().await
    }
}

/// A call being put together.
#[derive(Clone, Debug)]
pub struct Call {
    session: Session,
    request: Request,
    organizations: Vec<String>,
}

impl Call {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.request.args.push(Bytes::copy_from_slice(argument.as_ref()));
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<[u8]>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Adds data for the endorsers' eyes only: it enters no transaction.
    #[must_use]
    pub fn transient(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request.transient.insert(name.to_owned(), Bytes::copy_from_slice(value.as_ref()));
        self
    }

    /// Names the organizations that evaluate or endorse, instead of letting the gateway choose.
    #[must_use]
    pub fn organizations<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.organizations.extend(names.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Marks the call as the chaincode's initialization.
    #[must_use]
    pub fn init(mut self) -> Self {
        self.request.is_init = true;
        self
    }

    /// The proposal, with a fresh transaction id; for offline signing.
    #[must_use]
    pub fn proposal(self) -> Proposal {
        Proposal::new(self.session, self.request, self.organizations)
    }

    /// See [`Contract::evaluate`].
    ///
    /// # Errors
    /// As there.
    pub async fn evaluate(self) -> Result<Bytes, Error> {
        self.proposal().evaluate().await
    }

    /// See [`Contract::submit`].
    ///
    /// # Errors
    /// As there.
    pub async fn submit(self) -> Result<Outcome, Error> {
        self.submit_async().await?.status().await?.valid()
    }

    /// See [`Contract::submit_async`].
    ///
    /// # Errors
    /// As there.
    pub async fn submit_async(self) -> Result<Commit, Error> {
        self.proposal().endorse().await?.submit().await
    }
}
