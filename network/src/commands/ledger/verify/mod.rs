//! `gauze ledger verify`: is a ledger on disk what its blocks say?
//!
//! The work is done by `peer::verify`; here are the flags, the progress and the words.

mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use peer::verify::{Error, Options, Report, Subject, fabric, gauze, verify};

use crate::cli::Globals;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::output::{Format, Output};
use crate::progress::Progress;

pub(super) const ABOUT: &str = "\
Verify the ledger of a peer of Gauze or Fabric from its files.

Nothing a peer has decided is believed. Every block is checked again (number, hash of the block \
before, hash of its content, signatures of the orderers by the configuration in force), every \
transaction is judged again (signatures, policies, reads), commit hashes are computed again, and \
the state, the history, the indexes and the private data are compared with what comes out. The \
first difference is reported exactly: block, transaction, key, what was expected and what was \
found.

Verification needs no network and no running node, and never writes to the folder it verifies. \
It replays the blocks in a scratch folder, which needs as much room as the ledger. While a peer \
runs on the ledger, only the blocks are verified.

The first block is the root of trust: it is believed unless --genesis says what it must be. A \
ledger that began from a snapshot is verified from there on; then the snapshot is believed.";

pub(super) const EXAMPLES: &str = "\
Exit codes: 0 verified, 1 a difference, 2 usage, 3 no ledger there, 4 may not be read, \
5 cannot be judged, 6 cannot be read

Examples:
  gauze network down
  gauze ledger verify .gauze/nodes/peer0.hospital             all channels of a peer
  gauze ledger verify /var/gauze/data/ledgers/care            one channel
  gauze ledger verify ledgers/care --genesis care.block       and nothing is believed
  gauze ledger verify ledgers/care --to 1000 --output json
  gauze ledger verify --from-fabric recording                 blocks/, state_ORG.json, snapshot/
  gauze ledger verify --from-fabric /var/hyperledger/production/ledgersData
  gauze ledger verify --from-fabric chains/chains/care        blockfile_000000, …";

#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// A channel's ledger, or the folder with the ledgers of a peer.
    dir: PathBuf,
    /// The ledger is that of a Fabric peer: its block files, or a recording of its blocks.
    #[arg(long)]
    from_fabric: bool,
    /// The last block to verify.
    #[arg(long, value_name = "BLOCK")]
    to: Option<u64>,
    /// The channel's genesis block, from a source you trust.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// The snapshot behind which the blocks begin, for block files of a Fabric peer that joined by
    /// it. A ledger of Gauze keeps its own.
    #[arg(long, value_name = "DIR")]
    snapshot: Option<PathBuf>,
    /// Where to replay, instead of the folder for temporary files; must exist.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

pub(crate) async fn run(flags: Flags, globals: &Globals) -> Result<()> {
    let options = options(&flags)?;
    let cancelled = options.cancelled.clone();
    let (output, progress) = (globals.output(), globals.progress());
    let mut work =
        tokio::task::spawn_blocking(move || verify_all(&flags, &options, output, &progress));
    // The scratch folder is removed also when the operator has enough.
    tokio::select! {
        done = &mut work => return finished(done),
        _ = tokio::signal::ctrl_c() => cancelled.store(true, Ordering::Relaxed),
    }
    finished(work.await)
}

fn finished(work: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    work.unwrap_or_else(|error| {
        Err(Failure::new(Exit::Unavailable, "verify the ledger").because(error))
    })
}

fn options(flags: &Flags) -> Result<Options> {
    let genesis = flags.genesis.as_ref().map(|path| {
        let what = || format!("read the genesis block {}", path.display());
        let bytes = std::fs::read(path).map_err(|error| io(&error, what()))?;
        let block = proto::block::parse(bytes.into());
        block.map_err(|error| Failure::usage(what()).because(error))
    });
    let cancelled = Arc::new(AtomicBool::new(false));
    Ok(Options { to: flags.to, genesis: genesis.transpose()?, cancelled })
}

