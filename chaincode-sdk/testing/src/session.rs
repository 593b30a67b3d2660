//! Calls of one user to one chaincode.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use crate::call::{CallError, Committed, Endorsed, Reply};
use crate::network::Network;
use crate::user::User;

/// A user at a chaincode, ready to call.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    pub(crate) network: &'a Network,
    pub(crate) user: User,
    pub(crate) chaincode: String,
    pub(crate) transient: BTreeMap<String, Bytes>,
}

impl Session<'_> {
    /// Calls another chaincode than the first deployed.
    #[must_use]
    pub fn chaincode(mut self, name: &str) -> Self {
        self.chaincode = name.to_owned();
        self
    }

    /// Adds a transient input as JSON.
    ///
    /// # Panics
    /// If the value has no JSON.
    #[must_use]
    pub fn transient(self, name: &str, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("transient inputs have JSON");
        self.transient_bytes(name, bytes)
    }

    /// Adds a transient input.
    #[must_use]
    pub fn transient_bytes(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.transient.insert(name.to_owned(), value.into());
        self
    }

    /// Runs a function and forgets what it wrote.
    pub fn evaluate(
        &self,
        function: &str,
        args: impl IntoIterator<Item: Into<Vec<u8>>>,
    ) -> Result<Reply, CallError> {
        self.endorse(function, args).map(|endorsed| endorsed.reply())
    }

    /// Runs a function; what it wrote waits for [`Network::commit`].
    pub fn endorse(
        &self,
        function: &str,
        args: impl IntoIterator<Item: Into<Vec<u8>>>,
    ) -> Result<Endorsed, CallError> {
        let args = args.into_iter().map(|arg| Bytes::from(arg.into()));
        let args = std::iter::once(Bytes::copy_from_slice(function.as_bytes())).chain(args);
        self.network.endorse(self, args.collect())
    }

    /// Runs a function and commits it in a block of its own.
    pub fn submit(
        &self,
        function: &str,
        args: impl IntoIterator<Item: Into<Vec<u8>>>,
    ) -> Result<Committed, CallError> {
        let endorsed = self.endorse(function, args)?;
        let (tx_id, reply) = (endorsed.tx_id.clone(), endorsed.reply());
        match self.network.commit([endorsed])[..] {
            [proto::peer::TxValidationCode::Valid] => {
                Ok(Committed { tx_id, block: self.network.height() - 1, reply })
            }
            [code, ..] => Err(CallError::Invalid { tx_id, code }),
            [] => {
                Err(CallError::Invalid { tx_id, code: proto::peer::TxValidationCode::NilTxaction })
            }
        }
    }
}
