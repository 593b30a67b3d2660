//! What event streams tell about one transaction of a committed block.

use proto::common::{Block, HeaderType};
use proto::envelope::Envelope;
use proto::peer::{
    ChaincodeEvent, FilteredBlock, FilteredChaincodeAction, FilteredTransaction,
    FilteredTransactionActions, TxValidationCode, filtered_transaction,
};
use proto::transaction::Action;

/// One transaction of a committed block, with its verdict.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Claimed transaction id; empty in config transactions and malformed envelopes.
    pub(super) tx_id: String,
    /// The verdict of validation.
    pub(super) code: TxValidationCode,
    /// `None` if the envelope does not parse.
    envelope: Option<Envelope>,
}

impl Transaction {
    /// The transactions of `block`, in order.
    pub(super) fn all(block: &Block) -> impl Iterator<Item = Self> {
        let codes = proto::block::transactions_filter(block);
        proto::block::envelopes(block).iter().enumerate().map(move |(index, bytes)| {
            let envelope = Envelope::parse(bytes.clone()).ok();
            let tx_id = envelope.as_ref().map(|e| e.channel_header.tx_id.clone());
            let code = codes.get(index).map_or(TxValidationCode::NotValidated, |code| {
                TxValidationCode::try_from(i32::from(*code))
                    .unwrap_or(TxValidationCode::InvalidOtherReason)
            });
            Self { tx_id: tx_id.unwrap_or_default(), code, envelope }
        })
    }

    fn header_type(&self) -> i32 {
        self.envelope.as_ref().map_or(0, |envelope| envelope.channel_header.r#type)
    }

    /// The event the chaincode set, whatever the verdict.
    pub(super) fn event(&self) -> Option<ChaincodeEvent> {
        if self.header_type() != HeaderType::EndorserTransaction as i32 {
            return None;
        }
        let data = self.envelope.as_ref()?.data.clone();
        let action = Action::parse(data).ok()?.chaincode_action().ok()?;
        if action.events.is_empty() {
            return None;
        }
        proto::decode(action.events).ok()
    }

    fn filtered(self) -> FilteredTransaction {
        let endorser = self.header_type() == HeaderType::EndorserTransaction as i32;
        let data = endorser.then(|| {
            let event =
                self.event().map(|event| ChaincodeEvent { payload: [].as_slice().into(), ..event });
            let chaincode_actions = event
                .map(|event| FilteredChaincodeAction { chaincode_event: Some(event) })
                .into_iter()
                .collect();
            filtered_transaction::Data::TransactionActions(FilteredTransactionActions {
                chaincode_actions,
            })
        });
        FilteredTransaction {
            r#type: self.header_type(),
            txid: self.tx_id,
            tx_validation_code: self.code.into(),
            data,
        }
    }
}

/// The block without contents: ids, types, verdicts and events without their payload. Transactions
/// that do not parse are told, too.
pub(super) fn filtered_block(channel_id: &str, block: &Block) -> FilteredBlock {
    FilteredBlock {
        channel_id: channel_id.to_owned(),
        number: proto::block::number(block),
        filtered_transactions: Transaction::all(block).map(Transaction::filtered).collect(),
    }
}
