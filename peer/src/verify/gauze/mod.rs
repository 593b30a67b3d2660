//! Ledgers of peers of Gauze, on disk.

mod indexes;
mod private;
mod source;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::offline::{Derived, Offline, Opened};
use ledger::{DatabaseError, Error as LedgerError, SegmentsError};

use super::{At, Difference, Error, Findings, Recorded, Subject, What};

use indexes::{BlockIndex, History, TransactionIndex};
use private::PrivateLog;
use source::Stored;
use state::State;

/// Folders below the one given in which a peer keeps its ledgers.
const BELOW: [&str; 3] = ["", "ledgers", "data/ledgers"];

/// The channels' ledgers in `dir`: `dir` itself, or the folders in it or in the folder of ledgers
/// of the peer whose data or node folder it is. Each by the name of its folder.
pub fn find(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    if !dir.is_dir() {
        std::fs::read_dir(dir).map_err(Error::io("open", dir))?;
    }
    if Offline::is_ledger(dir) {
        return Ok(vec![dir.to_owned()]);
    }
    for below in BELOW {
        let folder = if below.is_empty() { dir.to_owned() } else { dir.join(below) };
        if !folder.is_dir() {
            continue;
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            found.extend(Offline::is_ledger(&path).then_some(path));
        }
        if !found.is_empty() {
            found.sort();
            return Ok(found);
        }
    }
    let expected = "expected `blocks/segments`, or one folder with it for each channel";
    Err(Error::NoLedger { dir: dir.to_owned(), expected })
}

/// Opens the ledger of one channel for verification. State and indexes are copied to the folder
/// `scratch`, unless a running peer has them open.
pub fn open(dir: &Path, scratch: &Path) -> Result<Subject, Error> {
    let offline = Offline::open(dir).map_err(Error::Ledger)?;
    let (mut notes, mut blocks) = (Vec::new(), None);
    let recorded: Vec<Box<dyn Recorded>> = match offline.derived(scratch) {
        Ok(Opened::Copy(derived)) => {
            blocks = derived.indexed_height().ok();
            compared(&offline, Arc::new(*derived))?
        }
        Ok(Opened::InUse) => {
            notes.push(format!(
                "a running peer has the state of {} open: only its blocks are verified. Stop the \
                 peer and run this command again to have state and indexes compared",
                dir.display()
            ));
            let why = "not compared: a running peer has it open";
            vec![Box::new(Absent { name: "state and indexes", why })]
        }
        Ok(Opened::Absent) => {
            let why = "none: it is built from the blocks when the peer starts";
            vec![Box::new(Absent { name: "state and indexes", why })]
        }
        Err(LedgerError::Database { name, source: DatabaseError::Damaged { reason, .. } }) => {
            vec![Box::new(Broken { dir: dir.to_owned(), reason: format!("{name}: {reason}") })]
        }
        Err(error) => return Err(Error::Ledger(error)),
    };
    let source = Box::new(Stored::new(&offline));
    let base = offline.base();
    if let Some(base) = &base {
        notes.push(format!(
            "the ledger begins behind the snapshot {}, which is believed: compare its hash with \
             that of another organization",
            base.display()
        ));
    }
    let (dir, genesis) = (dir.to_owned(), None);
    Ok(Subject { dir, source, blocks, recorded, genesis, base, notes })
}

fn compared(offline: &Offline, derived: Arc<Derived>) -> Result<Vec<Box<dyn Recorded>>, Error> {
    let savepoint = derived.state_savepoint().map_err(Error::Ledger)?;
    let mut recorded: Vec<Box<dyn Recorded>> = match savepoint {
        Some(block) => vec![
            Box::new(State { derived: derived.clone(), block }),
            Box::new(PrivateLog { offline: offline.clone(), derived: derived.clone(), block }),
        ],
        None => {
            let why = "empty: it is built from the blocks when the peer starts";
            vec![Box::new(Absent { name: "state", why })]
        }
    };
    recorded.push(Box::new(History { derived: derived.clone() }));
    recorded.push(Box::new(TransactionIndex { derived: derived.clone() }));
    recorded.push(Box::new(BlockIndex { offline: offline.clone(), derived }));
    Ok(recorded)
}

/// Something that is not there to be compared.
struct Absent {
    name: &'static str,
    why: &'static str,
}

impl Recorded for Absent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn at(&self) -> At {
        At::End
    }

    fn compare(&mut self, _: &ledger::Ledger) -> Result<Findings, Error> {
        Ok(Findings::skipped(self.name, self.why))
    }
}

/// State and indexes that cannot be opened.
struct Broken {
    dir: PathBuf,
    reason: String,
}

impl Recorded for Broken {
    fn name(&self) -> &'static str {
        "state and indexes"
    }

    fn at(&self) -> At {
        At::End
    }

    fn compare(&mut self, _: &ledger::Ledger) -> Result<Findings, Error> {
        let found = Difference::new(What::Database, "a readable database", self.reason.clone());
        let found = found.file(self.dir.join("index").display().to_string());
        Ok(Findings::differs(self.name(), "cannot be opened", found))
    }
}

/// What cannot be read because it is damaged is a difference, the rest an error.
fn damage(error: SegmentsError) -> Result<Difference, Error> {
    match error {
        SegmentsError::Corrupt { file, offset, reason } => {
            let place = format!("{} at offset {offset}", file.display());
            Ok(Difference::new(What::File, "an intact record", reason).file(place))
        }
        error => Err(Error::Ledger(LedgerError::Blocks(error.into()))),
    }
}
