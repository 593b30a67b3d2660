//! Verification of one ledger from its first block to its last.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use proto::block;
use proto::common::Block;

use super::chain::{Chain, Step};
use super::describe::code;
use super::replay::Replay;
use super::{At, Check, Difference, Error, Findings, Recorded, Report, Source, Subject, What};
use crate::causes::in_one_line;

/// Blocks whose signatures are verified ahead of their judgement.
const AHEAD_MAX: usize = 16;

/// What the operator decides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The last block to verify.
    pub to: Option<u64>,
    /// What the first block must be.
    pub genesis: Option<Block>,
    /// Set when the operator has enough.
    pub cancelled: Arc<AtomicBool>,
}

/// What the thread that reads tells the one that replays.
enum Told {
    Step(Step),
    /// There are no more blocks; what the reader of a report should know.
    End(Vec<String>),
    Failed(Error),
}

/// Verifies a ledger. The empty folder `scratch` must have room for another one like it;
/// `progress` is told how many blocks are done.
pub fn verify(
    subject: Subject,
    options: &Options,
    scratch: &Path,
    progress: &dyn Fn(u64),
) -> Result<Report, Error> {
    let started = Instant::now();
    let Subject { mut source, mut recorded, genesis, base, notes, .. } = subject;
    let mut run = match begin(options.to, scratch, base.as_deref())? {
        Ok(run) => run,
        Err(mut difference) => {
            difference.remedy = source.remedy(&difference);
            let difference = Some(*difference);
            return Ok(Report {
                difference,
                notes,
                seconds: started.elapsed(),
                ..Report::default()
            });
        }
    };
    run.report.notes = notes;
    let chain = match run.replay.beginning()? {
        None => Chain::new(options.genesis.clone().or(genesis)),
        Some(beginning) => {
            run.report.first = beginning.next;
            run.compare_at(At::Block(beginning.next.saturating_sub(1)), &mut recorded)?;
            Chain::behind(beginning)
        }
    };
    let (sender, receiver) = sync_channel(AHEAD_MAX);
    let (reading, to) = (source.as_mut(), options.to);
    let proceed = |blocks: u64| {
        progress(blocks);
        match options.cancelled.load(Ordering::Relaxed) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    };
    let outcome = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read(reading, chain, to, &sender));
        let outcome = run.blocks(receiver, &mut recorded, &proceed);
        match reader.join() {
            Ok(()) => outcome,
            Err(_) => Err(Error::Panicked("the reader of blocks")),
        }
    });
    outcome?;
    if run.report.is_clean() {
        run.end(&mut recorded)?;
    }
    let mut report = run.finish();
    if let Some(difference) = &mut report.difference {
        difference.remedy = source.remedy(difference);
    }
    report.seconds = started.elapsed();
    Ok(report)
}

/// An empty ledger, or one behind a snapshot. What is wrong with the snapshot is a difference.
fn begin(
    to: Option<u64>,
    scratch: &Path,
    base: Option<&Path>,
) -> Result<Result<Run, Box<Difference>>, Error> {
    let replay = match base {
        None => Ok(Replay::new(scratch)?),
        Some(base) => Replay::behind(scratch, base)?,
    };
    Ok(replay.map(|replay| Run::new(to, replay)))
}

/// Reads blocks and checks what needs no state, until there are no more or nobody listens.
fn read(source: &mut dyn Source, mut chain: Chain, to: Option<u64>, told: &SyncSender<Told>) {
    loop {
        let number = chain.next();
        let step = if to.is_some_and(|to| number > to) {
            Ok(None)
        } else {
            match source.next() {
                Ok(item) => item.map(|item| chain.check(item)).transpose(),
                Err(fault) => fault
                    .difference()
                    .map(|found| Some(Step::Difference(Box::new(found.block(number))))),
            }
        };
        let message = match step {
            Ok(Some(step)) => Told::Step(step),
            Ok(None) => Told::End(source.notes()),
            Err(error) => Told::Failed(error),
        };
        let last =
            matches!(&message, Told::End(_) | Told::Failed(_) | Told::Step(Step::Difference(_)));
        let wrong = matches!(&message, Told::Step(Step::Block(it)) if it.difference.is_some());
        if told.send(message).is_err() || last || wrong {
            return;
        }
    }
}

struct Run {
    to: Option<u64>,
    replay: Replay,
    report: Report,
    /// What was found beside the blocks.
    beside: Vec<Check>,
    /// What a block did not pass.
    failed: Option<What>,
}

impl Run {
    fn new(to: Option<u64>, replay: Replay) -> Self {
        let channel = replay.ledger().map(|it| it.channel_id().to_owned()).unwrap_or_default();
        let report = Report { channel, ..Report::default() };
        Self { to, replay, report, beside: Vec::new(), failed: None }
    }

    /// The last block that was verified or is in the snapshot; nothing if there is none.
    fn last(&self) -> Option<u64> {
        (self.report.first + self.report.blocks).checked_sub(1)
    }

