//! The logs there are.

/// What distinguishes a log from others: whether its records may be overwritten, and the places at
/// which tests let it fail.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Whether payloads may have been overwritten on purpose.
    pub(crate) wipeable: bool,
    pub(super) before_write: &'static str,
    pub(super) before_sync: &'static str,
    pub(super) after_sync: &'static str,
    pub(super) before_roll: &'static str,
    pub(super) rolling: &'static str,
    pub(super) after_roll: &'static str,
    pub(super) before_cut: &'static str,
    pub(super) after_cut: &'static str,
}

/// The chain of blocks.
pub(crate) const BLOCKS: Kind = Kind {
    wipeable: false,
    before_write: "ledger::block_append::before_write",
    before_sync: "ledger::block_append::before_sync",
    after_sync: "ledger::block_append::after_sync",
    before_roll: "ledger::block_segment::before_roll",
    rolling: "ledger::block_segment::rolling",
    after_roll: "ledger::block_segment::after_roll",
    before_cut: "ledger::block_repair::before_cut",
    after_cut: "ledger::block_repair::after_cut",
};

/// Private data.
pub(crate) const PRIVATE: Kind = Kind {
    wipeable: true,
    before_write: "ledger::private_append::before_write",
    before_sync: "ledger::private_append::before_sync",
    after_sync: "ledger::private_append::after_sync",
    before_roll: "ledger::private_segment::before_roll",
    rolling: "ledger::private_segment::rolling",
    after_roll: "ledger::private_segment::after_roll",
    before_cut: "ledger::private_repair::before_cut",
    after_cut: "ledger::private_repair::after_cut",
};
