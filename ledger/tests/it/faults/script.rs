//! What is done to a ledger: blocks with everything in them, late private data, endorsements,
//! snapshots. The same script can be begun again from any point.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use ledger::{Ledger, PrivateWriteSets, Simulator, TransientEntry};
use prost::Message;
use proto::common::{
    Block, CollectionConfig, CollectionConfigPackage, StaticCollectionConfig, collection_config,
};
use proto::kvrwset::KvrwSet;
use proto::lifecycle::{StateData, state_data};
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::TxValidationCode;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;
use tempfile::TempDir;

use crate::chain::{self, MvccReadConflict, Valid, text, tx};
use crate::vectors;

/// Blocks in a script.
pub(super) const BLOCKS: u64 = 14;

/// Heights at which a snapshot is written.
const SNAPSHOTS: [u64; 2] = [6, 11];

/// Late private data: of which block, and at which height it comes.
const LATE: (u64, u64) = (4, 8);

/// One block and what comes with it.
#[derive(Debug)]
struct Step {
    block: Block,
    codes: Vec<TxValidationCode>,
    private: PrivateWriteSets,
}

/// All steps.
#[derive(Debug)]
pub(super) struct Script {
    steps: Vec<Step>,
    late: PrivateWriteSets,
    pub(super) tx_ids: Vec<String>,
}

impl Script {
    /// Makes the script by running it, with a ledger that nothing happens to.
    pub(super) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let ledger = chain::create(dir.path());
        let first = vectors::as_ordered(&ledger.block(0).unwrap().unwrap());
        let first = Step { block: first, codes: vec![Valid], private: Default::default() };
        let mut script =
            Self { steps: vec![first], late: Default::default(), tx_ids: vec!["config".into()] };
        for number in 1..BLOCKS {
            let step = script.step(&ledger, number);
            let (codes, private) = (step.codes.clone(), step.private.clone());
            let committed = ledger.commit(step.block.clone(), codes, private).unwrap();
            if ![1, 9, BLOCKS - 1].contains(&number) {
                assert!(committed.codes.contains(&MvccReadConflict), "{:?}", committed.codes);
            }
            script.steps.push(step);
        }
        script
    }

    fn step(&mut self, ledger: &Ledger, number: u64) -> Step {
        let mut private = PrivateWriteSets::default();
        let mut envelopes = Vec::new();
        let mut codes = Vec::new();
        for (index, transaction) in (0u32..).zip(transactions(ledger, number)) {
            let tx_id = format!("tx-{number}-{index}");
            envelopes.push(tx(&tx_id, transaction.public));
            codes.push(transaction.code);
            let set = transaction.private.map(|set| (index, set));
            // The private data of one block does not come with it.
            match number == LATE.0 {
                true => self.late.write_sets.extend(set),
                false => private.write_sets.extend(set),
            }
            self.tx_ids.push(tx_id);
        }
        Step { block: chain::block(ledger, envelopes), codes, private }
    }

    /// Does what has not been done yet.
    pub(super) fn run(&self, ledger: &Ledger, snapshots: &Path) -> Result<(), ledger::Error> {
        for (number, step) in (0..).zip(&self.steps) {
            if ledger.height() == number {
                self.endorse(ledger, number)?;
                let (codes, private) = (step.codes.clone(), step.private.clone());
                ledger.commit(step.block.clone(), codes, private)?;
            }
            let height = number + 1;
            if ledger.height() == height && height >= LATE.1 {
                ledger.add_private_data(LATE.0, self.late.clone())?;
            }
            let at = snapshots.join(height.to_string());
            if ledger.height() == height && SNAPSHOTS.contains(&height) && !at.exists() {
                ledger.snapshot(&at)?;
            }
        }
        Ok(())
    }

    /// Leaves private data as an endorsement does: some for this block, some that never comes.
    fn endorse(&self, ledger: &Ledger, number: u64) -> Result<(), ledger::Error> {
        let Some(step) = self.steps.get(number as usize) else { return Ok(()) };
        for (index, set) in &step.private.write_sets {
            let entry = TransientEntry {
                received_at: number,
                private: TxPvtReadWriteSetWithConfigInfo {
                    endorsed_at: number,
                    pvt_rwset: Some(set.clone()),
                    ..Default::default()
                },
            };
            let store = ledger.transient_store();
            store.persist(&format!("tx-{number}-{index}"), &entry)?;
            store.persist(&format!("never-{number}"), &entry)?;
        }
        Ok(())
    }

    /// Brings private data that is missing, as other peers would.
    pub(super) fn reconcile(&self, ledger: &Ledger) -> Result<(), ledger::Error> {
        for number in ledger.missing_private_data(usize::MAX)?.into_keys() {
            let late = number == LATE.0 && ledger.height() >= LATE.1;
            let private = match self.steps.get(number as usize) {
                _ if late => self.late.clone(),
                Some(step) => step.private.clone(),
                None => continue,
            };
            ledger.add_private_data(number, private)?;
        }
        Ok(())
    }

    pub(super) fn save(&self, dir: &Path) {
        let late: Saved = (&self.late).into();
        for (number, step) in self.steps.iter().enumerate() {
            fs::write(dir.join(format!("block-{number}")), step.block.encode_to_vec()).unwrap();
            let saved = Saved {
                codes: step.codes.iter().map(|code| *code as i32).collect(),
                ..(&step.private).into()
            };
            fs::write(dir.join(format!("with-{number}")), saved.encode_to_vec()).unwrap();
        }
        fs::write(dir.join("late"), late.encode_to_vec()).unwrap();
        fs::write(dir.join("ids"), self.tx_ids.join("\n")).unwrap();
    }

    pub(super) fn load(dir: &Path) -> Self {
        let read = |name: String| Bytes::from(fs::read(dir.join(name)).unwrap());
        let steps = (0..BLOCKS).map(|number| {
            let with = Saved::decode(read(format!("with-{number}"))).unwrap();
            Step {
                block: Block::decode(read(format!("block-{number}"))).unwrap(),
                codes: with.codes.iter().map(|code| (*code).try_into().unwrap()).collect(),
                private: with.into(),
            }
        });
        let ids = fs::read_to_string(dir.join("ids")).unwrap();
        Self {
            steps: steps.collect(),
            late: Saved::decode(read("late".into())).unwrap().into(),
            tx_ids: ids.lines().map(str::to_owned).collect(),
        }
    }
}