    fn blocks(
        &mut self,
        told: Receiver<Told>,
        recorded: &mut Vec<Box<dyn Recorded>>,
        proceed: &dyn Fn(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for message in told {
            match message {
                Told::Step(Step::Block(checked)) => {
                    let block = checked.block.clone();
                    if let Some(difference) = self.replay.apply(*checked)? {
                        self.differs(*difference);
                        return Ok(());
                    }
                    self.count(&block);
                    proceed(self.report.blocks)?;
                    self.compare_at(At::Block(block::number(&block)), recorded)?;
                }
                Told::Step(Step::Difference(difference)) => self.differs(*difference),
                Told::End(notes) => self.report.notes.extend(notes),
                Told::Failed(error) => return Err(error),
            }
            if !self.report.is_clean() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is compared after the last block, and what was never reached.
    fn end(&mut self, recorded: &mut Vec<Box<dyn Recorded>>) -> Result<(), Error> {
        let Some(last) = self.last() else {
            self.differs(Difference::new(What::MissingBlock, "block 0", "no block").block(0));
            return Ok(());
        };
        for left in recorded.iter() {
            if let (At::Block(at), true) = (left.at(), self.report.is_clean()) {
                self.unreached(left.name(), at, last);
            }
        }
        if self.report.is_clean() {
            self.compare_at(At::End, recorded)?;
        }
        Ok(())
    }

    /// What was recorded at a later block is not compared if the operator wants it so; otherwise
    /// blocks are missing.
    fn unreached(&mut self, name: &'static str, at: u64, last: u64) {
        if self.to.is_some() {
            let text = format!("not compared: it is of block {at}");
            return self.beside.push(Check::skipped(name, text));
        }
        let expected = format!("blocks up to {at}, of which the {name} is");
        let missing = Difference::new(What::MissingBlock, expected, format!("{last} as the last"));
        self.differs(missing.block(last + 1));
    }

    fn count(&mut self, block: &Block) {
        let report = &mut self.report;
        let header = block.header.clone().unwrap_or_default();
        let hash = hex::encode(block::header_hash(&header));
        if report.blocks == 0 {
            report.genesis_hash.clone_from(&hash);
            let ledger = self.replay.ledger();
            report.channel = ledger.map(|it| it.channel_id().to_owned()).unwrap_or_default();
        }
        report.last_hash = hash;
        report.commit_hash = block::commit_hash(block).map(hex::encode);
        report.blocks += 1;
        report.transactions += block::envelopes(block).len() as u64;
        report.configurations += u64::from(block::is_config(block));
        let signatures = block::signatures(block).map_or(0, |it| it.signatures.len() as u64);
        report.orderer_signatures += signatures;
        for byte in &block::transactions_filter(block) {
            *report.codes.entry(code(*byte)).or_default() += 1;
        }
    }

    /// Takes note of a block that is not what it should be.
    fn differs(&mut self, difference: Difference) {
        self.failed = Some(difference.what);
        self.report.difference = Some(difference);
    }

    /// The report, with what all its blocks have passed in front.
    fn finish(mut self) -> Report {
        let Report { blocks, transactions, configurations, orderer_signatures, .. } = self.report;
        let commit_hashes = blocks.saturating_sub(u64::from(self.report.first == 0));
        let numbers = match self.last() {
            Some(last) if blocks > 0 => format!(" ({} to {last})", self.report.first),
            _ => String::new(),
        };
        let linked = format!("{}{numbers} linked, content hashed", plural(blocks, "block"));
        let rows = [
            ("hash chain", linked),
            (
                "orderer signatures",
                [plural(orderer_signatures, "signature"), plural(configurations, "configuration")]
                    .join(", "),
            ),
            ("validation", judged(transactions, &self.report.codes)),
            ("commit hashes", format!("{commit_hashes} computed again")),
        ];
        let failed = self.failed.map(stage);
        let rows = rows.into_iter().enumerate().map(|(number, (name, text))| {
            match failed == Some(number) {
                true => Check::differs(name, format!("{text}; the next block differs")),
                false => Check::held(name, text),
            }
        });
        self.report.checks = rows.chain(self.beside).collect();
        self.report
    }

    fn compare_at(&mut self, at: At, recorded: &mut Vec<Box<dyn Recorded>>) -> Result<(), Error> {
        let Some(ledger) = self.replay.ledger().cloned() else { return Ok(()) };
        let (due, later) = recorded.drain(..).partition::<Vec<_>, _>(|it| it.at() == at);
        *recorded = later;
        for mut it in due {
            let Findings { checks, difference, notes } = compare(it.as_mut(), &ledger)?;
            self.beside.extend(checks);
            self.report.notes.extend(notes);
            if difference.is_some() {
                self.report.difference = difference;
                break;
            }
        }
        Ok(())
    }
}

/// The databases of a damaged ledger may panic where they should report.
fn compare(it: &mut dyn Recorded, ledger: &ledger::Ledger) -> Result<Findings, Error> {
    let name = it.name();
    let compared = catch_unwind(AssertUnwindSafe(|| it.compare(ledger)));
    let reason = match compared {
        Ok(Err(Error::Ledger(error))) => in_one_line(&error),
        Ok(result) => return result,
        Err(_) => "one whose pages do not fit together".to_owned(),
    };
    let damaged = Difference::new(What::Database, "a readable database", reason);
    Ok(Findings::differs(name, "cannot be read", damaged))
}

/// In which stage of a block's verification something is found.
fn stage(what: What) -> usize {
    match what {
        What::OrdererSignatures | What::Configuration | What::LastConfig => 1,
        What::CodeCount | What::ValidationCode => 2,
        What::CommitHash => 3,
        _ => 0,
    }
}

fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// How many transactions were judged, and how: the most frequent codes first.
fn judged(transactions: u64, codes: &BTreeMap<String, u64>) -> String {
    let mut codes: Vec<_> = codes.iter().collect();
    codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let codes: Vec<_> = codes.into_iter().map(|(code, count)| format!("{count} {code}")).collect();
    format!("{} judged again: {}", plural(transactions, "transaction"), codes.join(", "))
}
