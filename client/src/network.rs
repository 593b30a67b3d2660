//! A channel as seen through a gateway.

use crate::deliver::{self, BlockEvents, Start};
use crate::events::ChaincodeEvents;
use crate::gateway::Session;
use crate::{Contract, Error};

/// A channel: its chaincodes and its events.
#[derive(Clone, Debug)]
pub struct Network {
    session: Session,
    channel: String,
}

impl Network {
    pub(crate) fn new(session: Session, channel: &str) -> Self {
        Self { session, channel: channel.to_owned() }
    }

    /// The channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.channel
    }

    /// A chaincode on this channel.
    #[must_use]
    pub fn contract(&self, chaincode: &str) -> Contract {
        Contract::new(self.session.clone(), &self.channel, chaincode)
    }

    /// Follows the events of a chaincode.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn chaincode_events(
        &self,
        chaincode: &str,
        start: Start,
    ) -> Result<ChaincodeEvents, Error> {
        ChaincodeEvents::open(self.session.clone(), &self.channel, chaincode, start).await
    }

    /// Follows the channel's blocks.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn block_events(
        &self,
        start: Start,
    ) -> Result<BlockEvents<proto::common::Block>, Error> {
        deliver::blocks(&self.session, &self.channel, start).await
    }

    /// Follows the channel's blocks without their content: transaction ids, codes, event names.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn filtered_block_events(
        &self,
        start: Start,
    ) -> Result<BlockEvents<proto::peer::FilteredBlock>, Error> {
        deliver::filtered(&self.session, &self.channel, start).await
    }

    /// Follows the channel's blocks with the private data the caller may read.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn block_and_private_data_events(
        &self,
        start: Start,
    ) -> Result<BlockEvents<proto::peer::BlockAndPrivateData>, Error> {
        deliver::with_private_data(&self.session, &self.channel, start).await
    }
}
