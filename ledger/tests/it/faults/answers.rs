//! Everything a ledger says, line by line.

use std::fs;
use std::path::Path;

use ledger::Ledger;
use prost::Message;
use tempfile::TempDir;

use super::script::{BLOCKS, Script, clear, secrets};

/// All answers by question. An answer may be an error, question by question.
pub(super) type Answers = Vec<(String, Result<String, ledger::Error>)>;

/// Asks for all that does not depend on the height: what is in the blocks up to it.
pub(super) fn of_blocks(ledger: &Ledger) -> Answers {
    let mut answers = Answers::new();
    for number in ledger.first_block()..ledger.height() {
        let block = ledger.block(number).and_then(|block| {
            let block = block.unwrap();
            let hash = proto::block::header_hash(proto::block::header(&block)?);
            let by_hash = ledger.block_by_hash(&hash)?.map(|it| it == block);
            let commit_hash = proto::block::commit_hash(&block).map(hex::encode);
            let bytes = hex::encode(proto::sha256(&block.encode_to_vec()));
            Ok(format!("{bytes} commit hash {commit_hash:?}, by hash {by_hash:?}"))
        });
        answers.push((format!("block {number}"), block));
    }
    answers
}

/// Asks for everything.
pub(super) fn all(ledger: &Ledger, script: &Script) -> Answers {
    let mut answers = of_blocks(ledger);
    let mut ask = |question: String, answer| answers.push((question, answer));
    ask("height".into(), Ok(ledger.height().to_string()));
    ask("info".into(), ledger.info().map(|it| format!("{it:?}")));
    for tx_id in &script.tx_ids {
        let found = ledger.transaction(tx_id);
        let found = found.map(|it| it.map(|it| (it.block, it.index, it.code, it.envelope.len())));
        ask(format!("transaction {tx_id}"), found.map(|it| format!("{it:?}")));
    }
    ask("state".into(), state(ledger));
    let keys = (0..5).map(|it| format!("key{it}"));
    for key in keys.chain(["counter", "counter2", "never"].map(str::to_owned)) {
        let history = ledger
            .history("cc", &key, None, 1000)
            .map(|it| it.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join("\n"));
        ask(format!("history {key}"), history);
    }
    for number in 0..ledger.height() {
        let private = ledger.private_data(number);
        let private = private.map(|sets| {
            sets.iter().map(|(tx, set)| format!("{tx}: {}", clear(set))).collect::<Vec<_>>()
        });
        ask(format!("private {number}"), private.map(|it| it.join("\n")));
        let at = ledger.collections_below("cc", number);
        ask(format!("collections {number}"), at.map(|it| format!("{it:?}")));
    }
    let missing = ledger.missing_private_data(usize::MAX);
    ask("missing".into(), missing.map(|it| format!("{it:?}")));
    let dir = TempDir::new().unwrap();
    let snapshot = ledger.snapshot(dir.path().join("snapshot"));
    ask("snapshot".into(), snapshot.map(|it| format!("{it:?}")));
    answers
}

fn state(ledger: &Ledger) -> Result<String, ledger::Error> {
    let mut lines = Vec::new();
    for entry in ledger.view()?.entries() {
        let (key, entry) = entry?;
        lines.push(format!("{} {:?}: {entry:?}", key.namespace(), key.key()));
    }
    Ok(lines.join("\n"))
}

/// Which clear values stand in the files of private data, and what snapshots there are.
pub(super) fn of_files(dir: &Path, snapshots: &Path) -> Answers {
    let private = super::torn::files(&dir.join("private"));
    let bytes: Vec<u8> = private.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let found = secrets().map(|secret| {
        let there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        (secret, Ok(there.to_string()))
    });
    let mut answers: Answers = found.collect();
    for height in 0..=BLOCKS {
        let at = snapshots.join(height.to_string()).join("_snapshot_signable_metadata.json");
        let text = fs::read_to_string(at).map_err(|error| error.kind());
        answers.push((format!("snapshot {height}"), Ok(format!("{text:?}"))));
    }
    answers
}

/// The answers as text; there must be no error among them.
#[track_caller]
pub(super) fn expect(answers: Answers) -> Vec<(String, String)> {
    let each = answers.into_iter().map(|(question, answer)| {
        let answer =
            answer.unwrap_or_else(|error| panic!("{question}: {}", super::describe(&error)));
        (question, answer)
    });
    each.collect()
}

/// The answers as text, errors among them.
pub(super) fn told(answers: Answers) -> Vec<(String, String)> {
    let text = |answer: Result<_, _>| answer.unwrap_or_else(|error| super::describe(&error));
    answers.into_iter().map(|(question, answer)| (question, text(answer))).collect()
}

/// Compares answers, question by question.
#[track_caller]
pub(super) fn compare(found: &[(String, String)], truth: &[(String, String)], case: &str) {
    for (found, truth) in found.iter().zip(truth) {
        assert_eq!(found, truth, "{case}");
    }
    assert_eq!(found.len(), truth.len(), "{case}");
}