/// What is saved with a block.
#[derive(Clone, PartialEq, Message)]
struct Saved {
    #[prost(int32, repeated, tag = "1")]
    codes: Vec<i32>,
    #[prost(btree_map = "uint32, message", tag = "2")]
    private: BTreeMap<u32, TxPvtReadWriteSet>,
}

impl From<&PrivateWriteSets> for Saved {
    fn from(private: &PrivateWriteSets) -> Self {
        Self { codes: vec![], private: private.write_sets.clone() }
    }
}

impl From<Saved> for PrivateWriteSets {
    fn from(saved: Saved) -> Self {
        Self { write_sets: saved.private, ..Self::default() }
    }
}

struct Transaction {
    public: Bytes,
    private: Option<TxPvtReadWriteSet>,
    code: TxValidationCode,
}

/// The transactions of a block.
fn transactions(ledger: &Ledger, number: u64) -> Vec<Transaction> {
    let simulate = |run: &dyn Fn(&mut Simulator)| {
        let mut simulator = ledger.simulator("tx").unwrap();
        run(&mut simulator);
        let simulation = simulator.finish().unwrap();
        Transaction { public: simulation.public, private: simulation.private, code: Valid }
    };
    if [1, 9].contains(&number) {
        // The life of data in `short` is two blocks, in `long` it has no end.
        return vec![simulate(&|tx| define(tx, number))];
    }
    if number + 1 == BLOCKS {
        // The last block is short: it is torn at every byte.
        return vec![simulate(&|tx| tx.put_private("cc", "long", "end", text("-")).unwrap())];
    }
    let public = simulate(&|tx| {
        tx.get_state("cc", "counter").unwrap();
        tx.put_state("cc", "counter", text(&number.to_string())).unwrap();
        tx.put_state("cc", &format!("key{}", number % 5), text(&"v".repeat(40))).unwrap();
        tx.del_state("cc", &format!("key{}", (number + 2) % 5)).unwrap();
    });
    let metadata = simulate(&|tx| {
        tx.set_state_metadata("cc", "counter2", "VALIDATION_PARAMETER", text("policy")).unwrap();
        tx.put_state("cc", "counter2", text("x")).unwrap();
    });
    let conflicting = simulate(&|tx| {
        tx.get_state("cc", "counter").unwrap();
        tx.put_state("cc", "never", text("written")).unwrap();
    });
    let mut rejected = simulate(&|tx| tx.put_state("cc", "never", text("written")).unwrap());
    rejected.code = TxValidationCode::BadCreatorSignature;
    let secret = simulate(&|tx| {
        let value = |name: &str| text(&secret(name, number));
        tx.put_private("cc", "short", &format!("s{}", number % 3), value("short")).unwrap();
        tx.put_private("cc", "long", &format!("l{number}"), value("long")).unwrap();
        tx.put_private("cc", "long", "shared", value("shared")).unwrap();
    });
    let purge = simulate(&|tx| {
        let key = format!("l{}", number.saturating_sub(2));
        tx.purge_private("cc", "long", &key).unwrap();
    });
    let mut all = vec![public, metadata, conflicting, rejected, secret];
    if number.is_multiple_of(3) {
        all.push(purge);
    }
    all
}

/// The clear value written to a collection in a block.
fn secret(collection: &str, number: u64) -> String {
    format!("secret in {collection} of block {number}.")
}

/// All clear values of a script.
pub(super) fn secrets() -> impl Iterator<Item = String> {
    (0..BLOCKS).flat_map(|number| ["short", "long", "shared"].map(|name| secret(name, number)))
}

fn define(tx: &mut Simulator, number: u64) {
    let collections = [("short", 2), ("long", 0), ("other", number)].map(|(name, life)| {
        let config =
            StaticCollectionConfig { name: name.into(), block_to_live: life, ..Default::default() };
        let payload = collection_config::Payload::StaticCollectionConfig(config);
        CollectionConfig { payload: Some(payload) }
    });
    let package = CollectionConfigPackage { config: collections.to_vec() };
    let field = StateData { r#type: Some(state_data::Type::Bytes(package.encode_to_vec().into())) };
    let key = "namespaces/fields/cc/Collections";
    tx.put_state("_lifecycle", key, field.encode_to_vec().into()).unwrap();
}

/// Clear keys and values in a private write set, in short.
pub(super) fn clear(set: &TxPvtReadWriteSet) -> String {
    let collections = set.ns_pvt_rwset.iter().flat_map(|it| &it.collection_pvt_rwset);
    let each = collections.map(|it| {
        let set = KvrwSet::decode(it.rwset.clone()).unwrap();
        let writes = set.writes.iter().map(|it| format!("{}={:?}", it.key, it.value));
        format!("{} {}", it.collection_name, writes.collect::<Vec<_>>().join(","))
    });
    each.collect::<Vec<_>>().join("; ")
}
