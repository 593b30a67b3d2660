//! The blocks of a peer of Gauze.

use std::path::PathBuf;

use ledger::offline::{Offline, StoredBlocks};
use ledger::{Error as LedgerError, SegmentsError};

use crate::verify::{Difference, Error, Fault, Item, Source, What};

/// The blocks in the segments of a ledger.
pub(super) struct Stored {
    dir: PathBuf,
    blocks: Result<StoredBlocks, Option<SegmentsError>>,
}

impl Stored {
    pub(super) fn new(offline: &Offline) -> Self {
        Self { dir: offline.dir().to_owned(), blocks: offline.blocks().map_err(Some) }
    }
}

impl Source for Stored {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        let next = match &mut self.blocks {
            Ok(blocks) => blocks.next(),
            Err(error) => error.take().map(Err),
        };
        let Some(block) = next.transpose().map_err(fault)? else { return Ok(None) };
        let origin = format!("{} at offset {}", block.file.display(), block.offset());
        let (bytes, number) = (block.bytes, Some(block.number));
        Ok(Some(Item { bytes, number, origin, ..Item::default() }))
    }

    fn notes(&self) -> Vec<String> {
        let torn = self.blocks.as_ref().ok().and_then(StoredBlocks::torn);
        let note = torn.map(|torn| {
            format!(
                "{} ends with {} bytes of a block that was not written to its end (offset {}); the \
                 peer never acknowledged it and cuts it off when it starts",
                torn.file.display(),
                torn.bytes,
                torn.offset
            )
        });
        note.into_iter().collect()
    }

    fn remedy(&self, difference: &Difference) -> String {
        let dir = self.dir.display();
        match difference.what {
            What::MissingKey
            | What::ExtraKey
            | What::Value
            | What::Version
            | What::Metadata
            | What::Notes
            | What::History
            | What::Database => format!(
                "stop the peer and remove {dir}/index: state and history are rebuilt from the \
                 blocks when it starts"
            ),
            What::TransactionIndex | What::BlockIndex => format!(
                "stop the peer and remove {dir}/blocks/index: it is rebuilt from the blocks when \
                 it starts"
            ),
            _ => format!(
                "do not endorse with this peer: stop it, restore {dir} from a backup, or remove it \
                 and join the channel again"
            ),
        }
    }
}

fn fault(error: SegmentsError) -> Fault {
    match error {
        SegmentsError::Corrupt { file, offset, reason } => {
            Fault::Damaged { file, offset, reason: reason.to_owned() }
        }
        error => Fault::Unreadable(Error::Ledger(LedgerError::Blocks(error.into()))),
    }
}