fn verify_all(flags: &Flags, options: &Options, out: Output, progress: &Progress) -> Result<()> {
    let mut reports = Vec::new();
    for ledger in ledgers(flags)? {
        let scratch = scratch(flags)?;
        let what = || format!("verify {}", ledger.dir().display());
        let opened = ledger.open(&scratch.path().join("copy"));
        let mut subject = opened.map_err(|error| failure(&error, what()))?;
        subject.base = subject.base.or_else(|| flags.snapshot.clone());
        let (dir, bar) =
            (subject.dir.clone(), progress.blocks(ledger.name(), total(&subject, flags)));
        let replay = scratch.path().join("replay");
        let report = verify(subject, options, &replay, &|done| bar.set(done));
        drop(bar);
        let report = report.map_err(|error| failure(&error, what()))?;
        out.say(text::report(&dir, &report));
        reports.push((dir, report));
    }
    if out.format == Format::Json {
        out.show(text::json(&reports), String::new);
    }
    differences(&reports)
}

fn total(subject: &Subject, flags: &Flags) -> Option<u64> {
    let wanted = flags.to.map(|to| to.saturating_add(1));
    match (subject.blocks, wanted) {
        (Some(blocks), Some(wanted)) => Some(blocks.min(wanted)),
        (blocks, wanted) => blocks.or(wanted),
    }
}

fn scratch(flags: &Flags) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("gauze-verify-");
    let made = match &flags.scratch {
        Some(dir) => builder.tempdir_in(dir),
        None => builder.tempdir(),
    };
    made.explain(|| "make a scratch folder".to_owned()).map_err(|failure| {
        Failure { exit: Exit::Unavailable, ..failure }.next("gauze ledger verify … --scratch DIR")
    })
}

/// A ledger of either kind.
enum Ledger {
    Gauze(PathBuf),
    Fabric(fabric::Found),
}

impl Ledger {
    fn dir(&self) -> &Path {
        match self {
            Self::Gauze(dir) => dir,
            Self::Fabric(found) => &found.dir,
        }
    }

    fn name(&self) -> String {
        let name = self.dir().file_name().unwrap_or(self.dir().as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn open(&self, scratch: &Path) -> std::result::Result<Subject, Error> {
        match self {
            Self::Gauze(dir) => gauze::open(dir, scratch),
            Self::Fabric(found) => fabric::open(found, scratch),
        }
    }
}

fn ledgers(flags: &Flags) -> Result<Vec<Ledger>> {
    let dir = &flags.dir;
    let other = match flags.from_fabric {
        true => gauze::find(dir).is_ok().then_some("gauze ledger verify"),
        false => fabric::find(dir).is_ok().then_some("gauze ledger verify --from-fabric"),
    };
    let found = match flags.from_fabric {
        true => fabric::find(dir).map(|found| found.into_iter().map(Ledger::Fabric).collect()),
        false => gauze::find(dir).map(|found| found.into_iter().map(Ledger::Gauze).collect()),
    };
    found.map_err(|error| {
        let failure = failure(&error, "find a ledger".to_owned());
        match other {
            Some(command) => failure.next(format!("{command} {}", dir.display())),
            None => failure,
        }
    })
}

fn failure(error: &Error, what: String) -> Failure {
    let exit = match error {
        Error::NoLedger { .. } => Exit::NotFound,
        Error::Io { source, .. } => return io(source, format!("{what}: {error}")),
        Error::Judge { .. } | Error::Unsupported(_) => Exit::Conflict,
        _ => Exit::Unavailable,
    };
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    Failure::new(exit, what).because(why)
}

fn io(error: &std::io::Error, what: String) -> Failure {
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => Exit::NotFound,
        std::io::ErrorKind::PermissionDenied => Exit::Denied,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, what).because(error)
}

/// Any difference is a failure: that of the first ledger that has one is told.
fn differences(reports: &[(PathBuf, Report)]) -> Result<()> {
    let mut different = reports.iter().filter(|(_, report)| !report.is_clean());
    let Some((dir, report)) = different.next() else { return Ok(()) };
    let Some(found) = &report.difference else { return Ok(()) };
    let what = format!("{} differs in {}", dir.display(), found.location());
    let why = format!("{}; expected {}; found {}", found.what.text(), found.expected, found.found);
    let mut failure = Failure::new(Exit::Failed, what).because(why).next(found.remedy.clone());
    let others = different.count();
    if others > 0 {
        failure.what.push_str(&format!(" (and {others} more ledgers differ, see above)"));
    }
    Err(failure)
}
